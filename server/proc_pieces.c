// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc_pieces - STAGE and FETCH: data that is too long for one datagram. They
 * are ordinary calls, and work over a stream as well.
 */
#include "server/proc.h"

#include <string.h>

#include "server/status.h"
#include "server/urb.h"

/* What no endpoint has for its address: the device's descriptors. */
#define DESCRIPTORS 0x80

/* ---- STAGE -------------------------------------------------------------- */

bool_t usbip_stage_1_svc(usbip_stage_args *args, usbip_stat_res *res,
			 struct svc_req *rq)
{
	unsigned int stream = args->urb.endpoint >> USBIP_PIPE_STREAM_SHIFT;
	uint32_t address = args->urb.endpoint & 0xffff;
	uint32_t length = args->piece.piece_len;
	int row = endpoint_row(address);
	struct session *s;

	s = proc_session(rq, args->urb.session, &res->status);
	if (!s)
		return TRUE;
	if (row < 0 || address & 0x80 || !length ||
	    args->offset > USBIP_DATA_MAX - length)
		res->status = USBIP_INVAL;
	else
		res->status = status_of_taken(
			session_stage(s, row, stream, args->urb.number,
				      args->offset,
				      (const uint8_t *)args->piece.piece_val,
				      length));
	return TRUE;
}

/* ---- FETCH -------------------------------------------------------------- */

/* A part of something that is `total` bytes long: none of it beyond that. */
struct part {
	size_t offset, count;
};

static void clip(struct part *part, size_t total)
{
	if (part->offset > total)
		part->offset = total;
	if (part->count > total - part->offset)
		part->count = total - part->offset;
}

static void reply_piece(struct svc_req *rq, const uint8_t *data, size_t count)
{
	usbip_fetch_res res;

	memset(&res, 0, sizeof(res));
	res.status = USBIP_OK;
	res.usbip_fetch_res_u.piece.piece_len = count;
	res.usbip_fetch_res_u.piece.piece_val = (char *)(uintptr_t)data;
	rpcsrv_reply(rpcsrv_defer(rq), (xdrproc_t)xdr_usbip_fetch_res, &res,
		     NULL, NULL);
}

/* What of blob, which is at *at of a whole, is in this part of the whole. */
static void take_part(const void *blob, size_t len, size_t *at,
		      const struct part *part, uint8_t *out, size_t *n)
{
	struct part own = { 0, part->count - *n };

	if (part->offset > *at)
		own.offset = part->offset - *at;
	clip(&own, len);
	memcpy(out + *n, (const uint8_t *)blob + own.offset, own.count);
	*n += own.count;
	*at += len;
}

/* Device, configurations and BOS, one behind the other: of what CLAIM left out
 * because it does not fit. */
static void reply_descriptors(struct svc_req *rq, const struct descriptors *d,
			      const struct part *part)
{
	/* encoded before this returns, in the only thread */
	static uint8_t out[USBIP_PIECE_MAX];
	size_t at = 0, n = 0;

	take_part(d->device, sizeof(d->device), &at, part, out, &n);
	for (unsigned int i = 0; i < d->n_configs; i++)
		take_part(d->configs[i].data, d->configs[i].len, &at, part,
			  out, &n);
	if (d->bos.len)
		take_part(d->bos.data, d->bos.len, &at, part, out, &n);
	reply_piece(rq, out, n);
}

/* OK: it was answered. */
static usbip_stat fetch(struct svc_req *rq, struct session *s,
			const usbip_urb *which, struct part *part)
{
	unsigned int stream = which->endpoint >> USBIP_PIPE_STREAM_SHIFT;
	uint32_t address = which->endpoint & 0xffff;
	const struct device *dev = s->device;
	enum endpoint_taken taken;
	const struct urb *urb;
	int row = endpoint_row(address);

	if (which->endpoint == DESCRIPTORS && !which->number) {
		reply_descriptors(rq, &dev->info->descriptors, part);
		return USBIP_OK;
	}
	if (row < 0 || (row && !(address & 0x80)))
		return USBIP_INVAL;
	taken = session_fetch(s, row, stream, which->number, &urb);
	if (taken != ENDPOINT_TAKEN)
		return status_of_taken(taken);
	clip(part, urb->actual);
	reply_piece(rq, part->count ? urb_data(urb) + part->offset : NULL,
		    part->count);
	return USBIP_OK;
}

bool_t usbip_fetch_1_svc(usbip_fetch_args *args, usbip_fetch_res *res,
			 struct svc_req *rq)
{
	struct part part = { args->offset, args->count };
	struct session *s;

	memset(res, 0, sizeof(*res));
	s = proc_session(rq, args->urb.session, &res->status);
	if (!s)
		return TRUE;
	res->status = args->count > USBIP_PIECE_MAX ? USBIP_INVAL :
		      fetch(rq, s, &args->urb, &part);
	return res->status != USBIP_OK;
}
