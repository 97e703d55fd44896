// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The calling side against a bare peer: replies that are lost, late, twice,
 * unknown, refused or broken; ends of connections; and what goes over the
 * wire, byte by byte.
 */
#include <netinet/in.h>
#include <unistd.h>

#include "common/rpcclnt.h"
#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

struct bench {
	struct event_base *base;
	struct rpcclnt *clnt;
	int fd;				/* the peer */
	int n_connected, n_closed, error;
	bool free_when_closed;
	char log[64];			/* a letter for each callback */
};

struct call {
	struct bench *b;
	char letter;
	int n_done;
	struct rpc_err err;
	usbip_bulk_args args;
	usbip_transfer_res res;
	bool free_clnt, again, keep;	/* in the callback */
	bool free_data;
	void *kept;
};

static void note(struct bench *b, char letter)
{
	b->log[strlen(b->log)] = letter;
}

static void on_connected(void *user)
{
	struct bench *b = user;

	b->n_connected++;
}

static void on_closed(int error, void *user)
{
	struct bench *b = user;

	note(b, '.');
	b->n_closed++;
	b->error = error;
	if (b->free_when_closed)
		b->clnt = rpcclnt_free(b->clnt);
}

static void bench_over(struct bench *b, int fd)
{
	struct rpcclnt_config config = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1, .record_max = 1 << 20,
		.closed = on_closed, .connected = on_connected, .user = b,
	};

	config.base = b->base = event_base_new();
	if (rpcclnt_new(&b->clnt, fd, &config))
		abort();
}

static void bench_init(struct bench *b)
{
	int pair[2];

	memset(b, 0, sizeof(*b));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	b->fd = pair[1];
	bench_over(b, pair[0]);
}

static void bench_deinit(struct bench *b)
{
	b->clnt = rpcclnt_free(b->clnt);
	event_base_free(b->base);
	close(b->fd);
}

static enum clnt_stat make(struct bench *b, struct call *call, char letter, unsigned int timeout);

static void on_done(const struct rpc_err *err, void *user)
{
	struct call *call = user;

	note(call->b, call->letter);
	call->n_done++;
	call->err = *err;
	if (call->free_data) {
		free(call->args.buffer.usbip_buffer_u.data.usbip_data_val);
		call->free_data = false;
	}
	if (call->keep)
		call->kept = rpcclnt_keep(call->b->clnt);
	if (call->again) {
		call->again = false;
		make(call->b, call, call->letter + 1, 0);
	}
	if (call->free_clnt)
		call->b->clnt = rpcclnt_free(call->b->clnt);
}

/* Queue a BULK as call->args have it. */
static enum clnt_stat make(struct bench *b, struct call *call, char letter, unsigned int timeout)
{
	call->b = b;
	call->letter = letter;
	memset(&call->res, 0, sizeof(call->res));
	rpcclnt_next(b->clnt, timeout, on_done, call);
	return usbip_bulk_1(&call->args, &call->res, rpcclnt_handle(b->clnt));
}

/* A new call. */
static void start(struct bench *b, struct call *call, char letter, unsigned int timeout)
{
	memset(call, 0, sizeof(*call));
	call->args.submit.number = letter;
	call->args.buffer.type = USBIP_BUFFER_IN;
	make(b, call, letter, timeout);
}

/* The xid of the next call that the peer gets. */
static uint32_t next_xid(struct bench *b)
{
	uint32_t words[32];

	run(b->base, 10);
	if (take_words(b->fd, words, 32) != 17)
		abort();
	return words[0];
}

#define REPLY_OK(xid, actual) (xid), 1, 0, 0, 0, 0, USBIP_OK, USBIP_XFER_OK, (actual)

