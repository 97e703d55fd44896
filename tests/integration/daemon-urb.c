// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transfers over the wire: usbip-rpcd with fake devices, a real connection,
 * the rules of usbip.x. What was executed is asked of the device itself.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

/* Vendor requests and faults of the fake devices: backend_fake_control.c. */
#define FAULT 0xe1
#define DELAY 0xe2
#define TYPE_KEY 0xe4
#define STALL 1
#define SHORT 2
#define NO_ROOM 7

static struct caller_daemon d;

static void fill(uint8_t *data, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		data[i] = (i * 7 + (i >> 8) + seed) & 0xff;
}

/* ---- data --------------------------------------------------------------- */

static void test_loopback(struct caller *c)
{
	static const uint32_t sizes[] = { 1, 2, 3, 511, 512, 513, 4095, 4096,
					  4097, 16384, 65535, 65536 };
	uint8_t *out = malloc(65536), *in = malloc(65536);
	int xfer;

	ok(!caller_state(c, USBIP_SET_CONFIGURATION, 2, 0, &xfer),
	   "SET_CONFIGURATION to the loopback");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int n = sizes[i];

		fill(out, n, i);
		memset(in, 0xee, 65536);
		ok(caller_bulk(c, 0x01, out, n, &xfer) == n &&
		   caller_bulk(c, 0x81, in, n, &xfer) == n &&
		   !memcmp(in, out, n), "%d bytes there and back", n);
	}
	ok(caller_bulk(c, 0x01, NULL, 0, &xfer) == 0, "no byte at all");
	free(out);
	free(in);
}

static void test_control_data(struct caller *c)
{
	uint8_t out[8] = { 0x40, 0x5b, 0, 0, 0, 0, 0, 16 };	/* 4096 bytes */
	uint8_t in[8] = { 0xc0, 0x5c, 0, 0, 0, 0, 0, 16 };
	static uint8_t a[4096], b[4096];
	int xfer;

	fill(a, sizeof(a), 3);
	ok(caller_control(c, out, a, &xfer) == 4096 &&
	   caller_control(c, in, b, &xfer) == 4096 && !memcmp(a, b, 4096),
	   "4 KiB of control data there and back");
}

static void test_big(struct caller *c)
{
	size_t n = USBIP_DATA_MAX;
	uint8_t *data = malloc(n);
	int xfer;

	memset(data, 0xee, n);
	ok(caller_bulk(c, 0x81, data, n, &xfer) == (int)n && !data[0] &&
	   !data[n / 2] && !data[n - 1], "16 MiB in");
	ok(caller_bulk(c, 0x01, data, n, &xfer) == (int)n, "16 MiB out");
	free(data);
}

/* ---- numbers ------------------------------------------------------------ */

static void test_order(struct caller *c)
{
	struct caller_call calls[4];
	uint32_t base = c->numbers[0x01], seen[64];
	static const int order[] = { 3, 1, 0, 2 };
	uint8_t data[32] = { 0 };
	bool good = true;
	size_t n;
	int xfer;

	for (int i = 0; i < 4; i++)
		caller_submit_out(c, &calls[order[i]], 0x01, data, 32,
				  base + 1 + order[i]);
	for (int i = 0; i < 4; i++)
		good &= caller_result(&calls[i], NULL, 0, &xfer) == 32;
	c->numbers[0x01] = base + 4;
	ok(good, "numbers out of order are all answered");
	n = caller_executed(c, 0x01, seen, 64);
	good = n >= 4;
	for (int i = 0; good && i < 4; i++)
		good = seen[n - 4 + i] == base + 1 + i;
	ok(good, "and were executed in order");
	c->acked[0x01] = base + 4;
}

static unsigned int times(const uint32_t *seen, size_t n, uint32_t number)
{
	unsigned int k = 0;

	while (n--)
		k += seen[n] == number;
	return k;
}

static void test_duplicates(struct caller *c)
{
	struct caller_call first, again;
	uint32_t number = c->numbers[0x81] + 1, seen[64];
	uint8_t data[512];
	int xfer, late;

	caller_tell(c, DELAY, 200, 0x81);
	caller_submit_in(c, &first, 0x81, 512, number);
	caller_submit_in(c, &again, 0x81, 512, number);
	ok(caller_result(&first, NULL, 0, &xfer) == -2 &&
	   xfer == USBIP_IN_PROGRESS, "the first of two calls: IN_PROGRESS");
	ok(caller_result(&again, data, 512, &xfer) == 512,
	   "the second one has the reply");
	caller_submit_in(c, &again, 0x81, 512, number);
	ok(caller_result(&again, data, 512, &xfer) == 512,
	   "and it is kept until it is acknowledged");
	ok(caller_renew(c, 0x81, number) == USBIP_OK, "acknowledged by RENEW");
	caller_submit_in(c, &again, 0x81, 512, number);
	ok(caller_result(&again, NULL, 0, &late) == -2 && late == USBIP_STALE,
	   "then it is STALE");
	ok(times(seen, caller_executed(c, 0x81, seen, 64), number) == 1,
	   "the device saw it once");
	caller_tell(c, DELAY, 0, 0x81);
	c->numbers[0x81] = c->acked[0x81] = number;
}

