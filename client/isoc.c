// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * isoc - what a port knows of isochronous URBs beside what all have.
 *
 * Ahead
 *   A driver keeps few milliseconds queued: snd-usb-audio at most 18. With a
 *   round trip longer than that, the device runs dry however good the network
 *   is, because each URB goes around once before the driver has it back. So
 *   OUT URBs can be lent: the driver has them back, as done, when they have
 *   been sent. It goes on with the next, and so what is on its way and queued
 *   at the target is the driver's own queue and as much as may be lent.
 *   No clock is needed for that. The first ahead_us are lent at once, and fill
 *   the queue of the target; from there on the kernel gets an URB back for
 *   each that the target has carried out: the device's own clock goes around.
 *   Nothing piles up, as no more than that is ever on its way; so nothing has
 *   to be dropped after the network has stopped for a while.
 *   What it costs: a driver is told that its data was played when it is yet to
 *   be, and an error of a packet that was lent is only counted. A driver's
 *   SET_INTERFACE waits until all is paid back (port.c), so that the end of a
 *   sound is heard.
 *
 *   IN is read ahead: the target has requests for as much more than the driver
 *   has made (port_isoc.c). Their answers come at the device's own rate, and go
 *   to what the driver has submitted by then, so nothing is heard or seen later
 *   than it has to be.
 *
 * Gaps
 *   The target tells the frame that each URB began in, which is where the one
 *   before it ended, unless the endpoint had run dry. That is no gap where
 *   the driver itself had stopped: by an unlink, or a device-state call. Where
 *   an answer was lost, the next one can not be compared.
 */
#include "client/isoc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/port.h"
#include "client/urb.h"

/* An answer that waits for its URB. Packets and data lie in `rest`. */
struct isoc_kept {
	STAILQ_ENTRY(isoc_kept) link;
	uint32_t actual, n_packets;
	struct vhci_packet rest[];
};

/* The target's bus may begin late, and the way there and back may be long. */
#define PATIENCE_MS	1000

void isoc_init(struct isoc *isoc, enum usb_speed speed, unsigned int ahead_ms)
{
	isoc->micro = speed >= USB_SPEED_HIGH;
	isoc->ahead_us = ahead_ms * 1000ull;
}

void isoc_row_init(struct isoc_row *row)
{
	TAILQ_INIT(&row->wanted);
	STAILQ_INIT(&row->kept);
}

void isoc_row_deinit(struct isoc_row *row)
{
	struct urb *urb;

	while ((urb = TAILQ_FIRST(&row->wanted))) {
		TAILQ_REMOVE(&row->wanted, urb, link);
		urb_free(urb);
	}
	while (row->n_kept)
		isoc_drop_first(row);
	urb_free(row->like);
}

/* Frames, or microframes, from one packet to the next. */
static uint32_t period_of(const struct urb *urb)
{
	unsigned int exponent = urb->interval - 1;

	return exponent < 16 ? 1u << exponent : 1;
}

static uint64_t duration_us(const struct isoc *isoc, const struct urb *urb)
{
	return (uint64_t)urb->n_packets * period_of(urb) *
	       (isoc->micro ? 125 : 1000);
}

bool isoc_fits(const struct urb *urb, const struct port_answer *a)
{
	uint64_t sum = 0;

	if (!a->n_packets)
		return a->status && !a->actual;
	if (a->n_packets != urb->n_packets)
		return false;
	for (uint32_t i = 0; i < a->n_packets; i++) {
		if (a->packets[i].length > urb->lengths[i])
			return false;
		sum += a->packets[i].length;
	}
	return sum == a->actual;
}

static void count_packets(struct isoc *isoc, const struct urb *urb,
			  const struct port_answer *a)
{
	if (urb->in)
		isoc->stats.packets_in += urb->n_packets;
	else
		isoc->stats.packets_out += urb->n_packets;
	if (a->lost) {
		isoc->stats.lost += urb->n_packets;
		return;
	}
	isoc->stats.late += a->n_late;
	if (!a->n_packets)
		isoc->stats.failed += urb->n_packets;
	for (uint32_t i = 0; i < a->n_packets; i++)
		isoc->stats.failed += !!a->packets[i].status;
	isoc->stats.failed -= a->n_late;
}

