// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deadline - a moment by which all of something is over.
 */
#include "client/deadline.h"

#include <time.h>

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t deadline_in(unsigned int ms)
{
	return now_ms() + ms;
}

unsigned int deadline_left(uint64_t deadline)
{
	uint64_t now = now_ms();

	return now < deadline ? (unsigned int)(deadline - now) : 1;
}
