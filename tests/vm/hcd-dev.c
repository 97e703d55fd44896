// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-dev.c - a device in software, for the tests of the module
 */
#include <errno.h>
#include <string.h>
#include <linux/usb/ch9.h>
#include "tests/isoc-pattern.h"
#include "tests/vm/hcd-dev.h"

#define EP_BULK_IN	0x81
#define EP_BULK_OUT	0x02
#define EP_INT_IN	0x83
#define EP_INT_OUT	0x04
#define EP_ISOC_IN	0x85
#define EP_ISOC_OUT	0x06

struct ctrl {
	uint8_t type;
	uint8_t request;
	uint16_t value;
	uint16_t index;
	uint16_t length;
};

static unsigned int bulk_packet(uint32_t speed)
{
	switch (speed) {
	case USBIP_RPC_SPEED_FULL:
		return 64;
	case USBIP_RPC_SPEED_HIGH:
		return 512;
	default:
		return 1024;
	}
}

static unsigned int int_packet(uint32_t speed)
{
	return speed == USBIP_RPC_SPEED_LOW ? 8 : 64;
}

/* wMaxPacketSize; at high speed two packets of 1024 in a microframe. */
static unsigned int isoc_packet(uint32_t speed)
{
	switch (speed) {
	case USBIP_RPC_SPEED_FULL:
		return 1023;
	case USBIP_RPC_SPEED_HIGH:
		return 1024 | 1 << 11;
	default:
		return 1024;
	}
}

static bool is_super(uint32_t speed)
{
	return speed >= USBIP_RPC_SPEED_SUPER;
}

/* Descriptors are put one behind the other; each function returns the end. */

static uint8_t *put_device(uint8_t *p, const struct hcd_dev *d)
{
	const uint8_t desc[USB_DT_DEVICE_SIZE] = {
		USB_DT_DEVICE_SIZE, USB_DT_DEVICE,
		d->speed == USBIP_RPC_SPEED_LOW ? 0x00 : 0x10,
		is_super(d->speed) ? 0x03 : 0x02,
		USB_CLASS_VENDOR_SPEC, 0, 0,
		is_super(d->speed) ? 9 :
			d->speed == USBIP_RPC_SPEED_LOW ? 8 : 64,
		0x25, 0x05, 0xa0, 0xa4, 0x01, 0x00, 1, 2, 3, 1,
	};

	memcpy(p, desc, sizeof(desc));
	return p + sizeof(desc);
}

static uint8_t *put_endpoint(uint8_t *p, uint32_t speed,
			     uint8_t address, uint8_t type, unsigned int packet)
{
	const uint8_t desc[USB_DT_ENDPOINT_SIZE] = {
		USB_DT_ENDPOINT_SIZE, USB_DT_ENDPOINT, address, type,
		packet & 0xff, packet >> 8,
		type == USB_ENDPOINT_XFER_BULK ? 0 :
			speed == USBIP_RPC_SPEED_LOW ? 10 : 1,
	};
	bool isoc = type == USB_ENDPOINT_XFER_ISOC;
	unsigned int bytes = type == USB_ENDPOINT_XFER_INT ? packet :
			     isoc ? 2 * packet : 0;
	const uint8_t companion[USB_DT_SS_EP_COMP_SIZE] = {
		USB_DT_SS_EP_COMP_SIZE, USB_DT_SS_ENDPOINT_COMP, isoc,
		type == USB_ENDPOINT_XFER_BULK ? HCD_DEV_STREAMS_LOG : 0,
		bytes & 0xff, bytes >> 8,
	};

	memcpy(p, desc, sizeof(desc));
	p += sizeof(desc);
	if (is_super(speed)) {
		memcpy(p, companion, sizeof(companion));
		p += sizeof(companion);
	}
	return p;
}

