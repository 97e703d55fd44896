// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bulk streams over the wire, on the loopback of a fake device at super speed:
 * what goes out on a stream comes in on that stream, so the test decides in
 * which order transfers end.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

/* backend_fake_control.c */
#define FAULT 0xe1
#define STALL 1

#define IN 0x81
#define OUT 0x01
#define GRANTED 16

static struct caller_daemon d;
/* The last number and the last that was acknowledged, by direction. */
static uint32_t numbers[2][GRANTED + 1], acked[2][GRANTED + 1];

static uint32_t pipe_of(uint8_t endpoint, unsigned int stream)
{
	return endpoint | stream << USBIP_PIPE_STREAM_SHIFT;
}

/* number 0: the next one. */
static void submit(struct caller *c, struct caller_call *call,
		   uint8_t endpoint, unsigned int stream, const void *data,
		   uint32_t length, uint32_t number)
{
	usbip_buffer *buffer = &call->bulk.buffer;
	bool in = endpoint & 0x80;

	memset(&call->bulk, 0, sizeof(call->bulk));
	call->bulk.submit.session = c->session;
	call->bulk.submit.pipe = pipe_of(endpoint, stream);
	call->bulk.submit.number = number ? number : ++numbers[in][stream];
	call->bulk.submit.acked = acked[in][stream];
	buffer->type = in ? USBIP_BUFFER_IN : USBIP_BUFFER_OUT;
	if (in) {
		buffer->usbip_buffer_u.length = length;
	} else {
		buffer->usbip_buffer_u.data.usbip_data_len = length;
		buffer->usbip_buffer_u.data.usbip_data_val =
			(char *)(uintptr_t)data;
	}
	caller_begin(c, call);
	usbip_bulk_1(&call->bulk, &call->res.transfer, rpcclnt_handle(c->clnt));
}

/* As caller_result(); and the reply will be acknowledged. */
static int result(struct caller_call *call, void *data, size_t length,
		  int *xfer)
{
	const usbip_submit s = call->bulk.submit;
	int n = caller_result(call, data, length, xfer);

	acked[!!(s.pipe & 0x80)][s.pipe >> USBIP_PIPE_STREAM_SHIFT] = s.number;
	return n;
}

static int transfer(struct caller *c, uint8_t endpoint, unsigned int stream,
		    void *data, uint32_t length, int *xfer)
{
	struct caller_call call;

	submit(c, &call, endpoint, stream, data, length, 0);
	return result(&call, endpoint & 0x80 ? data : NULL, length, xfer);
}

/* ALLOC_, FREE_STREAMS: how many were granted, or as caller_result(). */
static int streams(struct caller *c, rpcproc_t proc, unsigned int n,
		   unsigned int *endpoints, unsigned int n_endpoints, int *xfer)
{
	usbip_streams_args args = {
		.submit = {
			.session = c->session,
			.number = ++c->numbers[0],
			.acked = c->acked[0],
		},
		.streams = n,
		.endpoints = { n_endpoints, endpoints },
	};
	CLIENT *clnt = rpcclnt_handle(c->clnt);
	struct caller_call call;

	caller_begin(c, &call);
	if (proc == USBIP_ALLOC_STREAMS)
		usbip_alloc_streams_1(&args, &call.res.state, clnt);
	else
		usbip_free_streams_1(&args, &call.res.state, clnt);
	*xfer = -1;
	if (caller_wait(&call))
		return -2;
	caller_end(&call, NULL);
	c->acked[0] = c->numbers[0];
	*xfer = call.res.state.status;
	if (call.res.state.status)
		return -2;
	*xfer = call.res.state.usbip_state_res_u.done.xfer;
	return *xfer ? -1 : (int)call.res.state.usbip_state_res_u.done.actual;
}

static unsigned int both[] = { IN, OUT };

static int alloc(struct caller *c, unsigned int n)
{
	int xfer;

	return streams(c, USBIP_ALLOC_STREAMS, n, both, 2, &xfer);
}

/* ---- */

