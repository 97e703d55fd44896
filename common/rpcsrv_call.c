// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcsrv_call - one call, from its record to its reply.
 *
 * A call is an SVCXPRT with operations of its own, made for one message, so
 * that each has its own transaction id and stream: with libtirpc's transports
 * a reply must be sent before the next call is read. Of an SVCXPRT's fields
 * only xp_ops and xp_verf are used by what is called here (svc_sendreply(),
 * svcerr_*(), rpcgen's dispatcher); xp_p3, which libtirpc's authentication
 * needs, is not, since credentials are checked here.
 *
 * A call ends when it has been answered and the dispatcher has returned.
 */
#include "common/rpcsrv_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/payload.h"

/* RFC 9289, section 4.1. */
#define AUTH_TLS 7

void rpcsrv_call_free(struct rpcsrv_call *call)
{
	struct rpcsrv_conn *conn = call->conn;

	LIST_REMOVE(call, link);
	conn->n_calls--;
	conn->bytes -= call->rec->size;
	record_unref(call->rec);
	pool_give(&conn->srv->calls, call);
	rpcsrv_conn_update(conn);	/* which may free conn */
}

/* The call is answered, or given up. */
static void end_call(struct rpcsrv_call *call)
{
	call->answered = true;
	if (!call->dispatching)
		rpcsrv_call_free(call);
}

/* ---- replies ------------------------------------------------------------ */

/* xdr_replymsg() for the reply that nearly all are: a fifth of the work. */
static bool_t put_success(XDR *xdrs, struct rpc_msg *msg)
{
	int32_t *words = XDR_INLINE(xdrs, 6 * BYTES_PER_XDR_UNIT);

	if (!words)
		return FALSE;
	IXDR_PUT_U_INT32(words, msg->rm_xid);
	IXDR_PUT_U_INT32(words, REPLY);
	IXDR_PUT_U_INT32(words, MSG_ACCEPTED);
	IXDR_PUT_U_INT32(words, AUTH_NONE);
	IXDR_PUT_U_INT32(words, 0);		/* bytes of a verifier */
	IXDR_PUT_U_INT32(words, SUCCESS);
	return msg->acpted_rply.ar_results.proc(
		xdrs, msg->acpted_rply.ar_results.where);
}

/* With nothing to verify it by. */
static bool is_plain_success(const struct rpc_msg *msg)
{
	return msg->rm_reply.rp_stat == MSG_ACCEPTED &&
	       msg->acpted_rply.ar_stat == SUCCESS &&
	       msg->acpted_rply.ar_verf.oa_flavor == AUTH_NONE;
}

/* Encode msg as the reply to call; NULL: it can not be. */
static struct gather *encode_reply(struct rpcsrv_call *call,
				   struct rpc_msg *msg, bool by_ref)
{
	struct gather *g = gather_new(&call->conn->srv->gathers, by_ref);
	XDR xdrs;

	if (!g)
		return NULL;
	gather_xdr(g, &xdrs);
	msg->rm_xid = call->msg.xid;
	msg->rm_direction = REPLY;
	if (!(is_plain_success(msg) ? put_success : xdr_replymsg)(&xdrs, msg) ||
	    gather_finish(g))
		return gather_free(g);
	return g;
}

static bool is_proved(const struct rpcsrv_call *call)
{
	return call->proved || call->conn->trust || !call->conn->dgram;
}

/* Does the message fit in a datagram, and no more of it than the caller is to
 * have? */
static bool is_allowed(const struct rpcsrv_call *call, const struct gather *g)
{
	size_t max = is_proved(call) ? RPCSRV_DGRAM_MAX : call->rec->len;

	return gather_len(g) - GATHER_MARK <= max;
}

/* What is sent in the place of g, which is too long; NULL: nothing. */
static struct gather *shorten(struct rpcsrv_call *call, struct gather *g)
{
	struct rpc_msg msg = { .rm_direction = REPLY };

	gather_free(g);
	if (is_proved(call)) {
		msg.rm_reply.rp_stat = MSG_ACCEPTED;
		msg.acpted_rply.ar_verf = _null_auth;
		msg.acpted_rply.ar_stat = SYSTEM_ERR;
	} else {
		msg.rm_reply.rp_stat = MSG_DENIED;
		msg.rjcted_rply.rj_stat = AUTH_ERROR;
		msg.rjcted_rply.rj_why = AUTH_TOOWEAK;
	}
	g = encode_reply(call, &msg, false);
	return g && is_allowed(call, g) ? g : gather_free(g);
}

static void send_datagram(struct rpcsrv_call *call, struct gather *g)
{
	if (!is_allowed(call, g))
		g = shorten(call, g);
	if (g)
		rpcsrv_dgram_send(call->conn, g);
}

static void send_reply(struct rpcsrv_call *call, struct gather *g)
{
	struct rpcsrv_conn *conn = call->conn;

	log_debug(LOG_TAG_RPC, "%s: xid %08x: reply of %zu bytes", conn->name,
		  call->msg.xid, gather_len(g));
	if (conn->state == RPCSRV_CONN_CLOSED || call->muted)
		gather_free(g);
	else if (conn->dgram)
		send_datagram(call, g);
	else
		stream_send(&conn->stream, g);
}

int rpcsrv_reply(struct rpcsrv_call *call, xdrproc_t xdr_res, void *res,
		 void (*release)(void *user), void *user)
{
	struct rpc_msg msg = { .rm_direction = REPLY };
	struct gather *g;

	msg.rm_reply.rp_stat = MSG_ACCEPTED;
	msg.acpted_rply.ar_verf = _null_auth;
	msg.acpted_rply.ar_stat = SUCCESS;
	msg.acpted_rply.ar_results.where = res;
	msg.acpted_rply.ar_results.proc = xdr_res;
	g = encode_reply(call, &msg, release);
	if (!g) {
		if (release)
			release(user);
		rpcsrv_reply_error(call, SYSTEM_ERR);
		return -EINVAL;
	}
	g->release = release;
	g->user = user;
	send_reply(call, g);
	end_call(call);
	return 0;
}

void rpcsrv_reply_error(struct rpcsrv_call *call, enum accept_stat stat)
{
	struct rpc_msg msg = { .rm_direction = REPLY };
	struct gather *g;

	msg.rm_reply.rp_stat = MSG_ACCEPTED;
	msg.acpted_rply.ar_verf = _null_auth;
	msg.acpted_rply.ar_stat = stat;
	g = encode_reply(call, &msg, false);
	if (g)
		send_reply(call, g);
	else if (!call->conn->dgram)
		rpcsrv_conn_close(call->conn);	/* it would wait for ever */
	end_call(call);
}

void rpcsrv_drop(struct rpcsrv_call *call)
{
	end_call(call);
}

/* ---- the dispatcher's transport ----------------------------------------- */

static bool_t refuse_recv(SVCXPRT *xprt, struct rpc_msg *msg)
{
	return FALSE;
}

static enum xprt_stat tell_idle(SVCXPRT *xprt)
{
	return XPRT_IDLE;
}

static bool_t get_args(SVCXPRT *xprt, xdrproc_t xdr_args, void *args)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)xprt;

	if (xdr_args(&call->xdrs, args))
		return TRUE;
	/* rpcgen's dispatcher does not free what was decoded until there. */
	xdr_free(xdr_args, args);
	return FALSE;
}