/* The connection is lost; another one goes on, with everything sent again. */
static void test_reconnect(struct caller *c)
{
	struct caller_call lost[4], again[4];
	uint32_t base = c->numbers[0x01], seen[64];
	uint8_t *data = malloc(8192);
	static struct caller second;
	bool good = true;
	size_t n;
	int xfer;

	fill(data, 8192, 1);
	caller_tell(c, DELAY, 100, 0x01);
	for (int i = 0; i < 4; i++)
		caller_submit_out(c, &lost[i], 0x01, data, 8192, base + 1 + i);
	caller_run(c, 50, NULL);
	caller_open(&second, "127.0.0.1", d.port);
	second.session = c->session;
	memcpy(second.numbers, c->numbers, sizeof(c->numbers));
	memcpy(second.acked, c->acked, sizeof(c->acked));
	caller_close(c);
	*c = second;
	good &= caller_renew(c, 0, c->acked[0]) == USBIP_OK;
	for (int i = 0; i < 4; i++)
		caller_submit_out(c, &again[i], 0x01, data, 8192, base + 1 + i);
	for (int i = 0; i < 4; i++)
		good &= caller_result(&again[i], NULL, 0, &xfer) == 8192;
	ok(good, "sent again over another connection, all are answered");
	n = caller_executed(c, 0x01, seen, 64);
	for (int i = 0; i < 4; i++)
		good &= times(seen, n, base + 1 + i) == 1;
	ok(good, "each was executed once");
	c->numbers[0x01] = c->acked[0x01] = base + 4;
	caller_tell(c, DELAY, 0, 0x01);
	free(data);
}

static void test_window(struct caller *c)
{
	struct caller_call *calls = calloc(300, sizeof(*calls));
	unsigned int n_delay = 0, n_ok = 0, n_other = 0;
	uint8_t byte = 0;
	int xfer;

	/* a hole at the next number, so that nothing is executed */
	for (int i = 0; i < 300; i++)
		caller_submit_out(c, &calls[i], 0x01, &byte, 1,
				  c->numbers[0x01] + 2 + i);
	caller_run(c, 200, NULL);
	for (int i = 0; i < 300; i++)
		if (calls[i].done)
			n_delay += calls[i].res.transfer.status == USBIP_DELAY;
	/* what was kept of endpoint 0 is in the window, too */
	ok(n_delay >= 44 && n_delay < 60, "300 submits: %u are DELAY", n_delay);
	ok(caller_bulk(c, 0x01, &byte, 1, &xfer) == 1,
	   "the one that is missing is let in");
	for (int i = 0; i < 300; i++)
		if (caller_result(&calls[i], NULL, 0, &xfer) == 1)
			n_ok++;
		else if (xfer != USBIP_DELAY)
			n_other++;
	ok(n_ok == 300 - n_delay && !n_other, "all others are done");
	c->numbers[0x01] = c->acked[0x01] = c->numbers[0x01] + n_ok;
	caller_renew(c, 0x01, c->acked[0x01]);
	free(calls);
}

/* ---- unlink ------------------------------------------------------------- */

