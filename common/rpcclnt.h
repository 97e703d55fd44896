/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcclnt - the calling side of ONC RPC (RFC 5531) over one stream: any number
 * of calls outstanding, replies in any order, on an event loop.
 *
 * Calls are made through the stubs of rpcgen: rpcclnt_next() says where the
 * reply goes, then the stub (given rpcclnt_handle()) encodes and queues the
 * call and returns RPC_SUCCESS: it does not wait.
 *
 *	rpcclnt_next(c, 5000, done, urb);
 *	usbip_bulk_1(&args, &urb->res, rpcclnt_handle(c));
 *
 * *res is all zero when the stub is called (its size is not known in here),
 * and lives until the callback. The callback frees what the result points to
 * by xdr_free(), as clnt_freeres() does elsewhere; payloads are not of that,
 * so the results of transfers need nothing. Arguments need to live until the
 * stub returns, but for payloads (usbip_data) of 4 KiB and more, which are
 * sent from where they are and must stay until the callback.
 */
#ifndef USBIP_COMMON_RPCCLNT_H
#define USBIP_COMMON_RPCCLNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <rpc/rpc.h>

struct event_base;
struct rpcclnt;

/*
 * The end of a call, once for each call that was queued (the stub returned
 * RPC_SUCCESS), and never from within the stub. err->re_status:
 * RPC_SUCCESS; RPC_TIMEDOUT (a reply that still comes is dropped);
 * RPC_CANTRECV (the connection ended, or rpcclnt_free()); RPC_PROGVERSMISMATCH
 * with re_vers; ... Payloads in the result point into the reply's record and
 * are valid until the callback returns: to keep them longer, rpcclnt_keep().
 */
typedef void (*rpcclnt_done_fn)(const struct rpc_err *err, void *user);

/* The connection ended (or was never made: -errno as of connect()); the
 * callbacks of all calls have run, with RPC_CANTRECV. Not called after
 * rpcclnt_free(). */
typedef void (*rpcclnt_closed_fn)(int error, void *user);

struct rpcclnt_config {
	struct event_base *base;
	rpcprog_t prog;
	rpcvers_t vers;
	size_t record_max;	/* bytes of a reply */
	rpcclnt_closed_fn closed;
	void (*connected)(void *user);	/* may be NULL */
	void *user;
};

/*
 * A client over a stream socket, connected or connecting (nonblocking
 * connect() in progress), consumed on success. 0 or -errno.
 */
int rpcclnt_new(struct rpcclnt **clntp, int fd,
		const struct rpcclnt_config *config);
/* Ends all calls with RPC_CANTRECV (callbacks run in here) and closes. May be
 * called from any callback of this client, but from one that it runs itself. */
struct rpcclnt *rpcclnt_free(struct rpcclnt *clnt);

/* The handle that the stubs of rpcgen take. Belongs to clnt. */
CLIENT *rpcclnt_handle(struct rpcclnt *clnt);
/* Where the next call's end goes. timeout in ms, 0: none. */
void rpcclnt_next(struct rpcclnt *clnt, unsigned int timeout_ms,
		  rpcclnt_done_fn done, void *user);
/*
 * In a callback: keep the record that payloads of this result point into.
 * To be given back by rpcclnt_unkeep() some time.
 */
void *rpcclnt_keep(struct rpcclnt *clnt);
void rpcclnt_unkeep(void *record);

/* Calls not yet answered; bytes queued that the socket has not taken. */
size_t rpcclnt_outstanding(const struct rpcclnt *clnt);
size_t rpcclnt_queued(const struct rpcclnt *clnt);

#endif
