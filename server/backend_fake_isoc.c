// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_isoc - a fake device with an isochronous source and sink.
 *
 * isoc: interface 0 has no endpoint in setting 0; in setting 1, 0x81 IN and
 * 0x01 OUT, a packet per millisecond. Packets carry a number, from 0 up since
 * the setting was chosen, in their first four bytes (big-endian), and in byte
 * i then number + i. OUT packets are looked at. Vendor request 0xe5 IN, wIndex
 * = endpoint, gives three words of 32 bits, little-endian: packets so far, of
 * these wrong ones, and how often the endpoint had run dry when more came.
 *
 * A fault of an endpoint strikes the first packet of its transfer. Its delay is
 * the time that each packet takes, one after the other, so that it has a clock
 * as a bus has; without, transfers end at once.
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_COUNTS 0xe5

struct isoc_side {
	uint32_t number;	/* of the next packet */
	uint32_t wrong;
};

struct isoc {
	struct isoc_side in, out;
};

static size_t isoc_configs(enum backend_speed speed, uint8_t *out, size_t size)
{
	bool full = speed < BACKEND_SPEED_HIGH;
	bool super = speed >= BACKEND_SPEED_SUPER;
	unsigned int packet = full ? 1023 : 1024;
	const uint8_t head[] = {
		9, 2, 0, 0, 1, 1, 0, 0xc0, 1,
		9, 4, 0, 0, 0, 0xff, 0, 0, 0,
		9, 4, 0, 1, 2, 0xff, 0, 0, 0,
	};
	size_t at = sizeof(head);

	memcpy(out, head, sizeof(head));
	for (int in = 1; in >= 0; in--) {
		const uint8_t ep[] = { 7, 5, in ? 0x81 : 0x01, 1,
				       packet & 0xff, packet >> 8,
				       full ? 1 : 4 };
		const uint8_t companion[] = { 6, 48, 0, 0, 0, packet >> 8 };

		memcpy(out + at, ep, sizeof(ep));
		at += sizeof(ep);
		if (super) {
			memcpy(out + at, companion, sizeof(companion));
			at += sizeof(companion);
		}
	}
	out[2] = at & 0xff;
	out[3] = at >> 8;
	return at;
}

static int isoc_init(struct fake_device *dev, unsigned long size)
{
	dev->model_state = calloc(1, sizeof(struct isoc));
	return dev->model_state ? 0 : -ENOMEM;
}

static void isoc_deinit(struct fake_device *dev)
{
	free(dev->model_state);
}

static uint8_t byte_of(uint32_t number, uint32_t i)
{
	return i < 4 ? number >> (24 - 8 * i) : number + i;
}

static void put_le32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = value >> (8 * i);
}

static int isoc_control(struct fake_device *dev, const uint8_t *setup,
			uint8_t *data, size_t len)
{
	struct isoc *m = dev->model_state;
	const struct isoc_side *side = setup[4] & 0x80 ? &m->in : &m->out;
	int row = endpoint_row(setup[4]);

	if (setup[0] != 0xc0 || setup[1] != REQUEST_COUNTS || len != 12 ||
	    row < 0)
		return -EPIPE;
	put_le32(data, side->number);
	put_le32(data + 4, side->wrong);
	put_le32(data + 8, dev->endpoints[row].n_dry);
	return 12;
}

static void send_packet(struct isoc_side *side, struct urb_packet *p,
			uint8_t *data)
{
	for (uint32_t i = 0; i < p->actual; i++)
		data[i] = byte_of(side->number, i);
	side->number++;
}

static void take_packet(struct isoc_side *side, const struct urb_packet *p,
			const uint8_t *data)
{
	for (uint32_t i = 0; i < p->length; i++)
		if (data[i] != byte_of(side->number, i)) {
			side->wrong++;
			break;
		}
	side->number++;
}

static void spoil_packet(struct urb_packet *p, enum fake_fault_kind kind)
{
	p->actual = kind == FAKE_FAULT_SHORT ? p->length / 2 : 0;
	if (kind == FAKE_FAULT_STALL)
		p->xfer = URB_XFER_STALL;
	if (kind == FAKE_FAULT_OVERFLOW)
		p->xfer = URB_XFER_OVERFLOW;
	if (kind == FAKE_FAULT_IO)
		p->xfer = URB_XFER_MISSED;
}

static bool isoc_transfer(struct fake_device *dev, struct urb *urb)
{
	struct fake_endpoint *ep = &dev->endpoints[endpoint_row(urb->address)];
	struct isoc *m = dev->model_state;
	uint8_t *data = urb_data(urb);

	urb->xfer = URB_XFER_OK;
	urb->actual = 0;
	for (unsigned int i = 0; i < urb->n_packets; i++) {
		struct urb_packet *p = &urb->packets[i];

		p->xfer = URB_XFER_OK;
		p->actual = p->length;
		if (!i && ep->spoil != FAKE_FAULT_NONE)
			spoil_packet(p, ep->spoil);
		if (urb_is_in(urb))
			send_packet(&m->in, p, data);
		else
			take_packet(&m->out, p, data);
		data += urb_is_in(urb) ? p->actual : p->length;
		urb->actual += p->actual;
	}
	return true;
}

static void isoc_reset(struct fake_device *dev)
{
	memset(dev->model_state, 0, sizeof(struct isoc));
	for (int row = 1; row < ENDPOINT_ROWS; row++) {
		dev->endpoints[row].began = false;
		dev->endpoints[row].n_dry = 0;
	}
}

const struct fake_model fake_model_isoc = {
	.name = "isoc",
	.speed = BACKEND_SPEED_FULL,
	.vendor = 0x0525,
	.product = 0xa4a4,
	.manufacturer_name = "usbip-rpc",
	.product_name = "Fake Isochronous",
	.class_code = { 0xff, 0, 0 },
	.configs = isoc_configs,
	.init = isoc_init,
	.deinit = isoc_deinit,
	.control = isoc_control,
	.transfer = isoc_transfer,
	.reset = isoc_reset,
	.set_interface = isoc_reset,
};
