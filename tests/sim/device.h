/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device - the device of the simulation, and its host controller: a backend
 * for the target.
 */
#ifndef USBIP_TESTS_SIM_DEVICE_H
#define USBIP_TESTS_SIM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_BUSID		"1-1"
#define DEVICE_BULK_IN		0x81
#define DEVICE_BULK_OUT		0x02
#define DEVICE_INTERRUPT	0x83
#define DEVICE_ISOC_IN		0x84
#define DEVICE_ISOC_OUT		0x05

/* The length of a row's n-th URB, so that it is known by it. */
#define DEVICE_LENGTH(seq)	(8 + (seq))

/* Out of the socket; back in after a while. */
void device_unplug(void);
/* Nothing must be left. */
void device_end(void);

#endif
