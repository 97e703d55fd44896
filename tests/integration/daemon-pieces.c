// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * STAGE and FETCH over the wire: data that goes by pieces, in any order and
 * more than once, is one URB to the device. By a stream and by datagrams.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

/* Vendor requests of the fake devices: backend_fake_control.c. */
#define DELAY 0xe2

#define PIECE 8192
#define N_PIECES 128
#define SIZE (N_PIECES * PIECE - 100)	/* the last one is short */

static struct caller_daemon d;

static void fill(uint8_t *data, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		data[i] = (i * 7 + (i >> 8) + seed) & 0xff;
}

static unsigned int times(struct caller *c, uint8_t endpoint, uint32_t number)
{
	uint32_t seen[64];
	size_t n = caller_executed(c, endpoint, seen, 64);
	unsigned int k = 0;

	while (n--)
		k += seen[n] == number;
	return k;
}

static uint32_t length_of(uint32_t offset, uint32_t total, uint32_t piece)
{
	return total - offset < piece ? total - offset : piece;
}

/* A piece, by its index. */
static usbip_stat stage(struct caller *c, uint32_t number, const uint8_t *data,
			unsigned int i)
{
	uint32_t offset = i * PIECE;

	return caller_stage(c, 0x01, number, offset, data + offset,
			    length_of(offset, SIZE, PIECE));
}

/* ---- there and back ----------------------------------------------------- */

static void test_out(struct caller *c, const uint8_t *data)
{
	uint32_t number = ++c->numbers[0x01];
	unsigned int before = times(c, 0x01, number);	/* by another session */
	static struct caller_call call;
	bool good = true;
	int xfer;

	/* in some order, each of them twice, the submit in the middle */
	for (unsigned int i = 0; i < N_PIECES - 1; i++) {
		unsigned int which = i * 7 % N_PIECES;

		if (i == N_PIECES / 2)
			caller_submit_pieces(c, &call, 0x01, SIZE, number);
		good &= stage(c, number, data, which) == USBIP_OK;
		good &= stage(c, number, data, which) == USBIP_OK;
	}
	ok(good, "pieces, out of order and twice");
	ok(!caller_run(c, 50, &call.done) &&
	   times(c, 0x01, number) == before,
	   "nothing is executed while one is missing");
	ok(stage(c, number, data, (N_PIECES - 1) * 7 % N_PIECES) == USBIP_OK &&
	   caller_result(&call, NULL, 0, &xfer) == SIZE, "with the last it is");
	ok(stage(c, number, data, 3) == USBIP_OK, "one more is ignored");
	ok(times(c, 0x01, number) == before + 1, "the device saw it once");
	caller_renew(c, 0x01, number);
	c->acked[0x01] = number;
	ok(stage(c, number, data, 3) == USBIP_STALE, "and then STALE");
}

static void test_in(struct caller *c, const uint8_t *data)
{
	uint32_t number = ++c->numbers[0x81], n;
	uint8_t *in = calloc(1, SIZE), *again = calloc(1, SIZE);
	static struct caller_call call;
	bool good = true;
	int xfer;

	caller_submit_pieces(c, &call, 0x81, SIZE + 64, number);
	ok(caller_result(&call, NULL, 0, &xfer) == SIZE &&
	   call.res.transfer.status == USBIP_OK,
	   "FETCHED is answered without its data");
	for (unsigned int i = 0; i < 2 * N_PIECES; i++) {
		uint32_t offset = i * 5 % N_PIECES * PIECE;
		uint8_t *to = i < N_PIECES ? in : again;

		n = PIECE;
		good &= caller_fetch(c, 0x81, number, offset, to + offset,
				     &n) == USBIP_OK;
		good &= n == length_of(offset, SIZE, PIECE);
	}
	ok(good && !memcmp(in, data, SIZE) && !memcmp(again, data, SIZE),
	   "which comes by pieces, as often as asked for");
	n = PIECE;
	ok(caller_fetch(c, 0x81, number, SIZE, in, &n) == USBIP_OK && !n,
	   "behind the last there is none");
	n = PIECE;
	ok(caller_fetch(c, 0x81, number, UINT32_MAX, in, &n) == USBIP_OK && !n,
	   "nor far behind it");
	caller_renew(c, 0x81, number);
	n = PIECE;
	ok(caller_fetch(c, 0x81, number, 0, in, &n) == USBIP_STALE,
	   "none once it is acknowledged: STALE");
	c->acked[0x81] = number;
	free(in);
	free(again);
}

