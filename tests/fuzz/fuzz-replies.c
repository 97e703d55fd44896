// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Datagrams to the calling side, with calls of several kinds outstanding: some
 * that are answered at once, some that want a proof, one that is sent once. The
 * input is a row of (which call, length, bytes): a datagram each, that has the
 * transaction id of that call in front; length 255 sends what is left as it is.
 * Calls that are made again, with another id, are counted behind the others.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "common/rpcclnt.h"
#include "rpc/usbip.h"
#include "tests/fuzz/fuzz.h"

enum { N_CALLS = 6, XIDS_MAX = 64 };

struct call {
	xdrproc_t xdr_res;
	union {
		usbip_list_res list;
		usbip_claim_res claim;
		usbip_transfer_res transfer;
		usbip_isoc_res isoc;
		usbip_fetch_res fetch;
	} res;
	int n_done;
};

struct peer {
	struct event_base *base;
	int fd;
	unsigned int n_xids;
	uint8_t xids[XIDS_MAX][4];
};

static int n_closed;

static void on_done(const struct rpc_err *err, void *user)
{
	struct call *call = user;

	if (call->n_done++)
		abort();
	if (call->xdr_res)
		xdr_free(call->xdr_res, &call->res);
}

static void on_closed(int error, void *user)
{
	n_closed++;
}

static bool is_interim(const uint8_t *results, size_t len)
{
	return len >= 4 && results[3] == USBIP_IN_PROGRESS;
}

#define CALL(clnt, call, name, args, field, how) do {			\
	(call)->xdr_res = (xdrproc_t)xdr_usbip_##field##_res;		\
	rpcclnt_next(clnt, 0, on_done, call);				\
	rpcclnt_how(clnt, how);						\
	rpcclnt_expect(clnt, 1000);					\
	if (usbip_##name##_1(args, &(call)->res.field,			\
			     rpcclnt_handle(clnt)))			\
		abort();						\
} while (0)

static void make_calls(struct rpcclnt *clnt, struct call calls[N_CALLS])
{
	static char empty[] = "";
	usbip_claim_args claim = { .device = empty, .host = empty };
	usbip_list_args list = { .cookie = 0 };
	usbip_bulk_args bulk;
	usbip_isoc_args isoc;
	usbip_fetch_args fetch;

	memset(&bulk, 0, sizeof(bulk));
	memset(&isoc, 0, sizeof(isoc));
	memset(&fetch, 0, sizeof(fetch));
	memset(calls, 0, N_CALLS * sizeof(calls[0]));
	CALL(clnt, &calls[0], bulk, &bulk, transfer, 0);
	CALL(clnt, &calls[1], fetch, &fetch, fetch, RPCCLNT_PROMPT);
	CALL(clnt, &calls[2], isoc, &isoc, isoc, RPCCLNT_ONCE);
	CALL(clnt, &calls[3], list, &list, list, RPCCLNT_PROVED);
	CALL(clnt, &calls[4], claim, &claim, claim, RPCCLNT_PROVED);
	if (rpcclnt_prove(clnt, 0, on_done, &calls[5]))
		abort();
}

static void note_xid(struct peer *p, const uint8_t *xid)
{
	for (unsigned int i = 0; i < p->n_xids; i++)
		if (!memcmp(p->xids[i], xid, 4))
			return;
	if (p->n_xids < XIDS_MAX)
		memcpy(p->xids[p->n_xids++], xid, 4);
}

static void hear(struct peer *p)
{
	static uint8_t data[1 << 16];
	ssize_t len;

	event_base_loop(p->base, EVLOOP_NONBLOCK);
	event_base_loop(p->base, EVLOOP_NONBLOCK);
	while ((len = recv(p->fd, data, sizeof(data), MSG_DONTWAIT)) >= 0)
		if (len >= 4)
			note_xid(p, data);
}

static void send_input(struct peer *p, const uint8_t *data, size_t size)
{
	uint8_t out[512];

	while (size >= 2) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2;

		hear(p);
		if (!p->n_xids)
			abort();
		if (data[1] == 255) {
			send(p->fd, data + 2, size - 2, MSG_NOSIGNAL);
			break;
		}
		memcpy(out, p->xids[data[0] % p->n_xids], 4);
		memcpy(out + 4, data + 2, n);
		send(p->fd, out, n + 4, MSG_NOSIGNAL);
		data += 2 + n;
		size -= 2 + n;
	}
	hear(p);
}

static int bound_socket(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)at, len) ||
	    getsockname(fd, (struct sockaddr *)at, &len))
		abort();
	return fd;
}

/* Connected to one another. */
static void make_pair(int pair[2])
{
	struct sockaddr_in at[2];

	for (int i = 0; i < 2; i++)
		pair[i] = bound_socket(&at[i]);
	for (int i = 0; i < 2; i++)
		if (connect(pair[i], (struct sockaddr *)&at[!i], sizeof(at[0])))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct rpcclnt_config config = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1, .record_max = 1 << 16,
		.closed = on_closed, .interim = is_interim,
	};
	struct call calls[N_CALLS];
	struct rpcclnt *clnt;
	struct peer peer;
	int pair[2];

	if (!base)
		base = event_base_new();
	config.base = base;
	n_closed = 0;
	make_pair(pair);
	peer = (struct peer){ .base = base, .fd = pair[1] };
	if (rpcclnt_new(&clnt, pair[0], &config))
		abort();
	make_calls(clnt, calls);
	send_input(&peer, data, size);
	/* Whatever a peer says, it closes nothing. */
	if (n_closed)
		abort();
	rpcclnt_free(clnt);
	for (int i = 0; i < N_CALLS; i++)
		if (calls[i].n_done != 1)
			abort();
	close(pair[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return 0;
}
