// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * port - the URBs of one attached device between kernel and target.
 *
 * Rows
 *   Each endpoint address has a row: `waiting`, then `flying`, both in the
 *   order of the kernel. An URB gets its number when it is sent for the first
 *   time, so that one that is unlinked before has none. Control transfers and
 *   device-state calls share row 0. An answer found here (URB_LOCAL) waits
 *   until nothing of its row flies, as URBs of an endpoint end in order.
 *   Each stream that was ever granted may have a row of its own, and then
 *   keeps it; it is made when it is first used.
 *
 * Acknowledging
 *   Numbers leave `flying` at its front, once they are SETTLED: from there
 *   on they may be acknowledged, which a submit of the same row does by the
 *   way, and a RENEW for all rows. Until it is sent they count in the window.
 *
 * Stop
 *   After a bulk or interrupt URB that failed, or is short where it must not
 *   be, the target executes nothing behind it until it is acknowledged. The
 *   acknowledgement must not leave before the unlinks that the driver's
 *   completion handler asks for: so such an URB goes ANSWERED, WRITTEN (the
 *   module's write() has run the handler), SETTLED (the unlinks were read,
 *   and are sent). All others are settled at once.
 *   An UNLINK that was sent may be lost with its connection, or overtaken: so
 *   while one of a row is not answered (`unlinking`), nothing more of the row
 *   is acknowledged.
 *
 * What becomes of answers is in port_answer.c, and what is particular to
 * isochronous URBs in port_isoc.c.
 */
#include "client/port_impl.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct port *port_new(const struct port_window *window,
		      const struct answer_descriptors *descriptors,
		      const struct port_ops *ops)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	pool_init(&p->urbs, URB_POOLED);
	p->ops = *ops;
	p->window = *window;
	p->descriptors = descriptors;
	rows_init(&p->rows);
	for (unsigned int i = 0; i < PORT_BUCKETS; i++)
		LIST_INIT(&p->ids[i]);
	TAILQ_INIT(&p->settling);
	return p;
}

struct port *port_free(struct port *p)
{
	if (!p)
		return NULL;
	rows_deinit(&p->rows);
	pool_deinit(&p->urbs);
	free(p);
	return NULL;
}

void port_set_isoc(struct port *p, enum usb_speed speed, unsigned int ahead_ms)
{
	isoc_init(&p->isoc, speed, ahead_ms);
}

void port_limit_isoc(struct port *p)
{
	p->isoc_limited = true;
}

const struct isoc *port_isoc(const struct port *p)
{
	return &p->isoc;
}

size_t port_outstanding(const struct port *p)
{
	return p->outstanding;
}

const struct port_stats *port_stats(const struct port *p)
{
	return &p->stats;
}

/* ---- the kernel's table ------------------------------------------------- */

static void learn_id(struct port *p, struct urb *urb)
{
	LIST_INSERT_HEAD(&p->ids[urb->id % PORT_BUCKETS], urb, by_id);
	urb->known = true;
	p->outstanding++;
}

static struct urb *find_id(struct port *p, uint64_t id)
{
	struct urb *urb;

	LIST_FOREACH(urb, &p->ids[id % PORT_BUCKETS], by_id)
		if (urb->id == id)
			return urb;
	return NULL;
}

void port_forget_id(struct port *p, struct urb *urb)
{
	LIST_REMOVE(urb, by_id);
	urb->known = false;
	p->outstanding--;
}

void port_give_back(struct urb *urb, const struct port_answer *a)
{
	struct port *p = urb->port;
	struct vhci_complete done = {
		.id = urb->id,
		.status = a->status,
		.actual = a->actual,
		.data = urb->in ? a->data : NULL,
		.n_packets = a->n_packets,
		.packets = a->packets,
		.keep = a->keep,
		.unkeep = a->unkeep,
		.keep_arg = a->keep_arg,
	};

	assert(urb->known);
	port_forget_id(p, urb);
	if (urb->in) {
		p->stats.urbs_in++;
		p->stats.bytes_in += a->actual;
	} else {
		p->stats.urbs_out++;
		/* those of streams are not bytes */
		if (urb->kind != URB_ALLOC_STREAMS)
			p->stats.bytes_out += a->actual;
	}
	if (urb->unlinked)
		p->stats.unlinked++;
	else if (a->status)
		p->stats.failed++;
	p->ops.complete(&done, p->ops.user);
}