static void test_replies(void)
{
	struct bench b;
	struct call a, c;
	uint32_t xid_a, xid_c;

	bench_init(&b);
	start(&b, &a, 'a', 50);
	xid_a = next_xid(&b);
	ok(b.n_connected == 1, "connected");
	run(b.base, 80);
	ok(a.n_done == 1 && a.err.re_status == RPC_TIMEDOUT, "a lost reply: timed out");
	start(&b, &c, 'c', 0);
	xid_c = next_xid(&b);
	SEND(b.fd, REPLY_OK(xid_a, 1));
	run(b.base, 10);
	ok(a.n_done == 1 && c.n_done == 0 && a.res.usbip_transfer_res_u.done.actual == 0,
	   "a late reply is dropped");
	SEND(b.fd, REPLY_OK(xid_c + 1000, 2));
	SEND(b.fd, REPLY_OK(xid_c, 3));
	SEND(b.fd, REPLY_OK(xid_c, 4));
	run(b.base, 10);
	ok(c.n_done == 1 && c.res.usbip_transfer_res_u.done.actual == 3,
	   "an unknown one too, and the second of two");
	start(&b, &a, 'a', 0);
	a.again = true;
	SEND(b.fd, REPLY_OK(next_xid(&b), 5));
	run(b.base, 10);
	SEND(b.fd, REPLY_OK(next_xid(&b), 6));
	run(b.base, 10);
	ok(a.n_done == 2 && a.res.usbip_transfer_res_u.done.actual == 6,
	   "a callback makes a call");
	ok(!strcmp(b.log, "acab") && rpcclnt_outstanding(b.clnt) == 0, "in this order: %s", b.log);
	bench_deinit(&b);
}

static void test_errors(void)
{
	static const struct {
		const char *name;
		uint32_t words[8];
		size_t n;
		enum clnt_stat status;
	} errors[] = {
		{ "PROC_UNAVAIL", { 1, 0, 0, 0, 3 }, 5, RPC_PROCUNAVAIL },
		{ "PROG_UNAVAIL", { 1, 0, 0, 0, 1 }, 5, RPC_PROGUNAVAIL },
		{ "GARBAGE_ARGS", { 1, 0, 0, 0, 4 }, 5, RPC_CANTDECODEARGS },
		{ "SYSTEM_ERR", { 1, 0, 0, 0, 5 }, 5, RPC_SYSTEMERROR },
		{ "RPC_MISMATCH", { 1, 1, 0, 2, 2 }, 5, RPC_VERSMISMATCH },
		{ "AUTH_ERROR", { 1, 1, 1, AUTH_TOOWEAK }, 4, RPC_AUTHERROR },
		{ "a result cut short", { 1, 0, 0, 0, 0, USBIP_OK }, 6, RPC_CANTDECODERES },
		{ "data cut short", { 1, 0, 0, 0, 0, USBIP_OK_DATA, 0, 0xfffffff }, 8,
		  RPC_CANTDECODERES },
		{ "PROG_MISMATCH", { 1, 0, 0, 0, 2, 3, 4 }, 7, RPC_PROGVERSMISMATCH },
	};
	struct bench b;
	struct call call;

	bench_init(&b);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		uint32_t words[10];

		start(&b, &call, 'x', 0);
		words[0] = next_xid(&b);
		memcpy(words + 1, errors[i].words, 4 * errors[i].n);
		send_words(b.fd, words, errors[i].n + 1);
		run(b.base, 10);
		ok(call.n_done == 1 && call.err.re_status == errors[i].status, "%s", errors[i].name);
	}
	ok(call.err.re_vers.low == 3 && call.err.re_vers.high == 4, "the range of versions");
	ok(b.n_closed == 0, "none of them ends the connection");
	bench_deinit(&b);
}

/* What was decoded of a result before it broke off is freed (for the leak
 * checker): a holder's name. */
static void test_half_decoded(void)
{
	char device[] = "1-1", host[] = "";
	usbip_claim_args args = { .device = device, .host = host };
	usbip_claim_res res;
	struct call call = { .n_done = 0 };
	uint32_t words[32];
	struct bench b;

	bench_init(&b);
	call.b = &b;
	memset(&res, 0, sizeof(res));
	rpcclnt_next(b.clnt, 0, on_done, &call);
	usbip_claim_1(&args, &res, rpcclnt_handle(b.clnt));
	run(b.base, 10);
	take_words(b.fd, words, 32);
	SEND(b.fd, words[0], 1, 0, 0, 0, 0, USBIP_BUSY, 3, 0x68696d00);
	run(b.base, 10);
	ok(call.err.re_status == RPC_CANTDECODERES &&
	   !res.usbip_claim_res_u.holder.host, "a result that breaks off is freed");
	bench_deinit(&b);
}

