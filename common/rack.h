/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rack - what was sent is lost, for what was sent later is answered (as RFC
 * 8985 has it). Arithmetic alone; times are microseconds since some beginning.
 *
 * Networks change the order: so the earlier one has the time of the later
 * one's round trip, and then a quarter of an average one. Each time that
 * something was not lost after all, it is a quarter more, up to what round
 * trips are seen to differ by.
 */
#ifndef USBIP_COMMON_RACK_H
#define USBIP_COMMON_RACK_H

#include <stdint.h>

struct rtt;

/* rack_wait(): nothing that was sent later is answered. */
#define RACK_NO UINT64_MAX

struct rack {
	uint64_t nth;		/* datagram, the latest that is answered */
	uint32_t rtt;		/* its round trip; 0: there is none yet */
	unsigned int quarters;	/* of an average, for those out of order */
	uint64_t widened;	/* when one of them was added */
};

void rack_init(struct rack *rack);
/* The nth datagram, which was sent then, is answered. */
void rack_answered(struct rack *rack, uint64_t nth, uint64_t sent,
		   uint64_t now);
/* Is the nth datagram lost? 0: yes; else microseconds until it will be, or
 * RACK_NO. */
uint64_t rack_wait(const struct rack *rack, const struct rtt *rtt,
		   uint64_t nth, uint64_t sent, uint64_t now);
/* Something was not lost. */
void rack_widen(struct rack *rack, const struct rtt *rtt, uint64_t now);

#endif
