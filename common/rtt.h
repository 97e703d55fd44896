/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtt - how long to wait for an answer before asking again (RFC 6298), in
 * microseconds. Arithmetic alone: who measures, and when, is the caller's.
 *
 * An answer to what was sent twice measures nothing, since nobody knows which
 * of the two it answers (Karn): it is no sample. Instead the time-out that was
 * doubled stays so until there is one.
 */
#ifndef USBIP_COMMON_RTT_H
#define USBIP_COMMON_RTT_H

#include <stdint.h>

#define RTT_INITIAL 500000	/* time-out before there is a sample */
#define RTT_MIN 50000
#define RTT_MAX 2000000

struct rtt {
	uint32_t srtt;		/* smoothed; 0: no sample yet */
	uint32_t rttvar;	/* how much it varies */
	unsigned int backoff;	/* the time-out is doubled so often */
};

void rtt_init(struct rtt *rtt);
void rtt_sample(struct rtt *rtt, uint32_t us);
/* A time-out was too short, or what was sent is lost. */
void rtt_back_off(struct rtt *rtt);
/* RTT_MIN to RTT_MAX. */
uint32_t rtt_timeout(const struct rtt *rtt);

#endif