static void test_running(struct caller *c)
{
	uint32_t number = ++c->numbers[0x81], n = 8;
	static struct caller_call call;
	uint8_t in[8], out[8] = "running";
	int xfer;

	caller_submit_pieces(c, &call, 0x81, 8, number);
	ok(caller_fetch(c, 0x81, number, 0, in, &n) == USBIP_IN_PROGRESS,
	   "FETCH of what runs: IN_PROGRESS");
	ok(caller_bulk(c, 0x01, out, 8, &xfer) == 8 &&
	   caller_result(&call, NULL, 0, &xfer) == 8, "it ends");
	n = 8;
	ok(caller_fetch(c, 0x81, number, 2, in, &n) == USBIP_OK && n == 6 &&
	   !memcmp(in, out + 2, 6), "and is there, from any offset on");
	c->acked[0x81] = number;
}

/* The same submit, once with pieces and once without: another connection. */
static void test_change(struct caller *c)
{
	static struct caller_call first, again;
	uint32_t out = ++c->numbers[0x01], in = ++c->numbers[0x81];
	uint8_t data[64] = "either way", back[64];
	int xfer;

	caller_submit_pieces(c, &first, 0x01, 64, out);
	caller_stage(c, 0x01, out, 32, data + 32, 32);
	caller_submit_out(c, &again, 0x01, data, 64, out);
	ok(caller_result(&again, NULL, 0, &xfer) == 64 &&
	   caller_result(&first, NULL, 0, &xfer) == -2 &&
	   xfer == USBIP_IN_PROGRESS && times(c, 0x01, out) == 1,
	   "OUT in place of STAGED");
	caller_submit_pieces(c, &first, 0x81, 64, in);
	ok(caller_result(&first, NULL, 0, &xfer) == 64, "FETCHED");
	caller_submit_in(c, &again, 0x81, 64, in);
	ok(caller_result(&again, back, 64, &xfer) == 64 &&
	   !memcmp(data, back, 64) && times(c, 0x81, in) == 1,
	   "IN in its place");
	c->acked[0x01] = out;
	c->acked[0x81] = in;
}

/* ---- endpoint 0 --------------------------------------------------------- */

static void submit_control(struct caller *c, struct caller_call *call,
			   const uint8_t *setup, usbip_buffer_type type)
{
	call->control.submit = (usbip_submit){
		c->session, 0, ++c->numbers[0], c->acked[0]
	};
	memcpy(call->control.setup, setup, 8);
	call->control.buffer.type = type;
	call->control.buffer.usbip_buffer_u.length = setup[6] | setup[7] << 8;
	caller_begin(c, call);
	usbip_control_1(&call->control, &call->res.transfer,
			rpcclnt_handle(c->clnt));
}

static void test_control(struct caller *c)
{
	static const uint8_t out[8] = { 0x40, 0x5b, 0, 0, 0, 0, 0, 16 };
	static const uint8_t in[8] = { 0xc0, 0x5c, 0, 0, 0, 0, 0, 16 };
	static const uint8_t none[8] = { 0, 9, 0, 0, 0, 0, 0, 0 };
	static uint8_t a[4096], b[4096];
	static struct caller_call call;
	uint32_t n = 4096;
	int xfer;

	fill(a, 4096, 9);
	caller_stage(c, 0, c->numbers[0] + 1, 2048, a + 2048, 2048);
	submit_control(c, &call, out, USBIP_BUFFER_STAGED);
	caller_stage(c, 0, c->numbers[0], 0, a, 2048);
	ok(caller_result(&call, NULL, 0, &xfer) == 4096,
	   "control data, staged");
	submit_control(c, &call, in, USBIP_BUFFER_FETCHED);
	ok(caller_result(&call, NULL, 0, &xfer) == 4096 &&
	   caller_fetch(c, 0, c->numbers[0], 0, b, &n) == USBIP_OK &&
	   n == 4096 && !memcmp(a, b, 4096), "and fetched");
	submit_control(c, &call, none, USBIP_BUFFER_STAGED);
	ok(caller_result(&call, NULL, 0, &xfer) == -2 && xfer == USBIP_INVAL,
	   "what is refused is refused this way, too");
	c->acked[0] = c->numbers[0];
}

