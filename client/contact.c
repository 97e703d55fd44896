// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * contact - since when a session has a connection to its target.
 */
#include "client/contact.h"

#include "client/deadline.h"

void contact_made(struct contact *c)
{
	if (c->since)
		c->returns++;
	c->there = true;
	c->since = deadline_in(0);
}

void contact_lost(struct contact *c, unsigned int lease)
{
	c->there = false;
	c->since = deadline_in(0);
	c->lease_end = deadline_in(lease * 1000);
	c->attempts = 0;
}

bool contact_try(struct contact *c)
{
	return c->attempts++ % 2 == 0;
}

unsigned int contact_seconds(const struct contact *c)
{
	return (unsigned int)((deadline_in(0) - c->since) / 1000);
}

/* Rounded up: 0 is over. */
unsigned int contact_lease_left(const struct contact *c)
{
	uint64_t now = deadline_in(0);

	return now < c->lease_end ?
	       (unsigned int)((c->lease_end - now + 999) / 1000) : 0;
}
