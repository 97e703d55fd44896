// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * catalog - the devices of a target, as LIST tells them, page by page.
 */
#include "client/catalog.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/deadline.h"
#include "client/status.h"
#include "client/target.h"
#include "common/rpcclnt.h"

/* A target that tells more has gone mad: Linux has 127 devices on a bus. */
#define DEVICES_MAX	16384

struct fetch {
	struct catalog *catalog;
	const char *host;
	unsigned int timeout_s;
	uint64_t end;			/* of all of it */
	struct event_base *base;
	struct target *target;
	struct rpcclnt *clnt;
	usbip_list_res res;
	struct failure *failure;
	bool ok;
};

static void stop(struct fetch *f, bool ok)
{
	f->ok = ok;
	event_base_loopbreak(f->base);
}

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

static void ask_page(struct fetch *f, uint64_t cookie);

static void read_page(struct fetch *f, const struct rpc_err *err)
{
	usbip_list_ok *page = &f->res.usbip_list_res_u.list;
	int r;

	if (err->re_status == RPC_TIMEDOUT && f->catalog->n) {
		failure_set(f->failure, FAILURE_UNREACHABLE,
			    "%s told %zu devices within %u s, and there are "
			    "more: give it more --timeout", f->host,
			    f->catalog->n, f->timeout_s);
		stop(f, false);
		return;
	}
	if (err->re_status != RPC_SUCCESS) {
		status_rpc_failure(f->failure, err, f->host);
		stop(f, false);
		return;
	}
	if (f->res.status != USBIP_OK) {
		failure_set(f->failure, f->res.status == USBIP_NO_PERMISSION ?
			    FAILURE_PERMISSION : FAILURE_OTHER,
			    "%s does not list its devices: %s", f->host,
			    status_text(f->res.status));
		stop(f, false);
		return;
	}
	r = take_page(f->catalog, page);
	if (r) {
		failure_set(f->failure, FAILURE_OTHER, "%s: list: %s", f->host,
			    strerror(-r));
		stop(f, false);
		return;
	}
	if (page->eof)
		stop(f, true);
}

static void page_came(const struct rpc_err *err, void *user)
{
	struct fetch *f = user;
	bool more;

	read_page(f, err);
	more = !event_base_got_break(f->base);
	if (more) {
		uint64_t cookie = f->res.usbip_list_res_u.list.cookie;

		xdr_free((xdrproc_t)xdr_usbip_list_res, &f->res);
		ask_page(f, cookie);
		return;
	}
	xdr_free((xdrproc_t)xdr_usbip_list_res, &f->res);
}

static void ask_page(struct fetch *f, uint64_t cookie)
{
	usbip_list_args args = { .cookie = cookie };
	struct rpc_err err = { .re_status = RPC_SUCCESS };

	memset(&f->res, 0, sizeof(f->res));
	rpcclnt_next(f->clnt, deadline_left(f->end), page_came, f);
	err.re_status = usbip_list_1(&args, &f->res, rpcclnt_handle(f->clnt));
	if (err.re_status != RPC_SUCCESS)
		read_page(f, &err);
}

/* The call that is outstanding says it, and better. */
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
		/* no URB data comes here */
		.record_max = 1 << 20,
		.closed = closed,
		.user = f,
	};
	int r = rpcclnt_new(&f->clnt, fd, &config);

	if (!r) {
		ask_page(f, 0);
		return;
	}
	close(fd);
	failure_set(f->failure, FAILURE_OTHER, "%s", strerror(-r));
	stop(f, false);
}

static void not_connected(const struct failure *why, void *user)
{
	struct fetch *f = user;

	*f->failure = *why;
	stop(f, false);
}

int catalog_fetch(struct catalog *c, const char *host, uint16_t tcp_port,
		  unsigned int timeout_s, struct failure *failure)
{
	struct fetch f = {
		.catalog = c,
		.host = host,
		.timeout_s = timeout_s,
		.end = deadline_in(timeout_s * 1000),
		.base = event_base_new(),
		.failure = failure,
	};
	const struct target_config config = {
		.base = f.base,
		.host = host,
		.port = tcp_port,
		.timeout_ms = timeout_s * 1000,
		.connected = connected,
		.failed = not_connected,
		.user = &f,
	};

	*c = (struct catalog){ NULL, 0 };
	failure_set(failure, FAILURE_OTHER, "out of memory");
	if (f.base && !target_new(&f.target, &config))
		event_base_dispatch(f.base);
	rpcclnt_free(f.clnt);
	target_free(f.target);
	if (f.base)
		event_base_free(f.base);
	if (f.ok)
		return 0;
	catalog_deinit(c);
	return -1;
}

void catalog_deinit(struct catalog *c)
{
	for (size_t i = 0; i < c->n; i++)
		xdr_free((xdrproc_t)xdr_usbip_device, &c->devices[i]);
	free(c->devices);
	*c = (struct catalog){ NULL, 0 };
}