/* Interface 0 with the endpoints of an alternate setting. */
static uint8_t *put_interface(uint8_t *p, uint32_t speed, uint8_t alternate)
{
	bool low = speed == USBIP_RPC_SPEED_LOW;
	const uint8_t desc[] = {
		USB_DT_INTERFACE_SIZE, USB_DT_INTERFACE, 0, alternate,
		low ? 2 : alternate ? 6 : 4, USB_CLASS_VENDOR_SPEC, 0, 0, 0,
	};

	memcpy(p, desc, sizeof(desc));
	p += sizeof(desc);
	if (!low) {
		p = put_endpoint(p, speed, EP_BULK_IN, USB_ENDPOINT_XFER_BULK,
				 bulk_packet(speed));
		p = put_endpoint(p, speed, EP_BULK_OUT, USB_ENDPOINT_XFER_BULK,
				 bulk_packet(speed));
	}
	p = put_endpoint(p, speed, EP_INT_IN, USB_ENDPOINT_XFER_INT, int_packet(speed));
	p = put_endpoint(p, speed, EP_INT_OUT, USB_ENDPOINT_XFER_INT, int_packet(speed));
	if (!alternate)
		return p;
	p = put_endpoint(p, speed, EP_ISOC_IN, USB_ENDPOINT_XFER_ISOC, isoc_packet(speed));
	return put_endpoint(p, speed, EP_ISOC_OUT, USB_ENDPOINT_XFER_ISOC, isoc_packet(speed));
}

/* @type: USB_DT_CONFIG or USB_DT_OTHER_SPEED_CONFIG. */
static uint8_t *put_config(uint8_t *start, uint32_t speed, uint8_t type)
{
	const uint8_t desc[] = {
		USB_DT_CONFIG_SIZE, type, 0, 0, 1, 1, 0, 0xc0, 1,
	};
	uint8_t *p = start;

	memcpy(p, desc, sizeof(desc));
	p = put_interface(p + sizeof(desc), speed, 0);
	if (speed != USBIP_RPC_SPEED_LOW)
		p = put_interface(p, speed, 1);
	start[2] = p - start;
	return p;
}

static uint8_t *put_other_speed(uint8_t *p, uint32_t speed)
{
	speed = speed == USBIP_RPC_SPEED_FULL ? USBIP_RPC_SPEED_HIGH :
						USBIP_RPC_SPEED_FULL;
	return put_config(p, speed, USB_DT_OTHER_SPEED_CONFIG);
}

static uint8_t *put_qualifier(uint8_t *p)
{
	static const uint8_t desc[] = {
		10, USB_DT_DEVICE_QUALIFIER, 0, 2,
		USB_CLASS_VENDOR_SPEC, 0, 0, 64, 1, 0,
	};

	memcpy(p, desc, sizeof(desc));
	return p + sizeof(desc);
}

static uint8_t *put_string(uint8_t *p, uint8_t index)
{
	static const char *const text[] = { "", "usbip-rpc", "source/sink", "1" };
	const char *s;
	uint8_t *start = p;

	if (index >= sizeof(text) / sizeof(*text))
		return p;
	p += 2;
	if (!index) {
		*p++ = 0x09;
		*p++ = 0x04;
	}
	for (s = text[index]; *s; s++) {
		*p++ = *s;
		*p++ = 0;
	}
	start[0] = p - start;
	start[1] = USB_DT_STRING;
	return p;
}

static uint8_t *put_bos(uint8_t *start, const struct hcd_dev *d)
{
	static const uint8_t desc[] = {
		USB_DT_BOS_SIZE, USB_DT_BOS, 0, 0, 2,
		/* USB 2 extension without LPM */
		USB_DT_USB_EXT_CAP_SIZE, USB_DT_DEVICE_CAPABILITY,
		USB_CAP_TYPE_EXT, 0, 0, 0, 0,
		/* SuperSpeed: all speeds, no LPM */
		USB_DT_USB_SS_CAP_SIZE, USB_DT_DEVICE_CAPABILITY,
		USB_SS_CAP_TYPE, 0, 0x0f, 0, 1, 0, 0, 0,
	};
	static const uint8_t ssp[] = {
		20, USB_DT_DEVICE_CAPABILITY, USB_SSP_CAP_TYPE, 0,
		0x01, 0, 0, 0, 0x01, 0x11, 0, 0,
		0x31, 0x40, 10, 0, 0xb1, 0x40, 10, 0,
	};
	uint8_t *p = start;

	memcpy(p, desc, sizeof(desc));
	p += sizeof(desc);
	if (d->speed == USBIP_RPC_SPEED_SUPER_PLUS) {
		memcpy(p, ssp, sizeof(ssp));
		p += sizeof(ssp);
		start[4]++;
	}
	start[2] = p - start;
	return p;
}