static void test_unlink(struct caller *k)
{
	struct caller_call a, b, report;
	uint8_t data[8] = { 0 };
	int xfer;

	caller_submit_interrupt(k, &a, 0x81, 8, 1);
	caller_submit_interrupt(k, &b, 0x81, 8, 2);
	caller_run(k, 50, NULL);
	ok(!a.done && !b.done, "an interrupt endpoint with nothing to tell waits");
	ok(caller_unlink(k, 0x81, 1) == USBIP_OK, "UNLINK is answered");
	ok(caller_result(&a, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "its submit is CANCELLED");
	caller_tell(k, TYPE_KEY, 4, 0);
	ok(caller_result(&b, data, 8, &xfer) == 8 && data[2] == 4,
	   "the next one brings the key");
	ok(caller_unlink(k, 0x81, 3) == USBIP_OK, "an UNLINK before its submit");
	caller_submit_interrupt(k, &a, 0x81, 8, 3);
	ok(caller_result(&a, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "the submit is CANCELLED at once");
	k->acked[0x81] = 3;
	caller_submit_interrupt(k, &report, 0x81, 8, 4);
	ok(caller_result(&report, data, 8, &xfer) == 8 && !data[2],
	   "and took no report: the next one has it");
	k->numbers[0x81] = k->acked[0x81] = 4;
	ok(caller_unlink(k, 0x70, 1) == USBIP_INVAL, "UNLINK of no endpoint");
}

/* ---- stop --------------------------------------------------------------- */

static void test_stall(struct caller *c)
{
	struct caller_call a, b;
	uint32_t n = c->numbers[0x81];
	int xfer;

	caller_tell(c, FAULT, STALL, 0x81);
	caller_submit_in(c, &a, 0x81, 512, n + 1);
	caller_submit_in(c, &b, 0x81, 512, n + 2);
	ok(caller_result(&a, NULL, 0, &xfer) == -1 && xfer == USBIP_XFER_STALL,
	   "a stall");
	caller_run(c, 100, NULL);
	ok(!b.done, "what is behind it waits");
	ok(!caller_state(c, USBIP_CLEAR_HALT, 0x81, 0, &xfer), "CLEAR_HALT");
	caller_run(c, 100, NULL);
	ok(!b.done, "still, for nothing was acknowledged");
	caller_renew(c, 0x81, n + 1);
	ok(caller_result(&b, NULL, 0, &xfer) == 512, "and goes on by the ack");
	c->numbers[0x81] = c->acked[0x81] = n + 2;
}

static void test_short(struct caller *c)
{
	struct caller_call a;
	uint8_t data[512];
	int xfer;

	caller_tell(c, FAULT, SHORT, 0x81);
	caller_submit_in(c, &a, 0x81, 512, 0);
	ok(caller_result(&a, data, 512, &xfer) == 256 && xfer == USBIP_XFER_OK,
	   "short is OK");
	c->acked[0x81] = c->numbers[0x81];
	caller_tell(c, FAULT, NO_ROOM, 0x81);
	ok(caller_bulk(c, 0x81, data, 512, &xfer) == 512,
	   "what the system has no room for is done a moment later");
}

/* ---- what is refused ---------------------------------------------------- */

static void test_refused(struct caller *c)
{
	static const struct {
		const char *name;
		uint8_t setup[8];
	} requests[] = {
		{ "SET_ADDRESS", { 0, 5, 7 } },
		{ "SET_CONFIGURATION", { 0, 9, 3 } },
		{ "SET_INTERFACE", { 1, 11 } },
		{ "CLEAR_FEATURE(ENDPOINT_HALT)", { 2, 1, 0, 0, 0x81 } },
	};
	static const uint8_t halt0[8] = { 2, 1 };
	struct caller_call call;
	int xfer;

	for (size_t i = 0; i < 4; i++) {
		ok(caller_control(c, requests[i].setup, NULL, &xfer) == -2 &&
		   xfer == USBIP_INVAL, "raw %s: INVAL", requests[i].name);
		c->acked[0] = c->numbers[0];	/* the number is used up */
	}
	ok(caller_control(c, halt0, NULL, &xfer) == 0, "endpoint 0's halt passes");
	caller_submit_in(c, &call, 0x81, UINT32_MAX, 0);
	ok(caller_result(&call, NULL, 0, &xfer) == -2 && xfer == USBIP_INVAL,
	   "4 GiB are INVAL");
	caller_submit_in(c, &call, 0x85, 64, 0);
	ok(caller_result(&call, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_SHUTDOWN, "an endpoint that is not there: SHUTDOWN");
	caller_submit_interrupt(c, &call, 0x81, 64, 0);
	ok(caller_result(&call, NULL, 0, &xfer) == -2 && xfer == USBIP_INVAL,
	   "INTERRUPT to a bulk endpoint: INVAL");
	c->acked[0x81] = c->numbers[0x81];
	ok(caller_state(c, USBIP_SET_CONFIGURATION, 77, 0, &xfer) == -2 &&
	   xfer == USBIP_INVAL, "a configuration that is not there: INVAL");
	ok(caller_state(c, USBIP_SET_INTERFACE, 3, 0, &xfer) == -2 &&
	   xfer == USBIP_INVAL, "a setting that is not there: INVAL");
	ok(caller_state(c, USBIP_CLEAR_HALT, 0x8f, 0, &xfer) == -2 &&
	   xfer == USBIP_INVAL, "CLEAR_HALT of no endpoint: INVAL");
}

static void submit_odd(struct caller *c, struct caller_call *call,
		       uint32_t pipe, usbip_buffer_type type)
{
	memset(call, 0, sizeof(*call));
	call->bulk.submit.session = c->session;
	call->bulk.submit.pipe = pipe;
	call->bulk.submit.acked = c->acked[pipe & 0xff];
	call->bulk.submit.number = ++c->numbers[pipe & 0xff];
	call->bulk.buffer.type = type;
	call->bulk.buffer.usbip_buffer_u.length = 8;
	caller_begin(c, call);
	usbip_bulk_1(&call->bulk, &call->res.transfer, rpcclnt_handle(c->clnt));
}

static void test_odd(struct caller *c)
{
	static const struct {
		const char *name;
		uint32_t pipe;
		usbip_buffer_type type;
		int want;
	} odd[] = {
		{ "an unknown flag", 0x81 | 0x8000, USBIP_BUFFER_IN, USBIP_INVAL },
		{ "ISO_ASAP", 0x81 | 0x400, USBIP_BUFFER_IN, USBIP_INVAL },
		{ "data of the wrong way", 0x01, USBIP_BUFFER_IN, USBIP_INVAL },
		{ "FETCHED, of an OUT endpoint", 0x01, USBIP_BUFFER_FETCHED,
		  USBIP_INVAL },
		{ "STAGED, of an IN endpoint", 0x81, USBIP_BUFFER_STAGED,
		  USBIP_INVAL },
	};
	struct caller_call call;
	int xfer;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		submit_odd(c, &call, odd[i].pipe, odd[i].type);
		caller_result(&call, NULL, 0, &xfer);
		ok(xfer == odd[i].want, "%s: %d", odd[i].name, xfer);
	}
	ok(caller_bulk(c, 0x81, NULL, 64, &xfer) == 64 &&
	   caller_bulk(c, 0x01, &call, 64, &xfer) == 64,
	   "the numbers go on behind all of that");
}

static void test_reset(struct caller *c)
{
	struct caller_call a;
	int xfer;

	caller_state(c, USBIP_SET_CONFIGURATION, 2, 0, &xfer);
	caller_submit_in(c, &a, 0x81, 512, 0);	/* an empty loop: it waits */
	caller_run(c, 50, NULL);
	ok(!a.done, "a transfer runs");
	ok(!caller_state(c, USBIP_RESET, 0, 0, &xfer), "RESET");
	ok(caller_result(&a, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "the transfer was CANCELLED for it");
	c->acked[0x81] = c->numbers[0x81];
	ok(!caller_state(c, USBIP_SET_CONFIGURATION, 3, 0, &xfer),
	   "and back to source and sink");
}

static void test_suspend(struct caller *c)
{
	struct caller_call a;
	int xfer;

	caller_state(c, USBIP_SET_CONFIGURATION, 2, 0, &xfer);
	caller_submit_in(c, &a, 0x81, 512, 0);	/* an empty loop: it waits */
	caller_run(c, 50, NULL);
	ok(!a.done && !caller_state(c, USBIP_SUSPEND, 0, 0, &xfer), "SUSPEND");
	ok(caller_result(&a, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "what runs is CANCELLED for it");
	c->acked[0x81] = c->numbers[0x81];
	ok(caller_bulk(c, 0x01, &a, 64, &xfer) == -1 && xfer == USBIP_XFER_IO,
	   "a device that sleeps answers nothing");
	ok(!caller_state(c, USBIP_RESUME, 0, 0, &xfer) &&
	   caller_bulk(c, 0x01, &a, 64, &xfer) == 64, "RESUME, and it does");
	ok(caller_state(c, USBIP_SUSPEND, 1, 0, &xfer) == -2 &&
	   xfer == USBIP_NOT_SUPPORTED, "with remote wakeup: NOT_SUPPORTED");
	ok(caller_bulk(c, 0x01, &a, 64, &xfer) == 64 &&
	   !caller_state(c, USBIP_SET_CONFIGURATION, 3, 0, &xfer),
	   "which leaves it awake");
	ok(!caller_state(c, USBIP_SUSPEND, 0, 0, &xfer) &&
	   !caller_state(c, USBIP_RESET, 0, 0, &xfer) &&
	   caller_bulk(c, 0x01, &a, 64, &xfer) == 64, "RESET wakes it");
}

int main(void)
{
	static struct caller c, k;

	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-2", 1, NULL) == USBIP_OK, "CLAIM of a gadget zero");
	test_big(&c);
	test_control_data(&c);
	test_order(&c);
	test_duplicates(&c);
	test_reconnect(&c);
	test_window(&c);
	test_stall(&c);
	test_short(&c);
	test_refused(&c);
	test_odd(&c);
	test_reset(&c);
	test_loopback(&c);
	test_suspend(&c);
	caller_open(&k, "127.0.0.1", d.port);
	ok(caller_claim(&k, "1-4", 2, NULL) == USBIP_OK, "CLAIM of a keyboard");
	test_unlink(&k);
	ok(caller_release(&c) == USBIP_OK, "RELEASE");
	caller_close(&c);
	caller_close(&k);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
