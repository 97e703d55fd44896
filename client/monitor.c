// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * monitor - what happens to the devices of a target.
 *
 * EVENTS tells that something happened and to which bus id; what is there now
 * LIST tells, which is asked after each answer of EVENTS. `shown` is what the
 * user has been told: a device in it is replaced by what LIST says when an
 * event names it, and not before, so that each change is told once, by the
 * event that made it. After a lost connection, and where events were lost, all
 * of `shown` is compared with the list instead.
 *
 *   CONNECTING -> LISTING <-> WAITING <-> PAUSED
 *       ^____________|____________|__________|__ LOST, for a moment
 *
 * The target holds EVENTS until there is something to tell, but nothing keeps
 * it to that: behind an answer with nothing there is a pause, and a longer one
 * where it has no room.
 */
#include "client/monitor.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/status.h"
#include "client/target.h"
#include "common/log.h"
#include "common/rpcclnt.h"

/* Less than what connections without a word are given on their way. */
#define WAIT_S		30
#define TIMEOUT_MS	((WAIT_S + 15) * 1000)
#define AGAIN_FIRST_MS	200
#define AGAIN_MAX_MS	5000
#define PAUSE_FIRST_MS	200
#define PAUSE_MAX_MS	30000

enum state { CONNECTING, LISTING, WAITING, PAUSED, LOST };

struct monitor {
	struct monitor_config config;
	enum state state;
	bool begun;			/* the first list was told */
	bool away;			/* DISCONNECTED was told */
	bool compare;			/* the next list is to be compared */
	struct target *target;
	struct rpcclnt *clnt;
	struct pause again, pause;	/* behind LOST, and PAUSED */
	struct catalog shown, fresh;
	struct catalog_query query;
	usbip_events_args args;
	usbip_events_res res;
	usbip_event pending[USBIP_EVENTS_MAX];	/* busid is in busids */
	char busids[USBIP_EVENTS_MAX][USBIP_BUSID_MAX + 1];
	size_t n_pending;
};

static void tell(struct monitor *m, enum monitor_event event,
		 const usbip_device *d)
{
	m->config.happened(event, d, NULL, m->config.user);
}

/* ---- a connection is lost ------------------------------------------------ */

static void set_state(struct monitor *m, enum state next)
{
	m->state = next;
	if (next != PAUSED)
		pause_stop(&m->pause);
}

/* Told once: the attempts to come back are not. */
static void lose(struct monitor *m, const struct failure *why)
{
	if (m->state == LOST)
		return;
	set_state(m, LOST);
	catalog_stop(&m->query);
	if (!m->begun) {
		m->config.failed(why, m->config.user);
		return;
	}
	if (!m->away)
		m->config.happened(MONITOR_DISCONNECTED, NULL, why->text,
				   m->config.user);
	m->away = m->compare = true;
	pause_begin(&m->again);
}

/* It is of no use to come again. */
static void fail(struct monitor *m, const struct failure *why)
{
	set_state(m, LOST);
	pause_stop(&m->again);
	m->config.failed(why, m->config.user);
}

/* ---- what is told -------------------------------------------------------- */

static bool is_other_device(const usbip_device *a, const usbip_device *b)
{
	return a->vendor != b->vendor || a->product != b->product ||
	       a->bcd_device != b->bcd_device || a->speed != b->speed ||
	       a->class_code != b->class_code;
}

static bool differs(const usbip_device *a, const usbip_device *b)
{
	return a->state != b->state || strcmp(a->claimed_by, b->claimed_by);
}

/* What LIST says of this bus id now is shown as `event`. */
static void show(struct monitor *m, enum monitor_event event,
		 usbip_device *now)
{
	char busid[USBIP_BUSID_MAX + 1] = "";

	strncat(busid, now->busid, sizeof(busid) - 1);
	if (!catalog_put(&m->shown, now))
		tell(m, event, catalog_find(&m->shown, busid));
}

static void hide(struct monitor *m, usbip_device *old)
{
	tell(m, MONITOR_LEFT, old);
	catalog_remove(&m->shown, old);
}

