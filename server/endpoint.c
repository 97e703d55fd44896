// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * endpoint - one endpoint's row of numbered URBs.
 *
 * The row holds every URB whose number was seen and not yet acknowledged, in
 * order of numbers, with holes where a number has not come yet:
 *
 *	acked |  4 done   5 done   6 running   7 queued   -   9 queued
 *	   3  |                                ^ next
 *
 * `next` goes over what is done or forbidden and stops at a hole. Each URB
 * leaves the row by acknowledgement only, so a number after `acked` that is
 * not in the row was never seen, and one at or before it is stale.
 *
 * Several URBs are at the device at once; the host controller keeps their
 * order. What the device must not be given behind an unfinished URB is what
 * depends on how that one ends: nothing follows a transfer that has
 * short_not_ok, or a state call. A failure is not known beforehand: then
 * those behind it are taken back, and those of them that moved no byte are
 * executed again when the row goes on ("again"), which it does not before the
 * last of them is back: one that is late would be executed behind the others.
 *
 * A staged URB has its place in the row from its first piece on, and in the
 * window with all bytes up to the last one that came; it is started when there
 * are no gaps. While its submit is missing it is a hole to the others.
 *
 * Isochronous URBs wait for nobody: `next` goes over holes to the first one
 * that is there, and the number of a hole that comes after all is answered
 * LATE. As nobody will fill such a hole, it can be acknowledged.
 */
#include "server/endpoint.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "server/pieces.h"

/* At the device at once: enough for the longest queues that drivers keep. */
#define DEPTH 64

void endpoint_init(struct endpoint *ep, uint8_t address,
		   struct endpoint_window *window,
		   const struct endpoint_ops *ops, void *user)
{
	memset(ep, 0, sizeof(*ep));
	ep->address = address;
	TAILQ_INIT(&ep->row);
	ep->next = 1;
	ep->window = window;
	ep->ops = ops;
	ep->user = user;
}

static unsigned int *counter_of(const struct endpoint *ep,
				const struct urb *urb)
{
	return urb->state == URB_STATE_FORBIDDEN ? &ep->window->unlinks :
						   &ep->window->urbs;
}

static void remove_urb(struct endpoint *ep, struct urb *urb)
{
	TAILQ_REMOVE(&ep->row, urb, link);
	--*counter_of(ep, urb);
	ep->window->bytes -= urb->length;
	urb->endpoint = NULL;
	urb_unref(urb);
}

void endpoint_deinit(struct endpoint *ep)
{
	struct urb *urb;

	assert(!ep->n_running);
	while ((urb = TAILQ_FIRST(&ep->row)))
		remove_urb(ep, urb);
}

/* From the end, since that is where submits and unlinks mostly are. */
static struct urb *find_urb(struct endpoint *ep, uint32_t number)
{
	struct urb *urb;

	TAILQ_FOREACH_REVERSE(urb, &ep->row, endpoint_row, link) {
		if (urb->number == number)
			return urb;
		if (urb_after(number, urb->number))
			break;
	}
	return NULL;
}

static void insert_urb(struct endpoint *ep, struct urb *urb)
{
	struct urb *before;

	urb->endpoint = ep;
	++*counter_of(ep, urb);
	ep->window->bytes += urb->length;
	TAILQ_FOREACH_REVERSE(before, &ep->row, endpoint_row, link)
		if (urb_after(urb->number, before->number))
			break;
	if (before)
		TAILQ_INSERT_AFTER(&ep->row, before, urb, link);
	else
		TAILQ_INSERT_HEAD(&ep->row, urb, link);
}

/*
 * The oldest number that is not acknowledged is let in whatever the window
 * says: nothing else can make room.
 */
static bool has_bytes(const struct endpoint *ep, uint32_t number, size_t bytes)
{
	const struct endpoint_window *w = ep->window;

	return number == ep->acked + 1 ||
	       (bytes <= w->max_bytes && w->bytes <= w->max_bytes - bytes);
}

static bool has_room(const struct endpoint *ep, uint32_t number, size_t bytes)
{
	const struct endpoint_window *w = ep->window;

	return (number == ep->acked + 1 || w->urbs < w->max_urbs) &&
	       has_bytes(ep, number, bytes);
}

static void set_length(struct endpoint *ep, struct urb *urb, uint32_t length)
{
	ep->window->bytes += length;
	ep->window->bytes -= urb->length;
	urb->length = length;
}

