/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target - the way to a target: resolve its name, ask its rpcbind for the
 * service's port, connect; over UDP, see that somebody answers. One attempt,
 * with a deadline for all of it.
 */
#ifndef USBIP_CLIENT_TARGET_H
#define USBIP_CLIENT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "client/failure.h"
#include "client/resolver.h"

struct event_base;
struct target;

struct target_config {
	struct event_base *base;
	const char *host;		/* name or address, IPv4 or IPv6 */
	bool udp;			/* else TCP */
	uint16_t port;			/* of the service; 0: ask rpcbind */
	/* Where it was found before: that is tried first, and its rpcbind is
	 * asked only then (and not with a port); over UDP it is not seen
	 * whether somebody answers there. Or NULL. */
	const struct resolver_addr *known;
	unsigned int timeout_ms;	/* of all that */
	/* One of the two is called, once, from the loop. */
	void (*connected)(int fd, const struct resolver_addr *addr, void *user);
	void (*failed)(const struct failure *f, void *user);
	void *user;
};

/* Begin. -errno: out of memory, or of processes. */
int target_new(struct target **tp, const struct target_config *config);
/* Gives up; also to be called in or after the callback. NULL is fine. */
struct target *target_free(struct target *t);

#endif
