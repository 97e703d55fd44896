// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * srv - common/rpcsrv.h over the simulated network, beneath rpcgen's own
 * dispatcher and over the real codec.
 */
#include "tests/sim/srv.h"

#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "common/payload.h"
#include "common/record.h"
#include "common/rpcmsg.h"
#include "common/rpcsrv.h"
#include "rpc/usbip.h"
#include "server/proc.h"
#include "tests/sim/daemon.h"
#include "tests/sim/net.h"
#include "tests/sim/sim.h"
#include "tests/sim/wire.h"

/* Made by rpcgen, which declares it nowhere. */
void usbip_program_1(struct svc_req *rq, SVCXPRT *xprt);

struct rpcsrv_conn {
	TAILQ_ENTRY(rpcsrv_conn) link;
	struct net_conn *net;
	struct sim_timer closing;
	unsigned int trust;
	bool closed;
	uint64_t received;
	unsigned int n_calls;
	struct sockaddr_storage peer;
};

struct rpcsrv_call {
	SVCXPRT xprt;			/* first: it is one */
	struct svc_req rq;
	struct rpcsrv_conn *conn;
	struct record *rec;
	struct rpcmsg_call msg;
	XDR xdrs;
	bool dispatching, deferred, answered;
};

static TAILQ_HEAD(, rpcsrv_conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static void *owner;
static unsigned int n_calls;

/* ---- replies ------------------------------------------------------------ */

static void free_call(struct rpcsrv_call *call)
{
	call->conn->n_calls--;
	n_calls--;
	record_unref(call->rec);
	free(call);
}

static void end_call(struct rpcsrv_call *call)
{
	sim_check(!call->answered, "a call is answered once", "xid %u",
		  call->msg.xid);
	call->answered = true;
	if (!call->dispatching)
		free_call(call);
}

static void send_reply(struct rpcsrv_call *call, struct rpc_msg *msg)
{
	struct rpcsrv_conn *conn = call->conn;
	XDR xdrs;

	msg->rm_xid = call->msg.xid;
	msg->rm_direction = REPLY;
	xdrmem_create(&xdrs, (char *)wire_buffer, WIRE_MAX, XDR_ENCODE);
	if (!xdr_replymsg(&xdrs, msg))
		abort();
	if (!conn->closed)
		net_send(conn->net, NET_TARGET, wire_buffer,
			 XDR_GETPOS(&xdrs));
}

int rpcsrv_reply(struct rpcsrv_call *call, xdrproc_t xdr_res, void *res,
		 void (*release)(void *user), void *user)
{
	struct rpc_msg msg = { .rm_direction = REPLY };

	msg.rm_reply.rp_stat = MSG_ACCEPTED;
	msg.acpted_rply.ar_verf = _null_auth;
	msg.acpted_rply.ar_stat = SUCCESS;
	msg.acpted_rply.ar_results.where = res;
	msg.acpted_rply.ar_results.proc = xdr_res;
	send_reply(call, &msg);
	end_call(call);
	if (release)
		release(user);
	return 0;
}

void rpcsrv_reply_error(struct rpcsrv_call *call, enum accept_stat stat)
{
	struct rpc_msg msg = { .rm_direction = REPLY };

	msg.rm_reply.rp_stat = MSG_ACCEPTED;
	msg.acpted_rply.ar_verf = _null_auth;
	msg.acpted_rply.ar_stat = stat;
	send_reply(call, &msg);
	end_call(call);
}

void rpcsrv_drop(struct rpcsrv_call *call)
{
	end_call(call);
}

/* ---- the dispatcher's transport ----------------------------------------- */

static bool_t get_args(SVCXPRT *xprt, xdrproc_t xdr_args, void *args)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)xprt;

	return xdr_args(&call->xdrs, args);
}

static bool_t reply_now(SVCXPRT *xprt, struct rpc_msg *msg)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)xprt;

	if (call->answered || call->deferred)
		return FALSE;
	send_reply(call, msg);
	end_call(call);
	return TRUE;
}

static bool_t free_args(SVCXPRT *xprt, xdrproc_t xdr_args, void *args)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)xprt;

	if (!call->deferred)
		xdr_free(xdr_args, args);
	return TRUE;
}

static const struct xp_ops call_ops = {
	.xp_getargs = get_args,
	.xp_reply = reply_now,
	.xp_freeargs = free_args,
};

/* ---- calls -------------------------------------------------------------- */