static void test_refused(struct caller *c)
{
	static const struct {
		const char *name;
		rpcproc_t proc;
		unsigned int streams, n, endpoints[2];
	} odd[] = {
		{ "none of them", USBIP_ALLOC_STREAMS, 0, 2, { IN, OUT } },
		{ "65534 of them", USBIP_ALLOC_STREAMS, 65534, 2, { IN, OUT } },
		{ "no endpoint", USBIP_ALLOC_STREAMS, 4, 0, { 0 } },
		{ "endpoint 0", USBIP_ALLOC_STREAMS, 4, 1, { 0 } },
		{ "an endpoint that is not there", USBIP_ALLOC_STREAMS, 4, 2,
		  { IN, 0x02 } },
		{ "what is no endpoint", USBIP_ALLOC_STREAMS, 4, 2,
		  { IN, 0x10001 } },
		{ "to free what there is not", USBIP_FREE_STREAMS, 0, 2,
		  { IN, OUT } },
		{ "to free some", USBIP_FREE_STREAMS, 4, 2, { IN, OUT } },
	};
	unsigned int endpoints[2];
	struct caller_call call;
	uint8_t byte = 0;
	int xfer;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		memcpy(endpoints, odd[i].endpoints, sizeof(endpoints));
		ok(streams(c, odd[i].proc, odd[i].streams, endpoints, odd[i].n,
			   &xfer) == -2 && xfer == USBIP_INVAL, "%s: INVAL",
		   odd[i].name);
	}
	submit(c, &call, OUT, 1, &byte, 1, 0);
	ok(caller_result(&call, NULL, 0, &xfer) == -2 && xfer == USBIP_INVAL,
	   "a stream that was never allocated: INVAL");
	numbers[0][1] = 0;	/* it has no row, and so uses up no number */
	ok(caller_unlink(c, OUT, 1) == USBIP_OK, "UNLINK of a number to come");
	submit(c, &call, OUT, 0, &byte, 1, 0);
	ok(result(&call, NULL, 0, &xfer) == -1 && xfer == USBIP_XFER_CANCELLED,
	   "the endpoint's own row goes on");
}

/* Other speeds and other types have no streams. */
static void test_no_streams(void)
{
	unsigned int interrupt[] = { 0x82 };
	static struct caller c;
	int xfer;

	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-2", 2, NULL) == USBIP_OK, "a device at high speed");
	ok(alloc(&c, 4) == -2, "has no streams: INVAL");
	ok(streams(&c, USBIP_ALLOC_STREAMS, 4, interrupt, 1, &xfer) == -2 &&
	   xfer == USBIP_INVAL, "nor has an interrupt endpoint");
	caller_release(&c);
	caller_close(&c);
}

static void test_alloc(struct caller *c)
{
	uint8_t byte = 0;
	int xfer;

	ok(alloc(c, 32) == GRANTED, "32 wanted, 16 granted");
	ok(alloc(c, 4) == -2, "twice: INVAL");
	ok(transfer(c, OUT, 0, &byte, 1, &xfer) == -2 && xfer == USBIP_INVAL,
	   "an URB without a stream: INVAL");
	ok(transfer(c, OUT, GRANTED, &byte, 1, &xfer) == 1 &&
	   transfer(c, IN, GRANTED, &byte, 1, &xfer) == 1, "the last stream");
}

static void test_any_order(struct caller *c)
{
	static const unsigned int order[] = { 3, 1, 4, 2 };
	static struct caller_call in[5];
	char text[16], got[16];
	bool good = true, others = true;
	int xfer;

	for (unsigned int s = 1; s <= 4; s++)
		submit(c, &in[s], IN, s, NULL, sizeof(got), 0);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int s = order[i];

		memset(text, 'a' + s, sizeof(text));
		good &= transfer(c, OUT, s, text, sizeof(text), &xfer) == 16;
		good &= result(&in[s], got, 16, &xfer) == 16 &&
			!memcmp(got, text, 16);
		for (unsigned int j = i + 1; j < 4; j++)
			others &= !in[order[j]].done;
	}
	ok(good, "each stream has its own data");
	ok(others, "and ends when it likes");
}

static unsigned int executed(struct caller *c, uint8_t endpoint,
			     unsigned int stream, uint32_t number)
{
	const uint8_t setup[8] = { 0xc0, 0xe0, stream, 0, endpoint, 0, 0, 4 };
	uint8_t data[1024];
	unsigned int n = 0;
	int len, xfer;

	len = caller_control(c, setup, data, &xfer);
	for (int i = 0; i + 4 <= len; i += 4)
		n += (data[i] | data[i + 1] << 8) == (int)number;
	return n;
}

/* The reply of stream 1 is far away; the others use up no window for it. */
static void test_straggler(struct caller *c)
{
	struct caller_call late;
	uint8_t data[64] = { 7 };
	int n = 0, xfer;

	submit(c, &late, IN, 1, NULL, sizeof(data), 0);
	for (int i = 0; i < 600; i++)
		n += transfer(c, OUT, 2, data, 64, &xfer) == 64 &&
		     transfer(c, IN, 2, data, 64, &xfer) == 64;
	ok(n == 600, "600 URBs pass one that waits (%d)", n);
	ok(!late.done, "which still does");
	ok(transfer(c, OUT, 1, data, 64, &xfer) == 64 &&
	   result(&late, data, 64, &xfer) == 64 && data[0] == 7, "and ends");
}

