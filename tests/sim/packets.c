// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packets - isochronous packets, each with a number in front.
 */
#include "tests/sim/packets.h"

#include <string.h>

#include "tests/sim/sim.h"

static uint32_t made[2], came[2];

void packets_begin(void)
{
	memset(made, 0, sizeof(made));
	memset(came, 0, sizeof(came));
}

void packets_make(bool in, uint8_t packet[PACKETS_LENGTH])
{
	uint32_t number = ++made[in];

	for (uint32_t i = 0; i < PACKETS_LENGTH; i++)
		packet[i] = (uint8_t)(i < 4 ? number >> 8 * i : number + i);
}

void packets_came(bool in, const uint8_t packet[PACKETS_LENGTH])
{
	uint32_t number = 0;

	for (int i = 0; i < 4; i++)
		number |= (uint32_t)packet[i] << 8 * i;
	for (uint32_t i = 4; i < PACKETS_LENGTH; i++)
		sim_check(packet[i] == (uint8_t)(number + i),
			  "a packet is what was sent", "%s, number %u, byte %u",
			  in ? "IN" : "OUT", number, i);
	sim_check(number > came[in] && number <= made[in],
		  "packets come once, and in their order",
		  "%s, %u after %u; %u were sent", in ? "IN" : "OUT", number,
		  came[in], made[in]);
	came[in] = number;
}
