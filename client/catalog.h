/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * catalog - the devices of a target, as LIST tells them.
 */
#ifndef USBIP_CLIENT_CATALOG_H
#define USBIP_CLIENT_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/failure.h"
#include "client/pause.h"
#include "rpc/usbip.h"

struct rpcclnt;

/* The largest reply of LIST and EVENTS: no URB data comes here. */
#define CATALOG_RECORD_MAX	(1U << 20)

struct catalog {
	usbip_device *devices;		/* each owns its strings */
	size_t n;
	usbip_boot boot;		/* of the target, and its newest event */
	uint64_t event;			/* when the list was begun */
};

/* The pages of one LIST, asked for one by one. */
struct catalog_query {
	struct event_base *base;
	struct catalog *catalog;	/* empty; filled in */
	struct rpcclnt *clnt;
	const char *host;		/* for what is said of it */
	unsigned int timeout_ms;	/* of all pages together */
	/* Once: all of it is there, f is NULL; or it is empty, and why. May be
	 * called from catalog_ask(). */
	void (*done)(const struct failure *f, void *user);
	void *user;
	usbip_list_res res;		/* the page that is asked for */
	uint64_t cookie;		/* which that is */
	struct pause pause;		/* before it is asked for again */
	uint64_t end;			/* see deadline.h */
};

/* The rest of q is set; it lives until `done`, or catalog_stop(). Over datagrams
 * the address is proved before (see rpcclnt_prove()). */
void catalog_ask(struct catalog_query *q);
/* No more calls of it: the connection is freed next, which may call `done`. Also
 * where nothing is asked. */
void catalog_stop(struct catalog_query *q);

/*
 * Ask `host` (at tcp_port, or with `udp` that one; 0: where rpcbind says) and
 * wait, timeout_s for all of it. 0, and *c is to be freed by catalog_deinit();
 * -1, and *f says why.
 */
int catalog_fetch(struct catalog *c, const char *host, bool udp,
		  uint16_t tcp_port, unsigned int timeout_s,
		  struct failure *f);
void catalog_deinit(struct catalog *c);

/* By bus id; NULL: not there. */
usbip_device *catalog_find(const struct catalog *c, const char *busid);
void catalog_remove(struct catalog *c, usbip_device *device);
/* Takes the device over, in place of one with the same bus id; what it was is
 * all zero then. -ENOMEM. */
int catalog_put(struct catalog *c, usbip_device *device);

#endif