static void receive(const uint8_t *data, size_t len, void *user)
{
	struct rpcsrv_conn *conn = user;
	struct rpcsrv_call *call = calloc(1, sizeof(*call));

	if (!call)
		abort();
	call->conn = conn;
	call->rec = wire_record(data, len);
	call->xprt.xp_ops = &call_ops;
	call->xprt.xp_verf = _null_auth;
	call->rq.rq_xprt = &call->xprt;
	conn->n_calls++;
	conn->received += len;
	n_calls++;
	if (rpcmsg_parse_call(&call->msg, call->rec->data, len))
		abort();
	sim_note("         %s arrives", wire_call_text(data, len));
	call->rq.rq_prog = call->msg.prog;
	call->rq.rq_vers = call->msg.vers;
	call->rq.rq_proc = call->msg.proc;
	payload_decode(&call->xdrs, call->rec, call->msg.args);
	call->dispatching = true;
	usbip_program_1(&call->rq, &call->xprt);
	call->dispatching = false;
	daemon_dispatched(data, len);
	if (call->answered)
		free_call(call);
	else
		sim_check(call->deferred, "a call is answered once",
			  "xid %u was forgotten", call->msg.xid);
}

/* conn_closed() runs from the loop. */
static void close_now(void *arg)
{
	struct rpcsrv_conn *conn = arg;

	proc_conn_closed(conn, owner);
}

static void close_conn(struct rpcsrv_conn *conn)
{
	if (conn->closed)
		return;
	conn->closed = true;
	net_close(conn->net, NET_TARGET);
	sim_timer_set(&conn->closing, 0);
}

static void closed(void *user)
{
	close_conn(user);
}

static const struct net_handlers handlers = { receive, closed };

static void accept_conn(struct net_conn *net)
{
	struct rpcsrv_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		abort();
	conn->net = net;
	conn->peer.ss_family = AF_INET;
	sim_timer_init(&conn->closing, close_now, conn);
	TAILQ_INSERT_TAIL(&conns, conn, link);
	net_take(net, NET_TARGET, &handlers, conn);
}

/* ---- what procedures ask for -------------------------------------------- */

struct rpcsrv_call *rpcsrv_defer(struct svc_req *rq)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)rq->rq_xprt;

	call->deferred = true;
	return call;
}

/* It is dropped, as if it had never come. */
void rpcsrv_mute(struct svc_req *rq)
{
	rpcsrv_drop(rpcsrv_defer(rq));
}

bool rpcsrv_is_proved(struct svc_req *rq)
{
	return true;
}

void rpcsrv_deny(struct svc_req *rq, enum auth_stat why)
{
	abort();	/* for want of a proof */
}

size_t rpcsrv_call_room(const struct rpcsrv_call *call)
{
	return net_is_datagram(call->conn->net) ? RPCSRV_DGRAM_SAFE : SIZE_MAX;
}

size_t rpcsrv_room(struct svc_req *rq)
{
	return rpcsrv_call_room((struct rpcsrv_call *)rq->rq_xprt);
}

bool rpcsrv_call_is_copy(const struct rpcsrv_call *call,
			 const struct rpcsrv_call *earlier)
{
	return call->conn == earlier->conn &&
	       call->msg.xid == earlier->msg.xid;
}

bool rpcsrv_conn_is_dgram(const struct rpcsrv_conn *conn)
{
	return net_is_datagram(conn->net);
}

void *rpcsrv_user(struct svc_req *rq)
{
	return owner;
}

struct rpcsrv_conn *rpcsrv_conn(struct svc_req *rq)
{
	return ((struct rpcsrv_call *)rq->rq_xprt)->conn;
}

struct rpcsrv_conn *rpcsrv_call_conn(struct rpcsrv_call *call)
{
	return call->conn;
}

const struct sockaddr *rpcsrv_conn_peer(const struct rpcsrv_conn *conn)
{
	return (const struct sockaddr *)&conn->peer;
}

uint64_t rpcsrv_conn_received(const struct rpcsrv_conn *conn)
{
	return conn->received;
}

/* Messages arrive as a whole. */
bool rpcsrv_conn_is_receiving(const struct rpcsrv_conn *conn)
{
	return false;
}

bool rpcsrv_conn_is_open(const struct rpcsrv_conn *conn)
{
	return !conn->closed;
}

void rpcsrv_conn_trust(struct rpcsrv_conn *conn)
{
	conn->trust++;
}

bool rpcsrv_conn_distrust(struct rpcsrv_conn *conn)
{
	sim_check(conn->trust, "trust is given before it is taken back",
		  "connection %u", net_number(conn->net));
	return --conn->trust;
}

void rpcsrv_conn_close(struct rpcsrv_conn *conn)
{
	close_conn(conn);
}

/* ---- life --------------------------------------------------------------- */

void srv_begin(void *user)
{
	owner = user;
	net_listen(accept_conn);
}

void srv_hang_up(void)
{
	struct rpcsrv_conn *conn;

	net_listen(NULL);
	TAILQ_FOREACH(conn, &conns, link)
		close_conn(conn);
}

void srv_end(void)
{
	struct rpcsrv_conn *conn;

	sim_check(!n_calls, "every call is answered", "%u are not", n_calls);
	while ((conn = TAILQ_FIRST(&conns))) {
		TAILQ_REMOVE(&conns, conn, link);
		sim_timer_stop(&conn->closing);
		free(conn);
	}
}
