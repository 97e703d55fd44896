// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a transfer may end, by a table: what the device does, what the wire says
 * of it, whether the endpoint stops there, and that the session goes on. The
 * fake devices fail on demand (backend_fake_control.c).
 */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define FAULT 0xe1
#define DELAY 0xe2		/* here: nothing, and back */
#define LENGTH 512

enum fault {
	NONE, STALL, SHORT, IO, OVERFLOW, HANG, NO_ROOM = 7, PARTIAL, CUT,
	SHUTDOWN, NO_MEMORY, INVAL,
};

/* Who ends what does not end by itself. */
enum ender { ITSELF, UNLINK, CLEAR_HALT, SET_INTERFACE, RESET, CONFIGURATION };

#define BULK_IN 0x81
#define BULK_OUT 0x01
#define INT_IN 0x82
#define INT_OUT 0x02

static const struct end {
	const char *name;
	uint8_t endpoint;
	enum fault fault;
	enum ender ender;
	uint32_t flags;
	int xfer;		/* or the call's status, where -2 is wanted */
	int actual;		/* -2: the call is refused */
	bool stops;
} ends[] = {
	/* by itself */
	{ "all of it", BULK_IN, NONE, .actual = LENGTH },
	{ "all of it, out", BULK_OUT, NONE, .actual = LENGTH },
	{ "out, and an empty packet behind it", BULK_OUT, NONE, ITSELF,
	  USBIP_PIPE_ZERO_PACKET, .actual = LENGTH },
	{ "short", BULK_IN, SHORT, .actual = LENGTH / 2 },
	{ "short where it must not be", BULK_IN, SHORT, ITSELF,
	  USBIP_PIPE_SHORT_NOT_OK, .actual = LENGTH / 2, .stops = true },
	{ "short where it must not be, interrupt", INT_IN, SHORT, ITSELF,
	  USBIP_PIPE_SHORT_NOT_OK, .actual = LENGTH / 2, .stops = true },
	{ "not short where it must not be", BULK_IN, NONE, ITSELF,
	  USBIP_PIPE_SHORT_NOT_OK, .actual = LENGTH },
	{ "stall", BULK_IN, STALL, .xfer = USBIP_XFER_STALL, .stops = true },
	{ "stall, out", BULK_OUT, STALL, .xfer = USBIP_XFER_STALL,
	  .stops = true },
	{ "stall, interrupt", INT_IN, STALL, .xfer = USBIP_XFER_STALL,
	  .stops = true },
	{ "stall, interrupt out", INT_OUT, STALL, .xfer = USBIP_XFER_STALL,
	  .stops = true },
	{ "overflow", BULK_IN, OVERFLOW, .xfer = USBIP_XFER_OVERFLOW,
	  .actual = LENGTH, .stops = true },
	{ "bus error", BULK_IN, IO, .xfer = USBIP_XFER_IO, .stops = true },
	{ "bus error, out", BULK_OUT, IO, .xfer = USBIP_XFER_IO, .stops = true },
	{ "bus error in the middle", BULK_IN, PARTIAL, .xfer = USBIP_XFER_IO,
	  .actual = LENGTH / 2, .stops = true },
	{ "bus error in the middle, out", BULK_OUT, PARTIAL,
	  .xfer = USBIP_XFER_IO, .actual = LENGTH / 2, .stops = true },
	{ "no endpoint, for the host", BULK_IN, SHUTDOWN,
	  .xfer = USBIP_XFER_SHUTDOWN, .stops = true },
	{ "no memory at the target", BULK_IN, NO_MEMORY,
	  .xfer = USBIP_XFER_NO_MEMORY, .stops = true },
	{ "no memory for the moment", BULK_IN, NO_ROOM, .actual = LENGTH },
	{ "what can not be carried out", BULK_IN, INVAL, .xfer = USBIP_INVAL,
	  .actual = -2 },
	/* unlinked: what is behind is at the device, and stays there */
	{ "unlinked", BULK_IN, HANG, UNLINK, .xfer = USBIP_XFER_CANCELLED },
	{ "unlinked in the middle", BULK_IN, CUT, UNLINK,
	  .xfer = USBIP_XFER_CANCELLED, .actual = LENGTH / 2 },
	{ "unlinked in the middle, out", BULK_OUT, CUT, UNLINK,
	  .xfer = USBIP_XFER_CANCELLED, .actual = LENGTH / 2 },
	{ "unlinked in the middle, interrupt", INT_IN, CUT, UNLINK,
	  .xfer = USBIP_XFER_CANCELLED, .actual = LENGTH / 2 },
	/* drained, with what is behind: never OK with 0 bytes, never as if the device had gone */
	{ "drained for CLEAR_HALT", BULK_IN, CUT, CLEAR_HALT,
	  .xfer = USBIP_XFER_CANCELLED, .actual = LENGTH / 2 },
	{ "drained for SET_INTERFACE", BULK_IN, HANG, SET_INTERFACE,
	  .xfer = USBIP_XFER_CANCELLED },
	{ "drained for SET_INTERFACE, in the middle", BULK_IN, CUT,
	  SET_INTERFACE, .xfer = USBIP_XFER_CANCELLED, .actual = LENGTH / 2 },
	{ "drained for RESET", BULK_OUT, CUT, RESET,
	  .xfer = USBIP_XFER_CANCELLED, .actual = LENGTH / 2 },
	{ "drained for SET_CONFIGURATION", INT_IN, HANG, CONFIGURATION,
	  .xfer = USBIP_XFER_CANCELLED },
};

