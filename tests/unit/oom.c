// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Without memory: the engine's two sides against each other, again and again,
 * with one more allocation of theirs succeeding before one fails. Whatever
 * fails then, each call that was taken has its one callback, and what was
 * lent comes back. (The linker wraps the allocations of common/; those of this
 * test are the real ones, see common.inc.)
 */
#include <netinet/in.h>
#include <unistd.h>

#include "common/rpcclnt.h"
#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

enum { N_CALLS = 8, LARGE = 1 << 20 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static long until_failure = -1;		/* allocations; below 0: never */
static bool failed;

static bool may_allocate(void)
{
	if (until_failure < 0 || until_failure--)
		return true;
	failed = true;
	return false;
}

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t size)
{
	return may_allocate() ? __real_realloc(p, size) : NULL;
}

struct call {
	int n_made, n_done;
	usbip_bulk_args args;
	usbip_transfer_res res;
	char *data;
};

struct bench {
	struct event_base *base;
	struct service service;
	struct rpcclnt *clnt;
	struct call calls[N_CALLS];
};

static void on_done(const struct rpc_err *err, void *user)
{
	struct call *call = user;

	call->n_done++;
	free(call->data);
	call->data = NULL;
}

static void on_closed(int error, void *user)
{
}

/* One BULK: in or out, of len bytes. */
static void make(struct bench *b, struct call *call, bool in, u_int len, unsigned int timeout)
{
	usbip_buffer *buffer = &call->args.buffer;

	buffer->type = in ? USBIP_BUFFER_IN : USBIP_BUFFER_OUT;
	call->data = malloc(len);
	if (in) {
		buffer->usbip_buffer_u.length = len;
	} else {
		service_fill(call->data, len, 0);
		buffer->usbip_buffer_u.data = (usbip_data){ len, call->data };
	}
	rpcclnt_next(b->clnt, timeout, on_done, call);
	if (usbip_bulk_1(&call->args, &call->res, rpcclnt_handle(b->clnt)) == RPC_SUCCESS) {
		call->n_made++;
	} else {
		free(call->data);
		call->data = NULL;
	}
}

static void exchange(struct bench *b)
{
	usbip_renew_args args = { .session = 1 };
	usbip_renew_res res = { .status = USBIP_OK };
	struct call renew = { .n_made = 0 };

	rpcclnt_next(b->clnt, 0, on_done, &renew);
	renew.n_made = usbip_renew_1(&args, &res, rpcclnt_handle(b->clnt)) == RPC_SUCCESS;
	run(b->base, 2);
	for (int i = 0; i < N_CALLS - 1; i++)
		make(b, &b->calls[i], i % 2, 100 << i, 0);
	run(b->base, 2);
	while (b->service.n_parked) {
		service_answer(&b->service, TAILQ_FIRST(&b->service.parked)->number);
		run(b->base, 1);
	}
	/* A message of which a part is sent when its time is over. */
	make(b, &b->calls[N_CALLS - 1], false, LARGE, 1);
	run(b->base, 4);
	b->clnt = rpcclnt_free(b->clnt);
	if (renew.n_made != renew.n_done)
		abort();
}

/* A stream, or a socket of the answering side's and a caller's connected to
 * it; the latter comes second. */
static void make_pair(int pair[2], bool dgram)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);
	int small = 4096;

	if (!dgram) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			abort();
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		return;
	}
	pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
	pair[1] = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(pair[0], (struct sockaddr *)&at, len) ||
	    getsockname(pair[0], (struct sockaddr *)&at, &len) ||
	    connect(pair[1], (struct sockaddr *)&at, len))
		abort();
}

/* The whole of it, with n allocations before one fails. False: bad. */
static bool attempt(long n, bool dgram)
{
	struct rpcclnt_config clnt = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1,
		.record_max = USBIP_DATA_MAX, .closed = on_closed,
	};
	struct rpcsrv_config config;
	struct bench b;
	bool good = true;
	int pair[2];

	memset(&b, 0, sizeof(b));
	b.base = clnt.base = event_base_new();
	config = service_config(&b.service, b.base);
	config.limits.calls = 4;	/* streams pause with something read */
	make_pair(pair, dgram);
	failed = false;
	until_failure = n;
	if (service_init(&b.service, &config)) {
		close(pair[0]);
		close(pair[1]);
	} else {
		if ((dgram ? rpcsrv_listen_dgram : rpcsrv_adopt)(b.service.srv, pair[0]))
			close(pair[0]);
		if (rpcclnt_new(&b.clnt, pair[1], &clnt))
			close(pair[1]);
		else
			exchange(&b);
	}
	until_failure = -1;
	service_deinit(&b.service);
	event_base_free(b.base);
	for (int i = 0; i < N_CALLS; i++)
		good = good && b.calls[i].n_made == b.calls[i].n_done;
	return good && b.service.n_lent == 0;
}

static void test(bool dgram)
{
	unsigned int n_bad = 0;
	long n = 0;

	do
		n_bad += !attempt(n++, dgram);
	while (failed && n < 1000);
	ok(!n_bad, "%s: each call has one end, whichever of %ld allocations fails",
	   dgram ? "datagrams" : "a stream", n);
	ok(!failed && n > 30, "until none of them does");
}

int main(void)
{
	test(false);
	test(true);
	return tap_done();
}
