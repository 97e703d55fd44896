/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp-relay - a UDP relay on loopback that loses, delays, doubles and changes
 * the order of datagrams, by the numbers of a seed: what a bad network does.
 */
#ifndef USBIP_TESTS_UDP_RELAY_H
#define USBIP_TESTS_UDP_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

/* In percent, and ms. A datagram whose order is changed goes without delay, as
 * with netem. */
struct udp_relay_faults {
	unsigned int loss, reorder, duplicate;
	unsigned int delay_ms, jitter_ms;
	/* Larger ones are lost on their way to the target, without a word, as
	 * they are not to be fragmented; 0: none. */
	size_t mtu;
};

struct udp_relay_counts {
	unsigned int relayed, lost, reordered, doubled, too_large;
};

/* Relays to 127.0.0.1:to. The port that it listens at. There is one. */
uint16_t udp_relay_begin(struct event_base *base, uint16_t to, unsigned int seed);
void udp_relay_end(void);
void udp_relay_faults(const struct udp_relay_faults *faults);
/* From now on everything is lost, or again not; the near side's address may be
 * another afterwards. */
void udp_relay_dead(bool yes);
/*
 * What others may send: to the target, from another address, a call of the
 * session that was overheard, its beginning, and random bytes; to the
 * controller, as if it came from the target, a reply that came before, and
 * random bytes.
 */
void udp_relay_stray(void);
const struct udp_relay_counts *udp_relay_counts(void);
/* Addresses of the near side that there were: each new socket is one. */
unsigned int udp_relay_sockets(void);

#endif