/* Refused before it became an urb. */
static void refuse(struct port *p, uint64_t id, int status)
{
	struct vhci_complete done = { .id = id, .status = status };

	p->stats.failed++;
	p->ops.complete(&done, p->ops.user);
}

/* ---- window and acknowledgements ---------------------------------------- */

/* What the target may be told at present. */
static uint32_t ack_of(const struct row *row)
{
	return row->n_unlinking ? row->told : row->acked;
}

static bool fits(const struct port *p, const struct row *row,
		 const struct urb *urb)
{
	uint32_t urbs = p->used_urbs;
	uint64_t bytes = p->used_bytes;

	/* Else what never ends on one endpoint might stop another, or the call
	 * that is to end it. The target lets the first of a row in. */
	if (TAILQ_EMPTY(&row->flying))
		return true;
	/* What the submit itself acknowledges leaves before it comes in. */
	if (!row->n_unlinking) {
		urbs -= row->ackable_urbs;
		bytes -= row->ackable_bytes;
	}
	return urbs < p->window.urbs &&
	       bytes + urb->length <= p->window.bytes;
}

/* The target has been told ack_of(row). */
static void tell(struct port *p, struct row *row)
{
	row->untold = false;
	if (row->n_unlinking)
		return;
	row->told = row->acked;
	p->used_urbs -= row->ackable_urbs;
	p->used_bytes -= row->ackable_bytes;
	p->ackable_urbs -= row->ackable_urbs;
	p->ackable_bytes -= row->ackable_bytes;
	row->ackable_urbs = 0;
	row->ackable_bytes = 0;
}

size_t port_acks(struct port *p, struct port_ack *acks, bool all)
{
	struct row *row;
	size_t n = 0;

	STAILQ_FOREACH(row, &p->rows.all, link) {
		row->untold |= all && ack_of(row);
		if (ack_of(row) == row->told && !row->untold)
			continue;
		if (n == PORT_ACKS)
			continue;
		acks[n++] = (struct port_ack){ row->endpoint, row->stream,
					       ack_of(row) };
		tell(p, row);
	}
	/* Of a RENEW that had to wait: what has room now goes behind it. */
	if (n && p->up && p->blocked && !p->kicking)
		p->ops.retry_in(0, p->ops.user);
	return n;
}

void port_advance(struct port *p, struct row *row)
{
	struct urb *urb;

	while ((urb = TAILQ_FIRST(&row->flying)) &&
	       urb->state == URB_SETTLED) {
		row->acked = urb->number;
		row->ackable_urbs++;
		row->ackable_bytes += urb->length;
		p->ackable_urbs++;
		p->ackable_bytes += urb->length;
		TAILQ_REMOVE(&row->flying, urb, link);
		urb_free(urb);
	}
}

/* ---- sending ------------------------------------------------------------ */

/* False: not sent, and nothing else will be. */
static bool send_urb(struct port *p, struct row *row, struct urb *urb)
{
	int r = p->ops.submit(urb, ack_of(row), p->ops.user);

	if (!r) {
		tell(p, row);
		return true;
	}
	p->up = false;
	if (r != -ENOTCONN)
		p->ops.broken(strerror(-r), p->ops.user);
	return false;
}

static void answer_local(struct row *row, struct urb *urb)
{
	struct port_answer a = {
		.status = urb->status,
		.actual = urb->actual,
		.data = urb->data,
	};

	TAILQ_REMOVE(&row->waiting, urb, link);
	port_give_back(urb, &a);
	urb_free(urb);
}

/* Send one that waits, if it may go. */
static bool kick_one(struct port *p, struct row *row)
{
	struct urb *urb = TAILQ_FIRST(&row->waiting);

	if (!urb || row->held)
		return false;
	if (urb->kind == URB_LOCAL) {
		if (!TAILQ_EMPTY(&row->flying))
			return false;
		answer_local(row, urb);
		return true;
	}
	if (!p->up || port_waits_for_lent(p, urb))
		return false;
	if (!fits(p, row, urb)) {
		p->blocked = true;
		return false;
	}
	TAILQ_REMOVE(&row->waiting, urb, link);
	TAILQ_INSERT_TAIL(&row->flying, urb, link);
	urb->number = row->next++;
	p->used_urbs++;
	p->used_bytes += urb->length;
	urb_set_state(urb, URB_FLYING);
	if (urb->kind == URB_ISOC)
		isoc_sent(&p->isoc, &row->isoc, urb);
	if (send_urb(p, row, urb) && urb->kind == URB_ISOC)
		port_lend(p, row);
	if (urb_is_state_call(urb))
		port_stop_isoc(p);
	return true;
}

