/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isoc-pattern.h - what the packets of the tests carry: their number, from 0
 * up, in the first four bytes, and in byte i then number + i. So one that is
 * lost, twice, out of order, cut or moved is seen.
 */
#ifndef USBIP_TESTS_ISOC_PATTERN_H
#define USBIP_TESTS_ISOC_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

static inline uint8_t isoc_byte(uint32_t number, uint32_t i)
{
	return i < 4 ? number >> (24 - 8 * i) : number + i;
}

static inline void isoc_fill(uint8_t *packet, uint32_t len, uint32_t number)
{
	for (uint32_t i = 0; i < len; i++)
		packet[i] = isoc_byte(number, i);
}

/* The number that a packet of 4 bytes or more says it has. */
static inline uint32_t isoc_number(const uint8_t *packet)
{
	return (uint32_t)packet[0] << 24 | packet[1] << 16 | packet[2] << 8 |
	       packet[3];
}

static inline bool isoc_is(const uint8_t *packet, uint32_t len, uint32_t number)
{
	for (uint32_t i = 0; i < len; i++)
		if (packet[i] != isoc_byte(number, i))
			return false;
	return true;
}

#endif