void isoc_sent(const struct isoc *isoc, struct isoc_row *row, struct urb *urb)
{
	row->flying_us += duration_us(isoc, urb);
	urb->patience_ms = (uint32_t)(row->flying_us / 1000) + PATIENCE_MS;
}

void isoc_answered(struct isoc *isoc, struct isoc_row *row, struct urb *urb,
		   const struct port_answer *a)
{
	row->flying_us -= duration_us(isoc, urb);
	if (urb->lent) {
		row->lent_us -= duration_us(isoc, urb);
		isoc->lent_us -= duration_us(isoc, urb);
	}
	if (urb->unlinked)
		return;
	count_packets(isoc, urb, a);
	if (a->n_late) /* it had no frame */
		return;
	row->placed &= !a->status && !a->lost;
	if (a->status || a->lost)
		return;
	if (row->placed && !urb->begins && a->start_frame != row->next_frame)
		isoc->stats.gaps++;
	row->placed = true;
	row->next_frame = a->start_frame + urb->n_packets * period_of(urb);
}

void isoc_submitted(struct isoc_row *row, struct urb *urb)
{
	urb->begins = !row->runs;
	row->runs = true;
}

void isoc_stopped(struct isoc_row *row)
{
	row->runs = false;
}

bool isoc_lend(struct isoc *isoc, struct isoc_row *row, struct urb *urb,
	       struct port_answer *a)
{
	uint64_t us = duration_us(isoc, urb);

	if (urb->in || urb->unlinked || row->lent_us + us > isoc->ahead_us)
		return false;
	urb->lent = true;
	row->lent_us += us;
	isoc->lent_us += us;
	memset(a, 0, sizeof(*a));
	a->actual = urb->length;
	a->packets = isoc->packets;
	a->n_packets = urb->n_packets;
	for (uint32_t i = 0; i < urb->n_packets; i++)
		isoc->packets[i] = (struct vhci_packet){ urb->lengths[i], 0 };
	return true;
}

/* ---- reading ahead ------------------------------------------------------ */

unsigned int isoc_ahead(const struct isoc *isoc, const struct urb *urb)
{
	uint64_t us = duration_us(isoc, urb);

	return (unsigned int)((isoc->ahead_us + us - 1) / us);
}

bool isoc_is_alike(const struct urb *a, const struct urb *b)
{
	return a->n_packets == b->n_packets && a->interval == b->interval &&
	       a->flags == b->flags &&
	       !memcmp(a->lengths, b->lengths,
		       a->n_packets * sizeof(*a->lengths));
}

void isoc_keep(struct isoc *isoc, struct isoc_row *row,
	       const struct port_answer *a)
{
	size_t packets = a->n_packets * sizeof(*a->packets);
	struct isoc_kept *kept = malloc(sizeof(*kept) + packets + a->actual);

	if (!kept) {
		isoc->stats.dropped += a->n_packets;
		return;
	}
	kept->actual = a->actual;
	kept->n_packets = a->n_packets;
	memcpy(kept->rest, a->packets, packets);
	if (a->actual)
		memcpy(kept->rest + a->n_packets, a->data, a->actual);
	STAILQ_INSERT_TAIL(&row->kept, kept, link);
	row->n_kept++;
}

bool isoc_first_kept(const struct isoc_row *row, struct port_answer *a)
{
	const struct isoc_kept *kept = STAILQ_FIRST(&row->kept);

	if (!kept)
		return false;
	*a = (struct port_answer){
		.actual = kept->actual,
		.data = (const uint8_t *)(kept->rest + kept->n_packets),
		.n_packets = kept->n_packets,
		.packets = kept->rest,
	};
	return true;
}

void isoc_drop_first(struct isoc_row *row)
{
	struct isoc_kept *kept = STAILQ_FIRST(&row->kept);

	STAILQ_REMOVE_HEAD(&row->kept, link);
	row->n_kept--;
	free(kept);
}

void isoc_drop_kept(struct isoc *isoc, struct isoc_row *row)
{
	while (row->n_kept) {
		isoc->stats.dropped += STAILQ_FIRST(&row->kept)->n_packets;
		isoc_drop_first(row);
	}
}
