/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names - what a device calls itself: learnt from the string descriptors that
 * the kernel asks for while it enumerates.
 *
 * They are not read from sysfs, as those files wait for the device's lock: and
 * the kernel holds it while it waits for an answer of this very process.
 */
#ifndef USBIP_CLIENT_NAMES_H
#define USBIP_CLIENT_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* 126 UTF-16 units, three bytes each at most. */
#define NAMES_MAX	379

struct names {
	char maker[NAMES_MAX], product[NAMES_MAX];	/* UTF-8, "" if none */
};

/* A control request of endpoint 0 was answered. Ignores what is no string. */
void names_learn(struct names *names, const uint8_t *device_descriptor,
		 const uint8_t setup[8], const uint8_t *data, size_t len);

#endif
