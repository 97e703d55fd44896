// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection to the answering side, with rpcgen's dispatcher on top. The
 * first byte: cut the rest into pieces, and whether to answer parked calls,
 * close early, or half-close.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/service.h"

static void drain(int fd)
{
	static char sink[1 << 16];

	while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct service service;
	struct rpcsrv_config config;
	size_t step;
	int pair[2];
	uint8_t how;

	if (!size)
		return 0;
	if (!base)
		base = event_base_new();
	how = data[0];
	step = how % 8 ? size : how / 8 + 1u;
	config = service_config(&service, base);
	config.limits.record_small = 1 << 16;
	config.limits.record_max = 1 << 17;
	config.limits.calls = 8;
	config.limits.bytes = 1 << 18;
	if (service_init(&service, &config) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    rpcsrv_adopt(service.srv, pair[0]))
		abort();
	service.auto_answer = how & 16;
	service.data_max = 1 << 15;
	for (size_t at = 1; at < size; at += step) {
		if (send(pair[1], data + at, step < size - at ? step : size - at, MSG_NOSIGNAL) < 0)
			break;
		event_base_loop(base, EVLOOP_NONBLOCK);
		drain(pair[1]);
	}
	if (how & 32)
		shutdown(pair[1], SHUT_WR);
	if (how & 64)
		close(pair[1]);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	while (!(how & 128) && service.n_parked)
		service_answer(&service, TAILQ_FIRST(&service.parked)->number);
	event_base_loop(base, EVLOOP_NONBLOCK);
	service_deinit(&service);
	if (service.n_lent)
		abort();
	if (!(how & 64))
		close(pair[1]);
	return 0;
}
