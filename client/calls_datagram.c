// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calls_datagram - URBs as calls where a message may be lost, and holds little.
 *
 * Data that does not fit goes in pieces (haul.h): STAGED data beside its
 * submit, FETCHED data after the reply, which is the port's when all of it is
 * there. A haul does not survive its connection, nor a DELAY of its submit: the
 * port submits the URB again, and all of it is hauled again.
 *
 * Isochronous URBs go whole, and are sent once. That one was lost, or its
 * answer, is known when a later one has been answered and it was not within
 * the time by which a network changes the order of things. The time-out is for
 * where nothing comes any more.
 */
#include "client/calls_impl.h"

#include <errno.h>
#include <string.h>

#include "client/deadline.h"
#include "client/haul.h"
#include "client/pieces.h"
#include "client/session.h"
#include "client/status.h"
#include "client/urb.h"
#include "common/rpcclnt.h"

#define OVERTAKEN_MS	50

/* ---- hauls --------------------------------------------------------------- */

static void *keep_buf(void *arg)
{
	return vhci_buf_ref(arg);
}

static void unkeep_buf(void *kept)
{
	vhci_buf_unref(kept);
}

/* All FETCHED data is there. */
static void fetched(struct call *call)
{
	const usbip_done *done = &call->res.transfer.usbip_transfer_res_u.done;
	struct vhci_buf *buf = vhci_buf_ref(haul_data(call->haul));
	struct port_answer a = {
		.verdict = PORT_DONE,
		.status = status_errno(done->xfer),
		.actual = done->actual,
		.data = buf->bytes,
		.keep = keep_buf,
		.unkeep = unkeep_buf,
		.keep_arg = buf,
	};

	calls_drop_haul(call);
	port_answered(call->urb, &a);
	vhci_buf_unref(buf);
	calls_give(call);
}

/* One bad URB is one bad URB: what it moved is lost, or it is not executed. */
static void refused(struct call *call)
{
	static const struct port_answer failed = { .status = -EPROTO };

	calls_drop_haul(call);
	if (!call->urb->in) {
		calls_unlink(call->calls, call->urb);
		return;
	}
	port_answered(call->urb, &failed);
	calls_give(call);
}

static void begin_anew(struct call *call)
{
	uint32_t length = call->urb->length;

	if (call->urb->in)
		length = call->res.transfer.usbip_transfer_res_u.done.actual;
	calls_drop_haul(call);
	if (calls_haul(call, length))
		refused(call);
}

static void haul_ended(enum haul_end end, void *user)
{
	struct call *call = user;

	switch (end) {
	case HAUL_DONE:
		/* of STAGED data the answer is what the submit is answered */
		if (call->urb->in)
			fetched(call);
		return;
	case HAUL_TOO_LARGE:
		begin_anew(call);
		return;
	case HAUL_REFUSED:
		refused(call);
		return;
	}
}

int calls_haul(struct call *call, uint32_t length)
{
	struct session *session = call->calls->session;
	const struct urb *urb = call->urb;
	struct rpcclnt *clnt = session_clnt(session);
	struct haul_config config = {
		.base = call->calls->base,
		.session = session,
		.urb = {
			.session = session_handle(session),
			.endpoint = urb->endpoint |
				    (u_int)urb->stream << USBIP_PIPE_STREAM_SHIFT,
			.number = urb->number,
		},
		.out = urb->in ? NULL : urb->data,
		.length = length,
		.ended = haul_ended,
		.user = call,
	};

	if (!clnt)
		return -ENOTCONN;
	config.size = pieces_size(rpcclnt_room(clnt));
	if (!config.size)
		return -EMSGSIZE;
	call->haul = haul_new(&config);
	if (!call->haul)
		return -ENOMEM;
	TAILQ_INSERT_TAIL(&call->calls->hauling, call, busy);
	haul_begin(call->haul);
	return 0;
}

void calls_stage(struct call *call)
{
	if (calls_haul(call, call->urb->length))
		refused(call);
}

void calls_drop_haul(struct call *call)
{
	if (!call->haul)
		return;
	TAILQ_REMOVE(&call->calls->hauling, call, busy);
	call->haul = haul_leave(call->haul);
}

void calls_down(struct calls *calls)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&calls->hauling))) {
		calls_drop_haul(call);
		/* that of STAGED data is outstanding itself */
		if (call->urb->in)
			calls_give(call);
	}
}

/* ---- isochronous --------------------------------------------------------- */

void calls_lose(struct call *call)
{
	struct urb *urb = call->urb;
	struct port_answer a = {
		.verdict = PORT_DONE,
		.lost = true,
		.packets = call->calls->packets,
		.n_packets = urb->n_packets,
	};

	for (uint32_t i = 0; i < urb->n_packets; i++)
		call->calls->packets[i] = (struct vhci_packet){ 0, -EXDEV };
	call->urb = NULL;
	port_answered(urb, &a);
}

/* On the same endpoint, before the other? (RFC 1982) */
static bool is_before(const struct urb *urb, const struct urb *other)
{
	return urb->endpoint == other->endpoint &&
	       (int32_t)(urb->number - other->number) < 0;
}

void calls_look_for_lost(const struct call *answered)
{
	struct calls *calls = answered->calls;
	struct rpcclnt *clnt = session_clnt(calls->session);
	uint64_t now = deadline_in(0);
	struct call *call, *next;

	if (!clnt || !rpcclnt_is_dgram(clnt))
		return;
	for (call = TAILQ_FIRST(&calls->isocs); call; call = next) {
		next = TAILQ_NEXT(call, busy);
		if (!call->urb || !is_before(call->urb, answered->urb))
			continue;
		if (!call->overtaken)
			call->overtaken = now;
		else if (now - call->overtaken > OVERTAKEN_MS)
			calls_lose(call);
	}
}
