/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch - EVENTS, always one of them outstanding: so the target can say at
 * once that it has ended the session.
 */
#ifndef USBIP_CLIENT_WATCH_H
#define USBIP_CLIENT_WATCH_H

#include <stdbool.h>

#include "rpc/usbip.h"

struct rpcclnt;

struct watch {
	struct rpcclnt *clnt;
	usbip_events_args args;
	usbip_events_res res;
	bool none;			/* the target does not do it */
	/* The target answered; and if it has ended the session, why. */
	void (*heard)(void *user);
	void (*ended)(usbip_stat why, void *user);
	void *user;
};

/* heard, ended and user are set; what CLAIM told goes into the rest. */
void watch_init(struct watch *w, const usbip_claim_ok *claim);
/* Begin on this connection. When it ends, so does this. */
void watch_begin(struct watch *w, struct rpcclnt *clnt);

#endif