static int get_descriptor(struct hcd_dev *d, const struct ctrl *c, uint8_t *in)
{
	bool dual = d->speed == USBIP_RPC_SPEED_FULL ||
		    d->speed == USBIP_RPC_SPEED_HIGH;
	uint8_t *p = in;

	switch (c->value >> 8) {
	case USB_DT_DEVICE:
		p = put_device(in, d);
		break;
	case USB_DT_CONFIG:
		p = put_config(in, d->speed, USB_DT_CONFIG);
		break;
	case USB_DT_STRING:
		p = put_string(in, c->value & 0xff);
		break;
	case USB_DT_DEVICE_QUALIFIER:
		p = dual ? put_qualifier(in) : in;
		break;
	case USB_DT_OTHER_SPEED_CONFIG:
		p = dual ? put_other_speed(in, d->speed) : in;
		break;
	case USB_DT_BOS:
		p = d->speed == USBIP_RPC_SPEED_LOW ? in : put_bos(in, d);
		break;
	}
	return p == in ? -EPIPE : p - in;
}

static uint32_t halt_bit(uint16_t address)
{
	return 1U << ((address & 0x0f) + (address & 0x80 ? 16 : 0));
}

static int feature(struct hcd_dev *d, const struct ctrl *c, bool set)
{
	if ((c->type & USB_RECIP_MASK) != USB_RECIP_ENDPOINT)
		return 0; /* of the device, the interface: as you like */
	if (c->value != USB_ENDPOINT_HALT)
		return -EPIPE;
	if (set)
		d->halted |= halt_bit(c->index);
	else
		d->halted &= ~halt_bit(c->index);
	return 0;
}

static int get_status(struct hcd_dev *d, const struct ctrl *c, uint8_t *in)
{
	in[0] = in[1] = 0;
	switch (c->type & USB_RECIP_MASK) {
	case USB_RECIP_DEVICE:
		in[0] = 1 << USB_DEVICE_SELF_POWERED;
		break;
	case USB_RECIP_ENDPOINT:
		in[0] = !!(d->halted & halt_bit(c->index));
		break;
	}
	return 2;
}

static int standard(struct hcd_dev *d, const struct ctrl *c, uint8_t *in)
{
	switch (c->request) {
	case USB_REQ_GET_DESCRIPTOR:
		return c->type == 0x80 ? get_descriptor(d, c, in) : -EPIPE;
	case USB_REQ_GET_STATUS:
		return get_status(d, c, in);
	case USB_REQ_GET_CONFIGURATION:
		in[0] = d->config;
		return 1;
	case USB_REQ_SET_CONFIGURATION:
		d->config = c->value;
		d->alternate = 0;
		d->halted = 0;
		return c->value <= 1 ? 0 : -EPIPE;
	case USB_REQ_GET_INTERFACE:
		in[0] = d->alternate;
		return 1;
	case USB_REQ_SET_INTERFACE:
		if (c->index || c->value > 1 ||
		    (c->value && d->speed == USBIP_RPC_SPEED_LOW))
			return -EPIPE;
		d->halted = 0;
		d->alternate = c->value;
		d->isoc_in = d->isoc_out = 0;
		return 0;
	case USB_REQ_SET_FEATURE:
		return feature(d, c, true);
	case USB_REQ_CLEAR_FEATURE:
		return feature(d, c, false);
	case USB_REQ_SET_SEL:
	case USB_REQ_SET_ISOCH_DELAY:
		return 0;
	default:
		return -EPIPE;
	}
}

/* @out is the data, @in where an answer goes; returns its length or a status */
static int control(struct hcd_dev *d, const struct ctrl *c, const uint8_t *out,
		   uint8_t *in)
{
	if ((c->type & USB_TYPE_MASK) == USB_TYPE_STANDARD)
		return standard(d, c, in);
	if (c->length > sizeof(d->stored) || c->value || c->index)
		return -EPIPE;
	if (c->type == 0x40 && c->request == 0x5b) {
		memcpy(d->stored, out, c->length);
		return 0;
	}
	if (c->type == 0xc0 && c->request == 0x5c) {
		memcpy(in, d->stored, c->length);
		return c->length;
	}
	return -EPIPE;
}

