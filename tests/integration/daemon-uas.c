// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake disk that speaks UAS (server/backend_fake_uas.c), over the wire: at
 * super speed each command has a stream, several are under way at once and end
 * in the order that suits the disk; at high speed the disk says whose turn it
 * is. What the lab's job fake-uas relies on, without a driver.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

/* backend_fake_control.c */
#define FAULT 0xe1
#define COUNTS 0xe5
#define HANG 5

#define COMMAND 0x01
#define STATUS 0x81
#define DATA_IN 0x82
#define DATA_OUT 0x02

#define TAGS 32
#define BLOCK 512
#define CHECK_CONDITION 2

static struct caller_daemon d;
/* Of each endpoint (USB's number, and 16 for IN) and stream. */
static uint32_t numbers[32][TAGS + 1], acked[32][TAGS + 1];
/* Tags are streams here. */
static bool streams;

static unsigned int row_of(unsigned int endpoint)
{
	return (endpoint & 0x0f) | (endpoint & 0x80 ? 0x10 : 0);
}

static void submit(struct caller *c, struct caller_call *call,
		   uint8_t endpoint, unsigned int tag, const void *data,
		   uint32_t length)
{
	unsigned int stream = streams && endpoint != COMMAND ? tag : 0;
	usbip_buffer *buffer = &call->bulk.buffer;
	unsigned int row = row_of(endpoint);

	memset(&call->bulk, 0, sizeof(call->bulk));
	call->bulk.submit.session = c->session;
	call->bulk.submit.pipe = endpoint | stream << USBIP_PIPE_STREAM_SHIFT;
	call->bulk.submit.number = ++numbers[row][stream];
	call->bulk.submit.acked = acked[row][stream];
	if (endpoint & 0x80) {
		buffer->type = USBIP_BUFFER_IN;
		buffer->usbip_buffer_u.length = length;
	} else {
		buffer->type = USBIP_BUFFER_OUT;
		buffer->usbip_buffer_u.data.usbip_data_len = length;
		buffer->usbip_buffer_u.data.usbip_data_val =
			(char *)(uintptr_t)data;
	}
	caller_begin(c, call);
	usbip_bulk_1(&call->bulk, &call->res.transfer, rpcclnt_handle(c->clnt));
}

static int result(struct caller_call *call, void *data, size_t length,
		  int *xfer)
{
	const usbip_submit s = call->bulk.submit;
	int n = caller_result(call, data, length, xfer);

	acked[row_of(s.pipe & 0xff)][s.pipe >> USBIP_PIPE_STREAM_SHIFT] =
		s.number;
	return n;
}

static int alloc_streams(struct caller *c, unsigned int n)
{
	unsigned int endpoints[] = { STATUS, DATA_IN, DATA_OUT };
	usbip_streams_args args = {
		.submit = {
			.session = c->session,
			.number = ++c->numbers[0],
			.acked = c->acked[0],
		},
		.streams = n,
		.endpoints = { 3, endpoints },
	};
	struct caller_call call;

	caller_begin(c, &call);
	usbip_alloc_streams_1(&args, &call.res.state, rpcclnt_handle(c->clnt));
	if (caller_wait(&call))
		return -1;
	caller_end(&call, NULL);
	c->acked[0] = c->numbers[0];
	return call.res.state.status ? -1 :
	       (int)call.res.state.usbip_state_res_u.done.actual;
}

/* ---- UAS ---------------------------------------------------------------- */

/* One command, or task management: its status, and its data if it has any. */
struct task {
	unsigned int tag;
	struct caller_call iu, status, data;
	uint8_t bytes[32], sense[64];
};

static void wait_for_status(struct caller *c, struct task *t)
{
	submit(c, &t->status, STATUS, t->tag, NULL, sizeof(t->sense));
}

static void send_command(struct caller *c, struct task *t, const uint8_t *cdb,
			 size_t n_cdb)
{
	memset(t->bytes, 0, sizeof(t->bytes));
	t->bytes[0] = 0x01;
	t->bytes[3] = t->tag;
	memcpy(t->bytes + 16, cdb, n_cdb);
	wait_for_status(c, t);
	submit(c, &t->iu, COMMAND, 0, t->bytes, 32);
}

