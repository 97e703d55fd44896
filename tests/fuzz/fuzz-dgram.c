// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Datagrams to the answering side, with rpcgen's dispatcher on top. The first
 * byte: whether to answer parked calls at once, at the end, or never; then a
 * row of (length in two bytes, bytes). Without trust nobody gets more bytes
 * than it has sent.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/service.h"

static int bound_socket(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)at, len) ||
	    getsockname(fd, (struct sockaddr *)at, &len))
		abort();
	return fd;
}

/* Bytes that have come. */
static size_t drain(int fd)
{
	static char sink[1 << 16];
	size_t sum = 0;
	ssize_t len;

	while ((len = recv(fd, sink, sizeof(sink), MSG_DONTWAIT)) >= 0)
		sum += len;
	return sum;
}

static void send_all(struct event_base *base, struct service *service, int fd,
		     const struct sockaddr_in *to, const uint8_t *data, size_t size)
{
	size_t sent = 0, got = 0, len;

	for (; size >= 2; data += len, size -= len) {
		len = data[0] << 8 | data[1];
		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (sendto(fd, data, len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
			break;
		sent += len;
		event_base_loop(base, EVLOOP_NONBLOCK);
		got += drain(fd);
		if (got > sent && !service->trusted)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct sockaddr_in at, from;
	struct service service;
	struct rpcsrv_config config;
	int fd;

	if (!size)
		return 0;
	if (!base)
		base = event_base_new();
	config = service_config(&service, base);
	config.limits.calls = 8;
	config.limits.calls_small = 4;
	if (service_init(&service, &config) ||
	    rpcsrv_listen_dgram(service.srv, bound_socket(&at)))
		abort();
	service.auto_answer = *data & 1;
	service.data_max = 1 << 15;
	fd = bound_socket(&from);
	send_all(base, &service, fd, &at, data + 1, size - 1);
	while (!(*data & 2) && service.n_parked)
		service_answer(&service, TAILQ_FIRST(&service.parked)->number);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	service_deinit(&service);
	if (service.n_lent)
		abort();
	close(fd);
	return 0;
}
