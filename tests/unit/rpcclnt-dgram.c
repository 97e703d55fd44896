// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The calling side by datagrams, against a peer that loses, doubles and delays
 * what it likes; and against the answering side, through a lossy way.
 */
#include "config.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/rpcclnt.h"
#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

enum { STREAMED = 200 };

struct bench {
	struct event_base *base;
	struct rpcclnt *clnt;
	int fd;				/* the peer */
	struct sockaddr_in at;		/* of the client */
	int n_connected, n_closed, n_narrowed, error;
	char log[512];			/* a letter for each callback */
};

struct call {
	struct bench *b;
	char letter;
	int n_done;
	struct rpc_err err;
	bool free_clnt;			/* in the callback */
	usbip_bulk_args args;
	usbip_transfer_res res;
	usbip_stage_args stage;
	usbip_stat_res stat;
};

static void on_connected(void *user)
{
	((struct bench *)user)->n_connected++;
}

static void on_closed(int error, void *user)
{
	struct bench *b = user;

	b->n_closed++;
	b->error = error;
}

static void on_narrowed(void *user)
{
	((struct bench *)user)->n_narrowed++;
}

static bool is_interim(const uint8_t *results, size_t len)
{
	return len >= 4 && results[3] == USBIP_IN_PROGRESS;
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int bound_socket(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*at = loopback();
	if (fd < 0 || bind(fd, (struct sockaddr *)at, len) ||
	    getsockname(fd, (struct sockaddr *)at, &len))
		abort();
	return fd;
}

static void bench_to(struct bench *b, const struct sockaddr_in *to)
{
	struct rpcclnt_config config = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1, .record_max = 1 << 20,
		.closed = on_closed, .connected = on_connected, .narrowed = on_narrowed,
		.interim = is_interim, .user = b,
	};
	int fd = bound_socket(&b->at);

	config.base = b->base = event_base_new();
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) ||
	    rpcclnt_new(&b->clnt, fd, &config))
		abort();
}

static void bench_init(struct bench *b)
{
	struct sockaddr_in at;

	memset(b, 0, sizeof(*b));
	b->fd = bound_socket(&at);
	bench_to(b, &at);
	if (connect(b->fd, (struct sockaddr *)&b->at, sizeof(b->at)))
		abort();
}

static void bench_deinit(struct bench *b)
{
	b->clnt = rpcclnt_free(b->clnt);
	event_base_free(b->base);
	close(b->fd);
}

static void on_done(const struct rpc_err *err, void *user)
{
	struct call *call = user;

	call->n_done++;
	call->err = *err;
	call->b->log[strlen(call->b->log)] = call->letter;
	if (call->free_clnt)
		call->b->clnt = rpcclnt_free(call->b->clnt);
}

/* BULK OUT, as a call->args have it. */
static enum clnt_stat make(struct bench *b, struct call *call, char letter, unsigned int how,
			   unsigned int timeout)
{
	call->b = b;
	call->letter = letter;
	memset(&call->res, 0, sizeof(call->res));
	rpcclnt_next(b->clnt, timeout, on_done, call);
	rpcclnt_how(b->clnt, how);
	return usbip_bulk_1(&call->args, &call->res, rpcclnt_handle(b->clnt));
}

/* STAGE of len bytes, prompt. */
static enum clnt_stat stage(struct bench *b, struct call *call, uint32_t number, size_t len)
{
	static char data[2048];

