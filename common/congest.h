/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * congest - how much may be on its way (RFC 5681, RFC 8085), in bytes, and at
 * which rate it may be sent. Arithmetic alone; times are microseconds since
 * some beginning.
 *
 * The window begins at ten datagrams (RFC 6928), is doubled in each round trip
 * until something is lost, and grows by a datagram in each one after that. A
 * loss halves it, once for all that was sent before the loss was known; two
 * time-outs without an answer between them leave two datagrams of it. If none
 * of these was lost after all, it is what it was before (RFC 4015). It only
 * grows while it is what holds the sender.
 *
 * Within a round trip what the window lets out is spread (paced), so that the
 * queue of the narrowest link does not get it at once.
 */
#ifndef USBIP_COMMON_CONGEST_H
#define USBIP_COMMON_CONGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The window's upper bound. */
#define CONGEST_MAX (1024 * 1024)
/* congest_wait(): not before something has been answered. */
#define CONGEST_FULL UINT64_MAX

struct congest {
	size_t datagram;	/* bytes of a large one */
	size_t window, threshold;
	size_t in_flight;
	bool limited;		/* the window has held something up */
	unsigned int timeouts;	/* since the last answer */
	uint64_t cut;		/* when the window was last made smaller */
	unsigned int n_lost;	/* for what that was, and is so yet */
	size_t window_before, threshold_before;

	int64_t credit;		/* bytes that may be sent at once */
	uint64_t credited;	/* when that was */
};

void congest_init(struct congest *c, size_t datagram, uint64_t now);
/* From when on may `bytes` be sent, with round trips of srtt (0: unknown)?
 * 0: now; else microseconds from now, or CONGEST_FULL. */
uint64_t congest_wait(struct congest *c, size_t bytes, uint32_t srtt,
		      uint64_t now);
void congest_sent(struct congest *c, size_t bytes);
/* Datagrams have so many bytes at most now, and what was lost is lost for
 * that: begin anew. */
void congest_narrow(struct congest *c, size_t datagram);
/* What was in flight has arrived, or... */
void congest_answered(struct congest *c, size_t bytes);
/* ...is lost, as its time-out or the answers to others say; it was sent then.
 * In both cases congest_landed() is to be called for its bytes, too. Returns
 * which cut of the window that was, for congest_not_lost(). */
uint64_t congest_lost(struct congest *c, bool timed_out, uint64_t sent,
		      uint64_t now);
/* One that the window was cut for is there. */
void congest_not_lost(struct congest *c, uint64_t cut);
/* They are not on their way any more. */
void congest_landed(struct congest *c, size_t bytes);

#endif
