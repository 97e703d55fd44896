// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * port_answer - what the target's answers do to the URBs of a port.
 *
 * Holding
 *   Drivers take what they read in the order in which their URBs end. The
 *   target ends those of an endpoint in order, but datagrams overtake one
 *   another: so the answer of one that was executed is HELD until those before
 *   it are answered, too. One that was cancelled is not, nor one that is
 *   unlinked: its driver waits.
 */
#include "client/port_impl.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"

#define DELAY_FIRST_MS	5
#define DELAY_MAX_MS	500
/* So often a call may fail at the target without being taken. */
#define TRIES_MAX	8

/* To the kernel. True: it stops its endpoint, and is to settle. */
static bool deliver(struct urb *urb, const struct port_answer *a)
{
	struct port *p = urb->port;

	if ((urb->kind == URB_CONTROL && urb->in && a->actual) ||
	    (urb->kind == URB_SET_CONFIGURATION && !a->status))
		p->ops.heard(urb->setup, a->data, a->actual, p->ops.user);
	port_give_back(urb, a);
	if (!urb_stops(urb, a->status, a->actual))
		return false;
	urb_drop_data(urb);
	urb_set_state(urb, URB_ANSWERED);
	TAILQ_INSERT_TAIL(&p->settling, urb, settling);
	return true;
}

/* Has it no answer that ends it? */
static bool is_owed(const struct urb *urb)
{
	return urb->state == URB_FLYING || urb->state == URB_DELAYED;
}

/* Was it executed, and so were those before it, which are not answered? */
static bool overtook(const struct row *row, const struct urb *urb,
		     const struct port_answer *a)
{
	const struct urb *before;

	if (urb->unlinked || (!urb->known && urb->kind != URB_ISOC))
		return false;
	if (!a->actual && (a->status == -ECONNRESET ||
			   a->status == -ESHUTDOWN || a->status == -EINVAL))
		return false;
	before = TAILQ_FIRST(&row->flying);
	while (before != urb && !is_owed(before))
		before = TAILQ_NEXT(before, link);
	return before != urb;
}

/* Its answer goes to the kernel now; it stays in its row. */
static void finish(struct urb *urb, const struct port_answer *a)
{
	struct row *row = port_row(urb);

	if (urb->kind == URB_ISOC)
		isoc_answered(&urb->port->isoc, &row->isoc, urb, a);
	if (urb->reads)
		port_read_answered(urb->port, row, urb, a);
	else if (urb->known && deliver(urb, a))
		return;
	urb_drop_data(urb);
	urb_set_state(urb, URB_SETTLED);
}

void port_finish_held(struct urb *urb)
{
	finish(urb, urb->held);
	urb_drop_held(urb);
}

/* Those that nothing before them is owed of. */
static void release_held(struct row *row)
{
	struct urb *urb;

	TAILQ_FOREACH(urb, &row->flying, link) {
		if (is_owed(urb))
			break;
		if (urb->state == URB_HELD)
			port_finish_held(urb);
	}
}

static struct urb *find_number(struct row *row, uint32_t number)
{
	struct urb *urb;

	TAILQ_FOREACH(urb, &row->flying, link)
		if (urb->number == number)
			break;
	return urb;
}

/* The target has heard that it was unlinked, or has ended it. */
static void end_unlinking(struct row *row, struct urb *urb)
{
	row->n_unlinking -= urb->unlinking;
	urb->unlinking = false;
	urb->unlink_again = false;
}

void port_unlinked(struct port *p, const struct port_number *of, bool taken)
{
	struct row *row = rows_find(&p->rows, of->endpoint, of->stream);
	struct urb *urb = row ? find_number(row, of->number) : NULL;

	if (!urb || !urb->unlinking)
		return;
	if (!taken) {
		urb->unlink_again = true;
		p->ops.retry_in(DELAY_FIRST_MS, p->ops.user);
		return;
	}
	end_unlinking(row, urb);
	port_kick(p, row);
	port_renew_if_awaited(p, row);
}

static void delay(struct port *p, struct urb *urb, enum port_verdict verdict)
{
	unsigned int ms = DELAY_FIRST_MS;

	if (urb->tries < UINT16_MAX)
		urb->tries++;
	if (verdict == PORT_NOT_TAKEN && urb->tries > TRIES_MAX) {
		p->ops.broken("the target's system fails: see its log",
			      p->ops.user);
		return;
	}
	for (unsigned int i = 1; i < urb->tries && ms < DELAY_MAX_MS; i++)
		ms *= 2;
	p->stats.delayed++;
	port_row(urb)->held = true;
	urb_set_state(urb, URB_DELAYED);
	p->ops.retry_in(ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS, p->ops.user);
}

/* More than was asked for, or a count without its bytes. */
static bool is_impossible(const struct urb *urb, const struct port_answer *a)
{
	if (urb->kind == URB_ALLOC_STREAMS && !a->status)
		return !a->actual || a->actual > urb->value;
	if (urb->kind == URB_ISOC && !isoc_fits(urb, a))
		return true;
	return a->actual > urb->length ||
	       (urb->in && a->actual && !a->data);
}

void port_answered(struct urb *urb, const struct port_answer *answer)
{
	struct port *p = urb->port;
	struct row *row = port_row(urb);
	bool isoc = urb->kind == URB_ISOC;
	bool unlinking = urb->unlinking;
	struct port_answer a = *answer;

	assert(urb->state == URB_FLYING);
	if (a.verdict == PORT_DELAY || a.verdict == PORT_NOT_TAKEN) {
		delay(p, urb, a.verdict);
		return;
	}
	if (a.verdict == PORT_BROKEN) {
		p->ops.broken("the target's answer makes no sense", p->ops.user);
		return;
	}
	if (is_impossible(urb, &a)) {
		log_warning("the target claims %" PRIu32 " of %" PRIu32 " bytes "
			    "at endpoint %02x: the URB fails", a.actual,
			    urb->length, urb->endpoint);
		a = (struct port_answer){ .status = -EPROTO };
	}
	if (a.status)
		log_debug(LOG_TAG_URB, "%02x #%" PRIu32 ": %s, %" PRIu32 " of %"
			  PRIu32, urb->endpoint, urb->number,
			  strerror(-a.status), a.actual, urb->length);
	if (urb->kind == URB_ALLOC_STREAMS && !a.status)
		rows_grant(&p->rows, urb->endpoints, (uint16_t)a.actual);
	end_unlinking(row, urb);
	if (overtook(row, urb, &a) && urb_hold(urb, &a))
		return;
	finish(urb, &a);
	release_held(row);
	port_advance(p, row);
	port_kick(p, row);
	if (unlinking)
		port_renew_if_awaited(p, row);
	if (isoc) {
		port_lend(p, row);
		/* where a call may have waited for it */
		port_kick(p, &p->rows.endpoints[0]);
	}
}
