// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * descriptors - those of a claimed device for which the answer of CLAIM had no
 * room.
 *
 * How long they are together is not told before: a piece that is shorter than
 * what was asked for is the last one. They are few, so one is asked for at a
 * time.
 */
#include "client/descriptors.h"

#include <stdlib.h>
#include <string.h>

#include "client/deadline.h"
#include "client/pieces.h"
#include "client/usb.h"
#include "common/rpcclnt.h"

#define LEN_MAX	(USB_DEVICE_DESC_SIZE + \
		 (USBIP_CONFIGS_MAX + 1) * USBIP_DESCRIPTOR_MAX)

/* Of endpoint 0, whose numbers begin with 1, and direction IN. */
#define DESCRIPTORS_ENDPOINT	0x80

static void ask(struct descriptors *d);

/* 0: there is more; 1: that was the last; -1: out of memory, or there is no
 * end to it. */
static int take(struct descriptors *d)
{
	const char *piece = d->res.usbip_fetch_res_u.piece.piece_val;
	u_int len = d->res.usbip_fetch_res_u.piece.piece_len;
	uint8_t *more;

	if (len > d->args.count || d->len + len > LEN_MAX)
		return -1;
	if (len) {
		more = realloc(d->bytes, d->len + len);
		if (!more)
			return -1;
		memcpy(more + d->len, piece, len);
		d->bytes = more;
		d->len += len;
	}
	return len < d->args.count;
}

static void fetched(const struct rpc_err *err, void *user)
{
	struct descriptors *d = user;
	usbip_stat stat = d->res.status;
	int r = 1;

	if (err->re_status == RPC_SUCCESS && stat == USBIP_OK)
		r = take(d);
	xdr_free((xdrproc_t)xdr_usbip_fetch_res, &d->res);
	if (!r)
		ask(d);
	else
		d->done(err, r < 0 ? USBIP_HOST_ERROR : stat, d->user);
}

static void ask(struct descriptors *d)
{
	struct rpc_err err = { .re_status = RPC_SUCCESS };

	d->args.offset = (u_int)d->len;
	d->args.count = pieces_size(rpcclnt_room(d->clnt));
	memset(&d->res, 0, sizeof(d->res));
	rpcclnt_next(d->clnt, deadline_left(d->end), fetched, d);
	rpcclnt_how(d->clnt, RPCCLNT_PROMPT);
	rpcclnt_expect(d->clnt, d->args.count);
	err.re_status = usbip_fetch_1(&d->args, &d->res,
				      rpcclnt_handle(d->clnt));
	if (err.re_status != RPC_SUCCESS)
		d->done(&err, USBIP_OK, d->user);
}

void descriptors_ask(struct descriptors *d, usbip_session session)
{
	d->args.urb.session = session;
	d->args.urb.endpoint = DESCRIPTORS_ENDPOINT;
	ask(d);
}

void descriptors_deinit(struct descriptors *d)
{
	free(d->bytes);
	memset(d, 0, sizeof(*d));
}
