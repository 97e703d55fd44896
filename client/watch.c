// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch - EVENTS, always one of them outstanding, or a pause before the next.
 *
 * The target holds EVENTS until there is something to tell, but nothing keeps
 * it to that: so there is a pause behind every answer. It costs little, as
 * what happens meanwhile is told by the next one; and it gets longer while
 * the target has no room, or fails.
 */
#include "client/watch.h"

#include <string.h>

#include "client/status.h"
#include "common/rpcclnt.h"

#define WAIT_S		60
/* The target may be late with its "nothing", and the link slow. */
#define TIMEOUT_MS	((WAIT_S + 30) * 1000)
#define PAUSE_FIRST_MS	200
#define PAUSE_MAX_MS	30000

static void ask(struct watch *w);

static void pause_due(evutil_socket_t fd, short what, void *user)
{
	ask(user);
}

/* Ask again in a while. */
static void pause_then_ask(struct watch *w, bool answered)
{
	if (!w->clnt)
		return;
	if (answered)
		pause_reset(&w->pause);
	pause_begin(&w->pause);
}

/* An answer OK. True: it does not end the session. */
static bool read_events(struct watch *w)
{
	const usbip_events_ok *ok = &w->res.usbip_events_res_u.events;

	w->args.after = ok->last;
	for (u_int i = 0; i < ok->events.events_len; i++) {
		if (ok->events.events_val[i].type != USBIP_EVENT_SESSION)
			continue;
		w->ended(ok->events.events_val[i].why, w->user);
		return false;
	}
	return true;
}

static void read_answer(struct watch *w)
{
	usbip_stat stat = w->res.status;

	w->heard(w->user);
	if (stat == USBIP_OK) {
		if (read_events(w))
			pause_then_ask(w, true);
	} else if (status_ends_session(stat)) {
		w->ended(stat, w->user);
	} else {
		pause_then_ask(w, false);
	}
}

static void came(const struct rpc_err *err, void *user)
{
	struct watch *w = user;

	w->outstanding = false;
	switch (err->re_status) {
	case RPC_SUCCESS:
		read_answer(w);
		break;
	case RPC_CANTRECV:	/* the connection has ended */
		break;
	case RPC_PROCUNAVAIL:
		w->none = true;
		break;
	default:
		pause_then_ask(w, err->re_status == RPC_TIMEDOUT);
	}
	xdr_free((xdrproc_t)xdr_usbip_events_res, &w->res);
}

static void ask(struct watch *w)
{
	memset(&w->res, 0, sizeof(w->res));
	rpcclnt_next(w->clnt, TIMEOUT_MS, came, w);
	switch (usbip_events_1(&w->args, &w->res, rpcclnt_handle(w->clnt))) {
	case RPC_SUCCESS:
		w->outstanding = true;
		break;
	case RPC_CANTSEND:	/* the session hears of that */
		break;
	default:
		pause_then_ask(w, false);
	}
}

int watch_init(struct watch *w, struct event_base *base)
{
	return pause_init(&w->pause, base, PAUSE_FIRST_MS, PAUSE_MAX_MS,
			  pause_due, w);
}

void watch_deinit(struct watch *w)
{
	pause_deinit(&w->pause);
}

void watch_learn(struct watch *w, const usbip_claim_ok *claim)
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

void watch_stop(struct watch *w)
{
	pause_stop(&w->pause);
	w->clnt = NULL;
}
