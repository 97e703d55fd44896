// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frame - the frames that isochronous URBs are told to have begun in.
 *
 * The host controller has an URB begin where the one before it ends, as long as
 * it has that one; so do these numbers, whatever the clocks say. An endpoint
 * that has run dry begins anew, now, which is never the very frame where it
 * ended: so the controller sees each gap by the numbers alone. The numbers
 * themselves are not those of the bus.
 */
#include "server/frame.h"

#include <time.h>

#define UFRAME_SHIFT 3		/* a frame is 8 microframes */
#define INTERVAL_MAX 16		/* bInterval of isochronous endpoints */

uint64_t frame_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 8000ull + ts.tv_nsec / 125000;
}

uint32_t frame_place(uint64_t *end, uint64_t now, bool first, bool micro,
		     unsigned int interval, unsigned int packets)
{
	unsigned int shift = micro ? 0 : UFRAME_SHIFT;
	uint64_t period, begin = *end;

	if (interval < 1 || interval > INTERVAL_MAX)
		interval = 1;	/* what a device says */
	period = 1ull << (interval - 1 + shift);
	if (first && begin)
		begin += 1ull << shift;
	if (first && begin < now)
		begin = now >> shift << shift;
	*end = begin + packets * period;
	return begin >> shift;
}