/*
 * An early UNLINK does not wait for room: the caller acknowledges nothing more
 * of the row before it is kept, and that may be what makes room.
 */
static bool has_room_to_forbid(const struct endpoint *ep, uint32_t number)
{
	return number == ep->acked + 1 ||
	       ep->window->unlinks < ep->window->max_urbs;
}

/* Does this end stop the endpoint (usbip_submit, "Stop")? */
static bool is_stop(const struct urb *urb)
{
	if (urb->state != URB_STATE_DONE || urb->verdict != URB_VERDICT_TAKEN)
		return false;
	if (urb->type != URB_TYPE_BULK && urb->type != URB_TYPE_INTERRUPT)
		return false;
	if (urb->xfer != URB_XFER_OK)
		return true;
	return urb->short_not_ok && urb->actual < urb->length;
}

static void find_stop(struct endpoint *ep)
{
	struct urb *urb;

	ep->stopped = false;
	TAILQ_FOREACH(urb, &ep->row, link)
		if (is_stop(urb)) {
			ep->stopped = true;
			ep->stop = urb->number;
			break;
		}
}

/* Isochronous, and its turn is over: what came later has been started. */
static bool is_late(const struct endpoint *ep, const struct urb *urb)
{
	return urb->type == URB_TYPE_ISOC && urb_after(ep->next, urb->number);
}

static bool is_alone(const struct urb *urb)
{
	return urb->short_not_ok || urb_is_state_call(urb);
}

static void cancel_urb(struct endpoint *ep, struct urb *urb)
{
	if (urb->state != URB_STATE_RUNNING || urb_is_state_call(urb))
		return;
	urb_set_state(urb, URB_STATE_CANCELLING);
	ep->ops->cancel(urb, ep->user);
}

/* Take back what is at the device behind urb, the last first. */
static void take_back_after(struct endpoint *ep, struct urb *urb)
{
	struct urb *u;

	TAILQ_FOREACH_REVERSE(u, &ep->row, endpoint_row, link) {
		if (u == urb)
			break;
		if (!urb_at_device(u))
			continue;
		ep->n_again += !u->again;
		u->again = true;
		cancel_urb(ep, u);
	}
}

static void answer_urb(struct endpoint *ep, struct urb *urb)
{
	void *lender = urb->lender;

	urb->lender = NULL;
	urb->out = NULL;	/* it was in a record that is given back now */
	urb_drop_pieces(urb);
	if (urb->waiter)
		ep->ops->answer(urb, ep->user);
	urb->waiter = NULL;
	if (lender)
		ep->ops->superseded(lender, ep->user);
}

/* urb has ended, or is not to be executed: keep and send the reply. */
static void finish_urb(struct endpoint *ep, struct urb *urb)
{
	urb_set_state(urb, URB_STATE_DONE);
	if (is_stop(urb)) {
		find_stop(ep);
		if (urb->xfer != URB_XFER_OK && urb->xfer != URB_XFER_CANCELLED)
			take_back_after(ep, urb);
	}
	answer_urb(ep, urb);
}

static void finish_as(struct endpoint *ep, struct urb *urb, enum urb_xfer xfer)
{
	urb->xfer = xfer;
	urb->actual = 0;
	finish_urb(ep, urb);
}

static void count_start(struct endpoint *ep, struct urb *urb, int n)
{
	ep->n_running += n;
	if (is_alone(urb))
		ep->n_alone += n;
}

/* false: it can not be started now. */
static bool start_urb(struct endpoint *ep, struct urb *urb)
{
	int r;

	if (ep->stopped && urb_after(urb->number, ep->stop))
		return false;
	if (ep->n_alone || ep->n_again || ep->n_running >= DEPTH)
		return false;
	if (urb_is_state_call(urb) && ep->n_running)
		return false;
	if (!urb_is_whole(urb))
		return false;

	urb_set_state(urb, URB_STATE_RUNNING);
	urb->first = !ep->n_running;
	count_start(ep, urb, 1);
	r = ep->ops->start(urb, ep->user);
	if (!r)
		return true;
	count_start(ep, urb, -1);
	if (r == -EAGAIN) {
		urb_set_state(urb, URB_STATE_QUEUED);
		ep->starved = true;
		return false;
	}
	finish_urb(ep, urb);
	return true;
}

/* Whose turn it is, or NULL: it has not come. */
static struct urb *find_next(struct endpoint *ep)
{
	struct urb *urb, *next = find_urb(ep, ep->next);