static struct hcd_dev_end submit_control(struct hcd_dev *d,
					 const struct usbip_rpc_submit *s,
					 const uint8_t *out, uint8_t *in)
{
	const uint8_t *p = s->setup;
	const struct ctrl c = {
		.type = p[0], .request = p[1], .value = p[2] | p[3] << 8,
		.index = p[4] | p[5] << 8, .length = p[6] | p[7] << 8,
	};
	int ret = control(d, &c, out, in);
	struct hcd_dev_end end = { .status = ret < 0 ? ret : 0 };

	if (ret < 0)
		return end;
	if (!(s->endpoint & USB_DIR_IN))
		end.actual = s->length;
	else
		end.actual = end.body = (uint32_t)ret < s->length ?
					(uint32_t)ret : s->length;
	return end;
}

/* The next IN packet to @data, and what becomes of it. */
static struct usbip_rpc_packet send_packet(struct hcd_dev *d, uint8_t *data,
					   uint32_t length)
{
	struct usbip_rpc_packet p = { .length = length };
	uint32_t number = d->isoc_in++;

	if (d->mod63 && number % 8 == 5)
		p.length /= 2;
	if (d->mod63 && number % 16 == 9)
		p = (struct usbip_rpc_packet){ .status = -EILSEQ };
	isoc_fill(data, p.length, number);
	return p;
}

static void take_packet(struct hcd_dev *d, const uint8_t *data, uint32_t length)
{
	uint32_t i;

	for (i = 0; i < length && !data[i]; i++)
		;
	if (i < length && !isoc_is(data, length, d->isoc_out++))
		d->bad_data++;
}

static struct hcd_dev_end submit_isoc(struct hcd_dev *d,
				      const struct usbip_rpc_submit *s,
				      const uint8_t *out, uint8_t *in)
{
	const struct usbip_rpc_packet *asked = (const void *)out;
	struct usbip_rpc_packet *got = (void *)in;
	struct hcd_dev_end end = { .npackets = s->npackets };
	uint32_t i;

	out += s->npackets * sizeof(*asked);
	in += s->npackets * sizeof(*got);
	for (i = 0; i < s->npackets; i++) {
		got[i] = asked[i];
		if (s->endpoint & USB_DIR_IN)
			got[i] = send_packet(d, in + end.actual, got[i].length);
		else
			take_packet(d, out + end.actual, got[i].length);
		end.actual += got[i].length;
		end.error_count += !!got[i].status;
	}
	end.body = s->npackets * sizeof(*got);
	if (s->endpoint & USB_DIR_IN)
		end.body += end.actual;
	return end;
}

static uint8_t pattern(const struct hcd_dev *d, uint32_t i, unsigned int packet)
{
	return d->mod63 ? i % packet % 63 : 0;
}

static struct hcd_dev_end submit_data(struct hcd_dev *d,
				      const struct usbip_rpc_submit *s,
				      const uint8_t *out, uint8_t *in)
{
	unsigned int packet = s->transfer == USBIP_RPC_BULK ? bulk_packet(d->speed) :
							      int_packet(d->speed);
	struct hcd_dev_end end = { .actual = s->length };
	uint32_t i;

	if (s->endpoint & USB_DIR_IN) {
		for (i = 0; i < s->length; i++)
			in[i] = pattern(d, i, packet);
		end.body = s->length;
		return end;
	}
	for (i = 0; d->mod63 && i < s->length; i++) {
		if (out[i] != pattern(d, i, packet)) {
			d->bad_data++;
			break;
		}
	}
	return end;
}

struct hcd_dev_end hcd_dev_submit(struct hcd_dev *d,
				  const struct usbip_rpc_submit *s,
				  const uint8_t *out, uint8_t *in)
{
	if (s->transfer == USBIP_RPC_CONTROL)
		return submit_control(d, s, out, in);
	if (d->halted & halt_bit(s->endpoint))
		return (struct hcd_dev_end){ .status = -EPIPE };
	if (s->length > HCD_DEV_IN_MAX / 2)
		return (struct hcd_dev_end){ .status = -ENOMEM };
	if (s->transfer == USBIP_RPC_ISOC)
		return submit_isoc(d, s, out, in);
	return submit_data(d, s, out, in);
}
