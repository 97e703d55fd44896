/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcsrv - the answering side of ONC RPC (RFC 5531): listeners, connections
 * and calls, on one event loop, beneath rpcgen's dispatcher.
 *
 * Each call is an object of its own that *is* an SVCXPRT, so a dispatcher
 * made by rpcgen runs over it unchanged. A service routine either answers at
 * once (fills *result, returns TRUE), or takes the call with rpcsrv_defer(),
 * returns FALSE, and answers later with rpcsrv_reply(), from the same thread
 * and in any order. Nothing in here blocks, and a peer that sends half a
 * record or does not read its replies delays nobody else.
 *
 * Datagrams. A call is a datagram, and so is its reply. The connection of one
 * is the address that it came from, at the socket that it came to: a
 * stranger's is there while it has a call outstanding, a trusted one until it
 * is distrusted. Nothing is kept of calls that were answered: what is asked
 * for must be the same if it is asked for twice.
 *
 * Anybody can write anybody's address on a datagram. So a caller has proved
 * its address only when it sends back what was sent there: a NULL call is
 * answered with a verifier of AUTH_SHORT, which is then the caller's
 * credential (RFC 5531, section 8.2). To who has not, no reply is longer than
 * its call: AUTH_TOOWEAK is sent instead.
 */
#ifndef USBIP_COMMON_RPCSRV_H
#define USBIP_COMMON_RPCSRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <rpc/rpc.h>

struct event_base;
struct rpcsrv;		/* a service: one program, its listeners, its limits */
struct rpcsrv_conn;	/* one connection; counted by its deferred calls */
struct rpcsrv_call;	/* one call; its record lives until it is answered */
struct rpcmsg_sys;

typedef void (*rpcsrv_dispatch_fn)(struct svc_req *rq, SVCXPRT *xprt);

/*
 * Those ending in _small are for connections before rpcsrv_conn_trust(): who
 * is a stranger may ask for little at a time.
 */
struct rpcsrv_limits {
	size_t record_small;	/* bytes of a record */
	size_t record_max;
	unsigned int fragments;	/* of one record */
	unsigned int conns;	/* connections in all; above it, or where there
				 * are no descriptors, one that is untrusted
				 * gives way, if there is */
	unsigned int conns_peer;/* untrusted connections of one address */
	unsigned int calls_small;
	unsigned int calls;	/* unanswered calls of one connection: more than
				 * the service itself lets in, or the call that
				 * ends another one is not read */
	size_t bytes_small;
	size_t bytes;		/* held by them and by replies not yet sent;
				 * above it the connection is not read */
	unsigned int idle;	/* seconds without a record and without a call
				 * until an untrusted connection is closed */
	unsigned int drain;	/* seconds for the answers to a peer that has
				 * closed its half of the connection */
	unsigned int strangers;	/* addresses of datagrams that have a call
				 * outstanding and no trust, at one socket, 1 or
				 * more; above it, the oldest gives way */
	unsigned int strangers_peer;	/* of one host, likewise */
};

/* Bytes of the longest datagram. */
#define RPCSRV_DGRAM_MAX 65507
/* Bytes of a reply by datagram that always passes in one piece. */
#define RPCSRV_DGRAM_SAFE 1200

struct rpcsrv_config {
	struct event_base *base;
	rpcprog_t prog;
	rpcvers_t vers_low, vers_high;
	rpcsrv_dispatch_fn dispatch;	/* of rpcgen -m */
	/* By datagram, is this procedure for callers alone who have proved
	 * their address? Others get AUTH_TOOWEAK. May be NULL: none is. */
	bool (*needs_proof)(rpcproc_t proc);
	/* The same, and not even trust is enough without AUTH_SHORT: it takes
	 * what could not be taken in the name of another. May be NULL. */
	bool (*needs_cookie)(rpcproc_t proc);
	struct rpcsrv_limits limits;
	/* A connection ended; its deferred calls may still be answered
	 * (the replies go nowhere). May be NULL. */
	void (*conn_closed)(struct rpcsrv_conn *conn, void *user);
	void *user;
};

/* Limits that suit a service whose largest record is record_max bytes. */
void rpcsrv_limits_default(struct rpcsrv_limits *limits, size_t record_max);

/* 0 or -errno. `config` is copied. */
int rpcsrv_new(struct rpcsrv **srvp, const struct rpcsrv_config *config);
/* Closes everything, without conn_closed(); deferred calls are gone. Not from
 * a callback of this service. NULL is fine. */
struct rpcsrv *rpcsrv_free(struct rpcsrv *srv);

/* Accept connections on a listening stream socket, consumed on success. */
int rpcsrv_listen(struct rpcsrv *srv, int fd);
/* Serve a connected stream socket, consumed on success. */
int rpcsrv_adopt(struct rpcsrv *srv, int fd);
/* Serve a datagram socket (IP or IPv6) that is bound, consumed on success. */
int rpcsrv_listen_dgram(struct rpcsrv *srv, int fd);