/* function of task management, for task `other` */
static void manage(struct caller *c, struct task *t, uint8_t function,
		   uint8_t other)
{
	memset(t->bytes, 0, sizeof(t->bytes));
	t->bytes[0] = 0x05;
	t->bytes[3] = t->tag;
	t->bytes[4] = function;
	t->bytes[7] = other;
	wait_for_status(c, t);
	submit(c, &t->iu, COMMAND, 0, t->bytes, 16);
}

/* READ(10), WRITE(10) of so many blocks. */
static void send_blocks(struct caller *c, struct task *t, bool write,
			uint8_t block, uint8_t n)
{
	const uint8_t cdb[10] = { write ? 0x2a : 0x28, 0, 0, 0, 0, block, 0, 0,
				  n };

	send_command(c, t, cdb, sizeof(cdb));
}

/* The IU that came for it, or -1. byte: how it is coded in there. */
static int status_of(struct task *t, uint8_t *iu, unsigned int *byte)
{
	int xfer, n = result(&t->status, t->sense, sizeof(t->sense), &xfer);

	*byte = 0xffff;
	*iu = n > 0 ? t->sense[0] : 0;
	if (n < 4 || (streams && t->sense[3] != t->tag))
		return -1;
	if (*iu == 0x03 && n >= 16)
		*byte = t->sense[6];
	else if (*iu == 0x04 && n == 8)
		*byte = t->sense[7];
	return result(&t->iu, NULL, 0, &xfer) > 0 ? n : -1;
}

/* It ended with a SENSE IU of this status. */
static bool ended(struct task *t, unsigned int status)
{
	unsigned int byte;
	uint8_t iu;

	return status_of(t, &iu, &byte) >= 16 && iu == 0x03 && byte == status;
}

/* It was answered by a RESPONSE IU with this code. */
static bool answered(struct task *t, unsigned int code)
{
	unsigned int byte;
	uint8_t iu;

	return status_of(t, &iu, &byte) == 8 && iu == 0x04 && byte == code;
}

static void ask_counts(struct caller *c, uint32_t *counts)
{
	const uint8_t setup[8] = { 0xc0, COUNTS, 0, 0, 0, 0, 12, 0 };
	uint8_t data[12] = { 0 };
	int xfer;

	caller_control(c, setup, data, &xfer);
	for (int i = 0; i < 3; i++)
		counts[i] = data[4 * i] | data[4 * i + 1] << 8;
}

/* ---- */

static void fill(uint8_t *data, size_t n, unsigned int tag)
{
	for (size_t i = 0; i < n; i++)
		data[i] = tag * 37 + i * 3 + i / BLOCK;
}

static void test_inquiry(struct caller *c)
{
	static const uint8_t inquiry[] = { 0x12, 0, 0, 0, 96, 0 };
	static const uint8_t page[] = { 0x12, 1, 0xb0, 0, 96, 0 };
	static struct task t = { .tag = 1 };
	uint8_t data[96];
	int xfer;

	submit(c, &t.data, DATA_IN, t.tag, NULL, sizeof(data));
	send_command(c, &t, inquiry, sizeof(inquiry));
	ok(result(&t.data, data, sizeof(data), &xfer) == 36 &&
	   !memcmp(data + 16, "Fake UAS Disk", 13) && data[7] & 2,
	   "INQUIRY: a disk that queues");
	ok(ended(&t, 0) && t.sense[15] == 0, "and its status is GOOD");
	send_command(c, &t, page, sizeof(page));
	ok(ended(&t, CHECK_CONDITION) && t.sense[15] == 18 &&
	   t.sense[16 + 2] == 5 && t.sense[16 + 12] == 0x24,
	   "a page that it has not: CHECK CONDITION, with sense data");
}

static void begin_all(struct caller *c, struct task *tasks, bool write)
{
	for (unsigned int tag = 1; tag <= TAGS; tag++) {
		tasks[tag].tag = tag;
		send_blocks(c, &tasks[tag], write, 2 * tag, 2);
	}
}

