// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * departures - is it another device that came to a port?
 */
#include <stdio.h>
#include <string.h>

#include "server/backend.h"
#include "server/departures.h"
#include "tests/tap.h"

static const struct backend_info *device(const char *busid, uint8_t product)
{
	static struct backend_info info;

	memset(&info, 0, sizeof(info));
	snprintf(info.busid, sizeof(info.busid), "%s", busid);
	info.descriptors.device[10] = product;
	return &info;
}

static const struct {
	const char *what, *left, *came;
	uint8_t product;		/* that comes; 1 has left */
	uint64_t after;			/* ms */
	bool successor;
} cases[] = {
	{ "another device", "3-1", "3-1", 2, 500, true },
	{ "the same device", "3-1", "3-1", 1, 500, false },
	{ "another port", "3-1", "3-1.1", 2, 500, false },
	{ "at the last moment", "3-1", "3-1", 2, DEPARTURES_MS, true },
	{ "too late", "3-1", "3-1", 2, DEPARTURES_MS + 1, false },
};

int main(void)
{
	static struct departures d;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&d, 0, sizeof(d));
		departures_note(&d, device(cases[i].left, 1), 1000);
		ok(departures_is_successor(&d, device(cases[i].came,
						      cases[i].product),
					   1000 + cases[i].after) ==
		   cases[i].successor, "%s", cases[i].what);
	}
	memset(&d, 0, sizeof(d));
	ok(!departures_is_successor(&d, device("3-1", 2), 1000),
	   "nothing has left");
	departures_note(&d, device("3-1", 1), 1000);
	departures_note(&d, device("3-1", 2), 1100);
	ok(!departures_is_successor(&d, device("3-1", 2), 1200),
	   "what left last counts");
	departures_note(&d, device("3-1", 1), 1000);
	departures_is_successor(&d, device("3-1", 2), 1100);
	departures_note(&d, device("3-1", 2), 1200);
	for (unsigned int i = 0; i < DEPARTURES_KEPT - 1; i++)
		departures_note(&d, device("4-1", 1), 1300);
	ok(departures_is_successor(&d, device("3-1", 1), 1400),
	   "31 others in between");
	departures_note(&d, device("3-1", 2), 1500);
	for (unsigned int i = 0; i < DEPARTURES_KEPT; i++)
		departures_note(&d, device("4-1", 1), 1500);
	ok(!departures_is_successor(&d, device("3-1", 1), 1600),
	   "32 are too many");
	return tap_done();
}