static struct caller_daemon d;

static void submit(struct caller *c, struct caller_call *call,
		   const struct end *end, uint32_t flags)
{
	static uint8_t zeros[LENGTH];
	usbip_buffer buffer = { .type = USBIP_BUFFER_OUT };
	usbip_submit s = {
		.session = c->session,
		.pipe = end->endpoint | flags,
		.number = ++c->numbers[end->endpoint],
		.acked = c->acked[end->endpoint],
	};
	CLIENT *clnt = rpcclnt_handle(c->clnt);

	if (end->endpoint & 0x80) {
		buffer.type = USBIP_BUFFER_IN;
		buffer.usbip_buffer_u.length = LENGTH;
	} else {
		buffer.usbip_buffer_u.data.usbip_data_len = LENGTH;
		buffer.usbip_buffer_u.data.usbip_data_val = (char *)zeros;
	}
	caller_begin(c, call);
	if ((end->endpoint & 0x0f) == 1) {
		call->bulk = (usbip_bulk_args){ s, buffer };
		usbip_bulk_1(&call->bulk, &call->res.transfer, clnt);
	} else {
		call->interrupt = (usbip_interrupt_args){ s, 4, buffer };
		usbip_interrupt_1(&call->interrupt, &call->res.transfer, clnt);
	}
}

/* The transfer of this end has come so far that only `ender` ends it. */
static void bring_to_end(struct caller *c, const struct end *end,
			 uint32_t number)
{
	int xfer = 0;

	switch (end->ender) {
	case ITSELF:
		return;
	case UNLINK:
		caller_unlink(c, end->endpoint, number);
		return;
	case CLEAR_HALT:
		caller_state(c, USBIP_CLEAR_HALT, end->endpoint, 0, &xfer);
		break;
	case SET_INTERFACE:
		caller_state(c, USBIP_SET_INTERFACE, 0, 0, &xfer);
		break;
	case RESET:
		caller_state(c, USBIP_RESET, 0, 0, &xfer);
		break;
	case CONFIGURATION:
		caller_state(c, USBIP_SET_CONFIGURATION, 3, 0, &xfer);
		break;
	}
	if (xfer)
		printf("# the state call: %d\n", xfer);
}

static bool is_data(const uint8_t *data, int n)
{
	for (int i = 0; i < n; i++)
		if (data[i] != 0xfa)
			return false;
	return true;
}

/* Acknowledged, the endpoint works. */
static void go_on(struct caller *c, const struct end *end)
{
	struct caller_call call;
	int xfer;

	c->acked[end->endpoint] = c->numbers[end->endpoint];
	submit(c, &call, end, 0);
	ok(caller_result(&call, NULL, 0, &xfer) == LENGTH,
	   "%s: and the next one is done", end->name);
	c->acked[end->endpoint] = c->numbers[end->endpoint];
}

