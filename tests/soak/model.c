// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model - what the kinds of load submit to the fake devices
 * (server/backend_fake*.c), and what they make of the answers.
 */
#include "config.h"

#include "tests/soak/load.h"

#include <stdlib.h>
#include <string.h>

#include "tests/isoc-pattern.h"

#define DATA_MAX 16384
#define PACKETS 8
#define PACKET 192
/* Vendor requests of the devices. */
#define KEEP 0x5b
#define GIVE_BACK 0x5c
#define TYPE 0xe4
#define COUNTS 0xe5
/* ISOC: answers between two looks at what the device has counted. */
#define LOOKS 64

static const char *const names[] = {
	[LOAD_KIND_SOURCE] = "source", [LOAD_KIND_SINK] = "sink",
	[LOAD_KIND_LOOP] = "loop", [LOAD_KIND_CONTROL] = "control",
	[LOAD_KIND_INTERRUPT] = "interrupt", [LOAD_KIND_ISOC] = "isoc",
	[LOAD_KIND_KEYS] = "keys",
};

/* What has rows beside endpoint 0's, and how deep. */
static const struct {
	uint8_t endpoint;
	unsigned int depth;
} rows[LOAD_KINDS][LOAD_ROWS - 1] = {
	[LOAD_KIND_SOURCE] = { { 0x81, 16 } },
	[LOAD_KIND_SINK] = { { 0x01, 16 } },
	[LOAD_KIND_LOOP] = { { 0x01, 6 }, { 0x81, 6 } },
	[LOAD_KIND_INTERRUPT] = { { 0x82, 4 } },
	[LOAD_KIND_ISOC] = { { 0x01, 6 }, { 0x81, 6 } },
	[LOAD_KIND_KEYS] = { { 0x81, 2 } },
};

const char *load_kind_name(enum load_kind kind)
{
	return names[kind];
}

/* ---- data --------------------------------------------------------------- */

/* Of each session others, and nothing like it for 16 MiB. */
static uint8_t byte_at(const struct load *l, uint64_t at)
{
	uint32_t word = (uint32_t)(at >> 2) * 2654435761u + l->index * 40503u;

	return word >> (8 + 8 * (at & 1) + 4 * (at & 2));
}

static void fill(const struct load *l, uint8_t *data, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		data[i] = byte_at(l, at + i);
}

static bool is_right(const struct load *l, const uint8_t *data, uint64_t at,
		     size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (data[i] != byte_at(l, at + i))
			return false;
	return true;
}

static bool is_zero(const uint8_t *data, size_t n)
{
	return !n || (!*data && !memcmp(data, data + 1, n - 1));
}

static uint32_t size_of(uint32_t number, uint32_t max)
{
	static const uint32_t sizes[] = { 512, 31, 4096, 16384, 13, 8192, 1, 1024 };
	uint32_t size = sizes[number % (sizeof(sizes) / sizeof(sizes[0]))];

	return size < max ? size : max;
}

/* ---- submitting --------------------------------------------------------- */

static uint8_t *slot_data(struct load_slot *slot)
{
	if (!slot->data)
		slot->data = malloc(DATA_MAX);
	if (!slot->data)
		abort();
	return slot->data;
}

static void set_buffer(usbip_buffer *buffer, uint8_t *data, uint32_t length)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->type = data ? USBIP_BUFFER_OUT : USBIP_BUFFER_IN;
	if (data) {
		buffer->usbip_buffer_u.data.usbip_data_len = length;
		buffer->usbip_buffer_u.data.usbip_data_val = (char *)data;
	} else {
		buffer->usbip_buffer_u.length = length;
	}
}

static void send_bulk(struct load_slot *slot, uint32_t max)
{
	struct load_row *row = slot->row;
	uint32_t size = size_of(slot->number, max);
	uint8_t *data = NULL;

	if (!(row->endpoint & 0x80)) {
		data = slot_data(slot);
		fill(row->load, data, row->position, size);
		row->position += size;
	}
	slot->proc = USBIP_BULK;
	slot->args.bulk.submit.pipe = row->endpoint;
	set_buffer(&slot->args.bulk.buffer, data, size);
	load_send(slot);
}

static void send_interrupt(struct load_slot *slot, uint32_t size)
{
	slot->proc = USBIP_INTERRUPT;
	slot->args.interrupt.submit.pipe = slot->row->endpoint;
	slot->args.interrupt.interval = 4;
	set_buffer(&slot->args.interrupt.buffer, NULL, size);
	load_send(slot);
}

static void send_isoc(struct load_slot *slot)
{
	struct load_row *row = slot->row;
	usbip_isoc_args *args = &slot->args.isoc;
	uint8_t *data = NULL;

	if (!slot->packets)
		slot->packets = calloc(PACKETS, sizeof(*slot->packets));
	for (unsigned int i = 0; i < PACKETS; i++)
		slot->packets[i] = PACKET;
	if (!(row->endpoint & 0x80)) {
		data = slot_data(slot);
		for (unsigned int i = 0; i < PACKETS; i++)
			isoc_fill(data + i * PACKET, PACKET,
				  row->position + i);
		row->position += PACKETS;
	}
	slot->proc = USBIP_ISOC;
	args->submit.pipe = row->endpoint | USBIP_PIPE_ISO_ASAP;
	args->interval = 1;
	args->start_frame = 0;
	args->packets.packets_len = PACKETS;
	args->packets.packets_val = slot->packets;
	set_buffer(&args->buffer, data, PACKETS * PACKET);
	load_send(slot);
}

