/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * departures - what was unplugged a moment ago, and from which port: so that a
 * device which comes back as another one (firmware was loaded, a mode was
 * switched) is told from one that was plugged in. No I/O and no clock.
 */
#ifndef USBIP_SERVER_DEPARTURES_H
#define USBIP_SERVER_DEPARTURES_H

#include <stdbool.h>
#include <stdint.h>

struct backend_info;

#define DEPARTURES_KEPT 32
/* A boot loader takes some seconds to start what it was given. */
#define DEPARTURES_MS 10000

struct departures {
	struct departure {
		char busid[32];		/* "": none */
		uint64_t print;		/* of its descriptors */
		uint64_t when;		/* ms */
	} kept[DEPARTURES_KEPT];
	unsigned int next;		/* the oldest */
};

/* All zero is empty. */
void departures_note(struct departures *d, const struct backend_info *info,
		     uint64_t now);
/* A device has come to a port that one with other descriptors has left. */
bool departures_is_successor(struct departures *d,
			     const struct backend_info *info, uint64_t now);

#endif
