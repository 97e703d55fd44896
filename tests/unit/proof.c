// SPDX-License-Identifier: GPL-2.0-or-later
/* proof - cookies, and whose they are. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/proof.h"
#include "tests/tap.h"

#define NOW 1000000

struct at {
	const char *host;
	uint16_t port;
	uint32_t scope;
};

static const struct sockaddr *address(const struct at *at)
{
	static struct sockaddr_storage addr;
	struct sockaddr_in *sin = (struct sockaddr_in *)&addr;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&addr;

	memset(&addr, 0, sizeof(addr));
	if (inet_pton(AF_INET, at->host, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(at->port);
	} else {
		inet_pton(AF_INET6, at->host, &sin6->sin6_addr);
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(at->port);
		sin6->sin6_scope_id = at->scope;
	}
	return (struct sockaddr *)&addr;
}

static const struct {
	const char *what;
	struct at made, checked;
	int later;			/* seconds */
	bool good;
} cases[] = {
	{ "at once", { "192.0.2.1", 700, 0 }, { "192.0.2.1", 700, 0 }, 0, true },
	{ "a minute later", { "192.0.2.1", 700, 0 }, { "192.0.2.1", 700, 0 }, 60, true },
	{ "two minutes later", { "192.0.2.1", 700, 0 }, { "192.0.2.1", 700, 0 }, 120, false },
	{ "before it was made", { "192.0.2.1", 700, 0 }, { "192.0.2.1", 700, 0 }, -60, false },
	{ "another port", { "192.0.2.1", 700, 0 }, { "192.0.2.1", 701, 0 }, 0, false },
	{ "another host", { "192.0.2.1", 700, 0 }, { "192.0.2.2", 700, 0 }, 0, false },
	{ "IPv6", { "2001:db8::1", 700, 0 }, { "2001:db8::1", 700, 0 }, 0, true },
	{ "another host of IPv6", { "2001:db8::1", 700, 0 }, { "2001:db8::2", 700, 0 }, 0, false },
	{ "another link", { "fe80::1", 700, 2 }, { "fe80::1", 700, 3 }, 0, false },
	{ "another family", { "0.0.0.0", 700, 0 }, { "::", 700, 0 }, 0, false },
};

int main(void)
{
	const struct at one = { "192.0.2.1", 700, 0 };
	const struct sockaddr local = { .sa_family = AF_UNIX };
	uint8_t cookie[PROOF_LEN];
	struct proof proof, other;
	int n_good = 0;

	ok(!proof_init(&proof) && !proof_init(&other) && memcmp(&proof, &other, sizeof(proof)),
	   "each has its own key");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool good = proof_make(&proof, address(&cases[i].made), NOW, cookie) &&
			    proof_check(&proof, address(&cases[i].checked), NOW + cases[i].later,
					cookie, PROOF_LEN);

		ok(good == cases[i].good, "%s: %s", cases[i].what, good ? "good" : "refused");
	}
	proof_make(&proof, address(&one), NOW, cookie);
	ok(!proof_check(&other, address(&one), NOW, cookie, PROOF_LEN), "another key");
	ok(!proof_check(&proof, address(&one), NOW, cookie, PROOF_LEN - 1) &&
	   !proof_check(&proof, address(&one), NOW, NULL, 0), "too short");
	for (int i = 0; i < 8 * PROOF_LEN; i++) {
		cookie[i / 8] ^= 1 << i % 8;
		n_good += proof_check(&proof, address(&one), NOW, cookie, PROOF_LEN);
		cookie[i / 8] ^= 1 << i % 8;
	}
	ok(!n_good, "each bit counts");
	ok(!proof_make(&proof, &local, NOW, cookie) &&
	   !proof_check(&proof, &local, NOW, cookie, PROOF_LEN), "no address, no cookie");
	return tap_done();
}
