/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isoc - what a port knows of isochronous URBs beside what all have: their
 * packets, gaps, and how far the kernel is kept ahead; see isoc.c.
 */
#ifndef USBIP_CLIENT_ISOC_H
#define USBIP_CLIENT_ISOC_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/queue.h>

#include "client/urb.h"
#include "client/usb.h"
#include "client/vhci.h"

struct port_answer;
struct isoc_kept;

/* Of one endpoint. */
struct isoc_row {
	/* IN that is read ahead (port_isoc.c); kept: nobody wants it yet */
	struct urb *like;	/* what is read, or NULL: never yet */
	struct urb_list wanted;
	STAILQ_HEAD(, isoc_kept) kept;
	unsigned int n_wanted, n_kept, n_reading;
	uint64_t lent_us;	/* of its URBs that are lent */
	uint64_t flying_us;	/* of those that the target has */
	bool runs;		/* since the driver began, or began anew */
	bool placed;		/* next_frame is known: */
	uint32_t next_frame;	/* of the target's, where the next URB begins */
};

struct isoc_stats {
	uint64_t packets_in, packets_out;	/* of URBs that ended */
	uint64_t failed;	/* with an error, or refused; the next two not */
	uint64_t late;		/* came to the target when their time was over */
	uint64_t lost;		/* the network lost the call, or the answer */
	uint64_t gaps;		/* the endpoint had run dry when an URB came */
	uint64_t dropped;	/* read ahead, and not wanted in the end */
};

/* What a datagram has room for: the data and 8 bytes for each packet, beside
 * the headers of ISOC or its reply (96 bytes at most). */
#define ISOC_DATAGRAM	(65507 - 96)

/* More than the ear of anyone who plays along to it would bear. */
#define ISOC_AHEAD_MAX_MS	1000

/* Of a port. */
struct isoc {
	bool micro;		/* the bus has microframes */
	uint64_t ahead_us;	/* as much may be lent, or is read ahead */
	uint64_t lent_us;	/* sum over the rows */
	struct isoc_stats stats;
	struct vhci_packet packets[VHCI_PACKETS_MAX];
};

void isoc_init(struct isoc *isoc, enum usb_speed speed, unsigned int ahead_ms);
void isoc_row_init(struct isoc_row *row);
/* URBs that are wanted are freed. */
void isoc_row_deinit(struct isoc_row *row);

/* Does an answer fit the packets of its URB? */
bool isoc_fits(const struct urb *urb, const struct port_answer *answer);
/* It is sent for the first time. */
void isoc_sent(const struct isoc *isoc, struct isoc_row *row, struct urb *urb);
/* The target has answered: count; a lent URB is paid back. */
void isoc_answered(struct isoc *isoc, struct isoc_row *row, struct urb *urb,
		   const struct port_answer *answer);
/* The driver has submitted one. */
void isoc_submitted(struct isoc_row *row, struct urb *urb);
/* It stops: before what it submits next there is no gap. */
void isoc_stopped(struct isoc_row *row);

/*
 * May the kernel be answered before the target has? Then urb counts as lent
 * from now on, and *answer is what to say; it holds until the next call.
 */
bool isoc_lend(struct isoc *isoc, struct isoc_row *row, struct urb *urb,
	       struct port_answer *answer);

/* So many URBs like this one are read ahead. */
unsigned int isoc_ahead(const struct isoc *isoc, const struct urb *urb);
/* Are their packets the same? */
bool isoc_is_alike(const struct urb *a, const struct urb *b);
/* Keep a copy of an answer that nobody wants yet. Without memory for it its
 * packets are dropped, and counted. */
void isoc_keep(struct isoc *isoc, struct isoc_row *row,
	       const struct port_answer *answer);
/* The first that was kept; it holds until isoc_drop_first(). */
bool isoc_first_kept(const struct isoc_row *row, struct port_answer *answer);
void isoc_drop_first(struct isoc_row *row);
/* All that is kept is dropped, and counted. */
void isoc_drop_kept(struct isoc *isoc, struct isoc_row *row);

#endif
