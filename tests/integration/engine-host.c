// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * engine-host - the test service on TCP and UDP, registered with rpcbind; and look-ups.
 *
 *	engine-host serve		until SIGTERM; prints the port first
 *	engine-host find HOST PORT PROGRAM MS [udp]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <event2/event.h>

#include "common/log.h"
#include "common/rpcb.h"
#include "tests/unit/service.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* A socket of that type; *addr is where, its port chosen if it is 0. */
static int socket_at(struct sockaddr_storage *addr, socklen_t len, int type)
{
	int fd = socket(addr->ss_family, type | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		die("socket");
	if (addr->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)addr, len) ||
	    (type == SOCK_STREAM && listen(fd, 64)) ||
	    getsockname(fd, (struct sockaddr *)addr, &len))
		die("listen");
	return fd;
}

static void stop(evutil_socket_t fd, short what, void *user)
{
	event_base_loopbreak(user);
}

static int serve(void)
{
	struct event_base *base = event_base_new();
	struct event *term = evsignal_new(base, SIGTERM, stop, base);
	struct service service;
	struct rpcsrv_config config = service_config(&service, base);
	struct rpcb_addr addrs[4] = { { .netid = "tcp" }, { .netid = "tcp6" },
				      { .netid = "udp" }, { .netid = "udp6" } };
	struct sockaddr_in *sin = (struct sockaddr_in *)&addrs[0].addr;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&addrs[1].addr;
	struct rpcb_reg *reg;

	sin->sin_family = AF_INET;
	sin6->sin6_family = AF_INET6;
	config.limits.record_small = config.limits.record_max;
	if (service_init(&service, &config) ||
	    rpcsrv_listen(service.srv, socket_at(&addrs[0].addr, sizeof(*sin), SOCK_STREAM)))
		die("service");
	sin6->sin6_port = sin->sin_port;
	addrs[2].addr = addrs[0].addr;
	addrs[3].addr = addrs[1].addr;
	if (rpcsrv_listen(service.srv, socket_at(&addrs[1].addr, sizeof(*sin6), SOCK_STREAM)) ||
	    rpcsrv_listen_dgram(service.srv,
				socket_at(&addrs[2].addr, sizeof(*sin), SOCK_DGRAM)) ||
	    rpcsrv_listen_dgram(service.srv,
				socket_at(&addrs[3].addr, sizeof(*sin6), SOCK_DGRAM)))
		die("service");
	service.auto_answer = true;
	printf("%u\n", ntohs(sin->sin_port));
	fflush(stdout);
	if (rpcb_reg_new(&reg, base, USBIP_PROGRAM, USBIP_V1, addrs, 4))
		die("rpcb_reg_new");
	event_add(term, NULL);
	event_base_dispatch(base);
	rpcb_reg_free(reg);
	service_deinit(&service);
	event_free(term);
	event_base_free(base);
	return 0;
}

struct search {
	struct event_base *base;
	struct rpcb_find *find;
};

static void print_found(enum rpcb_why why, int error, const struct sockaddr *addr,
			socklen_t len, void *user)
{
	static const char *const names[] = {
		[RPCB_FOUND] = "found",
		[RPCB_NO_HOST] = "no host",
		[RPCB_NO_RPCBIND] = "no rpcbind",
		[RPCB_NOT_REGISTERED] = "not registered",
		[RPCB_TIMED_OUT] = "timed out",
	};
	struct search *search = user;
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;

	printf("%s", names[why]);
	if (why == RPCB_FOUND)
		printf(" %s %u", inet_ntop(addr->sa_family,
					   addr->sa_family == AF_INET ?
					   (const void *)&sin->sin_addr :
					   (const void *)&sin6->sin6_addr,
					   host, sizeof(host)),
		       ntohs(addr->sa_family == AF_INET ? sin->sin_port : sin6->sin6_port));
	printf("\n");
	/* Freed within the callback, as a caller might. */
	search->find = rpcb_find_free(search->find);
	event_base_loopbreak(search->base);
}

static int find(char **argv)
{
	struct search search = { .base = event_base_new() };
	struct sockaddr_storage addr;
	struct sockaddr_in *sin = (struct sockaddr_in *)&addr;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&addr;
	uint16_t port = htons(atoi(argv[1]));

	memset(&addr, 0, sizeof(addr));
	if (inet_pton(AF_INET6, argv[0], &sin6->sin6_addr) == 1) {
		addr.ss_family = AF_INET6;
		sin6->sin6_port = port;
	} else if (inet_pton(AF_INET, argv[0], &sin->sin_addr) == 1) {
		addr.ss_family = AF_INET;
		sin->sin_port = port;
	} else {
		return 2;
	}
	if (rpcb_find_new(&search.find, search.base, (struct sockaddr *)&addr,
			  addr.ss_family == AF_INET ? sizeof(*sin) : sizeof(*sin6),
			  strtoul(argv[2], NULL, 0), 1,
			  argv[4] && !strcmp(argv[4], "udp") ? IPPROTO_UDP : IPPROTO_TCP,
			  atoi(argv[3]), print_found, &search))
		die("rpcb_find_new");
	event_base_dispatch(search.base);
	event_base_free(search.base);
	return 0;
}

int main(int argc, char **argv)
{
	log_open("engine-host", false);
	log_enable("net");
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return serve();
	if ((argc == 6 || argc == 7) && !strcmp(argv[1], "find"))
		return find(argv + 2);
	fprintf(stderr, "see the source\n");
	return 2;
}