static void show_event(struct monitor *m, usbip_event_type type,
		       const char *busid)
{
	usbip_device *old = catalog_find(&m->shown, busid);
	usbip_device *now = catalog_find(&m->fresh, busid);

	switch (type) {
	case USBIP_EVENT_ARRIVED:
		if (now)
			show(m, MONITOR_ARRIVED, now);
		break;
	case USBIP_EVENT_REENUMERATED:
		if (now)
			show(m, MONITOR_REENUMERATED, now);
		break;
	case USBIP_EVENT_LEFT:
		if (old)
			hide(m, old);
		break;
	case USBIP_EVENT_CHANGED:
		if (now && old && differs(old, now))
			show(m, MONITOR_CHANGED, now);
		break;
	case USBIP_EVENT_LOST:
	case USBIP_EVENT_SESSION:
		break;
	}
}

static void show_events(struct monitor *m)
{
	for (size_t i = 0; i < m->n_pending; i++)
		show_event(m, m->pending[i].type, m->busids[i]);
}

/* Nobody has told what happened between the two lists. */
static void show_differences(struct monitor *m)
{
	for (size_t i = m->shown.n; i; i--)
		if (!catalog_find(&m->fresh, m->shown.devices[i - 1].busid))
			hide(m, &m->shown.devices[i - 1]);
	for (size_t i = 0; i < m->fresh.n; i++) {
		usbip_device *now = &m->fresh.devices[i];
		usbip_device *old = catalog_find(&m->shown, now->busid);

		if (!old)
			show(m, MONITOR_ARRIVED, now);
		else if (is_other_device(old, now))
			show(m, MONITOR_REENUMERATED, now);
		else if (differs(old, now))
			show(m, MONITOR_CHANGED, now);
	}
}

/* ---- LIST and EVENTS, in turn -------------------------------------------- */

static void ask_list(struct monitor *m);
static void ask_events(struct monitor *m);

static void go_on_after(struct monitor *m, const struct catalog *c)
{
	memcpy(m->args.boot, c->boot, sizeof(m->args.boot));
	m->args.after = c->event;
}

static void listed(const struct failure *f, void *user)
{
	struct monitor *m = user;

	if (m->state != LISTING)
		return;
	if (f) {
		lose(m, f);
		return;
	}
	if (!m->begun || m->compare)
		go_on_after(m, &m->fresh);
	if (!m->begun) {
		m->begun = true;
		m->shown = m->fresh;
		memset(&m->fresh, 0, sizeof(m->fresh));
		m->config.listed(&m->shown, m->config.user);
		tell(m, MONITOR_WATCHING, NULL);
	} else if (m->compare) {
		show_differences(m);
		if (m->away)
			tell(m, MONITOR_WATCHING, NULL);
		m->away = m->compare = false;
	} else {
		show_events(m);
	}
	catalog_deinit(&m->fresh);
	ask_events(m);
}

static void ask_list(struct monitor *m)
{
	set_state(m, LISTING);
	m->query = (struct catalog_query){
		.base = m->config.base,
		.catalog = &m->fresh,
		.clnt = m->clnt,
		.host = m->config.host,
		.timeout_ms = m->config.timeout_ms,
		.done = listed,
		.user = m,
	};
	catalog_ask(&m->query);
}

/* Keep what is told until LIST has said what it is about. */
static void keep_events(struct monitor *m, const usbip_events_ok *ok)
{
	m->args.after = ok->last;
	for (u_int i = 0; i < ok->events.events_len; i++) {
		const usbip_event *e = &ok->events.events_val[i];

		if (e->type == USBIP_EVENT_LOST)
			m->compare = true;
		m->pending[m->n_pending].type = e->type;
		strcpy(m->busids[m->n_pending++], e->busid);
	}
}

/* 0: they are kept, if there are any; -1: there are none, and *f says why. */
static int read_events(struct monitor *m, const struct rpc_err *err,
		       struct failure *f)
{
	if (err->re_status != RPC_SUCCESS) {
		status_rpc_failure(f, err, m->config.host);
		return -1;
	}
	m->n_pending = 0;
	if (m->res.status == USBIP_DELAY)
		return 0;
	if (m->res.status != USBIP_OK) {
		failure_set(f, FAILURE_OTHER, "%s: events: %s", m->config.host,
			    status_text(m->res.status));
		return -1;
	}
	pause_reset(&m->pause);
	keep_events(m, &m->res.usbip_events_res_u.events);
	return 0;
}

static void pause_over(evutil_socket_t fd, short what, void *user)
{
	ask_events(user);
}