	if (next && next->state != URB_STATE_STAGED)
		return next;
	next = NULL;
	/* over a hole; without one, nothing is behind `next` */
	TAILQ_FOREACH_REVERSE(urb, &ep->row, endpoint_row, link) {
		if (!urb_after(urb->number, ep->next))
			break;
		if (urb->state == URB_STATE_QUEUED &&
		    urb->type == URB_TYPE_ISOC)
			next = urb;
	}
	return next;
}

void endpoint_run(struct endpoint *ep)
{
	struct urb *urb;

	ep->starved = false;
	while (!ep->held && !ep->ended) {
		urb = find_next(ep);
		if (!urb)
			break;
		ep->next = urb->number;
		if (urb->state == URB_STATE_QUEUED && !start_urb(ep, urb))
			break;
		ep->next++;
	}
}

/* Taken back before it did anything: cancelled, or refused as a whole. */
static bool is_to_be_repeated(const struct urb *urb)
{
	if (!urb->again || urb->unlinked || urb->drained ||
	    urb->endpoint->ended)
		return false;
	return urb->verdict == URB_VERDICT_TAKEN && !urb->actual &&
	       (urb->xfer == URB_XFER_CANCELLED || urb->xfer == URB_XFER_STALL);
}

void endpoint_done(struct urb *urb)
{
	struct endpoint *ep = urb->endpoint;

	assert(urb_at_device(urb));
	count_start(ep, urb, -1);
	ep->n_again -= urb->again;
	if (is_to_be_repeated(urb)) {
		urb->again = false;
		urb_set_state(urb, URB_STATE_QUEUED);
		if (urb_after(ep->next, urb->number))
			ep->next = urb->number;
	} else {
		finish_urb(ep, urb);
		/* by a caller that did not wait for it */
		if (ep->isochronous)
			endpoint_ack(ep, ep->given_up);
	}
	endpoint_run(ep);
}

/*
 * A duplicate of urb has come, with a new waiter; dup is consumed. How data
 * goes is each call's own, as another connection may let more pass, or less.
 */
static void adopt_waiter(struct endpoint *ep, struct urb *urb, struct urb *dup)
{
	void *before = urb->waiter;

	urb->waiter = dup->waiter;
	urb->fetched = dup->fetched;
	if (urb->state == URB_STATE_DONE) {
		urb_unref(dup);
		answer_urb(ep, urb);
		return;
	}
	if (before && urb->out && !urb->lender)
		urb->lender = before;	/* the data is in its record */
	else if (before)
		ep->ops->superseded(before, ep->user);
	if (urb->pieces && dup->out && dup->length == urb->length) {
		urb_drop_pieces(urb);
		urb->out = dup->out;
		endpoint_run(ep);
	}
	urb_unref(dup);
}

/*
 * A port reset is what a driver does about a device that hangs: it does not
 * wait for what hangs in front of it, on endpoint 0 itself.
 */
static void cancel_before(struct endpoint *ep, const struct urb *reset)
{
	struct urb *urb, *after;

	for (urb = TAILQ_FIRST(&ep->row); urb != reset; urb = after) {
		after = TAILQ_NEXT(urb, link);
		if (urb_is_state_call(urb))
			continue;
		if (urb->state == URB_STATE_QUEUED)
			finish_as(ep, urb, URB_XFER_CANCELLED);
		else
			cancel_urb(ep, urb);
	}
}

/* Is there room for urb? early: what was kept of its number before it came. */
static bool may_come(const struct endpoint *ep, const struct urb *urb,
		     const struct urb *early)
{
	if (!early || early->state == URB_STATE_FORBIDDEN)
		return has_room(ep, urb->number, urb->length);
	return urb->length <= early->length ||
	       has_bytes(ep, urb->number, urb->length - early->length);
}

/* urb, if it is staged, has what came of its data before it. false: no
 * memory. */
static bool take_pieces(struct urb *urb, struct urb *early)
{
	if (!urb->staged)
		return true;
	if (!early || !early->pieces) {
		urb->pieces = pieces_new(URB_HEADROOM);
		return urb->pieces && !pieces_reserve(urb->pieces, urb->length);
	}
	if (early->length > urb->length) {
		urb_refuse(urb);	/* some lies outside of it */
		return true;
	}
	if (pieces_reserve(early->pieces, urb->length))
		return false;
	urb->pieces = early->pieces;
	early->pieces = NULL;
	return true;
}

enum endpoint_taken endpoint_submit(struct endpoint *ep, struct urb *urb)
{
	bool forbidden;
	struct urb *seen;

