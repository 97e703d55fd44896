// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * port_isoc - the isochronous URBs of a port that kernel and target do not have
 * at the same time, so that an endpoint stays fed over a long round trip
 * (isoc.c says why, and how far).
 *
 * Lending, OUT
 *   The kernel may have URBs back as soon as they fly. SET_INTERFACE and
 *   SET_CONFIGURATION, which would cancel them at the target, wait for their
 *   answers; a RESET does not, as it may be what ends a hang.
 *
 * Reading ahead, IN
 *   The kernel's URBs are `wanted` and never sent. Readers, URBs of ours like
 *   those, are: one for each that is wanted, and some ahead. The first answer
 *   goes to the first that is wanted; where none is, it is kept for the next.
 *   So either list is empty, and no more is kept than was asked for ahead.
 *   Readers end, by an UNLINK, and what was kept is dropped, where the driver
 *   stops: it takes back the last that it wanted, or changes the device's state
 *   while it wants none. Where it goes on with URBs of another kind, those that
 *   are ahead of it end.
 */
#include "client/port_impl.h"

#include <errno.h>
#include <string.h>

/* ---- lending ------------------------------------------------------------ */

void port_lend(struct port *p, struct row *row)
{
	struct port_answer a;
	struct urb *urb;

	TAILQ_FOREACH(urb, &row->flying, link) {
		if (urb->kind != URB_ISOC || !urb->known)
			continue;
		if (!isoc_lend(&p->isoc, &row->isoc, urb, &a))
			break;
		port_give_back(urb, &a);
	}
}

bool port_waits_for_lent(const struct port *p, const struct urb *urb)
{
	return p->isoc.lent_us && (urb->kind == URB_SET_INTERFACE ||
				   urb->kind == URB_SET_CONFIGURATION);
}

/* ---- reading ahead ------------------------------------------------------ */

bool port_reads_ahead(const struct port *p, const struct urb *urb)
{
	return urb->kind == URB_ISOC && urb->in && p->isoc.ahead_us;
}

/* Not one of them has been sent. */
static void end_waiting(struct row *row, unsigned int left)
{
	struct urb *urb;

	while (row->isoc.n_reading > left &&
	       (urb = TAILQ_LAST(&row->waiting, urb_list)) && urb->reads) {
		TAILQ_REMOVE(&row->waiting, urb, link);
		row->isoc.n_reading--;
		urb_free(urb);
	}
}

/* All but the first `left` readers end. */
static void end_readers(struct port *p, struct row *row, unsigned int left)
{
	struct urb *urb;

	end_waiting(row, left);
	TAILQ_FOREACH_REVERSE(urb, &row->flying, urb_list, link) {
		if (row->isoc.n_reading <= left)
			break;
		if (!urb->reads || urb->unlinked || urb->state == URB_SETTLED)
			continue;
		urb->unlinked = true;
		row->isoc.n_reading--;
		if (urb->state == URB_HELD)
			port_finish_held(urb);
		else
			port_send_unlink(p, urb);
	}
}

/* The driver wants none, and will not go on where it was. */
static void stop_reading(struct port *p, struct row *row)
{
	end_readers(p, row, 0);
	isoc_drop_kept(&p->isoc, &row->isoc);
}

void port_stop_isoc(struct port *p)
{
	struct row *row;

	STAILQ_FOREACH(row, &p->rows.all, link) {
		isoc_stopped(&row->isoc);
		/* One that is wanted may be another interface's. */
		if (!row->isoc.n_wanted)
			stop_reading(p, row);
	}
}

/* The readers are to be like `urb` from now on. False: no memory. */
static bool begin_like(struct port *p, struct row *row, const struct urb *urb)
{
	struct isoc_row *isoc = &row->isoc;
	struct urb *like;

	if (isoc->like && isoc_is_alike(isoc->like, urb))
		return true;
	like = urb_new_reader(&p->urbs, urb);
	if (!like)
		return false;
	urb_free(isoc->like);
	isoc->like = like;
	end_readers(p, row, isoc->n_wanted);
	isoc_drop_kept(&p->isoc, isoc);
	return true;
}

/* Readers, until there are enough; without memory for it, fewer ahead. */
static void top_up(struct port *p, struct row *row)
{
	struct isoc_row *isoc = &row->isoc;
	unsigned int enough = isoc->n_wanted + isoc_ahead(&p->isoc, isoc->like);
	struct urb *reader;

	while (isoc->n_reading + isoc->n_kept < enough) {
		reader = urb_new_reader(&p->urbs, isoc->like);
		if (!reader)
			break;
		isoc_submitted(isoc, reader);
		TAILQ_INSERT_TAIL(&row->waiting, reader, link);
		isoc->n_reading++;
	}
}

static void give_wanted(struct row *row, const struct port_answer *a)
{
	struct urb *urb = TAILQ_FIRST(&row->isoc.wanted);

	TAILQ_REMOVE(&row->isoc.wanted, urb, link);
	row->isoc.n_wanted--;
	port_give_back(urb, a);
	urb_free(urb);
}

/* One more is wanted. False: there is no memory to read it. */
static bool want(struct port *p, struct row *row, const struct urb *urb)
{
	struct isoc_row *isoc = &row->isoc;

	if (!begin_like(p, row, urb))
		return false;
	isoc->n_wanted++;
	top_up(p, row);
	if (isoc->n_reading + isoc->n_kept >= isoc->n_wanted)
		return true;
	isoc->n_wanted--;
	return false;
}

void port_read(struct port *p, struct row *row, struct urb *urb)
{
	static const struct port_answer no_memory = { .status = -ENOMEM };
	struct isoc_row *isoc = &row->isoc;
	struct port_answer a;

	if (!want(p, row, urb)) {
		port_give_back(urb, &no_memory);
		urb_free(urb);
		return;
	}
	urb->wanted = true;
	TAILQ_INSERT_TAIL(&isoc->wanted, urb, link);
	if (isoc_first_kept(isoc, &a)) {
		give_wanted(row, &a);
		isoc_drop_first(isoc);
	}
	port_kick(p, row);
}

void port_read_unlink(struct port *p, struct row *row, struct urb *urb)
{
	static const struct port_answer cancelled = { .status = -ECONNRESET };

	TAILQ_REMOVE(&row->isoc.wanted, urb, link);
	row->isoc.n_wanted--;
	port_give_back(urb, &cancelled);
	urb_free(urb);
	if (!row->isoc.n_wanted)
		stop_reading(p, row);
}

void port_read_answered(struct port *p, struct row *row, struct urb *urb,
			const struct port_answer *a)
{
	if (urb->unlinked) {
		p->isoc.stats.dropped += a->n_packets;
		return;
	}
	row->isoc.n_reading--;
	/* A device-state call has cancelled it. That is the driver's matter as
	 * far as it had URBs then; the next ones of it have their readers. */
	if (a->status == -ECONNRESET &&
	    row->isoc.n_reading >= row->isoc.n_wanted)
		p->isoc.stats.dropped += a->n_packets;
	else if (row->isoc.n_wanted)
		give_wanted(row, a);
	else if (!a->status)
		isoc_keep(&p->isoc, &row->isoc, a);
}

void port_read_forget(struct port *p, struct row *row)
{
	struct urb *urb;

	while ((urb = TAILQ_FIRST(&row->isoc.wanted))) {
		TAILQ_REMOVE(&row->isoc.wanted, urb, link);
		port_forget_id(p, urb);
		urb_free(urb);
	}
	row->isoc.n_wanted = 0;
	stop_reading(p, row);
}