/*
 * From a service routine: keep this call for a later reply. The routine owns
 * what the arguments point to from now on: it copies *args, sets *result to
 * zero (rpcgen's dispatcher frees it all the same), and returns FALSE.
 * Payloads (usbip_data) point into the record, which the call keeps until it
 * is answered.
 */
struct rpcsrv_call *rpcsrv_defer(struct svc_req *rq);
/*
 * Answer a deferred call; the call is gone afterwards. The result is encoded
 * before the return, but for payloads of 4 KiB and more: they are sent from
 * where they are, and `release(user)` is called once they are no longer
 * needed: before the return or later, also when the connection has ended.
 * release may be NULL if `res` has no such payload. -errno: the result could
 * not be encoded, the caller gets SYSTEM_ERR, release has been called.
 */
int rpcsrv_reply(struct rpcsrv_call *call, xdrproc_t xdr_res, void *res,
		 void (*release)(void *user), void *user);
/* Answer with PROC_UNAVAIL, GARBAGE_ARGS or SYSTEM_ERR instead. */
void rpcsrv_reply_error(struct rpcsrv_call *call, enum accept_stat stat);
/* From a service routine: whatever is answered to this call, now or later, is
 * not sent. */
void rpcsrv_mute(struct svc_req *rq);
/* Give the call up without an answer (a datagram; a connection that ended). */
void rpcsrv_drop(struct rpcsrv_call *call);

/* config.user of the service that a call came to. */
void *rpcsrv_user(struct svc_req *rq);
/* What the caller says of itself by AUTH_SYS (see rpcmsg.h). It is said, not
 * shown. -ENODATA: the call has another credential. */
int rpcsrv_cred(struct svc_req *rq, struct rpcmsg_sys *sys);

/* Did the call itself show that its caller is where it calls from? Always true
 * on a stream; on datagrams with a valid AUTH_SHORT. */
bool rpcsrv_is_proved(struct svc_req *rq);
/* From a service routine, which returns FALSE: the call is denied. */
void rpcsrv_deny(struct svc_req *rq, enum auth_stat why);
/*
 * Bytes that the whole reply should have at most: SIZE_MAX on a stream. By
 * datagram, of a caller that has proved its address, as many as the call had,
 * or RPCSRV_DGRAM_SAFE if that is more; of any other as many as the call had.
 * A transfer's reply may have RPCSRV_DGRAM_MAX where the caller asked for so
 * much: it knows what passes. Above that, SYSTEM_ERR is sent.
 */
size_t rpcsrv_room(struct svc_req *rq);
size_t rpcsrv_call_room(const struct rpcsrv_call *call);

/* Is call the same message as an earlier one, which was sent again? Never on a
 * stream. */
bool rpcsrv_call_is_copy(const struct rpcsrv_call *call,
			 const struct rpcsrv_call *earlier);

/* The connection of a call; valid while the call is or until conn_closed. */
struct rpcsrv_conn *rpcsrv_conn(struct svc_req *rq);
struct rpcsrv_conn *rpcsrv_call_conn(struct rpcsrv_call *call);
/* A value of the owner's, NULL at first. */
void rpcsrv_conn_set_user(struct rpcsrv_conn *conn, void *user);
void *rpcsrv_conn_user(const struct rpcsrv_conn *conn);
/* Is it one of datagrams? */
bool rpcsrv_conn_is_dgram(const struct rpcsrv_conn *conn);
/* The peer; AF_UNSPEC if it has no address. */
const struct sockaddr *rpcsrv_conn_peer(const struct rpcsrv_conn *conn);
/* The same host, whichever port it uses; on whichever link, if it is a
 * link-local address. */
bool rpcsrv_same_host(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b);
/* The peer, as a log names it. */
const char *rpcsrv_conn_name(const struct rpcsrv_conn *conn);
/* Bytes that have come by it: also those of a record that is not complete. */
uint64_t rpcsrv_conn_received(const struct rpcsrv_conn *conn);
/* Some, but not all of a record has come. */
bool rpcsrv_conn_is_receiving(const struct rpcsrv_conn *conn);
/* The peer may still send: it has not closed its half. */
bool rpcsrv_conn_is_open(const struct rpcsrv_conn *conn);
/*
 * The peer has shown that it may use the service: the large limits apply,
 * until that is taken back as often as it was said. distrust() returns
 * whether somebody else still vouches.
 */
void rpcsrv_conn_trust(struct rpcsrv_conn *conn);
bool rpcsrv_conn_distrust(struct rpcsrv_conn *conn);
/* End a connection; its conn_closed runs from the loop, not from in here. One
 * of datagrams is forgotten: the address's next datagram begins another. */
void rpcsrv_conn_close(struct rpcsrv_conn *conn);

#endif
