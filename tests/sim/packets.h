/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packets - isochronous packets, each with a number in front, one stream of them
 * there and one back. Some are lost on the way; none comes twice, and none late.
 */
#ifndef USBIP_TESTS_SIM_PACKETS_H
#define USBIP_TESTS_SIM_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#define PACKETS_LENGTH	16		/* of each */
#define PACKETS_MAX	8		/* of an URB */

void packets_begin(void);
/* The next one of the stream. */
void packets_make(bool in, uint8_t packet[PACKETS_LENGTH]);
/* It has come to the other end. */
void packets_came(bool in, const uint8_t packet[PACKETS_LENGTH]);

#endif