/* All tags at once, written and read again; data last for those that came
 * first, so that they end after the others. */
static void test_many(struct caller *c)
{
	static uint8_t data[TAGS + 1][2 * BLOCK], got[2 * BLOCK];
	static struct task tasks[TAGS + 1];
	uint32_t counts[3];
	bool good = true;
	int xfer;

	for (int write = 1; write >= 0; write--) {
		begin_all(c, tasks, write);
		for (unsigned int tag = TAGS; tag; tag--) {
			struct task *t = &tasks[tag];

			fill(data[tag], sizeof(data[tag]), tag);
			submit(c, &t->data, write ? DATA_OUT : DATA_IN, tag,
			       data[tag], sizeof(data[tag]));
			good &= result(&t->data, got, sizeof(got), &xfer) ==
				sizeof(got);
			good &= write || !memcmp(got, data[tag], sizeof(got));
			good &= ended(t, 0);
		}
	}
	ok(good, "%d writes at once, %d reads at once, all of it right", TAGS,
	   TAGS);
	ask_counts(c, counts);
	ok(counts[1] == TAGS, "%u were at the device at one time", counts[1]);
	ok(counts[2] >= 2 * (TAGS - 1), "and %u overtook an earlier one",
	   counts[2]);
}

static void test_refused(struct caller *c)
{
	static struct task a = { .tag = 3 }, b = { .tag = 4 };
	uint8_t byte = 0;
	int xfer;

	memset(b.bytes, 0, sizeof(b.bytes));
	b.bytes[0] = 0x01;
	b.bytes[3] = b.tag;
	b.bytes[9] = 1;
	wait_for_status(c, &b);
	submit(c, &b.iu, COMMAND, 0, b.bytes, 32);
	ok(answered(&b, 0x09), "another logical unit: INCORRECT LUN");
	send_blocks(c, &a, false, 250, 0);
	manage(c, &b, 0x99, 0);
	ok(answered(&b, 0x04), "an unknown function: NOT SUPPORTED");
	ok(ended(&a, 0), "a command meanwhile is not hurt");
	send_blocks(c, &a, false, 0, 1);
	b.tag = 3;
	memset(b.bytes, 0, sizeof(b.bytes));
	b.bytes[0] = 0x01;
	b.bytes[3] = b.tag;
	submit(c, &b.iu, COMMAND, 0, b.bytes, 32);
	ok(answered(&a, 0x0a) && result(&b.iu, NULL, 0, &xfer) == 32,
	   "a tag twice: OVERLAPPED TAG, and no status beside");
	submit(c, &b.iu, COMMAND, 0, &byte, 1);
	ok(result(&b.iu, NULL, 0, &xfer) == -1 && xfer == USBIP_XFER_STALL,
	   "what is no IU: STALL");
	ok(!caller_state(c, USBIP_CLEAR_HALT, COMMAND, 0, &xfer), "CLEAR_HALT");
}

/* A command whose data nobody fetches stays there. */
static void test_abort(struct caller *c)
{
	static struct task a = { .tag = 5 }, m = { .tag = 6 };
	int xfer;

	send_blocks(c, &a, false, 0, 1);
	manage(c, &m, 0x80, 5);
	ok(answered(&m, 0x08), "QUERY TASK: it is there");
	manage(c, &m, 0x01, 5);
	ok(answered(&m, 0x00), "ABORT TASK");
	manage(c, &m, 0x80, 5);
	ok(answered(&m, 0x00), "QUERY TASK: it is not");
	ok(result(&a.iu, NULL, 0, &xfer) == 32 && !a.status.done,
	   "its command was taken, and has no status");
	submit(c, &a.data, DATA_IN, 5, NULL, BLOCK);
	submit(c, &a.iu, COMMAND, 0, a.bytes, 32);
	ok(result(&a.data, NULL, 0, &xfer) == BLOCK && ended(&a, 0),
	   "the next one with its tag has");
}