	call->b = b;
	call->letter = 's';
	call->stage.urb.number = number;
	call->stage.piece.piece_val = data;
	call->stage.piece.piece_len = len;
	rpcclnt_next(b->clnt, 0, on_done, call);
	rpcclnt_how(b->clnt, RPCCLNT_PROMPT);
	return usbip_stage_1(&call->stage, &call->stat, rpcclnt_handle(b->clnt));
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next datagram at the peer, in ten seconds: its words, how many there
 * are of these, 0: none came. */
static int await(struct bench *b, uint32_t *words, size_t n)
{
	static uint32_t wire[65536 / 4];
	long end = now_ms() + 10000;
	ssize_t len;

	while ((len = take(b->fd, wire, sizeof(wire))) == -EAGAIN && now_ms() < end)
		run(b->base, 5);
	for (ssize_t i = 0; i < len / 4 && i < (ssize_t)n; i++)
		words[i] = ntohl(wire[i]);
	return len < 0 ? 0 : len / 4;
}

/* As that, of a call that none has come of: this process may be so late that one
 * was sent again. */
static int await_new(struct bench *b, uint32_t *words, size_t n)
{
	const uint32_t last = words[0];
	int len;

	do
		len = await(b, words, n);
	while (len && (int32_t)(words[0] - last) <= 0);
	return len;
}

/* Run the loop until *count is that, for a minute at most. */
static bool until(struct bench *b, const int *count, int value)
{
	long end = now_ms() + 60000;

	while (*count != value && now_ms() < end)
		run(b->base, 5);
	return *count == value;
}

static void send_datagram(int fd, const uint32_t *words, size_t n)
{
	uint32_t wire[64];

	for (size_t i = 0; i < n; i++)
		wire[i] = htonl(words[i]);
	if (send(fd, wire, 4 * n, 0) != (ssize_t)(4 * n))
		abort();
}

#define REPLY_DATAGRAM(b, ...)						\
	send_datagram((b)->fd, (uint32_t[]){ __VA_ARGS__ },		\
		      sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

/* The reply to a BULK: done, or in progress. */
static void reply_done(struct bench *b, uint32_t xid, uint32_t actual)
{
	REPLY_DATAGRAM(b, xid, 1, 0, 0, 0, 0, USBIP_OK, 0, actual);
}

static void reply_stat(struct bench *b, uint32_t xid, uint32_t stat)
{
	REPLY_DATAGRAM(b, xid, 1, 0, 0, 0, 0, stat);
}

/* ---- one call ----------------------------------------------------------- */

static void test_lost(void)
{
	struct call call = { 0 };
	uint32_t words[64], xid;
	struct bench b;

	bench_init(&b);
	ok(rpcclnt_is_dgram(b.clnt) && rpcclnt_room(b.clnt) > 60000, "the loopback's room");
	make(&b, &call, 'a', 0, 0);
	ok(await(&b, words, 64) == 17 && words[1] == 0 && words[5] == USBIP_BULK,
	   "a call is a datagram without a mark");
	ok(b.n_connected == 1, "it is said to be connected");
	xid = words[0];
	ok(await(&b, words, 64) == 17 && words[0] == xid, "lost, it is sent again as it was");
	ok(await(&b, words, 64) == 17 && words[0] == xid, "and again");
	reply_done(&b, xid + 1, 6);
	reply_done(&b, xid, 7);
	reply_done(&b, xid, 8);
	ok(until(&b, &call.n_done, 1) && call.res.usbip_transfer_res_u.done.actual == 7,
	   "until its own reply comes");
	run(b.base, 50);
	ok(call.n_done == 1 && !rpcclnt_outstanding(b.clnt), "which counts once");
	reply_done(&b, xid, 9);
	if (send(b.fd, "abc", 3, 0) != 3 || send(b.fd, "", 0, 0))
		abort();
	run(b.base, 20);
	ok(!b.n_closed, "late ones, and what is no reply, do nothing");
	bench_deinit(&b);
}

static void test_times_out(void)
{
	struct call once = { 0 }, call = { 0 };
	uint32_t words[64], n = 0;
	struct bench b;

	bench_init(&b);
	make(&b, &once, 'o', RPCCLNT_ONCE, 900);
	ok(until(&b, &once.n_done, 1) && once.err.re_status == RPC_TIMEDOUT, "ONCE times out");
	while (take(b.fd, words, sizeof(words)) > 0)
		n++;
	ok(n == 1, "having been sent once");
	make(&b, &call, 'a', 0, 2000);
	ok(until(&b, &call.n_done, 1) && call.err.re_status == RPC_TIMEDOUT, "another does, too");
	for (n = 0; take(b.fd, words, sizeof(words)) > 0; n++)
		;
	ok(n >= 2, "having been sent %u times", n);
	bench_deinit(&b);
}

static void test_interim(void)
{
	struct call call = { 0 };
	uint32_t words[64], xid;
	struct bench b;
	long before;

	bench_init(&b);
	make(&b, &call, 'a', 0, 0);
	await(&b, words, 64);
	xid = words[0];
	before = now_ms();
	reply_stat(&b, xid, USBIP_IN_PROGRESS);
	run(b.base, 20);
	while (take(b.fd, words, sizeof(words)) > 0)
		;	/* of before that, where this process is late */
	ok(!call.n_done && await(&b, words, 64) == 17 && words[0] == xid,
	   "a call that is in progress is asked for again");
	ok(now_ms() - before >= 400, "after a while (%ld ms)", now_ms() - before);
	reply_stat(&b, xid, USBIP_IN_PROGRESS);
	run(b.base, 20);
	reply_done(&b, xid, 7);
	ok(until(&b, &call.n_done, 1) && call.res.usbip_transfer_res_u.done.actual == 7,
	   "until it is done");
	bench_deinit(&b);
}

static void test_refused(void)
{
	struct call call = { 0 };
	struct sockaddr_in nobody;
	struct bench b;
	int fd = bound_socket(&nobody);

	memset(&b, 0, sizeof(b));
	b.fd = -1;
	close(fd);
	bench_to(&b, &nobody);
	make(&b, &call, 'a', 0, 0);
	ok(until(&b, &b.n_closed, 1) && b.error == -ECONNREFUSED, "a peer that is not there");
	ok(call.n_done == 1 && call.err.re_status == RPC_CANTRECV, "ends the calls");
	ok(make(&b, &call, 'a', 0, 0) == RPC_CANTSEND, "and there are no more");
	bench_deinit(&b);
}

static void test_freed(void)
{
	struct call call = { .free_clnt = true }, other = { 0 };
	uint32_t words[64];
	struct bench b;

	bench_init(&b);
	make(&b, &call, 'a', 0, 0);
	make(&b, &other, 'b', 0, 0);
	await(&b, words, 64);
	reply_done(&b, words[0], 7);
	ok(until(&b, &call.n_done, 1) && other.n_done == 1 && !b.clnt, "freed in a callback");
	bench_deinit(&b);
}

/* ---- proofs ------------------------------------------------------------- */

static void offer_cookie(struct bench *b, uint32_t xid, uint32_t last)
{
	REPLY_DATAGRAM(b, xid, 1, 0, AUTH_SHORT, 16, 1, 2, 3, last, 0);
}

static void test_proof(void)
{
	struct call null = { .b = NULL }, call = { 0 };
	uint32_t words[64], xid;
	struct bench b;

	bench_init(&b);
	null.b = &b;
	rpcclnt_prove(b.clnt, 0, on_done, &null);
	ok(await(&b, words, 64) == 10 && words[5] == 0, "NULL");
	offer_cookie(&b, words[0], 4);
	ok(until(&b, &null.n_done, 1), "brings a cookie");
	make(&b, &call, 'a', RPCCLNT_PROVED, 0);
	ok(await_new(&b, words, 64) == 21 && words[6] == AUTH_SHORT && words[7] == 16 &&
	   words[11] == 4 && words[12] == 0 && words[13] == 0, "which is the credential");
	xid = words[0];
	REPLY_DATAGRAM(&b, xid, 1, 1, 1, AUTH_REJECTEDCRED);
	ok(await_new(&b, words, 64) == 10 && words[5] == 0, "refused, another is asked for");
	offer_cookie(&b, words[0], 5);
	ok(await_new(&b, words, 64) == 21 && words[11] == 5 && words[5] == USBIP_BULK,
	   "and the call made again with it");
	REPLY_DATAGRAM(&b, xid, 1, 1, 1, AUTH_REJECTEDCRED);
	run(b.base, 20);
	ok(!call.n_done, "an old refusal is not for it");
	REPLY_DATAGRAM(&b, words[0], 1, 1, 1, AUTH_REJECTEDCRED);
	ok(until(&b, &call.n_done, 1) && call.err.re_status == RPC_AUTHERROR, "a second one is");
	bench_deinit(&b);
}

/* A call that was made before there was a cookie. */
static void test_proof_later(void)
{
	struct call call = { 0 };
	uint32_t words[64];
	struct bench b;

	bench_init(&b);
	make(&b, &call, 'a', RPCCLNT_PROVED, 0);
	ok(await(&b, words, 64) == 17 && words[6] == AUTH_NONE, "without a cookie, no proof");
	REPLY_DATAGRAM(&b, words[0], 1, 1, 1, AUTH_TOOWEAK);
	await_new(&b, words, 64);
	offer_cookie(&b, words[0], 4);
	ok(await_new(&b, words, 64) == 21 && words[6] == AUTH_SHORT && words[11] == 4 &&
	   words[14 + 5] == 0, "too weak, it gets one");
	reply_done(&b, words[0], 7);
	ok(until(&b, &call.n_done, 1) && call.err.re_status == RPC_SUCCESS, "and is answered");
	bench_deinit(&b);
}

/* ---- many --------------------------------------------------------------- */

/* Pieces that have come, whose ids go to xids; was there a submit as well? */
static int take_pieces(struct bench *b, uint32_t *xids, int max, bool *submit)
{
	uint32_t words[64];
	int n = 0;

	run(b->base, 10);
	while (take(b->fd, words, sizeof(words)) > 0)
		if (ntohl(words[5]) != USBIP_STAGE)
			*submit = true;
		else if (n < max)
			xids[n++] = ntohl(words[0]);
	return n;
}

/* The socket of the peer has room for fewer than the window lets out: some
 * are lost, and come again. */
static void test_window(void)
{
	static struct call calls[STREAMED], other;
	uint32_t xids[STREAMED];
	bool submit = false;
	int n, n_done = 0;
	long end = now_ms() + 60000;
	struct bench b;

	bench_init(&b);
	for (int i = 0; i < STREAMED; i++)
		stage(&b, &calls[i], i, 2048);
	make(&b, &other, 'a', 0, 0);
	n = take_pieces(&b, xids, STREAMED, &submit);
	ok(submit && n > 1 && n < STREAMED, "%d pieces at first, and the submit", n);
	while (n_done < STREAMED && now_ms() < end) {
		for (int i = 0; i < n; i++)
			reply_stat(&b, xids[i], USBIP_OK);
		n = take_pieces(&b, xids, STREAMED, &submit);
		n_done = 0;
		for (int i = 0; i < STREAMED; i++)
			n_done += calls[i].n_done;
	}
	ok(n_done == STREAMED && !rpcclnt_queued(b.clnt), "and all of them in the end");
	bench_deinit(&b);
}

/* ---- what fits ---------------------------------------------------------- */

static void set_out(struct call *call, size_t len)
{
	static char data[RPCCLNT_ROOM_MAX];

	call->args.buffer.type = USBIP_BUFFER_OUT;
	call->args.buffer.usbip_buffer_u.data.usbip_data_val = data;
	call->args.buffer.usbip_buffer_u.data.usbip_data_len = len;
}

static void test_too_long(void)
{
	struct call call = { 0 };
	struct rpc_err err;
	struct bench b;

	bench_init(&b);
	set_out(&call, RPCCLNT_ROOM_MAX);
	ok(make(&b, &call, 'a', 0, 0) == RPC_CANTSEND, "a call that no datagram holds");
	clnt_geterr(rpcclnt_handle(b.clnt), &err);
	ok(err.re_errno == EMSGSIZE && !rpcclnt_outstanding(b.clnt), "is refused at once");
	bench_deinit(&b);
}

/* Large datagrams are lost, others are answered. */
static void test_black_hole(void)
{
	struct call large = { 0 }, small = { 0 }, once = { 0 };
	uint32_t words[64];
	struct bench b;

	bench_init(&b);
	set_out(&large, 2000);
	set_out(&once, 2000);
	make(&b, &large, 'l', 0, 0);
	make(&b, &once, 'o', RPCCLNT_ONCE, 0);
	run(b.base, 10);
	make(&b, &small, 's', RPCCLNT_PROMPT, 0);
	while (!small.n_done && await(&b, words, 64))
		if (words[9 + 6] != USBIP_BUFFER_OUT || words[9 + 7] != 2000)
			reply_done(&b, words[0], 7);
	ok(until(&b, &large.n_done, 1) && large.err.re_status == RPC_CANTSEND &&
	   large.err.re_errno == EMSGSIZE, "what is lost for its size ends");
	ok(rpcclnt_room(b.clnt) == RPCCLNT_ROOM_MIN && b.n_narrowed == 1, "and nothing is so large again");
	ok(make(&b, &large, 'l', 0, 0) == RPC_CANTSEND, "but is refused");
	ok(!once.n_done && make(&b, &small, 's', 0, 0) == RPC_SUCCESS,
	   "ONCE and what is small are left alone");
	bench_deinit(&b);
}

static bool set_mtu(int mtu)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_mtu = mtu };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool set = !ioctl(fd, SIOCSIFMTU, &ifr);

	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	set = set && !ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return set;
}

