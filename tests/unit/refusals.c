// SPDX-License-Identifier: GPL-2.0-or-later
/* refusals: which of them are logged. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "server/refusals.h"
#include "tests/tap.h"

static struct refusals r;

/* What is logged of a refusal of this host: the number of those that were not,
 * or -1, if it is not. */
static int note(const char *host, uint64_t now)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr *sa = (struct sockaddr *)&sin;
	unsigned int unsaid = 0;

	if (inet_pton(AF_INET, host, &sin.sin_addr) != 1) {
		inet_pton(AF_INET6, host, &sin6.sin6_addr);
		sa = (struct sockaddr *)&sin6;
	}
	return refusals_note(&r, sa, now, &unsaid) ? (int)unsaid : -1;
}

static const struct {
	const char *what, *host;
	uint64_t now;
	int logged;
} steps[] = {
	{ "the first", "10.0.0.1", 5, 0 },
	{ "the same host again", "10.0.0.1", 6, -1 },
	{ "in the form of IPv6", "::ffff:10.0.0.1", 7, -1 },
	{ "another host, and how many were not", "10.0.0.2", 8, 2 },
	{ "of IPv6", "2001:db8::1", 9, 0 },
	{ "its network counts", "2001:db8::2:1", 10, -1 },
	{ "the last moment", "10.0.0.1", 4 + REFUSALS_MS, -1 },
	{ "it is over", "10.0.0.1", 5 + REFUSALS_MS, 2 },
	{ "for this one, too", "10.0.0.2", 8 + REFUSALS_MS, 0 },
};

int main(void)
{
	uint64_t now = 10 * REFUSALS_MS;
	char host[32];
	int n = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		ok(note(steps[i].host, steps[i].now) == steps[i].logged, "%s",
		   steps[i].what);
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "2001:db8:%x::1", i);
		n += note(host, now) >= 0;
	}
	ok(n == REFUSALS_HOSTS, "of a thousand hosts at once, %d", n);
	ok(note("2001:db8:1::1", now + REFUSALS_MS) == 1000 - REFUSALS_HOSTS,
	   "the rest is counted");
	return tap_done();
}
