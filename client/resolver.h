/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver - the addresses of a host, from the system's name service, without
 * waiting for it.
 */
#ifndef USBIP_CLIENT_RESOLVER_H
#define USBIP_CLIENT_RESOLVER_H

#include <sys/socket.h>

/* Of the addresses of a host, the first ones. */
#define RESOLVER_MAX	16

struct event_base;
struct resolver;

struct resolver_addr {
	struct sockaddr_storage addr;
	socklen_t len;
};

struct resolver_answer {
	int error;			/* 0, or EAI_* */
	unsigned int n;
	struct resolver_addr addrs[RESOLVER_MAX];
};

typedef void (*resolver_fn)(const struct resolver_answer *answer, void *user);

/* `done` is called once, from the loop. -errno. */
int resolver_new(struct resolver **rp, struct event_base *base,
		 const char *host, resolver_fn done, void *user);
/* Gives up; also to be called in or after the callback. NULL is fine. */
struct resolver *resolver_free(struct resolver *r);

#endif