static void test_ends(void)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
		int error;
	} ends[] = {
		{ "the peer closes", "", 0, -ECONNRESET },
		{ "a call", "\x80\0\0\x0c" "1234\0\0\0\0" "5678", 16, -EPROTO },
		{ "an empty record", "\x80\0\0\0", 4, -EPROTO },
		{ "an empty fragment", "\0\0\0\0", 4, -EPROTO },
		{ "a record beyond the limit", "\x80\x10\0\1", 4, -EMSGSIZE },
		{ "a record that stops in the middle", "\x80\0\0\x20" "12", 6, -ECONNRESET },
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct bench b;
		struct call a, c;

		bench_init(&b);
		start(&b, &a, 'a', 1000);
		start(&b, &c, 'c', 0);
		run(b.base, 10);
		send(b.fd, ends[i].bytes, ends[i].len, 0);
		shutdown(b.fd, SHUT_WR);
		run(b.base, 10);
		ok(b.error == ends[i].error && a.err.re_status == RPC_CANTRECV &&
		   c.err.re_status == RPC_CANTRECV && !strcmp(b.log, "ac."),
		   "%s: %s", ends[i].name, b.log);
		ok(make(&b, &a, 'a', 0) == RPC_CANTSEND && a.n_done == 1, "no calls after that");
		bench_deinit(&b);
	}
}

/* The client goes, in a callback of its own. */
static void test_free(void)
{
	struct bench b;
	struct call a, c;
	uint32_t xid_a, xid_c;

	bench_init(&b);
	start(&b, &a, 'a', 0);
	start(&b, &c, 'c', 0);
	a.free_clnt = true;
	xid_a = next_xid(&b);
	xid_c = next_xid(&b);
	SEND(b.fd, REPLY_OK(xid_a, 1));
	SEND(b.fd, REPLY_OK(xid_c, 2));
	run(b.base, 10);
	ok(!strcmp(b.log, "ac") && c.err.re_status == RPC_CANTRECV, "in a reply's");
	bench_deinit(&b);

	bench_init(&b);
	start(&b, &a, 'a', 20);
	start(&b, &c, 'c', 20);
	a.free_clnt = true;
	run(b.base, 50);
	ok(!strcmp(b.log, "ac") && c.err.re_status == RPC_CANTRECV, "in a time-out's");
	bench_deinit(&b);

	bench_init(&b);
	start(&b, &a, 'a', 0);
	start(&b, &c, 'c', 0);
	a.free_clnt = true;
	run(b.base, 10);
	shutdown(b.fd, SHUT_WR);
	run(b.base, 10);
	ok(!strcmp(b.log, "ac") && b.n_closed == 0, "at the connection's end");
	bench_deinit(&b);

	bench_init(&b);
	start(&b, &a, 'a', 0);
	b.free_when_closed = true;
	shutdown(b.fd, SHUT_WR);
	run(b.base, 10);
	ok(!strcmp(b.log, "a.") && !b.clnt, "in closed()");
	bench_deinit(&b);
}

static void test_connect(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int taken = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct bench b = { .fd = -1 };
	struct call a;

	/* A port that is bound, and not listened at. */
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(taken, (struct sockaddr *)&sin, len) ||
	    getsockname(taken, (struct sockaddr *)&sin, &len) ||
	    (connect(fd, (struct sockaddr *)&sin, len) && errno != EINPROGRESS &&
	     errno != ECONNREFUSED))
		abort();
	bench_over(&b, fd);
	start(&b, &a, 'a', 0);
	run(b.base, 50);
	ok(!strcmp(b.log, "a.") && b.error == -ECONNREFUSED && b.n_connected == 0,
	   "a connection that is refused");
	bench_deinit(&b);
	close(taken);
}

static void test_keep(void)
{
	struct bench b;
	struct call a;
	usbip_data *data = &a.res.usbip_transfer_res_u.done_data.data;

	bench_init(&b);
	start(&b, &a, 'a', 0);
	a.keep = true;
	SEND(b.fd, next_xid(&b), 1, 0, 0, 0, 0, USBIP_OK_DATA, 0, 4, 0x61626364);
	run(b.base, 10);
	bench_deinit(&b);
	ok(data->usbip_data_len == 4 && !memcmp(data->usbip_data_val, "abcd", 4),
	   "a result that is kept beyond the client");
	rpcclnt_unkeep(a.kept);
}

/* ---- payloads by reference, and the peer that does not read them -------- */

enum { LARGE = 4 << 20 };

static void start_large(struct bench *b, struct call *call, char letter, unsigned int timeout)
{
	char *data = malloc(LARGE);

	memset(call, 0, sizeof(*call));
	service_fill(data, LARGE, letter);
	call->free_data = true;
	call->args.submit.number = letter;
	call->args.buffer.type = USBIP_BUFFER_OUT;
	call->args.buffer.usbip_buffer_u.data.usbip_data_val = data;
	call->args.buffer.usbip_buffer_u.data.usbip_data_len = LARGE;
	make(b, call, letter, timeout);
}

