// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_models - the small fake devices.
 *
 * zero, in the manner of Linux's g_zero: configuration 3 is source and sink
 * (0x81 gives zeros, 0x01 takes anything, 0x82 and 0x02 the same as interrupt
 * endpoints), configuration 2 a loopback (what 0x01 takes, 0x81 gives; with
 * streams each for itself). The vendor requests 0x5b and 0x5c keep and give back up to 4 KiB.
 *
 * keyboard: a boot keyboard. Each vendor OUT request 0xe4 types the key
 * wValue: a report with it, then one without.
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of bulk endpoints at super speed: 2^4. */
#define STREAMS_LOG 4
#define STREAMS (1u << STREAMS_LOG)

static size_t put_bytes(uint8_t *out, size_t at, const uint8_t *from, size_t n)
{
	memcpy(out + at, from, n);
	return at + n;
}

/* An endpoint descriptor, with its companion at super speed. */
static size_t put_endpoint(uint8_t *out, size_t at, enum backend_speed speed,
			   uint8_t address, uint8_t type)
{
	bool super = speed >= BACKEND_SPEED_SUPER;
	bool high = speed == BACKEND_SPEED_HIGH;
	unsigned int bulk = super ? 1024 : high ? 512 : 64;
	unsigned int size = type == 2 ? bulk : 64;
	const uint8_t ep[] = { 7, 5, address, type, size & 0xff, size >> 8,
			       type == 3 ? 4 : 0 };
	const uint8_t companion[] = { 6, 48, 0, type == 2 ? STREAMS_LOG : 0,
				      type == 3 ? 64 : 0, 0 };

	at = put_bytes(out, at, ep, sizeof(ep));
	if (super)
		at = put_bytes(out, at, companion, sizeof(companion));
	return at;
}

/* ---- zero --------------------------------------------------------------- */

#define LOOP_MAX (1 << 20)

/* A FIFO of the loopback. */
struct loop {
	uint8_t *bytes;
	size_t n;
};

struct zero {
	uint8_t kept[4096];
	size_t n_kept;
	struct loop loops[1 + STREAMS];	/* by stream */
};

static size_t zero_config(enum backend_speed speed, uint8_t *out, uint8_t value)
{
	bool source_sink = value == 3;
	const uint8_t config[] = { 9, 2, 0, 0, 1, value, 0, 0xc0, 1 };
	const uint8_t interface[] = { 9, 4, 0, 0, source_sink ? 4 : 2,
				      0xff, 0, 0, 0 };
	size_t at = 0;

	at = put_bytes(out, at, config, sizeof(config));
	at = put_bytes(out, at, interface, sizeof(interface));
	at = put_endpoint(out, at, speed, 0x81, 2);
	at = put_endpoint(out, at, speed, 0x01, 2);
	if (source_sink) {
		at = put_endpoint(out, at, speed, 0x82, 3);
		at = put_endpoint(out, at, speed, 0x02, 3);
	}
	out[2] = at & 0xff;
	out[3] = at >> 8;
	return at;
}

static size_t zero_configs(enum backend_speed speed, uint8_t *out, size_t size)
{
	size_t n = zero_config(speed, out, 3);

	return n + zero_config(speed, out + n, 2);
}

static int zero_init(struct fake_device *dev, unsigned long size)
{
	struct zero *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	dev->model_state = z;
	for (unsigned int i = 0; i <= STREAMS; i++) {
		z->loops[i].bytes = malloc(LOOP_MAX);
		if (!z->loops[i].bytes)
			return -ENOMEM;
	}
	return 0;
}

static void zero_deinit(struct fake_device *dev)
{
	struct zero *z = dev->model_state;

	for (unsigned int i = 0; z && i <= STREAMS; i++)
		free(z->loops[i].bytes);
	free(z);
}

static int zero_control(struct fake_device *dev, const uint8_t *setup,
			uint8_t *data, size_t len)
{
	struct zero *z = dev->model_state;

	if (len > sizeof(z->kept))
		return -EPIPE;
	if (setup[0] == 0x40 && setup[1] == 0x5b) {
		memcpy(z->kept, data, len);
		z->n_kept = len;
		return len;
	}
	if (setup[0] == 0xc0 && setup[1] == 0x5c) {
		if (len > z->n_kept)
			len = z->n_kept;
		memcpy(data, z->kept, len);
		return len;
	}
	return -EPIPE;
}