/* The dispatcher frees the result when this returns, so all is copied. */
static bool_t reply_now(SVCXPRT *xprt, struct rpc_msg *msg)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)xprt;
	struct gather *g;

	if (call->answered || call->deferred)
		return FALSE;
	g = encode_reply(call, msg, false);
	if (!g)
		return FALSE;	/* svcerr_systemerr() follows */
	send_reply(call, g);
	end_call(call);
	return TRUE;
}

/* Never FALSE: rpcgen's dispatcher would exit(). */
static bool_t free_args(SVCXPRT *xprt, xdrproc_t xdr_args, void *args)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)xprt;

	if (!call->deferred)
		xdr_free(xdr_args, args);
	return TRUE;
}

static void keep_xprt(SVCXPRT *xprt)
{
}

static const struct xp_ops call_ops = {
	.xp_recv = refuse_recv,
	.xp_stat = tell_idle,
	.xp_getargs = get_args,
	.xp_reply = reply_now,
	.xp_freeargs = free_args,
	.xp_destroy = keep_xprt,
};

/* ---- calls -------------------------------------------------------------- */

static struct rpcsrv_call *call_new(struct rpcsrv_conn *conn,
				    struct record *rec)
{
	struct rpcsrv_call *call = pool_take(&conn->srv->calls);

