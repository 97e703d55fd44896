// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * refusals - whose refusal was logged a moment ago: a small table, in which a
 * host has a place until it may be told of again.
 */
#include "server/refusals.h"

#include "server/host.h"

bool refusals_note(struct refusals *r, const struct sockaddr *host,
		   uint64_t now, unsigned int *unsaid)
{
	struct in6_addr addr = host_of(host);
	int place = -1;

	for (int i = 0; i < REFUSALS_HOSTS; i++) {
		if (r->kept[i].until <= now)
			place = i;
		else if (IN6_ARE_ADDR_EQUAL(&r->kept[i].host, &addr))
			goto keep_quiet;
	}
	if (place < 0)
		goto keep_quiet;
	r->kept[place].host = addr;
	r->kept[place].until = now + REFUSALS_MS;
	*unsaid = r->unsaid;
	r->unsaid = 0;
	return true;

keep_quiet:
	r->unsaid++;
	return false;
}