static bool loop_transfer(struct fake_device *dev, struct urb *urb)
{
	struct zero *z = dev->model_state;
	struct loop *loop = &z->loops[urb->stream];
	size_t n = urb->length;

	if (urb_is_in(urb)) {
		if (!loop->n && urb->length)
			return false;
		if (n > loop->n)
			n = loop->n;
		memcpy(urb_data(urb), loop->bytes, n);
		loop->n -= n;
		memmove(loop->bytes, loop->bytes + n, loop->n);
	} else {
		if (n > LOOP_MAX - loop->n)
			return false;
		if (n)
			memcpy(loop->bytes + loop->n, urb_data(urb), n);
		loop->n += n;
	}
	urb->actual = n;
	fake_kick(dev);		/* the other direction may go on */
	return true;
}

static bool zero_transfer(struct fake_device *dev, struct urb *urb)
{
	urb->xfer = URB_XFER_OK;
	if (dev->configuration == 2)
		return loop_transfer(dev, urb);
	if (urb_is_in(urb) && urb->length)
		memset(urb_data(urb), 0, urb->length);
	urb->actual = urb->length;
	return true;
}

const struct fake_model fake_model_zero = {
	.name = "zero",
	.speed = BACKEND_SPEED_HIGH,
	.vendor = 0x0525,
	.product = 0xa4a0,
	.manufacturer_name = "Linux Foundation",
	.product_name = "Gadget Zero",
	.class_code = { 0xff, 0, 0 },
	.streams = STREAMS,
	.configs = zero_configs,
	.init = zero_init,
	.deinit = zero_deinit,
	.control = zero_control,
	.transfer = zero_transfer,
};

/* ---- keyboard ----------------------------------------------------------- */

#define KEYS_MAX 64

struct keyboard {
	uint8_t reports[KEYS_MAX];	/* the key of each, 0: none */
	size_t n_reports;
};

/* The boot keyboard of HID 1.11, appendix B.1. */
static const uint8_t report_descriptor[] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7,
	0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, 0x95, 0x01,
	0x75, 0x08, 0x81, 0x01, 0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01,
	0x29, 0x05, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01, 0x95, 0x06,
	0x75, 0x08, 0x15, 0x00, 0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65,
	0x81, 0x00, 0xc0,
};

static size_t keyboard_configs(enum backend_speed speed, uint8_t *out,
			       size_t size)
{
	static const uint8_t config[] = {
		9, 2, 34, 0, 1, 1, 0, 0xa0, 50,
		9, 4, 0, 0, 1, 3, 1, 1, 0,
		9, 0x21, 0x11, 0x01, 0, 1, 0x22, sizeof(report_descriptor), 0,
		7, 5, 0x81, 3, 8, 0, 10,
	};

	return put_bytes(out, 0, config, sizeof(config));
}

static int keyboard_init(struct fake_device *dev, unsigned long size)
{
	dev->model_state = calloc(1, sizeof(struct keyboard));
	return dev->model_state ? 0 : -ENOMEM;
}

static void keyboard_deinit(struct fake_device *dev)
{
	free(dev->model_state);
}

static int keyboard_control(struct fake_device *dev, const uint8_t *setup,
			    uint8_t *data, size_t len)
{
	struct keyboard *k = dev->model_state;

	switch (setup[0] << 8 | setup[1]) {
	case 0x8106:			/* GET_DESCRIPTOR of the interface */
		if (setup[3] != 0x22)
			return -EPIPE;
		if (len > sizeof(report_descriptor))
			len = sizeof(report_descriptor);
		memcpy(data, report_descriptor, len);
		return len;
	case 0x2109:			/* SET_REPORT: the lamps */
	case 0x210a:			/* SET_IDLE */
	case 0x210b:			/* SET_PROTOCOL */
		return 0;
	case 0x40e4:
		if (k->n_reports + 2 > KEYS_MAX)
			return -EPIPE;
		k->reports[k->n_reports++] = setup[2];
		k->reports[k->n_reports++] = 0;
		fake_kick(dev);
		return 0;
	default:
		return -EPIPE;
	}
}

static bool keyboard_transfer(struct fake_device *dev, struct urb *urb)
{
	struct keyboard *k = dev->model_state;
	uint8_t report[8] = { 0 };

	if (!k->n_reports || !urb_is_in(urb))
		return false;
	report[2] = k->reports[0];
	memmove(k->reports, k->reports + 1, --k->n_reports);
	urb->xfer = URB_XFER_OK;
	urb->actual = urb->length < 8 ? urb->length : 8;
	memcpy(urb_data(urb), report, urb->actual);
	return true;
}

const struct fake_model fake_model_keyboard = {
	.name = "keyboard",
	.speed = BACKEND_SPEED_LOW,
	.vendor = 0x0627,
	.product = 0x0001,
	.manufacturer_name = "usbip-rpc",
	.product_name = "Fake Keyboard",
	.configs = keyboard_configs,
	.init = keyboard_init,
	.deinit = keyboard_deinit,
	.control = keyboard_control,
	.transfer = keyboard_transfer,
};