/* To be paused behind, if there is nothing in it. */
static void answered(struct monitor *m)
{
	pause_reset(&m->again);
	if (m->n_pending || m->compare) {
		ask_list(m);
		return;
	}
	set_state(m, PAUSED);
	pause_begin(&m->pause);
}

static void events_came(const struct rpc_err *err, void *user)
{
	struct monitor *m = user;
	struct failure f;
	int r;

	/* CANTRECV: closed() follows and says it */
	if (m->state != WAITING || err->re_status == RPC_CANTRECV)
		return;
	r = read_events(m, err, &f);
	xdr_free((xdrproc_t)xdr_usbip_events_res, &m->res);
	if (r && err->re_status == RPC_PROCUNAVAIL)
		fail(m, &f);
	else if (r)
		lose(m, &f);
	else
		answered(m);
}

static void ask_events(struct monitor *m)
{
	set_state(m, WAITING);
	m->args.wait = WAIT_S;
	memset(&m->res, 0, sizeof(m->res));
	rpcclnt_next(m->clnt, TIMEOUT_MS, events_came, m);
	rpcclnt_how(m->clnt, RPCCLNT_PROVED);
	/* If it can not be sent, closed() is on its way. */
	usbip_events_1(&m->args, &m->res, rpcclnt_handle(m->clnt));
}

/* ---- connecting ---------------------------------------------------------- */

static void closed(int error, void *user)
{
	struct monitor *m = user;
	struct failure f;

	failure_set(&f, FAILURE_UNREACHABLE, "%s: %s", m->config.host,
		    error ? strerror(error < 0 ? -error : error) :
		    "the connection was closed");
	lose(m, &f);
}

static void connected(int fd, const struct resolver_addr *addr, void *user)
{
	struct monitor *m = user;
	const struct rpcclnt_config config = {
		.base = m->config.base,
		.prog = USBIP_PROGRAM,
		.vers = USBIP_V1,
		.record_max = CATALOG_RECORD_MAX,
		.closed = closed,
		.interim = status_is_interim,
		.user = m,
	};
	struct failure f;
	int r;

	m->target = target_free(m->target);
	r = rpcclnt_new(&m->clnt, fd, &config);
	if (!r) {
		ask_list(m);
		return;
	}
	close(fd);
	failure_set(&f, FAILURE_OTHER, "%s", strerror(-r));
	lose(m, &f);
}

static void not_connected(const struct failure *why, void *user)
{
	struct monitor *m = user;
	struct failure f = *why;	/* which is the target's */

	log_debug(LOG_TAG_NET, "%s", f.text);
	m->target = target_free(m->target);
	lose(m, &f);
}

static int begin_connect(struct monitor *m)
{
	const struct target_config config = {
		.base = m->config.base,
		.host = m->config.host,
		.udp = m->config.udp,
		.port = m->config.tcp_port,
		.timeout_ms = m->config.timeout_ms,
		.connected = connected,
		.failed = not_connected,
		.user = m,
	};

	set_state(m, CONNECTING);
	return target_new(&m->target, &config);
}

static void try_again(evutil_socket_t fd, short what, void *user)
{
	struct monitor *m = user;
	struct failure f;

	/* What still comes by the old one is of no interest. */
	m->clnt = rpcclnt_free(m->clnt);
	failure_set(&f, FAILURE_OTHER, "out of memory");
	if (begin_connect(m))
		lose(m, &f);
}

int monitor_new(struct monitor **mp, const struct monitor_config *config)
{
	struct monitor *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->config = *config;
	if (pause_init(&m->again, config->base, AGAIN_FIRST_MS, AGAIN_MAX_MS,
		       try_again, m) ||
	    pause_init(&m->pause, config->base, PAUSE_FIRST_MS, PAUSE_MAX_MS,
		       pause_over, m) ||
	    begin_connect(m)) {
		monitor_free(m);
		return -ENOMEM;
	}
	*mp = m;
	return 0;
}

struct monitor *monitor_free(struct monitor *m)
{
	if (!m)
		return NULL;
	set_state(m, LOST);
	catalog_stop(&m->query);
	m->clnt = rpcclnt_free(m->clnt);
	m->target = target_free(m->target);
	pause_deinit(&m->again);
	pause_deinit(&m->pause);
	catalog_deinit(&m->shown);
	catalog_deinit(&m->fresh);
	free(m);
	return NULL;
}
