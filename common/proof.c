// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proof - that who calls by datagram is at the address that the call has.
 */
#include "common/proof.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* What a cookie is made of; no bytes between, all set. */
struct claim {
	uint64_t grain;
	uint8_t addr[16];
	uint32_t scope;
	uint16_t family, port;
};

int proof_init(struct proof *proof)
{
	ssize_t n = getrandom(proof->key, sizeof(proof->key), 0);

	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(proof->key) ? 0 : -EIO;
}

static bool fill(struct claim *claim, const struct sockaddr *addr)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;

	memset(claim, 0, sizeof(*claim));
	claim->family = addr->sa_family;
	switch (addr->sa_family) {
	case AF_INET:
		memcpy(claim->addr, &sin->sin_addr, sizeof(sin->sin_addr));
		claim->port = sin->sin_port;
		return true;
	case AF_INET6:
		memcpy(claim->addr, &sin6->sin6_addr, sizeof(sin6->sin6_addr));
		claim->port = sin6->sin6_port;
		claim->scope = sin6->sin6_scope_id;
		return true;
	default:
		return false;
	}
}

static bool make(const struct proof *proof, const struct sockaddr *addr,
		 uint64_t grain, uint8_t cookie[PROOF_LEN])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	struct claim claim;

	if (!fill(&claim, addr))
		return false;
	claim.grain = grain;
	if (!HMAC(EVP_sha256(), proof->key, sizeof(proof->key),
		  (const uint8_t *)&claim, sizeof(claim), hash, NULL))
		return false;
	memcpy(cookie, hash, PROOF_LEN);
	return true;
}

bool proof_make(const struct proof *proof, const struct sockaddr *addr,
		uint64_t now, uint8_t cookie[PROOF_LEN])
{
	return make(proof, addr, now / PROOF_GRAIN, cookie);
}

bool proof_check(const struct proof *proof, const struct sockaddr *addr,
		 uint64_t now, const uint8_t *cookie, size_t len)
{
	uint64_t grain = now / PROOF_GRAIN;
	uint8_t good[PROOF_LEN];

	if (len != PROOF_LEN)
		return false;
	for (unsigned int age = 0; age < 2; age++)
		if (make(proof, addr, grain - age, good) &&
		    !CRYPTO_memcmp(good, cookie, PROOF_LEN))
			return true;
	return false;
}
