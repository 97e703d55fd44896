// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * catalog - the devices of a target, as LIST tells them, page by page.
 */
#include "client/catalog.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/deadline.h"
#include "client/status.h"
#include "client/target.h"
#include "common/rpcclnt.h"

/* A target that tells more has gone mad: Linux has 127 devices on a bus. */
#define DEVICES_MAX	16384
/* Where it has no room at present. */
#define PAUSE_FIRST_MS	200
#define PAUSE_MAX_MS	2000

/* Take the page's devices over; what is left of it is freed by the caller. */
static int take_page(struct catalog *c, usbip_list_ok *page)
{
	u_int n = page->devices.devices_len;
	usbip_device *more;

	if (c->n + n > DEVICES_MAX || (!n && !page->eof))
		return -EPROTO;
	if (!n)
		return 0;
	more = reallocarray(c->devices, c->n + n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->devices = more;
	memcpy(more + c->n, page->devices.devices_val, n * sizeof(*more));
	c->n += n;
	/* The strings are ours now, the array is not. */
	memset(page->devices.devices_val, 0, n * sizeof(*more));
	return 0;
}

static void ask_page(struct catalog_query *q, uint64_t cookie);

/* 0: there are more pages; 1: that was the last; -1: *f says why not. */
static int read_page(struct catalog_query *q, const struct rpc_err *err,
		     struct failure *f)
{
	usbip_list_ok *page = &q->res.usbip_list_res_u.list;
	int r;

	if (err->re_status == RPC_TIMEDOUT && q->catalog->n) {
		failure_set(f, FAILURE_UNREACHABLE,
			    "%s told %zu devices within %u s, and there are "
			    "more: give it more --timeout", q->host,
			    q->catalog->n, q->timeout_ms / 1000);
		return -1;
	}
	if (err->re_status != RPC_SUCCESS) {
		status_rpc_failure(f, err, q->host);
		return -1;
	}
	if (q->res.status != USBIP_OK) {
		failure_set(f, q->res.status == USBIP_NO_PERMISSION ?
			    FAILURE_PERMISSION : FAILURE_OTHER,
			    "%s does not list its devices: %s", q->host,
			    status_text(q->res.status));
		return -1;
	}
	if (!q->catalog->n) {
		memcpy(q->catalog->boot, page->boot, sizeof(page->boot));
		q->catalog->event = page->event;
	}
	r = take_page(q->catalog, page);
	if (!r)
		return page->eof;
	failure_set(f, FAILURE_OTHER, "%s: list: %s", q->host, strerror(-r));
	return -1;
}

static void pause_over(evutil_socket_t fd, short what, void *user)
{
	struct catalog_query *q = user;

	ask_page(q, q->cookie);
}

/* The same page, in a while. False: that would be too late for an answer. */
static bool ask_again(struct catalog_query *q)
{
	if (!q->pause.timer &&
	    pause_init(&q->pause, q->base, PAUSE_FIRST_MS, PAUSE_MAX_MS,
		       pause_over, q))
		return false;
	if (2 * q->pause.ms >= deadline_left(q->end))
		return false;
	pause_begin(&q->pause);
	return true;
}

static void page_came(const struct rpc_err *err, void *user)
{
	struct catalog_query *q = user;
	struct failure f;
	uint64_t cookie = 0;
	int r;

	if (err->re_status == RPC_SUCCESS && q->res.status == USBIP_DELAY &&
	    ask_again(q))
		return;
	r = read_page(q, err, &f);
	if (!r)
		cookie = q->res.usbip_list_res_u.list.cookie;
	xdr_free((xdrproc_t)xdr_usbip_list_res, &q->res);
	if (!r) {
		ask_page(q, cookie);
		return;
	}
	if (r < 0)
		catalog_deinit(q->catalog);
	catalog_stop(q);
	q->done(r < 0 ? &f : NULL, q->user);
}

static void ask_page(struct catalog_query *q, uint64_t cookie)
{
	usbip_list_args args = { .cookie = cookie };
	struct rpc_err err = { .re_status = RPC_SUCCESS };

	q->cookie = cookie;
	memset(&q->res, 0, sizeof(q->res));
	rpcclnt_next(q->clnt, deadline_left(q->end), page_came, q);
	rpcclnt_how(q->clnt, RPCCLNT_PROVED);
	err.re_status = usbip_list_1(&args, &q->res, rpcclnt_handle(q->clnt));
	if (err.re_status != RPC_SUCCESS)
		page_came(&err, q);
}

static void proved(const struct rpc_err *err, void *user)
{
	if (err->re_status == RPC_SUCCESS)
		ask_page(user, 0);
	else
		page_came(err, user);
}

void catalog_ask(struct catalog_query *q)
{
	struct rpc_err err = { .re_status = RPC_SUCCESS };

	q->end = deadline_in(q->timeout_ms);
	memset(&q->pause, 0, sizeof(q->pause));
	if (!rpcclnt_is_dgram(q->clnt)) {
		ask_page(q, 0);
		return;
	}
	err.re_status = rpcclnt_prove(q->clnt, deadline_left(q->end), proved, q);
	if (err.re_status != RPC_SUCCESS)
		page_came(&err, q);
}

void catalog_stop(struct catalog_query *q)
{
	pause_deinit(&q->pause);
}

/* ---- the whole way, waited for ------------------------------------------- */

struct fetch {
	struct catalog_query query;
	struct event_base *base;
	struct target *target;
	struct failure *failure;
	bool ok;
};

static void stop(struct fetch *f, bool ok)
{
	f->ok = ok;
	event_base_loopbreak(f->base);
}

static void listed(const struct failure *why, void *user)
{
	struct fetch *f = user;

	if (why)
		*f->failure = *why;
	stop(f, !why);
}

/* The call that is outstanding says it, and better, or the next one. */
static void closed(int error, void *user)
{
}

static void connected(int fd, const struct resolver_addr *addr, void *user)
{
	struct fetch *f = user;
	const struct rpcclnt_config config = {
		.base = f->base,
		.prog = USBIP_PROGRAM,
		.vers = USBIP_V1,
		.record_max = CATALOG_RECORD_MAX,
		.closed = closed,
		.interim = status_is_interim,
		.user = f,
	};
	int r = rpcclnt_new(&f->query.clnt, fd, &config);

	if (!r) {
		catalog_ask(&f->query);
		return;
	}
	close(fd);
	failure_set(f->failure, FAILURE_OTHER, "%s", strerror(-r));
	stop(f, false);
}

static void not_connected(const struct failure *why, void *user)
{
	listed(why, user);
}

int catalog_fetch(struct catalog *c, const char *host, bool udp,
		  uint16_t tcp_port, unsigned int timeout_s,
		  struct failure *failure)
{
	struct fetch f = {
		.base = event_base_new(),
		.failure = failure,
		.query = {
			.catalog = c,
			.host = host,
			.timeout_ms = timeout_s * 1000,
			.done = listed,
			.user = &f,
		},
	};
	const struct target_config config = {
		.base = f.base,
		.host = host,
		.udp = udp,
		.port = tcp_port,
		.timeout_ms = timeout_s * 1000,
		.connected = connected,
		.failed = not_connected,
		.user = &f,
	};

	f.query.base = f.base;
	memset(c, 0, sizeof(*c));
	failure_set(failure, FAILURE_OTHER, "out of memory");
	if (f.base && !target_new(&f.target, &config))
		event_base_dispatch(f.base);
	catalog_stop(&f.query);
	rpcclnt_free(f.query.clnt);
	target_free(f.target);
	if (f.base)
		event_base_free(f.base);
	if (f.ok)
		return 0;
	catalog_deinit(c);
	return -1;
}

/* ---- what is in it ------------------------------------------------------- */

void catalog_deinit(struct catalog *c)
{
	for (size_t i = 0; i < c->n; i++)
		xdr_free((xdrproc_t)xdr_usbip_device, &c->devices[i]);
	free(c->devices);
	memset(c, 0, sizeof(*c));
}

usbip_device *catalog_find(const struct catalog *c, const char *busid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->devices[i].busid && !strcmp(c->devices[i].busid, busid))
			return &c->devices[i];
	return NULL;
}

void catalog_remove(struct catalog *c, usbip_device *device)
{
	size_t i = (size_t)(device - c->devices);

	xdr_free((xdrproc_t)xdr_usbip_device, device);
	c->n--;
	memmove(device, device + 1, (c->n - i) * sizeof(*device));
}

int catalog_put(struct catalog *c, usbip_device *device)
{
	usbip_device *place = catalog_find(c, device->busid), *more;

	if (place) {
		xdr_free((xdrproc_t)xdr_usbip_device, place);
	} else {
		more = reallocarray(c->devices, c->n + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->devices = more;
		place = &more[c->n++];
	}
	*place = *device;
	memset(device, 0, sizeof(*device));
	return 0;
}
