// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch - EVENTS, always one of them outstanding.
 */
#include "client/watch.h"

#include <string.h>

#include "client/status.h"
#include "common/rpcclnt.h"

#define WAIT_S		60
/* The target may be late with its "nothing", and the link slow. */
#define TIMEOUT_MS	((WAIT_S + 30) * 1000)

static void ask(struct watch *w);

/* True: go on. */
static bool read_events(struct watch *w)
{
	const usbip_events_ok *ok = &w->res.usbip_events_res_u.events;

	if (w->res.status != USBIP_OK) {
		if (status_ends_session(w->res.status))
			w->ended(w->res.status, w->user);
		w->none = true;		/* RENEW finds out, then */
		return false;
	}
	w->args.after = ok->last;
	for (u_int i = 0; i < ok->events.events_len; i++) {
		if (ok->events.events_val[i].type != USBIP_EVENT_SESSION)
			continue;
		w->ended(ok->events.events_val[i].why, w->user);
		return false;
	}
	return true;
}

static void came(const struct rpc_err *err, void *user)
{
	struct watch *w = user;
	bool on = err->re_status == RPC_TIMEDOUT;

	if (err->re_status == RPC_SUCCESS) {
		w->heard(w->user);
		on = read_events(w);
	}
	if (err->re_status == RPC_PROCUNAVAIL)
		w->none = true;
	xdr_free((xdrproc_t)xdr_usbip_events_res, &w->res);
	if (on)
		ask(w);
}

static void ask(struct watch *w)
{
	memset(&w->res, 0, sizeof(w->res));
	rpcclnt_next(w->clnt, TIMEOUT_MS, came, w);
	usbip_events_1(&w->args, &w->res, rpcclnt_handle(w->clnt));
}

void watch_init(struct watch *w, const usbip_claim_ok *claim)
{
	memcpy(w->args.boot, claim->boot, sizeof(w->args.boot));
	w->args.after = claim->event;
	w->args.session = claim->session;
	w->args.wait = WAIT_S;
}

void watch_begin(struct watch *w, struct rpcclnt *clnt)
{
	w->clnt = clnt;
	if (!w->none)
		ask(w);
}