	if (urb->type == URB_TYPE_ISOC && !ep->isochronous) {
		ep->isochronous = true;
		ep->given_up = ep->acked;
	}
	if (!urb_after(urb->number, ep->acked)) {
		urb_unref(urb);
		return ENDPOINT_STALE;
	}
	seen = find_urb(ep, urb->number);
	if (seen && seen->state != URB_STATE_FORBIDDEN &&
	    seen->state != URB_STATE_STAGED) {
		adopt_waiter(ep, seen, urb);
		return ENDPOINT_TAKEN;
	}
	forbidden = seen && seen->state == URB_STATE_FORBIDDEN;
	if (!may_come(ep, urb, seen) || !take_pieces(urb, seen)) {
		urb_unref(urb);
		return ENDPOINT_DELAY;
	}
	if (seen)
		remove_urb(ep, seen);
	insert_urb(ep, urb);
	if (forbidden) {
		urb->unlinked = true;
		finish_as(ep, urb, URB_XFER_CANCELLED);
	} else if (urb->verdict != URB_VERDICT_TAKEN) {
		finish_urb(ep, urb);
	} else if (is_late(ep, urb)) {
		urb_end_packets(urb, URB_XFER_LATE);
		finish_as(ep, urb, URB_XFER_OK);
	} else {
		urb_set_state(urb, URB_STATE_QUEUED);
		if (urb->type == URB_TYPE_RESET)
			cancel_before(ep, urb);
	}
	endpoint_run(ep);
	return ENDPOINT_TAKEN;
}

/*
 * May the first of the row be acknowledged? Not what was never answered; but
 * isochronous URBs are sent once, and given up, whether they have come or not.
 */
static bool is_ackable(const struct endpoint *ep, const struct urb *urb,
		       uint32_t acked)
{
	if (!urb || urb_after(urb->number, acked))
		return false;
	if (ep->isochronous)
		return !urb_at_device(urb);
	return urb->state == URB_STATE_DONE && urb->number == ep->acked + 1;
}

/* What never came, up to there: it is of no use any more. */
static void pass_hole(struct endpoint *ep, uint32_t acked)
{
	const struct urb *first = TAILQ_FIRST(&ep->row);

	if (first && !urb_after(first->number, acked))
		acked = first->number - 1;
	if (urb_after(acked, ep->acked))
		ep->acked = acked;
}

void endpoint_ack(struct endpoint *ep, uint32_t acked)
{
	struct urb *urb;

	while (urb_after(acked, ep->acked)) {
		urb = TAILQ_FIRST(&ep->row);
		if (!is_ackable(ep, urb, acked))
			break;
		if (urb->state == URB_STATE_QUEUED)
			finish_as(ep, urb, URB_XFER_CANCELLED);
		ep->acked = urb->number;
		remove_urb(ep, urb);
	}
	if (ep->isochronous) {
		pass_hole(ep, acked);
		if (urb_after(acked, ep->given_up))
			ep->given_up = acked;
	}
	/* what ended while the row was held was not gone over yet */
	if (!urb_after(ep->next, ep->acked))
		ep->next = ep->acked + 1;
	if (ep->stopped && !urb_after(ep->stop, ep->acked)) {
		find_stop(ep);
		endpoint_run(ep);
	}
}

/* Something came of a number before its submit. NULL: no memory. */
static struct urb *keep_early(struct endpoint *ep, uint32_t number,
			      enum urb_state state)
{
	struct urb *urb = urb_new();

	if (!urb)
		return NULL;
	urb->address = ep->address;
	urb->number = number;
	urb_set_state(urb, state);
	insert_urb(ep, urb);
	return urb;
}

static bool is_too_early(const struct endpoint *ep, uint32_t number)
{
	return number - ep->acked > ep->window->max_urbs;
}

/* It has come in pieces, which nobody needs any more. */
static void forbid_staged(struct endpoint *ep, struct urb *urb)
{
	urb_drop_pieces(urb);
	set_length(ep, urb, 0);
	--*counter_of(ep, urb);
	urb_set_state(urb, URB_STATE_FORBIDDEN);
	++*counter_of(ep, urb);
}

enum endpoint_taken endpoint_unlink(struct endpoint *ep, uint32_t number)
{
	struct urb *urb = find_urb(ep, number);

