/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deadline - a moment by which all of something is over, however many steps
 * it takes.
 */
#ifndef USBIP_CLIENT_DEADLINE_H
#define USBIP_CLIENT_DEADLINE_H

#include <stdint.h>

/* So many ms from now. */
uint64_t deadline_in(unsigned int ms);
/* The ms until then; 1 at least, as 0 is no time-out at all for others. */
unsigned int deadline_left(uint64_t deadline);

#endif
