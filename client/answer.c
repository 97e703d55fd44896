// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * answer - what becomes of a control request to endpoint 0.
 */
#include "client/answer.h"

#include <stdlib.h>

void answer_descriptors_deinit(struct answer_descriptors *d)
{
	for (size_t i = 0; i < d->n_configs; i++) {
		free(d->configs[i].bytes);
		d->configs[i].bytes = NULL;
	}
	d->n_configs = 0;
	free(d->bos.bytes);
	d->bos.bytes = NULL;
	d->bos.len = 0;
}

static struct answer give(const uint8_t *data, size_t len, uint16_t wanted)
{
	return (struct answer){
		.kind = ANSWER_DATA,
		.data = data,
		.len = len < wanted ? len : wanted,
	};
}

static struct answer verdict(enum answer_kind kind)
{
	return (struct answer){ .kind = kind };
}

/*
 * Strings are forwarded: there may be many, in many languages, and nobody
 * waits for them. So are the device qualifier and the other speed's
 * configuration, which CLAIM does not bring, and whatever else there is.
 */
static struct answer get_descriptor(const struct answer_descriptors *d,
				    const uint8_t setup[8])
{
	uint8_t type = setup[3], index = setup[2];
	uint16_t wanted = usb_get16(setup + 6);

	if (type == USB_DESC_DEVICE && !index)
		return give(d->device, sizeof(d->device), wanted);
	if (type == USB_DESC_CONFIGURATION && index < d->n_configs)
		return give(d->configs[index].bytes, d->configs[index].len,
			    wanted);
	if (type == USB_DESC_BOS && !index) {
		if (!d->bos.len)
			return verdict(ANSWER_STALL);
		return give(d->bos.bytes, d->bos.len, wanted);
	}
	return verdict(ANSWER_FORWARD);
}

/*
 * Power and link features speak of the bus that the device is on. That bus
 * is the target's: its own system decides there, so ours is told that it is
 * done. A device in a test mode would never come back: refused.
 */
static struct answer device_feature(uint16_t feature)
{
	switch (feature) {
	case USB_FEATURE_REMOTE_WAKEUP:
	case USB_FEATURE_U1_ENABLE:
	case USB_FEATURE_U2_ENABLE:
	case USB_FEATURE_LTM_ENABLE:
		return verdict(ANSWER_DONE);
	case USB_FEATURE_TEST_MODE:
		return verdict(ANSWER_STALL);
	default:
		return verdict(ANSWER_FORWARD);
	}
}

static struct answer to_device(const uint8_t setup[8])
{
	switch (setup[1]) {
	case USB_REQ_SET_CONFIGURATION:
		return (struct answer){
			.kind = ANSWER_SET_CONFIGURATION,
			/* the upper byte is reserved (USB 2.0, 9.4.7) */
			.value = setup[2],
		};
	case USB_REQ_SET_FEATURE:
	case USB_REQ_CLEAR_FEATURE:
		return device_feature(usb_get16(setup + 2));
	case USB_REQ_SET_ADDRESS:
	case USB_REQ_SET_SEL:
	case USB_REQ_SET_ISOCH_DELAY:
		return verdict(ANSWER_DONE);
	default:
		return verdict(ANSWER_FORWARD);
	}
}

static struct answer to_interface(const uint8_t setup[8])
{
	if (setup[1] == USB_REQ_SET_INTERFACE)
		return (struct answer){
			.kind = ANSWER_SET_INTERFACE,
			.value = usb_get16(setup + 2),
			.index = usb_get16(setup + 4),
		};
	if ((setup[1] == USB_REQ_SET_FEATURE ||
	     setup[1] == USB_REQ_CLEAR_FEATURE) &&
	    usb_get16(setup + 2) == USB_FEATURE_FUNCTION_SUSPEND)
		return verdict(ANSWER_DONE);
	return verdict(ANSWER_FORWARD);
}

/* Endpoint 0 has no halt that a host keeps, so that one is forwarded. */
static struct answer to_endpoint(const uint8_t setup[8])
{
	if (setup[1] == USB_REQ_CLEAR_FEATURE &&
	    usb_get16(setup + 2) == USB_FEATURE_ENDPOINT_HALT &&
	    (setup[4] & USB_ENDPOINT_NUMBER))
		return (struct answer){
			.kind = ANSWER_CLEAR_HALT,
			.index = setup[4],
		};
	return verdict(ANSWER_FORWARD);
}

struct answer answer_request(const struct answer_descriptors *d,
			     const uint8_t setup[8])
{
	switch (setup[0]) {
	case USB_DIR_IN | USB_RECIPIENT_DEVICE:
		if (setup[1] == USB_REQ_GET_DESCRIPTOR)
			return get_descriptor(d, setup);
		return verdict(ANSWER_FORWARD);
	case USB_RECIPIENT_DEVICE:
		return to_device(setup);
	case USB_RECIPIENT_INTERFACE:
		return to_interface(setup);
	case USB_RECIPIENT_ENDPOINT:
		return to_endpoint(setup);
	default:	/* class, vendor, reserved */
		return verdict(ANSWER_FORWARD);
	}
}
