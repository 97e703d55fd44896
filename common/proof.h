/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proof - that who calls by datagram is at the address that the call has: it
 * sends back a cookie that was sent there.
 *
 * The cookie is made of the address, the port and the time, by a key that
 * nobody else has and that lives as long as the program: so nothing is kept
 * of who was sent one. It is good for one to two grains of time.
 */
#ifndef USBIP_COMMON_PROOF_H
#define USBIP_COMMON_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROOF_LEN 16
#define PROOF_GRAIN 60		/* seconds */

struct proof {
	uint8_t key[32];
};

/* A key at random. 0 or -errno. */
int proof_init(struct proof *proof);
/* The cookie of an IP or IPv6 address, `now` seconds after some beginning.
 * False: there can be none. */
bool proof_make(const struct proof *proof, const struct sockaddr *addr,
		uint64_t now, uint8_t cookie[PROOF_LEN]);
/* Are these len bytes a cookie of that address, and not too old? */
bool proof_check(const struct proof *proof, const struct sockaddr *addr,
		 uint64_t now, const uint8_t *cookie, size_t len);

#endif