/* What a driver does: time-out, RESET, again. */
static void test_hang(struct caller *c)
{
	static struct task a = { .tag = 7 }, b = { .tag = 8 };
	static const uint8_t ready[6] = { 0 };
	int xfer;

	caller_tell(c, FAULT, HANG, STATUS);
	send_command(c, &a, ready, sizeof(ready));
	caller_run(c, 200, &a.iu.done);
	send_command(c, &b, ready, sizeof(ready));
	ok(ended(&b, 0) && !a.status.done, "one command hangs, others do not");
	ok(!caller_state(c, USBIP_RESET, 0, 0, &xfer), "RESET");
	ok(result(&a.status, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "its status is CANCELLED");
	result(&a.iu, NULL, 0, &xfer);
	ok(alloc_streams(c, 256) == TAGS, "streams again");
	send_command(c, &a, ready, sizeof(ready));
	ok(ended(&a, 0), "and the same tag");
}

static void test_super(void)
{
	static struct caller c;

	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "2-1", 1, NULL) == USBIP_OK,
	   "CLAIM at super speed");
	ok(alloc_streams(&c, 256) == TAGS, "256 streams wanted, %d granted",
	   TAGS);
	streams = true;
	test_inquiry(&c);
	test_many(&c);
	test_refused(&c);
	test_abort(&c);
	test_hang(&c);
	ok(caller_release(&c) == USBIP_OK, "RELEASE");
	caller_close(&c);
}

/* The next IU, of any tag, as there are no streams: its id, or -1. */
static int next_iu(struct caller *c, struct task *t)
{
	int xfer, n;

	wait_for_status(c, t);
	n = result(&t->status, t->sense, sizeof(t->sense), &xfer);
	return n < 4 ? -1 : t->sense[0];
}

/* A turn of some task: READY, its data, its status. */
static bool takes_turn(struct caller *c, bool write, uint8_t *data)
{
	static struct task t;
	uint8_t tag;
	int xfer;

	if (next_iu(c, &t) != (write ? 0x07 : 0x06))
		return false;
	tag = t.sense[3];
	submit(c, &t.data, write ? DATA_OUT : DATA_IN, 0, data, BLOCK);
	return result(&t.data, write ? NULL : data, BLOCK, &xfer) == BLOCK &&
	       next_iu(c, &t) == 0x03 && t.sense[3] == tag && !t.sense[6];
}

static void begin_blocks(struct caller *c, struct task *t, unsigned int tag,
			 bool write)
{
	const uint8_t iu[32] = { 0x01, 0, 0, tag, [16] = write ? 0x2a : 0x28,
				 [21] = 9, [24] = 1 };
	int xfer;

	memcpy(t->bytes, iu, sizeof(iu));
	submit(c, &t->iu, COMMAND, 0, t->bytes, sizeof(iu));
	ok(result(&t->iu, NULL, 0, &xfer) == 32, "a command with tag %u", tag);
}

/* Without streams the disk says whose data is next. */
static void test_high(void)
{
	static uint8_t data[BLOCK], got[2][BLOCK];
	static struct caller c;
	static struct task t;

	streams = false;
	memset(numbers, 0, sizeof(numbers));
	memset(acked, 0, sizeof(acked));
	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-1", 2, NULL) == USBIP_OK, "CLAIM at high speed");
	begin_blocks(&c, &t, 1, true);
	fill(data, sizeof(data), 1);
	ok(takes_turn(&c, true, data), "WRITE READY, data, GOOD");
	begin_blocks(&c, &t, 1, false);
	begin_blocks(&c, &t, 2, false);
	ok(takes_turn(&c, false, got[0]) && takes_turn(&c, false, got[1]),
	   "two at once: READ READY, data, GOOD of the one, then of the other");
	ok(!memcmp(got[0], data, BLOCK) && !memcmp(got[1], data, BLOCK),
	   "what was written");
	begin_blocks(&c, &t, 3, false);
	ok(caller_release(&c) == USBIP_OK, "RELEASE with a command under way");
	caller_close(&c);
}

int main(void)
{
	static const char script[] = "device 2-1 uas serial=UAS-SS size=1\n"
				     "device 1-1 uas speed=high size=1\n";

	caller_daemon_start(&d, "* *\n", script, NULL);
	test_super();
	test_high();
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
