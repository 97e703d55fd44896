// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frames that isochronous URBs begin in, by a table of what comes when.
 */
#include "server/frame.h"
#include "tests/tap.h"

static const struct {
	const char *name;
	bool micro;
	unsigned int interval;
	/* URBs in turn: microframe when it comes, nothing before it, packets;
	 * then the frame that it must be told */
	struct {
		uint64_t now;
		bool first;
		unsigned int packets;
		uint32_t want;
	} urbs[4];
} tests[] = {
	{ "full speed counts frames", false, 1,
	  { { 808, true, 5, 101 }, { 810, false, 5, 106 },
	    { 811, false, 1, 111 }, { 812, false, 1, 112 } } },
	{ "high speed counts microframes", true, 1,
	  { { 808, true, 5, 808 }, { 810, false, 5, 813 },
	    { 811, false, 1, 818 }, { 812, false, 1, 819 } } },
	{ "the interval is an exponent", true, 4,
	  { { 800, true, 2, 800 }, { 801, false, 2, 816 },
	    { 802, false, 2, 832 }, { 803, false, 2, 848 } } },
	{ "at full speed too", false, 3,
	  { { 800, true, 2, 100 }, { 801, false, 2, 108 },
	    { 802, false, 2, 116 }, { 803, false, 2, 124 } } },
	{ "what runs dry begins anew, now", true, 1,
	  { { 800, true, 8, 800 }, { 900, true, 8, 900 },
	    { 901, false, 8, 908 }, { 999, true, 8, 999 } } },
	{ "nor ever where it ended, whatever the clock says", true, 1,
	  { { 800, true, 8, 800 }, { 808, true, 8, 809 },
	    { 809, true, 8, 818 }, { 810, true, 8, 827 } } },
	{ "as long as there is something, the clock means nothing", true, 1,
	  { { 800, true, 8, 800 }, { 900, false, 8, 808 },
	    { 901, false, 8, 816 }, { 990, false, 8, 824 } } },
	{ "an interval of 0 is 1, as is one that no endpoint has", true, 0,
	  { { 800, true, 8, 800 }, { 801, false, 8, 808 },
	    { 802, false, 8, 816 }, { 803, false, 8, 824 } } },
	{ "an interval out of range", true, 200,
	  { { 800, true, 8, 800 }, { 801, false, 8, 808 },
	    { 802, false, 8, 816 }, { 803, false, 8, 824 } } },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		uint64_t end = 0;

		for (int k = 0; k < 4; k++) {
			uint32_t got;

			got = frame_place(&end, tests[i].urbs[k].now,
					  tests[i].urbs[k].first, tests[i].micro,
					  tests[i].interval,
					  tests[i].urbs[k].packets);
			ok(got == tests[i].urbs[k].want, "%s: URB %d in %u",
			   tests[i].name, k + 1, got);
		}
	}
	ok(frame_now() > 0, "there is a clock");
	return tap_done();
}