	if (!call)
		return NULL;
	memset(call, 0, sizeof(*call));
	call->conn = conn;
	call->rec = rec;
	call->xprt.xp_fd = -1;
	call->xprt.xp_ops = &call_ops;
	call->xprt.xp_verf = _null_auth;
	call->xprt.xp_rtaddr.buf = &conn->peer;
	call->xprt.xp_rtaddr.len = sizeof(conn->peer);
	call->xprt.xp_rtaddr.maxlen = sizeof(conn->peer);
	call->rq.rq_xprt = &call->xprt;
	LIST_INSERT_HEAD(&conn->calls, call, link);
	conn->n_calls++;
	conn->bytes += rec->size;
	return call;
}

static void deny_version(struct rpcsrv_call *call)
{
	struct rpc_msg msg = { .rm_direction = REPLY };

	msg.rm_reply.rp_stat = MSG_DENIED;
	msg.rjcted_rply.rj_stat = RPC_MISMATCH;
	msg.rjcted_rply.rj_vers.low = RPC_MSG_VERSION;
	msg.rjcted_rply.rj_vers.high = RPC_MSG_VERSION;
	reply_now(&call->xprt, &msg);
}

static uint64_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* A cookie that a NULL call was answered with. */
static enum auth_stat check_short(struct rpcsrv_call *call)
{
	const struct rpcsrv_conn *conn = call->conn;
	const struct rpcmsg_call *msg = &call->msg;

	if (!conn->dgram ||
	    !proof_check(&conn->srv->proof, rpcsrv_conn_peer(conn), seconds(),
			 msg->cred.body, msg->cred.len))
		return AUTH_REJECTEDCRED;
	if (msg->verf.flavor != AUTH_NONE || msg->verf.len)
		return AUTH_BADVERF;
	call->shown = call->proved = true;
	return AUTH_OK;
}

/* The caller is shown a way to prove where it is. */
static void offer_proof(struct rpcsrv_call *call)
{
	const struct rpcsrv_conn *conn = call->conn;

	if (!proof_make(&conn->srv->proof, rpcsrv_conn_peer(conn), seconds(),
			call->cookie))
		return;
	call->xprt.xp_verf.oa_flavor = AUTH_SHORT;
	call->xprt.xp_verf.oa_base = (char *)call->cookie;
	call->xprt.xp_verf.oa_length = sizeof(call->cookie);
}

/* AUTH_OK, or why the call is refused. */
static enum auth_stat check_auth(struct rpcsrv_call *call)
{
	const struct rpcmsg_call *msg = &call->msg;
	struct rpcmsg_sys sys;

	switch (msg->cred.flavor) {
	case AUTH_NONE:
		return AUTH_OK;
	case AUTH_SYS:
		if (rpcmsg_parse_sys(&sys, &msg->cred))
			return AUTH_BADCRED;
		if (msg->verf.flavor != AUTH_NONE || msg->verf.len)
			return AUTH_BADVERF;
		return AUTH_OK;
	case AUTH_SHORT:
		return check_short(call);
	case AUTH_TLS:
		/* A probe is refused as an unknown flavor is: no TLS here. */
		return msg->proc == NULLPROC ? AUTH_REJECTEDCRED : AUTH_BADCRED;
	default:
		/* RPCSEC_GSS too: libtirpc keeps its state by transport, which
		 * fits neither calls of their own nor replies out of order. */
		return AUTH_REJECTEDCRED;
	}
}

/* For what it asks to be done. */
static bool is_proved_enough(const struct rpcsrv_call *call)
{
	const struct rpcsrv_config *config = &call->conn->srv->config;
	rpcproc_t proc = call->msg.proc;

	if (!call->conn->dgram || call->proved)
		return true;
	if (config->needs_cookie && config->needs_cookie(proc))
		return false;
	return call->conn->trust || !config->needs_proof ||
	       !config->needs_proof(proc);
}