static void test_descriptors(struct caller *c, struct caller_call *claim)
{
	usbip_claim_ok *ok = &claim->res.claim.usbip_claim_res_u.claim;
	static uint8_t all[4096], got[4096];
	size_t len = 18, n = 0;
	uint32_t piece;

	memcpy(all, ok->device, 18);
	for (u_int i = 0; i < ok->configs.configs_len; i++) {
		usbip_descriptor *config = &ok->configs.configs_val[i];

		memcpy(all + len, config->usbip_descriptor_val,
		       config->usbip_descriptor_len);
		len += config->usbip_descriptor_len;
	}
	memcpy(all + len, ok->bos.usbip_descriptor_val,
	       ok->bos.usbip_descriptor_len);
	len += ok->bos.usbip_descriptor_len;
	do {
		piece = 31;
		if (caller_fetch(c, 0x80, 0, n, got + n, &piece))
			break;
		n += piece;
	} while (piece == 31);
	ok(n == len && ok->bos.usbip_descriptor_len && !memcmp(all, got, len),
	   "%zu bytes of descriptors, by pieces", len);
	piece = sizeof(got);
	ok(caller_fetch(c, 0x80, 0, 0, got, &piece) == USBIP_OK &&
	   piece == len, "and in one");
	caller_end(claim, (xdrproc_t)xdr_usbip_claim_res);
}

/* ---- what is refused ---------------------------------------------------- */

static void test_refused(struct caller *c)
{
	static const struct {
		const char *name;
		uint32_t endpoint, offset, length;
	} stages[] = {
		{ "an IN endpoint", 0x81, 0, 8 },
		{ "no endpoint", 0x70, 0, 8 },
		{ "a stream that is not there", 0x10001, 0, 8 },
		{ "no bytes", 0x01, 0, 0 },
		{ "bytes beyond all bounds", 0x01, USBIP_DATA_MAX - 7, 8 },
		{ "bytes around 2^32", 0x01, UINT32_MAX - 3, 8 },
	}, fetches[] = {
		{ "an OUT endpoint", 0x01, 0, 8 },
		{ "no endpoint", 0xf1, 0, 8 },
		{ "a stream that is not there", 0x10081, 0, 8 },
		{ "more than a piece", 0x81, 0, USBIP_PIECE_MAX + 1 },
		{ "what was not submitted", 0x81, 0, 8 },
	};
	uint8_t data[8] = { 0 };
	uint32_t n;

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		ok(caller_stage(c, stages[i].endpoint,
				c->numbers[stages[i].endpoint & 0xff] + 1,
				stages[i].offset, data,
				stages[i].length) == USBIP_INVAL,
		   "STAGE, %s: INVAL", stages[i].name);
	for (size_t i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++) {
		n = fetches[i].length;
		ok(caller_fetch(c, fetches[i].endpoint,
				c->numbers[fetches[i].endpoint & 0xff] + 1,
				fetches[i].offset, NULL, &n) == USBIP_INVAL,
		   "FETCH, %s: INVAL", fetches[i].name);
	}
}

static void test_bounds(struct caller *c)
{
	uint32_t number = ++c->numbers[0x01];
	static struct caller_call call;
	uint8_t data[64] = { 0 };
	int xfer;

	caller_submit_pieces(c, &call, 0x01, 32, number);
	ok(caller_stage(c, 0x01, number, 1, data, 32) == USBIP_INVAL,
	   "a piece that ends outside of its URB: INVAL");
	ok(caller_stage(c, 0x01, number, 0, data, 32) == USBIP_OK &&
	   caller_result(&call, NULL, 0, &xfer) == 32, "which is not hurt");
	number = ++c->numbers[0x01];
	caller_stage(c, 0x01, number, 1, data, 32);
	caller_submit_pieces(c, &call, 0x01, 32, number);
	ok(caller_result(&call, NULL, 0, &xfer) == -2 && xfer == USBIP_INVAL,
	   "if it came before, the URB is INVAL");
	caller_submit_pieces(c, &call, 0x01, USBIP_DATA_MAX + 1, 0);
	ok(caller_result(&call, NULL, 0, &xfer) == -2 && xfer == USBIP_INVAL,
	   "too long a URB is INVAL, too");
	c->acked[0x01] = c->numbers[0x01];
	ok(caller_bulk(c, 0x01, data, 64, &xfer) == 64,
	   "and the next goes on");
}

