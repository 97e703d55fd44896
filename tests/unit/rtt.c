// SPDX-License-Identifier: GPL-2.0-or-later
/* rtt - time-outs from round trips. */
#include "common/rtt.h"
#include "tests/tap.h"

enum { SAMPLES = 8 };

static const struct {
	const char *what;
	uint32_t samples[SAMPLES];	/* in us; 0: no more */
	unsigned int backoffs;
	uint32_t srtt, timeout;
} cases[] = {
	{ "nothing is known", { 0 }, 0, 0, 500000 },
	{ "nothing is known, and one was lost", { 0 }, 1, 0, 1000000 },
	{ "nor are three", { 0 }, 3, 0, 2000000 },
	{ "nor a hundred", { 0 }, 100, 0, 2000000 },
	{ "the first: half of it may be added, four times", { 100000 }, 0, 100000, 300000 },
	{ "a steady one", { 100000, 100000, 100000, 100000 }, 0, 100000, 184372 },
	{ "one eighth of what is new", { 100000, 180000 }, 0, 110000, 340000 },
	{ "and down", { 100000, 20000 }, 0, 90000, 320000 },
	{ "a fast one has a least time-out", { 200, 200, 200 }, 0, 200, 50000 },
	{ "doubled from there", { 200, 200, 200 }, 2, 200, 200000 },
	{ "a round trip of nothing", { 1, 1 }, 0, 1, 50000 },
	{ "a slow one has a longest", { 1900000 }, 0, 1900000, 2000000 },
	{ "slower than all", { UINT32_MAX }, 0, 2000000, 2000000 },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rtt rtt;

		rtt_init(&rtt);
		for (int n = 0; n < SAMPLES && cases[i].samples[n]; n++)
			rtt_sample(&rtt, cases[i].samples[n]);
		for (unsigned int n = 0; n < cases[i].backoffs; n++)
			rtt_back_off(&rtt);
		ok(rtt.srtt == cases[i].srtt && rtt_timeout(&rtt) == cases[i].timeout,
		   "%s: %u, %u us", cases[i].what, rtt.srtt, rtt_timeout(&rtt));
		rtt_sample(&rtt, 1000);
		ok(!rtt.backoff, "a sample ends the doubling");
	}
	return tap_done();
}