static void dispatch(struct rpcsrv_call *call)
{
	const struct rpcsrv_config *config = &call->conn->srv->config;
	const struct rpcmsg_call *msg = &call->msg;
	enum auth_stat why = check_auth(call);

	if (why != AUTH_OK) {
		svcerr_auth(&call->xprt, why);
		return;
	}
	if (msg->prog != config->prog) {
		svcerr_noprog(&call->xprt);
		return;
	}
	if (msg->vers < config->vers_low || msg->vers > config->vers_high) {
		svcerr_progvers(&call->xprt, config->vers_low,
				config->vers_high);
		return;
	}
	if (!is_proved_enough(call)) {
		svcerr_auth(&call->xprt, AUTH_TOOWEAK);
		return;
	}
	/* also for a reply that comes when it is trusted no more */
	if (call->conn->trust)
		call->proved = true;
	if (call->conn->dgram && msg->proc == NULLPROC)
		offer_proof(call);
	call->rq.rq_prog = msg->prog;
	call->rq.rq_vers = msg->vers;
	call->rq.rq_proc = msg->proc;
	call->rq.rq_cred.oa_flavor = msg->cred.flavor;
	call->rq.rq_cred.oa_base = (char *)msg->cred.body;
	call->rq.rq_cred.oa_length = msg->cred.len;
	payload_decode(&call->xdrs, call->rec, msg->args);
	config->dispatch(&call->rq, &call->xprt);
}

void rpcsrv_call_handle(struct rpcsrv_conn *conn, struct record *rec)
{
	struct rpcsrv_call *call = call_new(conn, rec);
	int r;

	if (!call) {
		record_unref(rec);
		if (conn->dgram) {
			rpcsrv_conn_update(conn);
			return;
		}
		log_warning("%s: out of memory, connection closed", conn->name);
		rpcsrv_conn_close(conn);
		return;
	}
	r = rpcmsg_parse_call(&call->msg, rec->data, rec->len);
	if (r < 0) {
		log_debug(LOG_TAG_NET, "%s: a record that is no call", conn->name);
		if (!conn->dgram)
			rpcsrv_conn_close(conn);
		rpcsrv_call_free(call);
		return;
	}
	log_debug(LOG_TAG_RPC, "%s: xid %08x: procedure %u, record of %zu bytes",
		  conn->name, call->msg.xid, call->msg.proc, rec->len);
	call->dispatching = true;
	if (r == RPCMSG_E_VERSION)
		deny_version(call);
	else
		dispatch(call);
	call->dispatching = false;
	if (call->answered || !call->deferred)
		rpcsrv_call_free(call);
	else
		rpcsrv_conn_update(conn);
}

struct rpcsrv_call *rpcsrv_defer(struct svc_req *rq)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)rq->rq_xprt;

	call->deferred = true;
	return call;
}

void *rpcsrv_user(struct svc_req *rq)
{
	return rpcsrv_conn(rq)->srv->config.user;
}

int rpcsrv_cred(struct svc_req *rq, struct rpcmsg_sys *sys)
{
	struct rpcsrv_call *call = (struct rpcsrv_call *)rq->rq_xprt;

	if (call->msg.cred.flavor != AUTH_SYS)
		return -ENODATA;
	return rpcmsg_parse_sys(sys, &call->msg.cred);
}

bool rpcsrv_is_proved(struct svc_req *rq)
{
	const struct rpcsrv_call *call = (struct rpcsrv_call *)rq->rq_xprt;

	return call->shown || !call->conn->dgram;
}

void rpcsrv_deny(struct svc_req *rq, enum auth_stat why)
{
	svcerr_auth(rq->rq_xprt, why);
}

size_t rpcsrv_call_room(const struct rpcsrv_call *call)
{
	size_t len = call->rec->len;

	if (!call->conn->dgram)
		return SIZE_MAX;
	return is_proved(call) && len < RPCSRV_DGRAM_SAFE ? RPCSRV_DGRAM_SAFE :
	       len;
}

size_t rpcsrv_room(struct svc_req *rq)
{
	return rpcsrv_call_room((struct rpcsrv_call *)rq->rq_xprt);
}

void rpcsrv_mute(struct svc_req *rq)
{
	((struct rpcsrv_call *)rq->rq_xprt)->muted = true;
}

bool rpcsrv_call_is_copy(const struct rpcsrv_call *call,
			 const struct rpcsrv_call *earlier)
{
	return call->conn->dgram && call->conn == earlier->conn &&
	       call->msg.xid == earlier->msg.xid;
}

struct rpcsrv_conn *rpcsrv_conn(struct svc_req *rq)
{
	return rpcsrv_call_conn((struct rpcsrv_call *)rq->rq_xprt);
}

struct rpcsrv_conn *rpcsrv_call_conn(struct rpcsrv_call *call)
{
	return call->conn;
}
