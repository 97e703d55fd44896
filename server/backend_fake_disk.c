// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_disk - a USB stick in memory: mass storage, bulk-only
 * transport, transparent SCSI (backend_fake_scsi.c).
 *
 * The transport goes COMMAND -> DATA_IN | DATA_OUT | STATUS -> COMMAND. A
 * command that has less data than the host asks for ends the data phase with
 * a short packet and a residue. A wrong command wrapper halts both endpoints
 * until the class's reset (BOT 6.6.1).
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend_fake_scsi.h"

#define CBW_SIZE 31
#define CSW_SIZE 13

enum disk_phase {
	DISK_PHASE_COMMAND,
	DISK_PHASE_DATA_IN,
	DISK_PHASE_DATA_OUT,
	DISK_PHASE_STATUS,
};

struct disk {
	struct scsi_disk scsi;
	struct scsi_command command;
	enum disk_phase phase;
	uint8_t tag[4];
	uint32_t wanted;	/* bytes that the host asks for or sends */
	uint32_t residue;
};

static uint32_t get_le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void set_phase(struct disk *d, enum disk_phase next)
{
	d->phase = next;
}

static void begin_command(struct fake_device *dev, const uint8_t *cbw)
{
	struct disk *d = dev->model_state;
	bool in = cbw[12] & 0x80;

	memcpy(d->tag, cbw + 4, sizeof(d->tag));
	d->wanted = get_le32(cbw + 8);
	scsi_run(&d->scsi, &d->command, cbw + 15);
	if (d->command.left > d->wanted)
		d->command.left = d->wanted;
	d->residue = d->wanted - d->command.left;
	if (!d->wanted)
		set_phase(d, DISK_PHASE_STATUS);
	else
		set_phase(d, in ? DISK_PHASE_DATA_IN : DISK_PHASE_DATA_OUT);
}

static void halt_both(struct fake_device *dev)
{
	dev->halted |= 1u << endpoint_row(0x81) | 1u << endpoint_row(0x02);
}

static bool transfer_out(struct fake_device *dev, struct urb *urb)
{
	struct disk *d = dev->model_state;
	const uint8_t *data = urb_data(urb);
	uint32_t n = urb->length;

	urb->xfer = URB_XFER_OK;
	urb->actual = urb->length;
	if (d->phase == DISK_PHASE_COMMAND && n == CBW_SIZE &&
	    !memcmp(data, "USBC", 4)) {
		begin_command(dev, data);
		fake_kick(dev);
		return true;
	}
	if (d->phase != DISK_PHASE_DATA_OUT) {
		halt_both(dev);
		urb->xfer = URB_XFER_STALL;
		urb->actual = 0;
		return true;
	}
	if (n > d->wanted)
		n = d->wanted;
	scsi_take(&d->command, data, n);
	d->wanted -= n;		/* what is more than `left` is thrown away */
	if (!d->wanted)
		set_phase(d, DISK_PHASE_STATUS);
	fake_kick(dev);
	return true;
}

static void send_status(struct disk *d, struct urb *urb)
{
	uint8_t csw[CSW_SIZE] = { 'U', 'S', 'B', 'S' };

	memcpy(csw + 4, d->tag, 4);
	for (int i = 0; i < 4; i++)
		csw[8 + i] = d->residue >> (8 * i);
	csw[12] = d->command.status != SCSI_STATUS_GOOD;
	urb->actual = urb->length < CSW_SIZE ? urb->length : CSW_SIZE;
	memcpy(urb_data(urb), csw, urb->actual);
	set_phase(d, DISK_PHASE_COMMAND);
}

static bool transfer_in(struct fake_device *dev, struct urb *urb)
{
	struct disk *d = dev->model_state;
	uint32_t n;

	urb->xfer = URB_XFER_OK;
	if (d->phase == DISK_PHASE_STATUS) {
		send_status(d, urb);
		return true;
	}
	if (d->phase != DISK_PHASE_DATA_IN)
		return false;
	n = scsi_send(&d->command, urb_data(urb), urb->length);
	d->wanted -= n;
	urb->actual = n;
	if (!d->wanted || n < urb->length || (!d->command.left && !n))
		set_phase(d, DISK_PHASE_STATUS);
	return true;
}

static bool disk_transfer(struct fake_device *dev, struct urb *urb)
{
	return urb_is_in(urb) ? transfer_in(dev, urb) : transfer_out(dev, urb);
}

static int disk_control(struct fake_device *dev, const uint8_t *setup,
			uint8_t *data, size_t len)
{
	struct disk *d = dev->model_state;

	if (setup[0] == 0xa1 && setup[1] == 0xfe) {	/* GET MAX LUN */
		if (len)
			data[0] = 0;
		return len ? 1 : 0;
	}
	if (setup[0] == 0x21 && setup[1] == 0xff) {	/* reset */
		set_phase(d, DISK_PHASE_COMMAND);
		return 0;
	}
	return -EPIPE;
}

static void disk_reset(struct fake_device *dev)
{
	struct disk *d = dev->model_state;

	if (d)
		set_phase(d, DISK_PHASE_COMMAND);
}

static size_t disk_configs(enum backend_speed speed, uint8_t *out, size_t size)
{
	bool super = speed >= BACKEND_SPEED_SUPER;
	bool high = speed == BACKEND_SPEED_HIGH;
	unsigned int max = super ? 1024 : high ? 512 : 64;
	const uint8_t config[] = { 9, 2, super ? 44 : 32, 0, 1, 1, 0, 0x80, 50,
				   9, 4, 0, 0, 2, 0x08, 0x06, 0x50, 0 };
	const uint8_t companion[] = { 6, 48, 0, 0, 0, 0 };
	size_t at = sizeof(config);

	memcpy(out, config, at);
	for (int i = 0; i < 2; i++) {
		const uint8_t ep[] = { 7, 5, i ? 0x02 : 0x81, 2, max & 0xff,
				       max >> 8, 0 };

		memcpy(out + at, ep, sizeof(ep));
		at += sizeof(ep);
		if (super) {
			memcpy(out + at, companion, sizeof(companion));
			at += sizeof(companion);
		}
	}
	return at;
}

static int disk_init(struct fake_device *dev, unsigned long size)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	dev->model_state = d;
	return scsi_disk_init(&d->scsi, &dev->info, size);
}

static void disk_deinit(struct fake_device *dev)
{
	struct disk *d = dev->model_state;

	if (d)
		scsi_disk_deinit(&d->scsi);
	free(d);
}

const struct fake_model fake_model_disk = {
	.name = "disk",
	.speed = BACKEND_SPEED_HIGH,
	.vendor = 0x46f4,
	.product = 0x0001,
	.manufacturer_name = "usbip-rpc",
	.product_name = "Fake Stick",
	.configs = disk_configs,
	.init = disk_init,
	.deinit = disk_deinit,
	.control = disk_control,
	.transfer = disk_transfer,
	.reset = disk_reset,
};