static void test_window(struct caller *c)
{
	uint32_t next = c->numbers[0x01] + 1;
	uint8_t data[8] = { 0 };
	unsigned int n = 0;

	caller_renew(c, 0x01, c->acked[0x01]);
	/* the last byte of so many is what counts */
	while (n < 8 && caller_stage(c, 0x01, next + 1 + n, USBIP_DATA_MAX - 8,
				     data, 8) == USBIP_OK)
		n++;
	ok(n == 1 || n == 2, "pieces for %u URBs of 16 MiB, then DELAY", n);
	ok(caller_stage(c, 0x01, next + 4000, 0, data, 8) == USBIP_DELAY,
	   "DELAY for a number far ahead");
	ok(caller_stage(c, 0x01, next, USBIP_DATA_MAX - 8, data,
			8) == USBIP_OK, "but not for the next one");
	for (unsigned int i = 0; i <= n; i++)
		caller_unlink(c, 0x01, next + i);
	ok(caller_stage(c, 0x01, next + n + 1, USBIP_DATA_MAX - 8, data,
			8) == USBIP_OK, "UNLINK gives the room back");
	caller_unlink(c, 0x01, next + n + 1);
	for (unsigned int i = 0; i <= n + 1; i++) {
		static struct caller_call call;
		int xfer;

		caller_submit_pieces(c, &call, 0x01, 8, 0);
		ok(caller_result(&call, NULL, 0, &xfer) == -1 &&
		   xfer == USBIP_XFER_CANCELLED, "and the submit is CANCELLED");
		c->acked[0x01] = c->numbers[0x01];
	}
}

/* ---- what ends one that has pieces missing ------------------------------ */

static void test_ends(struct caller *c)
{
	static struct caller_call a, b;
	uint8_t data[64] = { 0 };
	int xfer;

	caller_submit_pieces(c, &a, 0x01, 64, 0);
	caller_submit_out(c, &b, 0x01, data, 64, 0);
	caller_stage(c, 0x01, c->numbers[0x01] - 1, 0, data, 63);
	caller_unlink(c, 0x01, c->numbers[0x01] - 1);
	ok(caller_result(&a, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "UNLINK");
	caller_renew(c, 0x01, c->numbers[0x01] - 1);
	ok(caller_result(&b, NULL, 0, &xfer) == 64,
	   "and what is behind it goes on");
	c->acked[0x01] = c->numbers[0x01];
	caller_submit_pieces(c, &a, 0x01, 64, 0);
	ok(!caller_state(c, USBIP_RESET, 0, 0, &xfer) &&
	   caller_result(&a, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "RESET");
	c->acked[0x01] = c->numbers[0x01];
	caller_submit_pieces(c, &a, 0x01, 64, 0);
	ok(caller_release(c) == USBIP_OK &&
	   caller_result(&a, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "RELEASE");
	ok(caller_stage(c, 0x01, c->numbers[0x01], 0, data, 64) ==
	   USBIP_RELEASED, "a piece for it then: RELEASED");
}

static void run(void (*open)(struct caller *c, const char *host,
			     unsigned int port))
{
	bool stream = open == caller_open;
	static uint8_t data[SIZE];
	static struct caller c;
	static struct caller_call claim;
	int xfer;

	open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "2-1", 1, &claim) == USBIP_OK, "CLAIM, by %s",
	   stream ? "a stream" : "datagrams");
	test_descriptors(&c, &claim);
	ok(!caller_state(&c, USBIP_SET_CONFIGURATION, 2, 0, &xfer),
	   "a loopback");
	fill(data, SIZE, 1);
	test_out(&c, data);
	test_in(&c, data);
	if (stream) {	/* by datagram IN_PROGRESS is not the last word */
		test_running(&c);
		test_change(&c);
	}
	test_control(&c);
	test_refused(&c);
	ok(!caller_state(&c, USBIP_SET_CONFIGURATION, 3, 0, &xfer),
	   "source and sink");
	test_bounds(&c);
	test_window(&c);
	test_ends(&c);
	caller_close(&c);
}

int main(void)
{
	caller_daemon_start(&d, "* *\n", NULL, NULL);
	run(caller_open);
	run(caller_open_dgram);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
