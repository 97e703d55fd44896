// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's two sides against each other over a socket pair: replies in
 * any order, payloads both ways, errors, ends of connections.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/event.h>

#include "common/rpcclnt.h"
#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

#define RECORD_MAX (USBIP_DATA_MAX + USBIP_RECORD_EXTRA)

struct bench {
	struct event_base *base;
	struct service service;
	struct rpcclnt *clnt;
	int closed;			/* error of closed(), or 1 */
};

struct call {
	struct bench *b;
	int n_done;			/* callbacks */
	enum clnt_stat status;
	struct rpc_err err;
	usbip_transfer_res res;
	usbip_bulk_args args;
	bool good;			/* the data that came is the pattern */
	unsigned int order;		/* 1 for the first that was done ... */
	bool free_clnt;			/* in the callback */
	void *kept;
};

static unsigned int n_done;

static void on_closed(int error, void *user)
{
	struct bench *b = user;

	b->closed = error;
}

static void bench_init(struct bench *b)
{
	struct rpcsrv_config config;
	struct rpcclnt_config clnt = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1,
		.record_max = RECORD_MAX, .closed = on_closed, .user = b,
	};
	int pair[2];

	memset(b, 0, sizeof(*b));
	n_done = 0;
	b->closed = 1;
	b->base = clnt.base = event_base_new();
	config = service_config(&b->service, b->base);
	if (service_init(&b->service, &config) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    rpcsrv_adopt(b->service.srv, pair[0]) || rpcclnt_new(&b->clnt, pair[1], &clnt))
		abort();
}

static void bench_deinit(struct bench *b)
{
	b->clnt = rpcclnt_free(b->clnt);
	service_deinit(&b->service);
	event_base_free(b->base);
}

static void call_done(const struct rpc_err *err, void *user)
{
	struct call *call = user;
	usbip_data *data = &call->res.usbip_transfer_res_u.done_data.data;

	call->n_done++;
	call->order = ++n_done;
	call->err = *err;
	call->status = err->re_status;
	if (err->re_status == RPC_SUCCESS && call->res.status == USBIP_OK_DATA)
		call->good = service_check(data->usbip_data_val, data->usbip_data_len,
					   call->args.submit.number);
	if (call->free_clnt)
		call->b->clnt = rpcclnt_free(call->b->clnt);
}

/* Queue BULK number `number`: len bytes in or out. */
static enum clnt_stat send_bulk(struct bench *b, struct call *call, uint32_t number,
				bool in, u_int len, unsigned int timeout)
{
	memset(call, 0, sizeof(*call));
	call->b = b;
	call->args.submit.number = number;
	call->args.buffer.type = in ? USBIP_BUFFER_IN : USBIP_BUFFER_OUT;
	if (in) {
		call->args.buffer.usbip_buffer_u.length = len;
	} else {
		call->args.buffer.usbip_buffer_u.data.usbip_data_len = len;
		call->args.buffer.usbip_buffer_u.data.usbip_data_val = malloc(len);
		service_fill(call->args.buffer.usbip_buffer_u.data.usbip_data_val, len, number);
	}
	rpcclnt_next(b->clnt, timeout, call_done, call);
	return usbip_bulk_1(&call->args, &call->res, rpcclnt_handle(b->clnt));
}

static void free_data(struct call *call)
{
	if (call->args.buffer.type == USBIP_BUFFER_OUT)
		free(call->args.buffer.usbip_buffer_u.data.usbip_data_val);
}

/* Trust the connection by RENEW, for large records. */
static void trust(struct bench *b)
{
	struct call call = { .b = b };
	usbip_renew_args args = { .session = 1 };
	usbip_renew_res res = { .status = USBIP_OK };

	rpcclnt_next(b->clnt, 0, call_done, &call);
	usbip_renew_1(&args, &res, rpcclnt_handle(b->clnt));
	run(b->base, 20);
	ok(call.status == RPC_SUCCESS && res.usbip_renew_res_u.lease == 30, "RENEW");
	n_done = 0;
}

static void test_order(void)
{
	static struct call calls[64];
	struct bench b;
	bool good = true, reversed = true;

	bench_init(&b);
	trust(&b);
	for (uint32_t i = 0; i < 64; i++)
		send_bulk(&b, &calls[i], i, i % 2, 100 * i * i, 0);
	ok(rpcclnt_outstanding(b.clnt) == 64, "64 calls are outstanding");
	run(b.base, 100);
	ok(b.service.n_parked == 64, "64 calls are parked");
	for (uint32_t i = 64; i-- > 0;)
		service_answer(&b.service, i);
	run(b.base, 100);
	for (uint32_t i = 0; i < 64; i++) {
		good = good && calls[i].n_done == 1 && calls[i].status == RPC_SUCCESS;
		good = good && (i % 2 == 0 || calls[i].good);
		reversed = reversed && calls[i].order == 64 - i;
		free_data(&calls[i]);
	}
	ok(good, "each is answered once, with its own data");
	ok(reversed, "in the order of the replies");
	ok(b.service.n_bad == 0, "data OUT arrived as sent");
	ok(b.service.n_lent == 0, "payloads were released");
	ok(rpcclnt_outstanding(b.clnt) == 0 && rpcclnt_queued(b.clnt) == 0, "nothing is left");
	bench_deinit(&b);
}

static void test_largest(void)
{
	struct bench b;
	struct call in, out;

	bench_init(&b);
	trust(&b);
	send_bulk(&b, &out, 1, false, USBIP_DATA_MAX, 0);
	send_bulk(&b, &in, 2, true, USBIP_DATA_MAX, 0);
	b.service.auto_answer = true;
	for (int i = 0; i < 50 && n_done < 2; i++)
		run(b.base, 100);
	ok(out.status == RPC_SUCCESS && out.n_done && !b.service.n_bad, "16 MiB OUT");
	ok(in.status == RPC_SUCCESS && in.good, "16 MiB IN");
	ok(in.res.usbip_transfer_res_u.done_data.data.usbip_data_len == USBIP_DATA_MAX,
	   "its length");
	free_data(&out);
	bench_deinit(&b);
}

/* The routine's memory is its own again when it has returned. */
static void test_at_once(void)
{
	struct bench b;
	struct call calls[2];
	usbip_control_args args = { .setup = { [6] = (char)0xff, [7] = (char)0xff } };

	bench_init(&b);
	memset(calls, 0, sizeof(calls));
	args.buffer.type = USBIP_BUFFER_IN;
	for (int i = 0; i < 2; i++) {
		args.setup[0] = 20 + i;
		calls[i].args.submit.number = 20 + i;
		rpcclnt_next(b.clnt, 0, call_done, &calls[i]);
		usbip_control_1(&args, &calls[i].res, rpcclnt_handle(b.clnt));
	}
	run(b.base, 50);
	ok(calls[0].good && calls[1].good, "two answers from the same memory");
	bench_deinit(&b);
}

int main(void)
{
	test_order();
	test_at_once();
	test_largest();
	return tap_done();
}