/* One from each row in turn, until none can go. */
static void kick_all(struct port *p)
{
	struct row *row;
	bool sent;

	do {
		p->blocked = false;
		sent = false;
		STAILQ_FOREACH(row, &p->rows.all, link)
			sent |= kick_one(p, row);
	} while (sent);
}

static bool acks_are_due(const struct port *p)
{
	if (!p->up || !p->ackable_urbs)
		return false;
	return p->blocked || p->ackable_urbs > p->window.urbs / 2 ||
	       p->ackable_bytes > p->window.bytes / 2;
}

void port_kick(struct port *p, struct row *row)
{
	if (p->kicking)
		return;
	p->kicking = true;
	while (kick_one(p, row))
		;
	if (p->blocked)
		kick_all(p);
	if (acks_are_due(p)) {
		p->ops.renew(p->ops.user);
		if (p->blocked)
			kick_all(p);
	}
	p->kicking = false;
}

/* ---- from the kernel ---------------------------------------------------- */

/* In its row, behind the others. */
static void submit(struct port *p, struct urb *urb)
{
	struct row *row = port_row(urb);

	learn_id(p, urb);
	if (port_reads_ahead(p, urb)) {
		port_read(p, row, urb);
		return;
	}
	isoc_submitted(&row->isoc, urb);
	TAILQ_INSERT_TAIL(&row->waiting, urb, link);
	port_kick(p, row);
}

/* In one datagram, there and back. */
static bool isoc_is_too_large(struct port *p, const struct vhci_submit *s)
{
	uint64_t bytes = s->length + 8ull * s->n_packets;

	if (s->transfer != USB_TRANSFER_ISOC || !p->isoc_limited ||
	    bytes <= ISOC_DATAGRAM)
		return false;
	if (!p->too_large)
		log_warning("isochronous URBs of %" PRIu32 " bytes do not fit "
			    "into datagrams: this device needs TCP", s->length);
	p->too_large = true;
	return true;
}

void port_submit(struct port *p, const struct vhci_submit *s)
{
	int r = urb_check(s, p->window.data_max);
	struct urb *urb;

	if (!r && isoc_is_too_large(p, s))
		r = -ENOMEM;
	if (!r && s->stream)
		r = rows_make(&p->rows, s->endpoint, s->stream);
	if (r) {
		log_debug(LOG_TAG_URB, "id %" PRIu64 ": refused, %s", s->id,
			  strerror(-r));
		refuse(p, s->id, r);
		return;
	}
	urb = urb_new(p, &p->urbs, s);
	if (!urb) {
		refuse(p, s->id, -ENOMEM);
		return;
	}
	if (urb->kind == URB_CONTROL && !urb->endpoint)
		urb_translate(urb, p->descriptors);
	submit(p, urb);
}

static void submit_call(struct port *p, enum urb_kind kind, uint64_t id)
{
	struct urb *urb = urb_new_call(p, kind, id);

	if (urb)
		submit(p, urb);
	else
		refuse(p, id, -ENOMEM);
}

void port_streams(struct port *p, const struct vhci_streams *s)
{
	struct urb *urb = urb_new_streams(p, s);

	if (urb)
		submit(p, urb);
	else
		refuse(p, s->id, -ENOMEM);
}

void port_reset(struct port *p, uint64_t id)
{
	submit_call(p, URB_RESET, id);
}

void port_suspend(struct port *p, uint64_t id, bool suspend)
{
	submit_call(p, suspend ? URB_SUSPEND : URB_RESUME, id);
}

void port_send_unlink(struct port *p, struct urb *urb)
{
	if (!urb->unlinking)
		port_row(urb)->n_unlinking++;
	urb->unlinking = true;
	urb->unlink_again = false;
	if (p->up)
		p->ops.unlink(urb, p->ops.user);
}

void port_unlink(struct port *p, uint64_t id)
{
	static const struct port_answer cancelled = { .status = -ECONNRESET };
	struct urb *urb = find_id(p, id);

	/* Its answer is on the way to the kernel: they crossed. */
	if (!urb || urb->unlinked)
		return;
	urb->unlinked = true;
	isoc_stopped(&port_row(urb)->isoc);
	if (urb->wanted) {
		port_read_unlink(p, port_row(urb), urb);
	} else if (urb->state == URB_WAITING) {
		struct row *row = port_row(urb);

		TAILQ_REMOVE(&row->waiting, urb, link);
		port_give_back(urb, &cancelled);
		urb_free(urb);
		port_kick(p, row);
	} else if (urb->state == URB_HELD) {
		struct row *row = port_row(urb);

		port_finish_held(urb);
		port_advance(p, row);
		port_kick(p, row);
	} else {
		port_send_unlink(p, urb);
	}
}

