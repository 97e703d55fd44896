/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_impl - a port from the inside, for port.c, port_answer.c and
 * port_isoc.c alone.
 */
#ifndef USBIP_CLIENT_PORT_IMPL_H
#define USBIP_CLIENT_PORT_IMPL_H

#include "client/port.h"

#include "client/rows.h"
#include "common/pool.h"

#define PORT_BUCKETS	256

struct port {
	struct port_ops ops;
	struct port_window window;
	const struct answer_descriptors *descriptors;
	struct rows rows;
	struct urb_ids ids[PORT_BUCKETS];
	struct urb_list settling;
	struct pool urbs;
	size_t outstanding;
	bool up;
	bool blocked;			/* something waits for the window */
	bool kicking;
	bool isoc_limited;		/* to what a datagram holds */
	bool too_large;			/* was said of an isochronous URB */
	uint32_t used_urbs;
	uint64_t used_bytes;
	uint32_t ackable_urbs;		/* sums over the rows */
	uint64_t ackable_bytes;
	struct port_stats stats;
	struct isoc isoc;
};

static inline struct row *port_row(const struct urb *urb)
{
	return rows_find(&urb->port->rows, urb->endpoint, urb->stream);
}

/* The kernel waits for this one no more. */
void port_forget_id(struct port *p, struct urb *urb);
/* The kernel's answer; the only place that gives one for an urb. */
void port_give_back(struct urb *urb, const struct port_answer *a);
/*
 * Send what can go from `row`, and from all of them where room has become
 * free. What the target keeps for us is bounded: it is told in time. Does not
 * nest: an urb that is answered from in here is seen by the loop.
 */
void port_kick(struct port *p, struct row *row);

/* Numbers that are settled leave the row at its front. */
void port_advance(struct port *p, struct row *row);
/* If something flies behind what the target has not been told. */
void port_renew_if_awaited(struct port *p, const struct row *row);

/* The target is to end it: it has a number. */
void port_send_unlink(struct port *p, struct urb *urb);
/* What was HELD has its answer now (port_answer.c). */
void port_finish_held(struct urb *urb);

/* ---- isochronous URBs (port_isoc.c) ------------------------------------- */

/* The kernel has OUT URBs back, in order, as long as it may. */
void port_lend(struct port *p, struct row *row);
/* Would this call cancel what the driver was told is done? */
bool port_waits_for_lent(const struct port *p, const struct urb *urb);
/* A state call is sent: what a driver submits behind it begins anew. */
void port_stop_isoc(struct port *p);

/* Is this one of the kernel's to be answered by what is read ahead? */
bool port_reads_ahead(const struct port *p, const struct urb *urb);
/* The kernel has submitted it, or takes it back. */
void port_read(struct port *p, struct row *row, struct urb *urb);
void port_read_unlink(struct port *p, struct row *row, struct urb *urb);
/* A reader (urb->reads) was answered. */
void port_read_answered(struct port *p, struct row *row, struct urb *urb,
			const struct port_answer *a);
/* The kernel has all of its URBs back already. */
void port_read_forget(struct port *p, struct row *row);

#endif
