// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rtt - how long to wait for an answer before asking again (RFC 6298).
 */
#include "common/rtt.h"

/* RTT_MIN doubled so often is more than RTT_MAX. */
#define BACKOFF_MAX 6

void rtt_init(struct rtt *rtt)
{
	*rtt = (struct rtt){ 0 };
}

void rtt_sample(struct rtt *rtt, uint32_t us)
{
	uint32_t off;

	if (!us)
		us = 1;
	if (us > RTT_MAX)
		us = RTT_MAX;
	rtt->backoff = 0;
	if (!rtt->srtt) {
		rtt->srtt = us;
		rtt->rttvar = us / 2;
		return;
	}
	off = us > rtt->srtt ? us - rtt->srtt : rtt->srtt - us;
	rtt->rttvar = (3 * rtt->rttvar + off) / 4;
	rtt->srtt = (7 * rtt->srtt + us) / 8;
	if (!rtt->srtt)
		rtt->srtt = 1;
}

void rtt_back_off(struct rtt *rtt)
{
	if (rtt->backoff < BACKOFF_MAX)
		rtt->backoff++;
}

uint32_t rtt_timeout(const struct rtt *rtt)
{
	uint64_t us = rtt->srtt ? rtt->srtt + 4 * (uint64_t)rtt->rttvar :
				  RTT_INITIAL;

	if (us < RTT_MIN)
		us = RTT_MIN;
	us <<= rtt->backoff;
	return us < RTT_MAX ? us : RTT_MAX;
}
