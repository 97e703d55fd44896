/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcclnt_impl - what rpcclnt.c (calls, the handle), its two transports,
 * rpcclnt_stream.c and rpcclnt_dgram.c, and rpcclnt_proof.c share, and nobody
 * else includes.
 *
 * A call is in the client's table from the stub to its end. The transport gets
 * it with its message encoded, and hands what came to rpcclnt_receive().
 */
#ifndef USBIP_COMMON_RPCCLNT_IMPL_H
#define USBIP_COMMON_RPCCLNT_IMPL_H

#include <sys/queue.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/congest.h"
#include "common/pool.h"
#include "common/rack.h"
#include "common/rpcclnt.h"
#include "common/rpcmsg.h"
#include "common/rtt.h"
#include "common/stream.h"

/* Ids follow one another: a bucket has n / RPCCLNT_BUCKETS calls. */
#define RPCCLNT_BUCKETS 256

/* Where a call is that goes by datagrams. */
enum rpcclnt_place {
	RPCCLNT_NOWHERE,	/* sent, or not to be sent now */
	RPCCLNT_READY,		/* to be sent by flush() */
	RPCCLNT_HELD,		/* to be sent when the window lets it out */
	RPCCLNT_FLYING,		/* sent, and its bytes are in the window */
};

TAILQ_HEAD(rpcclnt_calls, rpcclnt_call);

struct rpcclnt_call {
	LIST_ENTRY(rpcclnt_call) bucket;
	TAILQ_ENTRY(rpcclnt_call) link;	/* in the order they were made in */
	struct rpcclnt *clnt;
	uint32_t xid;
	bool timed;			/* else there is no timer */
	struct event timer;
	struct gather *message;		/* stream: while it is not sent */
	xdrproc_t xdr_res;
	void *res;
	rpcclnt_done_fn done;
	void *user;

	/* Of datagrams. */
	unsigned int how;		/* enum rpcclnt_how */
	size_t cred;			/* bytes of the cookie in the message,
					 * with what fills them up, or 0 */
	bool proving;			/* refused, it waits for another one */
	bool proved_anew;		/* and has it */
	enum rpcclnt_place place;
	TAILQ_ENTRY(rpcclnt_call) at;	/* in the list of that place */
	size_t expect;			/* bytes of results asked for */
	size_t charge;			/* bytes that it is to the window; 0 */
	unsigned int tries;
	uint64_t order;			/* of calls as they were made */
	uint64_t first, sent;		/* when it was sent, in us */
	uint64_t nth;			/* datagram that was sent */
	bool lost;			/* it is taken for that */
	uint64_t cut;			/* of the window, since it is lost */
	uint32_t interval;		/* at least, until it is sent again */
	bool interim;			/* the peer has it, and said so */
	struct event again;
};

/* What carries calls. */
struct rpcclnt_transport {
	/* call is new. */
	void (*send)(struct rpcclnt_call *call);
	/* call ends: nothing of it is sent any more. */
	void (*forget)(struct rpcclnt_call *call);
	void (*deinit)(struct rpcclnt *clnt);
};

/* The sending of datagrams. */
struct rpcclnt_dgram {
	int fd;
	size_t room;
	struct event readable, flush;
	struct event pace;		/* flush, later */
	struct event reorder;		/* what was passed may be lost */
	struct event attention;		/* it ends, or is narrower */
	bool told;			/* that it is connected */
	bool blocked;			/* the socket has no room */
	int error;			/* it ends, or has ended */
	unsigned int errors;		/* of the network, without an answer
				 * since */
	struct rtt rtt;
	struct rack rack;
	struct congest congest;
	struct rpcclnt_calls ready, held, flying;
	size_t queued;			/* bytes of ready and held */
	uint64_t order, nth;		/* of the next call, datagram */
	uint64_t answered;		/* when anything was, in us */
	uint64_t answered_large;	/* when something large was */
	uint64_t backed_off;		/* when the time-out was last doubled */
};

struct rpcclnt {
	struct rpcclnt_config config;
	const struct rpcclnt_transport *transport;
	struct stream stream;		/* or else: */
	struct rpcclnt_dgram dgram;
	uint8_t *ahead;
	struct pool call_pool, gather_pool;
	CLIENT handle;
	AUTH *no_auth;			/* libtirpc's one of AUTH_NONE */
	struct rpc_err last_error;	/* for clnt_geterr() */

	LIST_HEAD(, rpcclnt_call) buckets[RPCCLNT_BUCKETS];
	struct rpcclnt_calls calls;
	size_t n_calls;
	uint32_t xid;			/* of the next call */
	bool ended;			/* no more calls */
	bool *gonep;			/* for rpcclnt_free() in a callback */
	struct record *current;		/* that a callback is run for */

	uint8_t cookie[MAX_AUTH_BYTES];	/* of AUTH_SHORT */
	size_t cookie_len;		/* 0: there is none */
	bool proving;			/* a new one is asked for */

	/* Of rpcclnt_next(), rpcclnt_how() and rpcclnt_expect(). */
	unsigned int next_timeout, next_how;
	size_t next_expect;
	rpcclnt_done_fn next_done;
	void *next_user;
};

extern const struct rpcclnt_transport rpcclnt_by_stream, rpcclnt_by_dgram;

int rpcclnt_stream_init(struct rpcclnt *clnt, int fd);
int rpcclnt_dgram_init(struct rpcclnt *clnt, int fd);

/* A record came; takes it. -EBADMSG: it is no reply. *gonep: clnt is gone. */
int rpcclnt_receive(struct rpcclnt *clnt, struct record *rec, bool *gonep);
/* The end of a call without a result. clnt may be gone afterwards, if so
 * false. */
bool rpcclnt_fail_call(struct rpcclnt_call *call, enum clnt_stat status,
		       int error);
/* From now on call has another id, which its message lacks. */
void rpcclnt_rename(struct rpcclnt_call *call);
/* The connection has ended; tells the owner. */
void rpcclnt_fail(struct rpcclnt *clnt, int error);

/* Of datagrams: call was answered. False: the reply is still to come. */
bool rpcclnt_dgram_answered(struct rpcclnt_call *call, const uint8_t *results,
			    size_t len);
/* Send again what was taken back by forget(). */
void rpcclnt_dgram_send_anew(struct rpcclnt_call *call);

/* A reply's verifier: a cookie, if it is one. */
void rpcclnt_proof_keep(struct rpcclnt *clnt, const struct rpcmsg_auth *verf);
/* The cookie as a call's credential, and no verifier. */
bool_t rpcclnt_proof_put(XDR *xdrs, const struct rpcclnt *clnt);
/* Was the call refused for want of a proof, for the first time? */
bool rpcclnt_proof_is_wanted(const struct rpcclnt_call *call,
			     const struct rpc_err *err);
/* Send it again when there is another cookie. False: clnt is gone. */
bool rpcclnt_proof_renew(struct rpcclnt_call *call);

#endif