/* data: of OUT; NULL: IN. */
static void send_control(struct load_slot *slot, uint8_t request,
			 unsigned int value, unsigned int index, uint8_t *data,
			 uint32_t length)
{
	uint8_t *setup = (uint8_t *)slot->args.control.setup;

	setup[0] = data ? 0x40 : 0xc0;
	setup[1] = request;
	setup[2] = value & 0xff;
	setup[3] = value >> 8;
	setup[4] = index;
	setup[5] = 0;
	setup[6] = length & 0xff;
	setup[7] = length >> 8;
	slot->proc = USBIP_CONTROL;
	slot->args.control.submit.pipe = 0;
	set_buffer(&slot->args.control.buffer, data, length);
	load_send(slot);
}

static void keep_or_give_back(struct load_slot *slot)
{
	struct load *l = slot->row->load;
	uint32_t length = 1 + l->step / 2 % sizeof(l->kept);

	if (l->step++ % 2) {
		send_control(slot, GIVE_BACK, 0, 0, NULL, length);
		return;
	}
	fill(l, l->kept, l->n, length);
	memcpy(slot_data(slot), l->kept, length);
	send_control(slot, KEEP, 0, 0, slot_data(slot), length);
}

static uint8_t key_of(const struct load *l)
{
	return 4 + l->step % 90;
}

static void submit_row0(struct load *l)
{
	struct load_slot *slot;

	if (l->kind == LOAD_KIND_KEYS && l->typed)
		return;
	if (l->kind == LOAD_KIND_ISOC && l->n % LOOKS)
		return;
	if (l->kind != LOAD_KIND_CONTROL && l->kind != LOAD_KIND_KEYS &&
	    l->kind != LOAD_KIND_ISOC)
		return;
	slot = load_slot(&l->rows[0]);
	if (!slot)
		return;
	if (l->kind == LOAD_KIND_CONTROL) {
		keep_or_give_back(slot);
	} else if (l->kind == LOAD_KIND_ISOC) {
		send_control(slot, COUNTS, 0, 0x01, NULL, 12);
	} else {
		l->typed = load_now_us();
		send_control(slot, TYPE, key_of(l), 0, slot_data(slot), 0);
	}
}

static void submit_slot(struct load_slot *slot)
{
	switch (slot->row->load->kind) {
	case LOAD_KIND_SOURCE:
	case LOAD_KIND_SINK:
		send_bulk(slot, DATA_MAX);
		break;
	case LOAD_KIND_LOOP:
		/* the device keeps 64 KiB */
		send_bulk(slot, 8192);
		break;
	case LOAD_KIND_INTERRUPT:
		send_interrupt(slot, 64);
		break;
	case LOAD_KIND_ISOC:
		send_isoc(slot);
		break;
	case LOAD_KIND_KEYS:
		send_interrupt(slot, 8);
		break;
	case LOAD_KIND_CONTROL:
	case LOAD_KINDS:
		break;
	}
}

void load_submit(struct load *l)
{
	struct load_slot *slot;

	for (int i = 1; i < LOAD_ROWS; i++)
		while (l->rows[i].depth && (slot = load_slot(&l->rows[i])))
			submit_slot(slot);
	submit_row0(l);
}

bool load_prepare(struct load *l)
{
	bool loop = l->kind == LOAD_KIND_LOOP;
	struct load_slot *slot;

	l->rows[0].depth = 1;
	for (int i = 1; i < LOAD_ROWS; i++) {
		l->rows[i].endpoint = rows[l->kind][i - 1].endpoint;
		l->rows[i].depth = rows[l->kind][i - 1].depth;
	}
	l->typed = 0;
	if (l->step++ || (!loop && l->kind != LOAD_KIND_ISOC)) {
		l->step = 0;
		return false;
	}
	slot = load_slot(&l->rows[0]);
	slot->args.configuration.submit.pipe = 0;
	slot->args.interface.interface_number = 0;
	slot->args.interface.alternate = 1;
	if (loop)
		slot->args.configuration.configuration = 2;
	slot->proc = loop ? USBIP_SET_CONFIGURATION : USBIP_SET_INTERFACE;
	load_send(slot);
	return true;
}

/* ---- answers ------------------------------------------------------------ */

/* It was released, and ended in whatever way. */
static bool is_ending(const struct load *l)
{
	return l->state == LOAD_STATE_RELEASING;
}

static void check_key(struct load *l, const uint8_t *report, uint32_t n)
{
	bool down = l->rows[1].position++ % 2 == 0;

	if (n != 8 || report[2] != (down ? key_of(l) : 0)) {
		load_fail(l, "a report of %u bytes, key %u", n, report[2]);
		return;
	}
	if (down)
		return;
	l->step++;
	if (l->latency)
		l->latency(l, load_now_us() - l->typed);
	l->typed = 0;
}

