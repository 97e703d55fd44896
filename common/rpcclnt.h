/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcclnt - the calling side of ONC RPC (RFC 5531) over one stream, or to one
 * peer by datagrams: any number of calls outstanding, replies in any order, on
 * an event loop.
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
 *
 * Over datagrams a call is sent again, with the same transaction id, until it
 * is answered: so what it asks for must be the same if it is done twice. How
 * long it may take to be answered is said by rpcclnt_how(); a peer that is not
 * there at all shows by time-outs alone, or where its host says so.
 */
#ifndef USBIP_COMMON_RPCCLNT_H
#define USBIP_COMMON_RPCCLNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <rpc/rpc.h>

struct event_base;
struct pool;
struct rpcclnt;

/*
 * The end of a call, once for each call that was queued (the stub returned
 * RPC_SUCCESS), and never from within the stub. err->re_status:
 * RPC_SUCCESS; RPC_TIMEDOUT (a reply that still comes is dropped);
 * RPC_CANTRECV (the connection ended, or rpcclnt_free()); RPC_CANTSEND with
 * re_errno EMSGSIZE (see rpcclnt_room()); RPC_PROGVERSMISMATCH with re_vers;
 * ... Payloads in the result point into the reply's record and are valid until
 * the callback returns: to keep them longer, rpcclnt_keep().
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
	/* Of objects of RPCCLNT_POOLED, for small replies, or NULL. It outlives
	 * the client, and what is kept of it. */
	struct pool *records;
	rpcclnt_closed_fn closed;
	void (*connected)(void *user);	/* may be NULL */
	/* Datagrams only, and may be NULL: do these results say that the call
	 * runs yet, and that its reply comes later? */
	bool (*interim)(const uint8_t *results, size_t len);
	/* rpcclnt_room() has become less; calls that no longer fit have ended.
	 * May be NULL. */
	void (*narrowed)(void *user);
	void *user;
};

/* Bytes: the reply of a transfer that has read a packet of 512 fits. */
#define RPCCLNT_POOLED 640

/* A datagram of that many bytes passes wherever IPv6 does. */
#define RPCCLNT_ROOM_MIN 1232
/* No datagram has more. */
#define RPCCLNT_ROOM_MAX 65507

/*
 * A client over a stream socket, connected or connecting (nonblocking
 * connect() in progress), or over a datagram socket that is connected (for
 * which connected() is called at once, from the loop); consumed on success.
 * 0 or -errno.
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

/* How the next call is to be treated over datagrams. Streams know of
 * RPCCLNT_PROVED and of time-outs, and need nothing of the rest. */
enum rpcclnt_how {
	/* It is answered at once by whoever gets it: so it measures the way,
	 * and where it is lost there is congestion. Without this, the answer
	 * may take as long as it likes. Not for what waits for a device. */
	RPCCLNT_PROMPT = 1,
	/* Sent once. Better late than never it is not: isochronous. May be
	 * longer than rpcclnt_room(), and goes in fragments of IP then. */
	RPCCLNT_ONCE = 2,
	/* With what rpcclnt_prove() got, if it did. */
	RPCCLNT_PROVED = 4,
};
/* After rpcclnt_next(), which sets 0. */
void rpcclnt_how(struct rpcclnt *clnt, unsigned int how);
/* So many bytes of results are asked for by the next call, after
 * rpcclnt_next(), which sets 0: how many calls that are prompt may be on
 * their way is measured by what they and their replies need. */
void rpcclnt_expect(struct rpcclnt *clnt, size_t bytes);

/*
 * Ask the peer for the proof that this socket's address is its owner's (a
 * NULL call; done as of rpcclnt_next(), also over streams, where nothing is
 * needed). It is kept, and asked for again when a call with RPCCLNT_PROVED is
 * refused for it, which is then made again, once.
 */
enum clnt_stat rpcclnt_prove(struct rpcclnt *clnt, unsigned int timeout_ms,
			     rpcclnt_done_fn done, void *user);
/* Does it go by datagrams? */
bool rpcclnt_is_dgram(const struct rpcclnt *clnt);
/*
 * Bytes that a call may have now, headers of RPC included; a reply should have
 * no more. A stub whose call has more returns RPC_CANTSEND, with EMSGSIZE in
 * clnt_geterr(). It becomes less where a narrow link is met; what is under way
 * and no longer fits ends RPC_CANTSEND. SIZE_MAX over streams.
 */
size_t rpcclnt_room(const struct rpcclnt *clnt);

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