static void test_end(struct caller *c, const struct end *end)
{
	bool fails = end->fault != NONE && end->fault != NO_ROOM;
	struct caller_call first, behind;
	uint8_t data[LENGTH] = { 0 };
	uint32_t number;
	bool waits;
	int n, xfer;

	caller_tell(c, FAULT, end->fault, end->endpoint);
	submit(c, &first, end, end->flags);
	number = c->numbers[end->endpoint];
	/* the control transfer comes back behind the fault */
	if (end->ender != ITSELF)
		caller_tell(c, DELAY, 0, end->endpoint);
	submit(c, &behind, end, 0);
	bring_to_end(c, end, number);
	n = caller_result(&first, data, LENGTH, &xfer);
	if (xfer != USBIP_XFER_OK && n == -1)
		n = first.res.transfer.status == USBIP_OK_DATA ?
			(int)first.res.transfer.usbip_transfer_res_u.done_data
				.data.usbip_data_len :
			(int)first.res.transfer.usbip_transfer_res_u.done.actual;
	ok(n == end->actual && xfer == end->xfer, "%s: %d, %d bytes", end->name,
	   xfer, n);
	if (n > 0 && fails && end->endpoint & 0x80)
		ok(is_data(data, n), "%s: with its data", end->name);
	if (end->ender > UNLINK) {
		ok(caller_result(&behind, NULL, 0, &xfer) == -1 &&
		   xfer == USBIP_XFER_CANCELLED, "%s: so is what is behind",
		   end->name);
		go_on(c, end);
		return;
	}
	/* a round trip is time enough for what does not wait */
	caller_tell(c, DELAY, 0, end->endpoint);
	if (!end->stops)
		caller_run(c, 5000, &behind.done);
	waits = !behind.done;
	ok(waits == end->stops, "%s: what is behind %s", end->name,
	   end->stops ? "waits" : "goes on");
	if (end->fault == STALL)
		caller_state(c, USBIP_CLEAR_HALT, end->endpoint, 0, &xfer);
	caller_renew(c, end->endpoint, number);
	ok(caller_result(&behind, NULL, 0, &xfer) == LENGTH,
	   "%s: and then is done", end->name);
	c->acked[end->endpoint] = c->numbers[end->endpoint];
}

/* Endpoint 0 has no stop; its requests fail one by one. */
static void test_control(struct caller *c)
{
	static const struct {
		const char *name;
		enum fault fault;
		int xfer, n;
	} cases[] = {
		{ "stall", STALL, USBIP_XFER_STALL, -1 },
		{ "bus error", IO, USBIP_XFER_IO, -1 },
		{ "short", SHORT, USBIP_XFER_OK, 9 },
		{ "overflow", OVERFLOW, USBIP_XFER_OVERFLOW, -1 },
		{ "what can not be carried out", INVAL, USBIP_INVAL, -2 },
		{ "no memory", NO_MEMORY, USBIP_XFER_NO_MEMORY, -1 },
	};
	static const uint8_t get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	struct caller_call a, b;
	uint8_t data[18];
	int n, xfer;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		caller_tell(c, FAULT, cases[i].fault, 0);
		caller_submit_control(c, &a, get_device, data, 0);
		caller_submit_control(c, &b, get_device, data, 0);
		n = caller_result(&a, NULL, 0, &xfer);
		ok(n == cases[i].n && xfer == cases[i].xfer,
		   "control: %s: %d", cases[i].name, xfer);
		ok(caller_result(&b, data, 18, &xfer) == 18 && data[0] == 18,
		   "control: %s: the next one is done", cases[i].name);
		c->acked[0] = c->numbers[0];
	}
	caller_tell(c, FAULT, CUT, 0);
	caller_submit_control(c, &a, get_device, data, 0);
	caller_submit_control(c, &b, get_device, data, 0);
	caller_bulk(c, BULK_OUT, data, 1, &xfer);	/* a is under way */
	caller_unlink(c, 0, c->numbers[0] - 1);
	caller_result(&a, NULL, 0, &xfer);
	ok(xfer == USBIP_XFER_CANCELLED && a.res.transfer.status == USBIP_OK_DATA,
	   "control: unlinked in the middle, with its data");
	ok(caller_result(&b, data, 18, &xfer) == 18, "control: and the next one");
	c->acked[0] = c->numbers[0];
}

int main(void)
{
	static struct caller c;

	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-2", 1, NULL) == USBIP_OK, "CLAIM");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		test_end(&c, &ends[i]);
	test_control(&c);
	ok(caller_release(&c) == USBIP_OK, "and after all that, the same session");
	caller_close(&c);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
