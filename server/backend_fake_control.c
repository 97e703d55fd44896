// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_control - endpoint 0 of the fake devices: the standard
 * requests, and the vendor requests that drive a test. The rest is the
 * model's.
 *
 * Vendor requests of every fake device (bmRequestType 0xc0 or 0x40):
 *   0xe0 IN   wIndex = endpoint, wValue = stream: what was executed on it:
 *             for each the number, 32 bits little-endian, in order; the last
 *             that fit
 *   0xe1 OUT  wIndex = endpoint, wValue = kind | transfers before it << 8:
 *             a fault (enum fake_fault_kind)
 *   0xe2 OUT  wIndex = endpoint, wValue = ms: delay of each transfer
 *   0xe3 OUT  unplug after wValue ms, and plug in again wIndex ms later if
 *             that is not 0
 *   0xe5 OUT  when it is plugged in next, its idProduct is wValue
 *   0xe6 OUT  the next reset does not find it: it leaves, and is plugged in
 *             again wValue ms later
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <string.h>

#define REQUEST_EXECUTIONS 0xe0
#define REQUEST_FAULT 0xe1
#define REQUEST_DELAY 0xe2
#define REQUEST_UNPLUG 0xe3
#define REQUEST_PRODUCT 0xe5
#define REQUEST_LEAVE 0xe6

static uint16_t get_le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static int give(uint8_t *data, size_t len, const void *from, size_t have)
{
	if (have > len)
		have = len;
	memcpy(data, from, have);
	return have;
}

static const char *string_of(const struct fake_device *dev, unsigned int index)
{
	switch (index) {
	case 1:
		return dev->info.manufacturer;
	case 2:
		return dev->info.product;
	case 3:
		return dev->info.serial;
	default:
		return NULL;
	}
}

/* ASCII only: the fake devices' names are. */
static int give_string(const struct fake_device *dev, unsigned int index,
		       uint8_t *data, size_t len)
{
	const char *text = string_of(dev, index);
	uint8_t out[256] = { 4, 3, 0x09, 0x04 };	/* US English */
	size_t n;

	if (!index)
		return give(data, len, out, out[0]);
	if (!text || !*text)
		return -EPIPE;
	n = strnlen(text, 126);
	out[0] = 2 + 2 * n;
	for (size_t i = 0; i < n; i++) {
		out[2 + 2 * i] = text[i];
		out[3 + 2 * i] = 0;
	}
	return give(data, len, out, out[0]);
}

static int get_descriptor(const struct fake_device *dev, const uint8_t *setup,
			  uint8_t *data, size_t len)
{
	const struct descriptors *d = &dev->info.descriptors;
	unsigned int index = setup[2];

	switch (setup[3]) {
	case 1:
		return give(data, len, d->device, sizeof(d->device));
	case 2:
		if (index >= d->n_configs)
			return -EPIPE;
		return give(data, len, d->configs[index].data,
			    d->configs[index].len);
	case 3:
		return give_string(dev, index, data, len);
	case 15:
		if (!d->bos.len)
			return -EPIPE;
		return give(data, len, d->bos.data, d->bos.len);
	default:
		return -EPIPE;
	}
}

static int get_status(struct fake_device *dev, const uint8_t *setup,
		      uint8_t *data, size_t len)
{
	uint8_t status[2] = { 0, 0 };
	int row;

	if ((setup[0] & 0x1f) == 0)
		status[0] = 1;		/* self-powered */
	if ((setup[0] & 0x1f) == 2) {
		row = endpoint_row(setup[4]);
		status[0] = row > 0 && dev->halted & (1u << row);
	}
	return give(data, len, status, sizeof(status));
}

static int set_halt(struct fake_device *dev, const uint8_t *setup)
{
	int row = endpoint_row(setup[4]);

	if (row < 0 || get_le16(setup + 2))
		return -EPIPE;
	if (row && setup[1] == 0x03)
		dev->halted |= 1u << row;
	return 0;
}

