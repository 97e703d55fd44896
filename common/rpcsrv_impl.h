/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcsrv_impl - what rpcsrv.c (service, connections), rpcsrv_call.c (calls),
 * rpcsrv_listen.c (sockets of streams) and rpcsrv_dgram.c (those of datagrams)
 * share, and nobody else includes.
 *
 * Ownership: the service holds every connection in `conns`, or in those of a
 * socket of datagrams; a connection holds its calls in `calls`. A connection
 * that has ended stays as long as calls of it do: they may still be answered,
 * and the answers go nowhere.
 */
#ifndef USBIP_COMMON_RPCSRV_IMPL_H
#define USBIP_COMMON_RPCSRV_IMPL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "common/dgram.h"
#include "common/pool.h"
#include "common/proof.h"
#include "common/rpcmsg.h"
#include "common/rpcsrv.h"
#include "common/stream.h"

enum rpcsrv_conn_state {
	RPCSRV_CONN_OPEN,
	RPCSRV_CONN_DRAINING,	/* the peer sends no more: answer, then close */
	RPCSRV_CONN_CLOSING,	/* on_closing() is on its way */
	RPCSRV_CONN_CLOSED,	/* terminal: no stream any more */
};

struct rpcsrv_dgram;
struct rpcsrv_listener;

struct rpcsrv_conn {
	LIST_ENTRY(rpcsrv_conn) link;
	struct rpcsrv *srv;
	enum rpcsrv_conn_state state;
	struct stream stream;		/* but in CLOSED */
	struct rpcsrv_dgram *dgram;	/* its socket; then stream is zero */
	struct dgram_path path;		/* of its datagrams */
	uint64_t serial;		/* grows with each that begins */
	uint64_t received;		/* bytes of datagrams */
	struct event timer;		/* while nobody vouches, or draining */
	struct event closing;
	unsigned int trust;		/* how often it is vouched for */

	LIST_HEAD(, rpcsrv_call) calls;
	unsigned int n_calls;
	size_t bytes;			/* of their records */

	struct sockaddr_storage peer;
	char name[64];			/* of the peer, for people */
	void *user;
};

struct rpcsrv_call {
	SVCXPRT xprt;	/* first: to the dispatcher, it is the call */
	LIST_ENTRY(rpcsrv_call) link;
	struct rpcsrv_conn *conn;
	struct record *rec;
	struct rpcmsg_call msg;		/* points into rec */
	struct svc_req rq;
	XDR xdrs;			/* the arguments */
	bool shown;			/* its credential proved where it is */
	bool proved;			/* that, or it was trusted */
	uint8_t cookie[PROOF_LEN];	/* that the reply brings */
	bool dispatching;		/* the dispatcher looks at it yet */
	bool deferred;
	bool muted;
	bool answered;			/* or given up */
};

struct rpcsrv {
	struct rpcsrv_config config;
	LIST_HEAD(, rpcsrv_listener) listeners;
	LIST_HEAD(, rpcsrv_conn) conns;
	LIST_HEAD(, rpcsrv_dgram) dgrams;
	uint64_t next_serial;		/* of those of datagrams */
	struct proof proof;
	bool refusing;			/* connections, and the log says so */
	int reserve;			/* a descriptor to give up, or -1 */
	uint8_t *ahead;			/* of all streams, see stream.h */
	struct pool calls, records, gathers;
};

/* A record of conn: a call, which is dispatched. Takes rec. */
void rpcsrv_call_handle(struct rpcsrv_conn *conn, struct record *rec);
/* Free a call that nobody will answer or look at any more. */
void rpcsrv_call_free(struct rpcsrv_call *call);

/* conn has more or fewer calls, or has sent something. */
void rpcsrv_conn_update(struct rpcsrv_conn *conn);
/* What all kinds of connections have, but for a list that conn is in, from
 * peer on. 0 or -errno. */
int rpcsrv_conn_init(struct rpcsrv_conn *conn, struct rpcsrv *srv,
		     const struct sockaddr_storage *peer);
/* Does conn have as much under way as it may? */
bool rpcsrv_conn_is_full(const struct rpcsrv_conn *conn);
/* conn, and all its calls, without a word. */
void rpcsrv_conn_discard(struct rpcsrv_conn *conn);

/* The descriptor in reserve, see rpcsrv_listen.c. */
void rpcsrv_open_reserve(struct rpcsrv *srv);
void rpcsrv_listener_free(struct rpcsrv_listener *l);

/* Send a reply to conn, now or soon, or not at all. Takes g. */
void rpcsrv_dgram_send(struct rpcsrv_conn *conn, struct gather *g);
/* Closes, and discards its connections. */
void rpcsrv_dgram_free(struct rpcsrv_dgram *d);

#endif