static void forget_row(struct port *p, struct row *row)
{
	struct urb *urb;

	port_read_forget(p, row);
	while ((urb = TAILQ_FIRST(&row->waiting))) {
		TAILQ_REMOVE(&row->waiting, urb, link);
		port_forget_id(p, urb);
		urb_free(urb);
	}
	TAILQ_FOREACH(urb, &row->flying, link) {
		if (!urb->known)
			continue;
		port_forget_id(p, urb);
		if (urb->state == URB_HELD)
			port_finish_held(urb);
		else if (!urb->unlinked)
			port_send_unlink(p, urb);
		urb->unlinked = true;
	}
	port_advance(p, row);
}

void port_forget(struct port *p)
{
	struct row *row;

	STAILQ_FOREACH(row, &p->rows.all, link)
		forget_row(p, row);
	/* what was to settle has done so: no handler runs any more */
	if (port_written(p))
		port_settled(p);
}

/* Does something fly behind what the target has not been told? */
static bool is_awaited(const struct row *row)
{
	return ack_of(row) != row->told && !TAILQ_EMPTY(&row->flying);
}

void port_renew_if_awaited(struct port *p, const struct row *row)
{
	if (is_awaited(row) && p->up)
		p->ops.renew(p->ops.user);
}

bool port_written(struct port *p)
{
	struct urb *urb;

	TAILQ_FOREACH(urb, &p->settling, settling)
		if (urb->state == URB_ANSWERED)
			urb_set_state(urb, URB_WRITTEN);
	return !TAILQ_EMPTY(&p->settling);
}

void port_settled(struct port *p)
{
	struct urb *urb, *next;
	bool awaited = false;
	struct row *row;

	for (urb = TAILQ_FIRST(&p->settling); urb; urb = next) {
		next = TAILQ_NEXT(urb, settling);
		if (urb->state != URB_WRITTEN)
			continue;	/* answered while the kernel was read */
		TAILQ_REMOVE(&p->settling, urb, settling);
		urb_set_state(urb, URB_SETTLED);
		port_advance(p, port_row(urb));
	}
	STAILQ_FOREACH(row, &p->rows.all, link) {
		port_kick(p, row);
		awaited |= is_awaited(row);
	}
	if (awaited && p->up)
		p->ops.renew(p->ops.user);
}

/* ---- the connection ------------------------------------------------------ */

static void retry_unlinks(struct port *p, struct row *row)
{
	struct urb *urb;

	if (!row->n_unlinking)
		return;
	TAILQ_FOREACH(urb, &row->flying, link)
		if (urb->unlink_again)
			port_send_unlink(p, urb);
}

void port_retry(struct port *p)
{
	struct row *row;
	struct urb *urb;

	STAILQ_FOREACH(row, &p->rows.all, link) {
		retry_unlinks(p, row);
		if (!row->held || !p->up)
			continue;
		row->held = false;
		TAILQ_FOREACH(urb, &row->flying, link) {
			if (urb->state != URB_DELAYED)
				continue;
			urb_set_state(urb, URB_FLYING);
			if (!send_urb(p, row, urb))
				break;
		}
		port_kick(p, row);
	}
	if (p->blocked)
		port_kick(p, &p->rows.endpoints[0]);
}

void port_down(struct port *p)
{
	p->up = false;
}

static void resend(struct port *p, struct row *row)
{
	struct urb *urb;

	row->held = false;
	TAILQ_FOREACH(urb, &row->flying, link) {
		if (urb->state == URB_DELAYED)
			urb_set_state(urb, URB_FLYING);
		if (urb->state != URB_FLYING)
			continue;
		p->stats.resent++;
		if (!send_urb(p, row, urb))
			return;
		if (urb->unlinked)
			port_send_unlink(p, urb);
	}
}

void port_up(struct port *p)
{
	struct row *row;

	p->up = true;
	STAILQ_FOREACH(row, &p->rows.all, link)
		if (p->up)
			resend(p, row);
	STAILQ_FOREACH(row, &p->rows.all, link)
		if (p->up)
			port_kick(p, row);
}