/* Read len bytes while the loop runs. */
static bool read_all(struct bench *b, char *data, size_t len)
{
	for (int i = 0; i < 1000 && len; i++) {
		ssize_t n = take(b->fd, data, len);

		if (n > 0) {
			data += n;
			len -= n;
		} else {
			run(b->base, 2);
		}
	}
	return !len;
}

static void test_withdrawn(void)
{
	static char record[4 + 17 * 4 + LARGE];
	struct bench b;
	struct call a, c, d;
	char byte;

	bench_init(&b);
	start_large(&b, &a, 'a', 30);
	start_large(&b, &c, 'c', 30);
	start(&b, &d, 'd', 0);
	run(b.base, 60);
	ok(a.err.re_status == RPC_TIMEDOUT && c.err.re_status == RPC_TIMEDOUT,
	   "calls time out that the peer has not read");
	ok(read_all(&b, record, sizeof(record)) &&
	   service_check(record + 4 + 17 * 4, LARGE, 'a'),
	   "the one that had begun comes whole, its data being gone since");
	ok(read_all(&b, record, 4 + 17 * 4) && record[4 + 13 * 4 + 3] == 'd',
	   "then the one that still waits, and no other");
	ok(take(b.fd, &byte, 1) == -EAGAIN && rpcclnt_queued(b.clnt) == 0, "and that is all");
	start_large(&b, &a, 'a', 0);
	run(b.base, 10);
	bench_deinit(&b);
	ok(a.n_done == 1 && a.err.re_status == RPC_CANTRECV, "freed with data on its way");
}

/* ---- bytes on the wire -------------------------------------------------- */

/* Move what has come from one socket to the other; returns how much. */
static size_t relay(int from, int to)
{
	static char data[1 << 18];
	size_t sum = 0;
	ssize_t n;

	while ((n = take(from, data, sizeof(data))) > 0) {
		sum += n;
		if (send(to, data, n, MSG_NOSIGNAL) != n)
			abort();
	}
	return sum;
}

/* Bytes of call and reply of one BULK. */
static size_t count_bulk(struct bench *b, int service_fd, bool in, u_int len)
{
	char *data = calloc(1, len + 1);
	struct call call;
	size_t sum = 0;

	memset(&call, 0, sizeof(call));
	call.args.buffer.type = in ? USBIP_BUFFER_IN : USBIP_BUFFER_OUT;
	call.args.buffer.usbip_buffer_u.data.usbip_data_val = data;
	if (in)
		call.args.buffer.usbip_buffer_u.length = len;
	else
		call.args.buffer.usbip_buffer_u.data.usbip_data_len = len;
	make(b, &call, 'a', 0);
	for (int i = 0; i < 100 && !call.n_done; i++) {
		run(b->base, 2);
		sum += relay(b->fd, service_fd) + relay(service_fd, b->fd);
	}
	free(data);
	return call.n_done && call.err.re_status == RPC_SUCCESS ? sum : SIZE_MAX;
}

static void test_overhead(void)
{
	static const u_int lens[] = { 0, 1, 4, 512, 4095, 4096, 16384, 65536 };
	struct service service;
	struct rpcsrv_config config;
	struct bench b;
	int pair[2];

	bench_init(&b);
	config = service_config(&service, b.base);
	config.limits.record_small = config.limits.record_max;
	if (service_init(&service, &config) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    rpcsrv_adopt(service.srv, pair[0]))
		abort();
	service.auto_answer = true;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t padded = (lens[i] + 3) / 4 * 4;
		size_t in = count_bulk(&b, pair[1], true, lens[i]);
		size_t out = count_bulk(&b, pair[1], false, lens[i]);

		ok(in - padded <= 112, "BULK IN of %u bytes: %zu beside the data",
		   lens[i], in - padded);
		ok(out - padded <= 112, "BULK OUT of %u bytes: %zu beside the data",
		   lens[i], out - padded);
	}
	service_deinit(&service);
	close(pair[1]);
	bench_deinit(&b);
}

int main(void)
{
	test_replies();
	test_errors();
	test_half_decoded();
	test_ends();
	test_free();
	test_connect();
	test_keep();
	test_withdrawn();
	test_overhead();
	return tap_done();
}
