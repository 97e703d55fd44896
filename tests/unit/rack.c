// SPDX-License-Identifier: GPL-2.0-or-later
/* rack - what is lost, for what was sent later is answered. */
#include "common/rack.h"
#include "common/rtt.h"
#include "tests/tap.h"

/* Round trips are 100 ms, and differ by 10; datagram 5, sent at 50 ms, is
 * answered 100 ms later. */
static const struct {
	const char *what;
	uint64_t nth, sent, now;	/* ms */
	int widened;
	uint64_t wait;			/* ms; RACK_NO */
} cases[] = {
	{ "itself", 5, 50, 150, 0, RACK_NO },
	{ "a later one", 6, 60, 1000, 0, RACK_NO },
	{ "the one before, just now", 4, 40, 150, 0, 15 },
	{ "the one before, a while ago", 4, 40, 165, 0, 0 },
	{ "the one before, long ago", 4, 40, 1000, 0, 0 },
	{ "the first", 0, 0, 150, 0, 0 },
	{ "where the order has changed once", 4, 40, 165, 1, 25 },
	{ "where it has changed twice", 4, 40, 165, 2, 50 },
	{ "more often: as round trips differ", 4, 40, 165, 20, 115 },
};

int main(void)
{
	const struct rtt rtt = { .srtt = 100000, .rttvar = 10000 };
	struct rack rack;

	rack_init(&rack);
	ok(rack_wait(&rack, &rtt, 0, 0, 1000000) == RACK_NO, "nothing is answered");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t wait = cases[i].wait == RACK_NO ? RACK_NO : cases[i].wait * 1000;

		rack_init(&rack);
		rack_answered(&rack, 5, 50000, 150000);
		rack_answered(&rack, 3, 30000, 150000);
		for (int n = 1; n <= cases[i].widened; n++) {
			rack_widen(&rack, &rtt, n * UINT64_C(100000));
			rack_widen(&rack, &rtt, n * UINT64_C(100000) + 1000);
		}
		ok(rack_wait(&rack, &rtt, cases[i].nth, cases[i].sent * 1000,
			     cases[i].now * 1000) == wait, "%s", cases[i].what);
	}
	return tap_done();
}