static int standard_request(struct fake_device *dev, const uint8_t *setup,
			    uint8_t *data, size_t len)
{
	uint8_t value;

	switch (setup[0] << 8 | setup[1]) {
	case 0x8000:
	case 0x8100:
	case 0x8200:
		return get_status(dev, setup, data, len);
	case 0x8006:
		return get_descriptor(dev, setup, data, len);
	case 0x8008:
		value = dev->configuration;
		return give(data, len, &value, 1);
	case 0x810a:
		if (setup[4] >= sizeof(dev->alternates))
			return -EPIPE;
		value = dev->alternates[setup[4]];
		return give(data, len, &value, 1);
	case 0x0203:			/* halt an endpoint; and endpoint 0's */
	case 0x0201:
		return set_halt(dev, setup);
	case 0x0003:			/* remote wakeup, U1, U2 */
	case 0x0001:
		return 0;
	default:
		return dev->model->control ?
		       dev->model->control(dev, setup, data, len) : -EPIPE;
	}
}

static int give_executions(const struct fake_device *dev, uint8_t address,
			   uint16_t stream, uint8_t *data, size_t len)
{
	size_t skip = 0, n = 0, at = 0;

	for (size_t i = 0; i < dev->n_executions; i++)
		n += dev->executions[i].address == address &&
		     dev->executions[i].stream == stream;
	if (n > len / 4)
		skip = n - len / 4;
	for (size_t i = 0; i < dev->n_executions; i++) {
		uint32_t number = dev->executions[i].number;

		if (dev->executions[i].address != address ||
		    dev->executions[i].stream != stream)
			continue;
		if (skip) {
			skip--;
			continue;
		}
		for (int b = 0; b < 4; b++)
			data[at++] = number >> (8 * b);
	}
	return at;
}

/* true: it was one of the requests at the top; *r is its result. */
static bool test_request(struct fake_device *dev, const uint8_t *setup,
			 uint8_t *data, size_t len, int *r)
{
	unsigned int value = get_le16(setup + 2), index = get_le16(setup + 4);
	int row = endpoint_row(index);

	*r = 0;
	if (setup[0] == 0xc0 && setup[1] == REQUEST_EXECUTIONS) {
		*r = give_executions(dev, index, value, data, len);
		return true;
	}
	if (setup[0] != 0x40)
		return false;
	switch (setup[1]) {
	case REQUEST_FAULT:
	case REQUEST_DELAY:
		if (row < 0) {
			*r = -EPIPE;
			return true;
		}
		if (setup[1] == REQUEST_DELAY) {
			dev->endpoints[row].delay_ms = value;
			return true;
		}
		dev->endpoints[row].fault = value & 0xff;
		dev->endpoints[row].fault_after = value >> 8;
		return true;
	case REQUEST_PRODUCT:
		dev->next_product = value;
		return true;
	case REQUEST_LEAVE:
		*r = fake_leave_at_reset(dev, value);
		return true;
	case REQUEST_UNPLUG:
		*r = fake_at(dev, value, false);
		if (!*r && index)
			*r = fake_at(dev, value + index, true);
		return true;
	default:
		return false;
	}
}

void fake_control(struct fake_device *dev, struct urb *urb)
{
	const uint8_t *setup = urb->setup;
	int r;

	if (!test_request(dev, setup, urb_data(urb), urb->length, &r)) {
		if ((setup[0] & 0x60) == 0)
			r = standard_request(dev, setup, urb_data(urb),
					     urb->length);
		else if (dev->model->control)
			r = dev->model->control(dev, setup, urb_data(urb),
						urb->length);
		else
			r = -EPIPE;
	}
	urb->xfer = r < 0 ? URB_XFER_STALL : URB_XFER_OK;
	urb->actual = r < 0 ? 0 : urb_is_in(urb) ? (uint32_t)r : urb->length;
}
