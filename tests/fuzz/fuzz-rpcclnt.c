// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replies to the calling side, with calls of several types outstanding. The
 * input is a row of (which call, length, bytes): a record each, that has the
 * transaction id of that call in front; length 255 sends what is left as it is.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "common/rpcclnt.h"
#include "rpc/usbip.h"
#include "tests/fuzz/fuzz.h"

enum { N_CALLS = 6 };

struct call {
	xdrproc_t xdr_res;
	union {
		usbip_list_res list;
		usbip_events_res events;
		usbip_claim_res claim;
		usbip_transfer_res transfer;
		usbip_isoc_res isoc;
		usbip_fetch_res fetch;
	} res;
	int n_done;
};

static int n_closed;

static void on_done(const struct rpc_err *err, void *user)
{
	struct call *call = user;

	if (call->n_done++)
		abort();
	xdr_free(call->xdr_res, &call->res);
}

static void on_closed(int error, void *user)
{
	n_closed++;
}

#define CALL(clnt, call, name, args_type, field, res_type) do {		\
	args_type args_;						\
	memset(&args_, 0, sizeof(args_));				\
	(call)->xdr_res = (xdrproc_t)xdr_usbip_##res_type;		\
	rpcclnt_next(clnt, 0, on_done, call);				\
	if (usbip_##name##_1(&args_, &(call)->res.field, rpcclnt_handle(clnt)))	\
		abort();						\
} while (0)

static void make_calls(struct rpcclnt *clnt, struct call calls[N_CALLS])
{
	static char empty[] = "";
	usbip_claim_args claim = { .device = empty, .host = empty };

	memset(calls, 0, N_CALLS * sizeof(calls[0]));
	CALL(clnt, &calls[0], list, usbip_list_args, list, list_res);
	CALL(clnt, &calls[1], events, usbip_events_args, events, events_res);
	CALL(clnt, &calls[2], bulk, usbip_bulk_args, transfer, transfer_res);
	CALL(clnt, &calls[3], isoc, usbip_isoc_args, isoc, isoc_res);
	CALL(clnt, &calls[4], fetch, usbip_fetch_args, fetch, fetch_res);
	calls[5].xdr_res = (xdrproc_t)xdr_usbip_claim_res;
	rpcclnt_next(clnt, 0, on_done, &calls[5]);
	if (usbip_claim_1(&claim, &calls[5].res.claim, rpcclnt_handle(clnt)))
		abort();
}

/* The transaction id of each call, as the peer reads it. */
static void read_xids(int fd, struct event_base *base, uint8_t xids[N_CALLS][4])
{
	static uint8_t data[4096];
	uint32_t mark;
	size_t at = 0;
	ssize_t len;

	event_base_loop(base, EVLOOP_NONBLOCK);
	len = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	for (int i = 0; i < N_CALLS; i++) {
		if (len < 0 || at + 8 > (size_t)len)
			abort();
		memcpy(&mark, data + at, 4);
		memcpy(xids[i], data + at + 4, 4);
		at += 4 + (ntohl(mark) & 0x7fffffff);
	}
}

static void send_input(int fd, const uint8_t *data, size_t size, uint8_t xids[N_CALLS][4])
{
	static uint8_t out[1 << 13];
	size_t len = 0;

	while (size >= 2 && len + 8 + size < sizeof(out)) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2;
		uint32_t mark = htonl(0x80000000u | (n + 4));

		if (data[1] == 255) {
			memcpy(out + len, data + 2, size - 2);
			len += size - 2;
			break;
		}
		memcpy(out + len, &mark, 4);
		memcpy(out + len + 4, xids[data[0] % N_CALLS], 4);
		memcpy(out + len + 8, data + 2, n);
		len += 8 + n;
		data += 2 + n;
		size -= 2 + n;
	}
	if (send(fd, out, len, MSG_NOSIGNAL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct rpcclnt_config config = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1, .record_max = 1 << 16,
		.closed = on_closed,
	};
	struct call calls[N_CALLS];
	uint8_t xids[N_CALLS][4];
	struct rpcclnt *clnt;
	int pair[2];

	if (!base)
		base = event_base_new();
	config.base = base;
	n_closed = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || rpcclnt_new(&clnt, pair[0], &config))
		abort();
	make_calls(clnt, calls);
	read_xids(pair[1], base, xids);
	send_input(pair[1], data, size, xids);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	close(pair[1]);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	if (n_closed != 1 || rpcclnt_outstanding(clnt))
		abort();
	for (int i = 0; i < N_CALLS; i++)
		if (calls[i].n_done != 1)
			abort();
	rpcclnt_free(clnt);
	return 0;
}
