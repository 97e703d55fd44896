// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_disk - a USB stick in memory: mass storage, bulk-only
 * transport, transparent SCSI. As much of SCSI as Linux's usb-storage and sd
 * ask for.
 *
 * The transport goes COMMAND -> DATA_IN | DATA_OUT | STATUS -> COMMAND. A
 * command that has less data than the host asks for ends the data phase with
 * a short packet and a residue. A wrong command wrapper halts both endpoints
 * until the class's reset (BOT 6.6.1).
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512
#define CBW_SIZE 31
#define CSW_SIZE 13

enum disk_phase {
	DISK_PHASE_COMMAND,
	DISK_PHASE_DATA_IN,
	DISK_PHASE_DATA_OUT,
	DISK_PHASE_STATUS,
};

struct disk {
	uint8_t *blocks;
	uint64_t n_blocks;
	enum disk_phase phase;
	uint8_t tag[4];
	uint32_t wanted;	/* bytes that the host asks for or sends */
	uint8_t *data;		/* DATA: what to send, or where it goes; NULL:
				 * it is thrown away */
	uint32_t left;		/* bytes of it */
	uint32_t residue;
	uint8_t status;		/* 0, or 1: failed, see sense */
	uint8_t sense_key, asc;
	uint8_t answer[256];
};

static uint32_t get_le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = value >> (24 - 8 * i);
}

static void set_phase(struct disk *d, enum disk_phase next)
{
	d->phase = next;
}

static void fail(struct disk *d, uint8_t key, uint8_t asc)
{
	d->status = 1;
	d->sense_key = key;
	d->asc = asc;
	d->data = NULL;
	d->left = 0;
}

/* Answer with the first n bytes of d->answer, at most `allocated`. */
static void answer(struct disk *d, uint32_t n, uint32_t allocated)
{
	d->data = d->answer;
	d->left = n < allocated ? n : allocated;
}

static void pad_copy(uint8_t *to, size_t n, const char *from)
{
	size_t len = strnlen(from, n);

	memset(to, ' ', n);
	memcpy(to, from, len);
}

static void inquiry(struct fake_device *dev, const uint8_t *cdb)
{
	struct disk *d = dev->model_state;
	uint8_t *a = d->answer;

	memset(a, 0, sizeof(d->answer));
	if (cdb[1] & 1) {
		if (cdb[2] != 0x00 && cdb[2] != 0x80) {
			fail(d, 5, 0x24);
			return;
		}
		a[1] = cdb[2];
		a[3] = cdb[2] ? 8 : 2;
		a[5] = 0x80;
		if (cdb[2])
			pad_copy(a + 4, 8, dev->info.serial);
		answer(d, 4 + a[3], cdb[4]);
		return;
	}
	a[1] = 0x80;			/* removable */
	a[2] = 5;
	a[3] = 2;
	a[4] = 31;
	pad_copy(a + 8, 8, dev->info.manufacturer);
	pad_copy(a + 16, 16, dev->info.product);
	pad_copy(a + 32, 4, "1.0");
	answer(d, 36, cdb[4]);
}

static void request_sense(struct disk *d, const uint8_t *cdb)
{
	memset(d->answer, 0, 18);
	d->answer[0] = 0x70;
	d->answer[2] = d->sense_key;
	d->answer[7] = 10;
	d->answer[12] = d->asc;
	d->sense_key = d->asc = 0;
	answer(d, 18, cdb[4]);
}

static void read_capacity(struct disk *d)
{
	put_be32(d->answer, d->n_blocks - 1);
	put_be32(d->answer + 4, BLOCK);
	answer(d, 8, 8);
}

static void read_format_capacities(struct disk *d, const uint8_t *cdb)
{
	memset(d->answer, 0, 12);
	d->answer[3] = 8;
	put_be32(d->answer + 4, d->n_blocks);
	put_be32(d->answer + 8, BLOCK);
	d->answer[8] = 2;		/* formatted */
	answer(d, 12, cdb[7] << 8 | cdb[8]);
}

/* READ and WRITE, (10) and (16). */
static void transfer_blocks(struct disk *d, uint64_t block, uint64_t n)
{
	if (block > d->n_blocks || n > d->n_blocks - block) {
		fail(d, 5, 0x21);	/* out of range */
		return;
	}
	d->data = d->blocks + block * BLOCK;
	d->left = n * BLOCK;
}

static void run_command(struct fake_device *dev, const uint8_t *cdb)
{
	struct disk *d = dev->model_state;

	switch (cdb[0]) {
	case 0x00:			/* TEST UNIT READY */
	case 0x1b:			/* START STOP UNIT */
	case 0x1e:			/* PREVENT ALLOW MEDIUM REMOVAL */
	case 0x2f:			/* VERIFY */
	case 0x35:			/* SYNCHRONIZE CACHE */
		return;
	case 0x03:
		request_sense(d, cdb);
		return;
	case 0x12:
		inquiry(dev, cdb);
		return;
	case 0x1a:			/* MODE SENSE(6): no pages */
		memset(d->answer, 0, 4);
		d->answer[0] = 3;
		answer(d, 4, cdb[4]);
		return;
	case 0x23:
		read_format_capacities(d, cdb);
		return;
	case 0x25:
		read_capacity(d);
		return;
	case 0x28:			/* READ(10) */
	case 0x2a:			/* WRITE(10) */
		transfer_blocks(d, get_be32(cdb + 2), cdb[7] << 8 | cdb[8]);
		return;
	default:
		fail(d, 5, 0x20);	/* no such command */
	}
}

static void begin_command(struct fake_device *dev, const uint8_t *cbw)
{
	struct disk *d = dev->model_state;
	bool in = cbw[12] & 0x80;

	memcpy(d->tag, cbw + 4, sizeof(d->tag));
	d->wanted = get_le32(cbw + 8);
	d->data = NULL;
	d->left = 0;
	d->status = 0;
	run_command(dev, cbw + 15);
	if (d->left > d->wanted)
		d->left = d->wanted;
	d->residue = d->wanted - d->left;
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
	if (d->data && n)
		memcpy(d->data, data, n < d->left ? n : d->left);
	d->data += d->data && n < d->left ? n : 0;
	d->left -= n < d->left ? n : d->left;
	d->wanted -= n;
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
	csw[12] = d->status;
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
	n = urb->length < d->left ? urb->length : d->left;
	if (n)
		memcpy(urb_data(urb), d->data, n);
	if (n)
		d->data += n;
	d->left -= n;
	d->wanted -= n;
	urb->actual = n;
	if (!d->wanted || n < urb->length || (!d->left && !n))
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
	d->n_blocks = (size ? size : 1) * 1024 * 1024 / BLOCK;
	d->blocks = calloc(d->n_blocks, BLOCK);
	return d->blocks ? 0 : -ENOMEM;
}

static void disk_deinit(struct fake_device *dev)
{
	struct disk *d = dev->model_state;

	if (d)
		free(d->blocks);
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
