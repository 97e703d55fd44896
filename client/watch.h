/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch - EVENTS, one after the other: so the target can say at once that it
 * has ended the session.
 */
#ifndef USBIP_CLIENT_WATCH_H
#define USBIP_CLIENT_WATCH_H

#include <stdbool.h>

#include "client/pause.h"
#include "rpc/usbip.h"

struct rpcclnt;

struct watch {
	struct rpcclnt *clnt;		/* NULL: it has stopped */
	usbip_events_args args;
	usbip_events_res res;
	struct pause pause;		/* until it is asked again */
	bool outstanding;		/* it is being asked */
	bool none;			/* the target does not do it */
	/* The target answered; and if it has ended the session, why. */
	void (*heard)(void *user);
	void (*ended)(usbip_stat why, void *user);
	void *user;
};

/* All zero but for heard, ended and user. -ENOMEM. */
int watch_init(struct watch *w, struct event_base *base);
/* After the connection is freed. What is all zero is fine. */
void watch_deinit(struct watch *w);
/* What CLAIM told. */
void watch_learn(struct watch *w, const usbip_claim_ok *claim);
/* Begin on this connection. */
void watch_begin(struct watch *w, struct rpcclnt *clnt);
/* The connection is lost, or the session is over: ask no more. What is still
 * answered is heard. */
void watch_stop(struct watch *w);

#endif