/* The data of a bulk or interrupt IN transfer. */
static void check_in(struct load_slot *slot, const uint8_t *data, uint32_t n)
{
	struct load_row *row = slot->row;
	struct load *l = row->load;

	if (l->kind == LOAD_KIND_KEYS) {
		check_key(l, data, n);
		return;
	}
	if (l->kind == LOAD_KIND_LOOP) {
		if (!n || !is_right(l, data, row->position, n))
			load_fail(l, "wrong data at byte %llu",
				  (unsigned long long)row->position);
		row->position += n;
		return;
	}
	if (!is_zero(data, n) || (slot->proc == USBIP_INTERRUPT && n != 64) ||
	    (slot->proc == USBIP_BULK &&
	     n != slot->args.bulk.buffer.usbip_buffer_u.length))
		load_fail(l, "wrong data from a source, %u bytes", n);
}

/* What CONTROL gets back, and what ISOC's device has counted. */
static void check_control(struct load_slot *slot, const uint8_t *data,
			  uint32_t n)
{
	struct load *l = slot->row->load;
	uint32_t wrong;

	if (l->kind == LOAD_KIND_CONTROL &&
	    (n != (uint32_t)(slot->args.control.setup[6] & 0xff) +
		  ((slot->args.control.setup[7] & 0xff) << 8) ||
	     memcmp(data, l->kept, n)))
		load_fail(l, "not what was kept");
	if (l->kind != LOAD_KIND_ISOC)
		return;
	wrong = n == 12 ? data[4] | data[5] << 8 | data[6] << 16 |
			  (uint32_t)data[7] << 24 : UINT32_MAX;
	if (wrong)
		load_fail(l, "%u wrong packets at the device", wrong);
}

static void check_transfer(struct load_slot *slot)
{
	const usbip_transfer_res *res = &slot->res.transfer;
	const usbip_done_data *with = &res->usbip_transfer_res_u.done_data;
	const usbip_done *done = &res->usbip_transfer_res_u.done;
	struct load *l = slot->row->load;
	bool has_data = res->status == USBIP_OK_DATA;
	usbip_xfer xfer = has_data ? with->xfer : done->xfer;

	if (is_ending(l))
		return;
	if ((!has_data && res->status != USBIP_OK) || xfer) {
		load_fail(l, "endpoint %02x no. %u: status %d, transfer %d",
			  slot->row->endpoint, slot->number, res->status, xfer);
		return;
	}
	if (has_data && slot->proc == USBIP_CONTROL)
		check_control(slot, (uint8_t *)with->data.usbip_data_val,
			      with->data.usbip_data_len);
	else if (has_data)
		check_in(slot, (uint8_t *)with->data.usbip_data_val,
			 with->data.usbip_data_len);
	else if (slot->proc == USBIP_BULK &&
		 slot->args.bulk.buffer.type == USBIP_BUFFER_OUT &&
		 done->actual != slot->args.bulk.buffer.usbip_buffer_u.data.usbip_data_len)
		load_fail(l, "%u bytes went out", done->actual);
}

static void check_packets(struct load_slot *slot)
{
	const usbip_isoc_ok *ok = &slot->res.isoc.usbip_isoc_res_u.done;
	const uint8_t *data = (uint8_t *)ok->data.usbip_data_val;
	struct load_row *row = slot->row;
	bool in = row->endpoint & 0x80;

	if (ok->packets.packets_len != PACKETS ||
	    ok->data.usbip_data_len != (in ? PACKETS * PACKET : 0)) {
		load_fail(row->load, "%u packets, %u bytes",
			  ok->packets.packets_len, ok->data.usbip_data_len);
		return;
	}
	for (unsigned int i = 0; i < PACKETS; i++) {
		const usbip_packet *p = &ok->packets.packets_val[i];

		if (p->xfer || p->actual != PACKET ||
		    (in && !isoc_is(data + i * PACKET, PACKET,
				    row->position + i)))
			load_fail(row->load, "packet %u: %d, %u bytes", i,
				  p->xfer, p->actual);
	}
	if (in)
		row->position += PACKETS;
}

void load_check(struct load_slot *slot)
{
	struct load *l = slot->row->load;

	l->n++;
	if (slot->proc == USBIP_ISOC) {
		if (!is_ending(l) && slot->res.isoc.status)
			load_fail(l, "isochronous: status %d",
				  slot->res.isoc.status);
		else if (!is_ending(l))
			check_packets(slot);
		xdr_free((xdrproc_t)xdr_usbip_isoc_res, (char *)&slot->res.isoc);
		return;
	}
	if (slot->proc == USBIP_SET_CONFIGURATION ||
	    slot->proc == USBIP_SET_INTERFACE) {
		if (slot->res.state.status ||
		    slot->res.state.usbip_state_res_u.done.xfer)
			load_fail(l, "preparing: status %d",
				  slot->res.state.status);
		return;
	}
	check_transfer(slot);
}
