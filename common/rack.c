// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rack - what was sent is lost, for what was sent later is answered.
 */
#include "common/rack.h"

#include "common/rtt.h"

#define QUARTERS_MAX 64

void rack_init(struct rack *rack)
{
	*rack = (struct rack){ .quarters = 1 };
}

void rack_answered(struct rack *rack, uint64_t nth, uint64_t sent,
		   uint64_t now)
{
	if (rack->rtt && nth <= rack->nth)
		return;
	rack->nth = nth;
	rack->rtt = now > sent ? now - sent : 1;
}

uint64_t rack_wait(const struct rack *rack, const struct rtt *rtt,
		   uint64_t nth, uint64_t sent, uint64_t now)
{
	uint64_t order = (uint64_t)rtt->srtt * rack->quarters / 4;
	uint64_t most = rtt->srtt + 4 * (uint64_t)rtt->rttvar;
	uint64_t end;

	if (!rack->rtt || nth >= rack->nth)
		return RACK_NO;
	end = sent + rack->rtt + (order < most ? order : most);
	return end > now ? end - now : 0;
}

void rack_widen(struct rack *rack, const struct rtt *rtt, uint64_t now)
{
	/* Once for all that come at once. */
	if (now - rack->widened < rtt->srtt || rack->quarters == QUARTERS_MAX)
		return;
	rack->widened = now;
	rack->quarters++;
}
