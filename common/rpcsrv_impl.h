/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcsrv_impl - what rpcsrv.c (service, connections) and rpcsrv_call.c (calls)
 * share, and nobody else includes.
 *
 * Ownership: the service holds every connection in `conns`, a connection
 * holds its calls in `calls`. A connection that has ended stays as long as
 * calls of it do: they may still be answered, and the answers go nowhere.
 */
#ifndef USBIP_COMMON_RPCSRV_IMPL_H
#define USBIP_COMMON_RPCSRV_IMPL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "common/pool.h"
#include "common/rpcmsg.h"
#include "common/rpcsrv.h"
#include "common/stream.h"

enum rpcsrv_conn_state {
	RPCSRV_CONN_OPEN,
	RPCSRV_CONN_DRAINING,	/* the peer sends no more: answer, then close */
	RPCSRV_CONN_CLOSING,	/* on_closing() is on its way */
	RPCSRV_CONN_CLOSED,	/* terminal: no stream any more */
};

struct rpcsrv_conn {
	LIST_ENTRY(rpcsrv_conn) link;
	struct rpcsrv *srv;
	enum rpcsrv_conn_state state;
	struct stream stream;		/* but in CLOSED */
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
	bool dispatching;		/* the dispatcher looks at it yet */
	bool deferred;
	bool answered;			/* or given up */
};

struct rpcsrv {
	struct rpcsrv_config config;
	LIST_HEAD(, rpcsrv_listener) listeners;
	LIST_HEAD(, rpcsrv_conn) conns;
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

#endif
