/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer - what becomes of a control request to endpoint 0: answered here,
 * turned into a call of its own, or forwarded as it is.
 *
 * Answered here is what CLAIM has told already (the descriptors) and what
 * belongs to the target's own bus and not to ours (link power, wake-up).
 * No I/O in here.
 */
#ifndef USBIP_CLIENT_ANSWER_H
#define USBIP_CLIENT_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "client/usb.h"

/* A device's descriptors as the device sent them. */
struct answer_descriptors {
	uint8_t device[USB_DEVICE_DESC_SIZE];
	size_t n_configs;
	struct {
		uint8_t *bytes;		/* owned */
		size_t len;
	} configs[USB_CONFIGS_MAX], bos; /* bos.len 0: the device has none */
};

void answer_descriptors_deinit(struct answer_descriptors *d);

enum answer_kind {
	ANSWER_FORWARD,			/* to the device, as it is */
	ANSWER_DATA,			/* here: `data`, `len` bytes of it */
	ANSWER_DONE,			/* here: success; OUT data was taken */
	ANSWER_STALL,			/* here: refused */
	ANSWER_SET_CONFIGURATION,	/* by a call: `value` */
	ANSWER_SET_INTERFACE,		/* by a call: `index`, `value` */
	ANSWER_CLEAR_HALT,		/* by a call: `index` is the endpoint */
};

struct answer {
	enum answer_kind kind;
	const uint8_t *data;		/* into the descriptors */
	size_t len;			/* cut to wLength */
	uint16_t value;
	uint16_t index;
};

struct answer answer_request(const struct answer_descriptors *d,
			     const uint8_t setup[8]);

#endif