/* A connection is lost, with streams under way. */
static void test_once(struct caller *c)
{
	static struct caller_call lost[3], again[3], dup;
	static struct caller second;
	uint32_t number[3];
	uint8_t data[32] = { 0 };
	bool good = true;
	int xfer;

	for (unsigned int s = 0; s < 3; s++) {
		submit(c, &lost[s], IN, 5 + s, NULL, 32, 0);
		number[s] = numbers[1][5 + s];
	}
	good &= transfer(c, OUT, 6, data, 32, &xfer) == 32;
	caller_run(c, 1000, &lost[1].done);
	caller_open(&second, "127.0.0.1", d.port);
	second.session = c->session;
	memcpy(second.numbers, c->numbers, sizeof(c->numbers));
	memcpy(second.acked, c->acked, sizeof(c->acked));
	good &= lost[1].done;
	caller_end(&lost[1], NULL);
	caller_close(c);
	*c = second;
	good &= caller_renew(c, 0, c->acked[0]) == USBIP_OK;
	for (unsigned int s = 0; s < 3; s++)
		submit(c, &again[s], IN, 5 + s, NULL, 32, number[s]);
	good &= result(&again[1], NULL, 0, &xfer) == 32;
	submit(c, &dup, IN, 5, NULL, 32, number[0]);
	good &= caller_result(&again[0], NULL, 0, &xfer) == -2 &&
		xfer == USBIP_IN_PROGRESS;
	good &= transfer(c, OUT, 5, data, 32, &xfer) == 32 &&
		transfer(c, OUT, 7, data, 32, &xfer) == 32 &&
		result(&dup, NULL, 0, &xfer) == 32 &&
		result(&again[2], NULL, 0, &xfer) == 32;
	ok(good, "sent again over another connection, each stream goes on");
	for (unsigned int s = 0; s < 3; s++)
		ok(executed(c, IN, 5 + s, number[s]) == 1,
		   "stream %u was executed once", 5 + s);
}

static void test_unlink(struct caller *c)
{
	struct caller_call a, b;
	uint8_t data[8] = { 0 };
	usbip_urb args = { c->session, pipe_of(IN, 3), 0 };
	usbip_stat_res res;
	struct caller_call call;
	int xfer;

	submit(c, &a, IN, 3, NULL, 8, 0);
	submit(c, &b, IN, 4, NULL, 8, 0);
	args.number = numbers[1][3];
	caller_begin(c, &call);
	usbip_unlink_1(&args, &res, rpcclnt_handle(c->clnt));
	ok(!caller_wait(&call) && res.status == USBIP_OK, "UNLINK on a stream");
	caller_end(&call, NULL);
	ok(result(&a, NULL, 0, &xfer) == -1 && xfer == USBIP_XFER_CANCELLED,
	   "its submit is CANCELLED");
	ok(!b.done && transfer(c, OUT, 4, data, 8, &xfer) == 8 &&
	   result(&b, NULL, 0, &xfer) == 8, "the other stream's is not");
	args.endpoint = pipe_of(IN, GRANTED + 1);
	caller_begin(c, &call);
	usbip_unlink_1(&args, &res, rpcclnt_handle(c->clnt));
	ok(!caller_wait(&call) && res.status == USBIP_INVAL,
	   "UNLINK on a stream that is not there: INVAL");
	caller_end(&call, NULL);
}

static usbip_stat renew_stream(struct caller *c, uint8_t endpoint,
			       unsigned int stream, uint32_t number)
{
	usbip_ack ack = { pipe_of(endpoint, stream), number };
	usbip_renew_args args = { c->session, { 1, &ack } };
	struct caller_call call;

	caller_begin(c, &call);
	usbip_renew_1(&args, &call.res.renew, rpcclnt_handle(c->clnt));
	if (caller_wait(&call))
		return USBIP_HOST_ERROR;
	caller_end(&call, NULL);
	return call.res.renew.status;
}

