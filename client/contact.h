/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * contact - since when a session has a connection to its target, or has lost
 * it: for whoever looks, and for the choice of the way back.
 */
#ifndef USBIP_CLIENT_CONTACT_H
#define USBIP_CLIENT_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

struct contact {
	bool there;
	uint64_t since;			/* deadline.h; 0: there was none yet */
	uint64_t lease_end;		/* not there: by then at the latest */
	unsigned int attempts;		/* not there: to get it back */
	unsigned int returns;		/* times that it was got back */
};

void contact_made(struct contact *c);
/* The lease, in seconds, began anew at this moment at the latest. */
void contact_lost(struct contact *c, unsigned int lease);
/*
 * One more attempt. True: where the target was found before; false: by its
 * name, which may be that of another address by now. By turns, as the one is
 * quick and asks no name service, and the other finds what has moved.
 */
bool contact_try(struct contact *c);

/* How long it has been so. */
unsigned int contact_seconds(const struct contact *c);
unsigned int contact_lease_left(const struct contact *c);

#endif
