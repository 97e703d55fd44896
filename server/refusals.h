/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refusals - whose refusal was logged a moment ago: a host can ask for what it
 * may not have as often as it likes, and the log is the administrator's. No I/O
 * and no clock.
 */
#ifndef USBIP_SERVER_REFUSALS_H
#define USBIP_SERVER_REFUSALS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Of so many hosts, a line each in that time. */
#define REFUSALS_HOSTS 16
#define REFUSALS_MS 60000

struct refusals {
	struct {
		struct in6_addr host;
		uint64_t until;		/* ms */
	} kept[REFUSALS_HOSTS];
	unsigned int unsaid;		/* since the last that was logged */
};

/* All zero is empty. Is one at `now` to be logged? Then *unsaid were not. */
bool refusals_note(struct refusals *r, const struct sockaddr *host,
		   uint64_t now, unsigned int *unsaid);

#endif