/* A stall halts the endpoint; what stops is the stream. */
static void test_stop(struct caller *c)
{
	struct caller_call a, b, other;
	uint8_t data[8] = { 0 };
	int xfer;

	submit(c, &other, IN, 9, NULL, 8, 0);
	caller_tell(c, FAULT, STALL, OUT);
	submit(c, &a, OUT, 8, data, 8, 0);
	submit(c, &b, OUT, 8, data, 8, 0);
	ok(result(&a, NULL, 0, &xfer) == -1 && xfer == USBIP_XFER_STALL,
	   "a stall on one stream");
	ok(transfer(c, OUT, 9, data, 8, &xfer) == -1 && xfer == USBIP_XFER_STALL,
	   "the endpoint is halted: another stream stalls, too");
	ok(!caller_state(c, USBIP_CLEAR_HALT, OUT, 0, &xfer), "CLEAR_HALT");
	ok(transfer(c, OUT, 9, data, 8, &xfer) == 8 &&
	   result(&other, NULL, 0, &xfer) == 8, "other streams go on");
	ok(!b.done, "what is behind the stall waits");
	ok(renew_stream(c, OUT, 8, a.bulk.submit.number) == USBIP_OK &&
	   result(&b, NULL, 0, &xfer) == 8, "until that is acknowledged");
	ok(transfer(c, IN, 8, data, 8, &xfer) == 8, "and came through");
}

static void test_free(struct caller *c)
{
	struct caller_call a, b;
	uint8_t data[8] = { 0 };
	int xfer;

	submit(c, &a, IN, 1, NULL, 8, 0);
	submit(c, &b, IN, 2, NULL, 8, 0);
	ok(streams(c, USBIP_FREE_STREAMS, 0, both, 2, &xfer) == 0, "FREE_STREAMS");
	ok(result(&a, NULL, 0, &xfer) == -1 && xfer == USBIP_XFER_CANCELLED &&
	   result(&b, NULL, 0, &xfer) == -1 && xfer == USBIP_XFER_CANCELLED,
	   "what ran was CANCELLED for it");
	ok(transfer(c, OUT, 1, data, 8, &xfer) == -2 && xfer == USBIP_INVAL,
	   "a stream that was freed: INVAL");
	ok(transfer(c, OUT, 0, data, 8, &xfer) == 8 &&
	   transfer(c, IN, 0, data, 8, &xfer) == 8, "without one: as before");
	ok(alloc(c, 4) == 4 && transfer(c, OUT, 1, data, 8, &xfer) == 8 &&
	   transfer(c, IN, 1, data, 8, &xfer) == 8,
	   "allocated again, they go on counting");
	ok(transfer(c, OUT, 5, data, 8, &xfer) == -2 && xfer == USBIP_INVAL,
	   "but not those beyond the 4 that were granted");
}

/* What does away with streams. */
static void test_forgotten(struct caller *c)
{
	static const struct {
		const char *name;
		rpcproc_t proc;
		unsigned int value;
	} calls[] = {
		{ "SET_INTERFACE", USBIP_SET_INTERFACE, 0 },
		{ "RESET", USBIP_RESET, 0 },
		{ "SET_CONFIGURATION", USBIP_SET_CONFIGURATION, 2 },
	};
	struct caller_call a;
	uint8_t data[8] = { 0 };
	int xfer;

	for (size_t i = 0; i < 3; i++) {
		submit(c, &a, IN, 1, NULL, 8, 0);
		ok(!caller_state(c, calls[i].proc, calls[i].value, 0, &xfer),
		   "%s", calls[i].name);
		ok(result(&a, NULL, 0, &xfer) == -1 &&
		   xfer == USBIP_XFER_CANCELLED, "drains them");
		ok(transfer(c, OUT, 1, data, 8, &xfer) == -2 &&
		   xfer == USBIP_INVAL, "and they are gone");
		ok(alloc(c, 4) == 4 &&
		   transfer(c, OUT, 1, data, 8, &xfer) == 8 &&
		   transfer(c, IN, 1, data, 8, &xfer) == 8,
		   "until they are allocated again");
	}
}

int main(void)
{
	static struct caller_call last;
	static struct caller c;
	int xfer;

	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "2-1", 1, NULL) == USBIP_OK, "CLAIM at super speed");
	ok(!caller_state(&c, USBIP_SET_CONFIGURATION, 2, 0, &xfer), "a loopback");
	test_refused(&c);
	test_no_streams();
	test_alloc(&c);
	test_any_order(&c);
	test_straggler(&c);
	test_once(&c);
	test_unlink(&c);
	test_stop(&c);
	test_free(&c);
	test_forgotten(&c);
	submit(&c, &last, IN, 1, NULL, 8, 0);
	ok(caller_release(&c) == USBIP_OK, "RELEASE with a stream under way");
	caller_close(&c);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