	if (!urb_after(number, ep->acked))
		return ENDPOINT_TAKEN;
	if (!urb) {
		if (is_too_early(ep, number))
			return ENDPOINT_INVAL;
		if (!has_room_to_forbid(ep, number) ||
		    !keep_early(ep, number, URB_STATE_FORBIDDEN))
			return ENDPOINT_DELAY;
		endpoint_run(ep);
		return ENDPOINT_TAKEN;
	}
	urb->unlinked = true;
	if (urb->state == URB_STATE_STAGED) {
		forbid_staged(ep, urb);
		endpoint_run(ep);
	} else if (urb->state == URB_STATE_QUEUED) {
		finish_as(ep, urb, URB_XFER_CANCELLED);
		endpoint_run(ep);
	} else {
		cancel_urb(ep, urb);
	}
	return ENDPOINT_TAKEN;
}

/* The first piece of a submit that has not come. NULL: no room. */
static struct urb *stage_early(struct endpoint *ep, uint32_t number,
			       uint32_t end)
{
	struct pieces *pieces;
	struct urb *urb;

	/* what makes room for it may be on its way: not INVAL */
	if (is_too_early(ep, number) || !has_room(ep, number, end))
		return NULL;
	pieces = pieces_new(URB_HEADROOM);
	if (!pieces || pieces_reserve(pieces, end)) {
		pieces_free(pieces);
		return NULL;
	}
	urb = keep_early(ep, number, URB_STATE_STAGED);
	if (urb)
		urb->pieces = pieces;
	else
		pieces_free(pieces);
	return urb;
}

/* The data ends here at least. false: no room for so much. */
static bool extend(struct endpoint *ep, struct urb *urb, uint32_t end)
{
	if (end <= urb->length)
		return true;
	if (!has_bytes(ep, urb->number, end - urb->length) ||
	    pieces_reserve(urb->pieces, end))
		return false;
	set_length(ep, urb, end);
	return true;
}

enum endpoint_taken endpoint_stage(struct endpoint *ep, uint32_t number,
				   uint32_t offset, const uint8_t *data,
				   uint32_t length)
{
	struct urb *urb = find_urb(ep, number);
	uint32_t end = offset + length;

	if (!urb_after(number, ep->acked))
		return ENDPOINT_STALE;
	if (!urb)
		urb = stage_early(ep, number, end);
	if (!urb)
		return ENDPOINT_DELAY;
	if (!urb->pieces)
		return ENDPOINT_TAKEN;	/* it is all here, or not wanted */
	if (urb->state != URB_STATE_STAGED && end > urb->length)
		return ENDPOINT_INVAL;
	if (!extend(ep, urb, end))
		return ENDPOINT_DELAY;
	pieces_put(urb->pieces, offset, data, length);
	endpoint_run(ep);
	return ENDPOINT_TAKEN;
}

enum endpoint_taken endpoint_fetch(struct endpoint *ep, uint32_t number,
				   const struct urb **found)
{
	const struct urb *urb = find_urb(ep, number);

	if (!urb_after(number, ep->acked))
		return ENDPOINT_STALE;
	if (!urb || urb->state == URB_STATE_FORBIDDEN ||
	    urb->state == URB_STATE_STAGED)
		return ENDPOINT_INVAL;
	if (urb->state != URB_STATE_DONE)
		return ENDPOINT_IN_PROGRESS;
	if (!urb_is_in(urb) || urb->type == URB_TYPE_ISOC ||
	    urb->verdict != URB_VERDICT_TAKEN)
		return ENDPOINT_INVAL;
	*found = urb;
	return ENDPOINT_TAKEN;
}

void endpoint_hold(struct endpoint *ep)
{
	struct urb *urb;

	ep->held = true;
	TAILQ_FOREACH_REVERSE(urb, &ep->row, endpoint_row, link) {
		/* its data may never come */
		if (urb->state == URB_STATE_QUEUED && !urb_is_whole(urb))
			finish_as(ep, urb, URB_XFER_CANCELLED);
		if (!urb_at_device(urb))
			continue;
		urb->drained = true;
		cancel_urb(ep, urb);
	}
}

void endpoint_release(struct endpoint *ep)
{
	ep->held = false;
	endpoint_run(ep);
}

void endpoint_end(struct endpoint *ep, enum urb_xfer xfer)
{
	struct urb *urb;

	ep->ended = true;
	TAILQ_FOREACH_REVERSE(urb, &ep->row, endpoint_row, link) {
		if (urb->state == URB_STATE_QUEUED)
			finish_as(ep, urb, xfer);
		else
			cancel_urb(ep, urb);
	}
}