/* The path becomes narrower, in a network of this test's own. The last test. */
static void test_narrow(void)
{
	struct call large = { 0 }, once = { 0 };
	uint32_t words[64];
	struct bench b;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) || !set_mtu(1500)) {
		ok(1, "a narrower path # SKIP needs namespaces");
		return;
	}
	bench_init(&b);
	ok(rpcclnt_room(b.clnt) == 1500 - 28, "the room of an Ethernet");
	set_out(&large, 1400);
	set_out(&once, 3000);
	make(&b, &large, 'l', 0, 0);
	ok(await(&b, words, 64), "a datagram that fills it");
	make(&b, &once, 'o', RPCCLNT_ONCE, 0);
	ok(await_new(&b, words, 64) && words[16] == 3000, "ONCE is longer, and goes in fragments");
	if (!set_mtu(1300))
		abort();
	ok(until(&b, &large.n_done, 1) && large.err.re_errno == EMSGSIZE,
	   "what no longer fits ends");
	ok(rpcclnt_room(b.clnt) == 1300 - 28 && b.n_narrowed == 1, "and the room is that");
	bench_deinit(&b);
}

int main(void)
{
	test_lost();
	test_times_out();
	test_interim();
	test_refused();
	test_freed();
	test_proof();
	test_proof_later();
	test_window();
	test_too_long();
	test_black_hole();
	test_narrow();
	return tap_done();
}
