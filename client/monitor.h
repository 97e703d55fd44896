/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * monitor - what happens to the devices of a target, by LIST and EVENTS, for
 * as long as it is wanted: over lost connections and new starts of its service.
 */
#ifndef USBIP_CLIENT_MONITOR_H
#define USBIP_CLIENT_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "client/catalog.h"
#include "client/failure.h"

struct event_base;
struct monitor;

enum monitor_event {
	MONITOR_PRESENT,	/* was there when the watching began */
	MONITOR_ARRIVED,
	MONITOR_LEFT,
	MONITOR_CHANGED,	/* who has it, or may have it */
	MONITOR_REENUMERATED,	/* same port, another device */
	MONITOR_WATCHING,	/* no device's: the list is complete */
	MONITOR_DISCONNECTED,	/* no device's: for now */
};

struct monitor_config {
	struct event_base *base;
	const char *host;		/* must live as long */
	bool udp;			/* else TCP */
	uint16_t tcp_port;		/* or UDP's; 0: by rpcbind */
	unsigned int timeout_ms;	/* of each step */
	/* First, and never again: what there is, which WATCHING follows. */
	void (*listed)(const struct catalog *c, void *user);
	/* `device` is NULL where the event is no device's; `why` is of
	 * DISCONNECTED, else NULL. */
	void (*happened)(enum monitor_event event, const usbip_device *device,
			 const char *why, void *user);
	/* The first list was not to be had, or the target can not do this. */
	void (*failed)(const struct failure *f, void *user);
	void *user;
};

/* Begin. -errno: out of memory. */
int monitor_new(struct monitor **mp, const struct monitor_config *config);
/* Not from a callback of its own. NULL is fine. */
struct monitor *monitor_free(struct monitor *m);

#endif
