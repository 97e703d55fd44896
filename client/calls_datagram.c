// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calls_datagram - URBs as calls where a message may be lost, and holds little.
 *
 * Data that does not fit goes in pieces (haul.h): STAGED data beside its
 * submit, FETCHED data after the reply, which is the port's when all of it is
 * there. A haul does not survive its connection, nor a DELAY of its submit: the
 * port submits the URB again, and all of it is hauled again.
 *
 * Isochronous URBs go whole, and are sent once. They end in their order, as
 * what a driver records is in the order that it gets it in: an answer that comes
 * early is kept. That one before it was lost is known when it has not come
 * within the time by which a network changes the order of things; the time-out
 * is for where nothing comes any more.
 */
#include "client/calls_impl.h"

#include <errno.h>
#include <event2/event.h>
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

/* Without a connection the port submits it again on the next one; a call that
 * is outstanding hears of that itself. */
static void could_not_haul(struct call *call, int r)
{
	if (r != -ENOTCONN)
		refused(call);
	else if (call->urb->in)
		calls_give(call);
}

static void begin_anew(struct call *call)
{
	uint32_t length = call->urb->length;
	int r;

	if (call->urb->in)
		length = call->res.transfer.usbip_transfer_res_u.done.actual;
	calls_drop_haul(call);
	r = calls_haul(call, length);
	if (r)
		could_not_haul(call, r);
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
	int r = calls_haul(call, call->urb->length);

	if (r)
		could_not_haul(call, r);
}

void calls_drop_haul(struct call *call)
{
	if (!call->haul)
		return;
	TAILQ_REMOVE(&call->calls->hauling, call, busy);
	call->haul = haul_leave(call->haul);
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

/* The first on its endpoint that is waited for, before `call`; or NULL. */
static struct call *find_before(const struct call *call)
{
	struct call *other;

	TAILQ_FOREACH(other, &call->calls->isocs, busy) {
		if (other == call)
			break;
		if (other->urb && !other->early &&
		    other->urb->endpoint == call->urb->endpoint)
			return other;
	}
	return NULL;
}

static void set_overdue(struct calls *calls, unsigned int ms)
{
	const struct timeval tv = { 0, ms * 1000 };

	if (!evtimer_pending(calls->overdue, NULL))
		evtimer_add(calls->overdue, &tv);
}

/* If so, what was sent before it has been executed, or will not be. A refusal
 * may be quicker than what runs. */
static bool was_executed(const struct call *call)
{
	const usbip_isoc_res *res = &call->res.isoc;
	const usbip_isoc_ok *done = &res->usbip_isoc_res_u.done;

	return res->status == USBIP_OK && done->packets.packets_len &&
	       done->packets.packets_val[0].xfer != USBIP_XFER_LATE;
}

/* From `other` on, those that `call` has overtaken. */
static void note_overtaken(struct call *other, const struct call *call)
{
	for (; other != call; other = TAILQ_NEXT(other, busy))
		if (other->urb && !other->overtaken &&
		    other->urb->endpoint == call->urb->endpoint)
			other->overtaken = deadline_in(0);
	set_overdue(call->calls, OVERTAKEN_MS);
}

bool calls_in_turn(struct call *call)
{
	struct rpcclnt *clnt = session_clnt(call->calls->session);
	struct call *other = find_before(call);

	/* One that was unlinked may well end before others. */
	if (!other || call->urb->unlinked)
		return true;
	if (!clnt) {	/* it is asked for again */
		calls_give(call);
		return false;
	}
	if (!rpcclnt_is_dgram(clnt))
		return true;
	call->early = true;
	call->record = rpcclnt_keep(clnt);
	if (was_executed(call))
		note_overtaken(other, call);
	return false;
}

static struct call *find_next(struct calls *calls)
{
	struct call *call;

	TAILQ_FOREACH(call, &calls->isocs, busy)
		if (call->early && !find_before(call))
			break;
	return call;
}

void calls_go_on(struct calls *calls)
{
	struct call *call;

	while ((call = find_next(calls))) {
		void *record = call->record;

		call->early = false;
		calls_take(call, true);
		rpcclnt_unkeep(record);
	}
}

static struct call *find_overdue(struct calls *calls, uint64_t now)
{
	struct call *call;

	TAILQ_FOREACH(call, &calls->isocs, busy)
		if (call->urb && !call->early && call->overtaken &&
		    now - call->overtaken >= OVERTAKEN_MS)
			break;
	return call;
}

static void overdue(evutil_socket_t fd, short what, void *user)
{
	struct calls *calls = user;
	struct call *call;

	while ((call = find_overdue(calls, deadline_in(0))))
		calls_lose(call);
	calls_go_on(calls);
	TAILQ_FOREACH(call, &calls->isocs, busy)
		if (call->early)
			set_overdue(calls, OVERTAKEN_MS / 4);
}

int calls_init_isoc(struct calls *calls)
{
	TAILQ_INIT(&calls->isocs);
	calls->overdue = evtimer_new(calls->base, overdue, calls);
	return calls->overdue ? 0 : -ENOMEM;
}

static void drop_early(struct calls *calls)
{
	struct call *call, *next;

	for (call = TAILQ_FIRST(&calls->isocs); call; call = next) {
		next = TAILQ_NEXT(call, busy);
		if (!call->early)
			continue;
		rpcclnt_unkeep(call->record);
		calls_give(call);
	}
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
	drop_early(calls);
}
