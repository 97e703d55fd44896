// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcclnt - the calling side of ONC RPC over one stream.
 *
 * A call is kept, by its transaction id, from the stub that makes it until
 * its end: a reply, its time-out, or the end of the connection. Its message
 * may still be waiting to be sent by then; the payloads in it are the
 * caller's, and not looked at after the callback (stream_withdraw()).
 *
 * A callback may make calls, and may free the client: what comes after a
 * callback in here looks at `gone` first.
 */
#include "common/rpcclnt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/payload.h"
#include "common/pool.h"
#include "common/rpcmsg.h"
#include "common/stream.h"

#define BUCKETS 256	/* ids follow one another: a bucket has n / BUCKETS */
#define FRAGMENTS 65536	/* of a reply; libtirpc's servers send 64 KiB ones */

struct call {
	LIST_ENTRY(call) bucket;
	TAILQ_ENTRY(call) link;		/* in the order they were made in */
	struct rpcclnt *clnt;
	uint32_t xid;
	bool timed;			/* else there is no timer */
	struct event timer;
	struct gather *message;		/* while it is not sent */
	xdrproc_t xdr_res;
	void *res;
	rpcclnt_done_fn done;
	void *user;
};

struct rpcclnt {
	struct rpcclnt_config config;
	struct stream stream;
	uint8_t *ahead;
	struct pool call_pool, gather_pool;
	CLIENT handle;
	AUTH *no_auth;			/* libtirpc's one of AUTH_NONE */
	struct rpc_err last_error;	/* for clnt_geterr() */

	LIST_HEAD(bucket, call) buckets[BUCKETS];
	TAILQ_HEAD(, call) calls;
	size_t n_calls;
	uint32_t xid;			/* of the next call */
	bool ended;			/* no more calls */
	bool *gonep;			/* for rpcclnt_free() in a callback */
	struct record *current;		/* that a callback is run for */

	/* Of rpcclnt_next(). */
	unsigned int next_timeout;
	rpcclnt_done_fn next_done;
	void *next_user;
};

/* ---- calls -------------------------------------------------------------- */

static struct call *find_call(struct rpcclnt *clnt, uint32_t xid)
{
	struct call *call;

	LIST_FOREACH(call, &clnt->buckets[xid % BUCKETS], bucket)
		if (call->xid == xid)
			return call;
	return NULL;
}

/* Nobody waits for the call any more, and it waits for nothing: it is gone. */
static void free_call(struct call *call)
{
	struct rpcclnt *clnt = call->clnt;

	LIST_REMOVE(call, bucket);
	TAILQ_REMOVE(&clnt->calls, call, link);
	clnt->n_calls--;
	if (call->timed)
		event_del(&call->timer);
	if (call->message)
		stream_withdraw(&clnt->stream, call->message);
	pool_give(&clnt->call_pool, call);
}

/* The end of a call without a result. clnt may be gone afterwards. */
static void fail_call(struct call *call, enum clnt_stat status, int error)
{
	struct rpc_err err = { .re_status = status };
	rpcclnt_done_fn done = call->done;
	void *user = call->user;

	err.re_errno = error;
	free_call(call);
	done(&err, user);
}

static void on_timeout(evutil_socket_t fd, short what, void *user)
{
	struct call *call = user;

	log_debug(LOG_TAG_RPC, "xid %08x: timed out", call->xid);
	fail_call(call, RPC_TIMEDOUT, ETIMEDOUT);
}

/* All that is left of calls ends. False: clnt is gone. */
static bool fail_calls(struct rpcclnt *clnt, int error)
{
	struct call *call;
	bool gone = false;

	clnt->ended = true;
	clnt->gonep = &gone;
	while ((call = TAILQ_FIRST(&clnt->calls))) {
		fail_call(call, RPC_CANTRECV, error);
		if (gone)
			return false;
	}
	clnt->gonep = NULL;
	return true;
}

/* ---- the stream --------------------------------------------------------- */

/* The end of a call with a reply. clnt may be gone afterwards. */
static void finish_call(struct call *call, struct rpcmsg_reply *reply,
			struct record *rec)
{
	struct rpcclnt *clnt = call->clnt;
	rpcclnt_done_fn done = call->done;
	void *user = call->user;
	bool gone = false;
	XDR xdrs;

	if (reply->err.re_status == RPC_SUCCESS) {
		payload_decode(&xdrs, rec, reply->results);
		if (!call->xdr_res(&xdrs, call->res)) {
			xdr_free(call->xdr_res, call->res);
			reply->err.re_status = RPC_CANTDECODERES;
		}
	}
	free_call(call);
	clnt->current = rec;
	clnt->gonep = &gone;
	done(&reply->err, user);
	if (!gone) {
		clnt->current = NULL;
		clnt->gonep = NULL;
	}
}

static void on_record(struct record *rec, void *user)
{
	struct rpcclnt *clnt = user;
	struct rpcmsg_reply reply;
	struct call *call;

	if (rpcmsg_parse_reply(&reply, rec->data, rec->len)) {
		log_debug(LOG_TAG_NET, "a record that is no reply");
		stream_fail(&clnt->stream, -EPROTO);
	} else {
		call = find_call(clnt, reply.xid);
		log_debug(LOG_TAG_RPC, "xid %08x: reply of %zu bytes%s", reply.xid,
			  rec->len, call ? "" : ", which nobody waits for");
		if (call)
			finish_call(call, &reply, rec);
	}
	record_unref(rec);
}

static void on_connected(void *user)
{
	struct rpcclnt *clnt = user;

	if (clnt->config.connected)
		clnt->config.connected(clnt->config.user);
}

static void on_eof(void *user)
{
	struct rpcclnt *clnt = user;

	stream_fail(&clnt->stream, -ECONNRESET);
}

static void on_failed(int error, void *user)
{
	struct rpcclnt *clnt = user;

	log_debug(LOG_TAG_NET, "connection ended: %s", strerror(-error));
	if (fail_calls(clnt, -error))
		clnt->config.closed(error, clnt->config.user);
}

static const struct stream_handlers clnt_handlers = {
	.connected = on_connected,
	.record = on_record,
	.eof = on_eof,
	.failed = on_failed,
};

/* ---- the handle --------------------------------------------------------- */

static void on_message_sent(void *user)
{
	struct call *call = user;

	call->message = NULL;
}

/* A call's header. */
static bool_t put_header(XDR *xdrs, const struct rpcclnt *clnt, uint32_t xid,
			 rpcproc_t proc)
{
	bool none = clnt->handle.cl_auth == clnt->no_auth;
	int32_t *words = XDR_INLINE(xdrs, (none ? 10 : 6) * BYTES_PER_XDR_UNIT);

	if (!words)
		return FALSE;
	IXDR_PUT_U_INT32(words, xid);
	IXDR_PUT_U_INT32(words, CALL);
	IXDR_PUT_U_INT32(words, RPC_MSG_VERSION);
	IXDR_PUT_U_INT32(words, clnt->config.prog);
	IXDR_PUT_U_INT32(words, clnt->config.vers);
	IXDR_PUT_U_INT32(words, proc);
	if (!none)
		return AUTH_MARSHALL(clnt->handle.cl_auth, xdrs);
	/* What AUTH_NONE marshals, without its lock. */
	memset(words, 0, 4 * BYTES_PER_XDR_UNIT);
	return TRUE;
}

/* Encode a call; NULL: it can not be. */
static struct gather *encode_call(struct rpcclnt *clnt, uint32_t xid,
				  rpcproc_t proc, xdrproc_t xdr_args,
				  void *args)
{
	struct gather *g = gather_new(&clnt->gather_pool, true);
	XDR xdrs;

	if (!g)
		return NULL;
	gather_xdr(g, &xdrs);
	if (!put_header(&xdrs, clnt, xid, proc) ||
	    !xdr_args(&xdrs, args) || gather_finish(g))
		return gather_free(g);
	return g;
}

/* An id that no outstanding call has. */
static uint32_t next_xid(struct rpcclnt *clnt)
{
	while (find_call(clnt, clnt->xid))
		clnt->xid++;
	return clnt->xid++;
}

static void add_call(struct rpcclnt *clnt, struct call *call)
{
	struct timeval tv = {
		.tv_sec = clnt->next_timeout / 1000,
		.tv_usec = clnt->next_timeout % 1000 * 1000,
	};

	call->clnt = clnt;
	call->done = clnt->next_done;
	call->user = clnt->next_user;
	clnt->next_done = NULL;
	call->timed = clnt->next_timeout;
	if (call->timed) {
		evtimer_assign(&call->timer, clnt->config.base, on_timeout,
			       call);
		evtimer_add(&call->timer, &tv);
	}
	LIST_INSERT_HEAD(&clnt->buckets[call->xid % BUCKETS], call, bucket);
	TAILQ_INSERT_TAIL(&clnt->calls, call, link);
	clnt->n_calls++;
}

static enum clnt_stat tell(struct rpcclnt *clnt, enum clnt_stat status)
{
	clnt->last_error.re_status = status;
	return status;
}

/* timeout is rpcgen's fixed one, and not meant: see rpcclnt_next(). */
static enum clnt_stat handle_call(CLIENT *handle, rpcproc_t proc,
				  xdrproc_t xdr_args, void *args,
				  xdrproc_t xdr_res, void *res,
				  struct timeval timeout)
{
	struct rpcclnt *clnt = handle->cl_private;
	struct call *call;

	if (!clnt->next_done || clnt->ended || clnt->stream.error)
		return tell(clnt, RPC_CANTSEND);
	call = pool_take(&clnt->call_pool);
	if (!call)
		return tell(clnt, RPC_SYSTEMERROR);
	call->xid = next_xid(clnt);
	call->xdr_res = xdr_res;
	call->res = res;
	call->message = encode_call(clnt, call->xid, proc, xdr_args, args);
	if (!call->message) {
		pool_give(&clnt->call_pool, call);
		return tell(clnt, RPC_CANTENCODEARGS);
	}
	call->message->release = on_message_sent;
	call->message->user = call;
	add_call(clnt, call);
	log_debug(LOG_TAG_RPC, "xid %08x: procedure %u, call of %zu bytes", call->xid,
		  (unsigned int)proc, gather_len(call->message));
	stream_send(&clnt->stream, call->message);
	return tell(clnt, RPC_SUCCESS);
}

static void handle_abort(CLIENT *handle)
{
}

static void handle_geterr(CLIENT *handle, struct rpc_err *err)
{
	struct rpcclnt *clnt = handle->cl_private;

	*err = clnt->last_error;
}

static bool_t handle_freeres(CLIENT *handle, xdrproc_t xdr_res, void *res)
{
	xdr_free(xdr_res, res);
	return TRUE;
}

static void handle_destroy(CLIENT *handle)
{
}

/* The version of the program is all that can be changed. */
static bool_t handle_control(CLIENT *handle, u_int request, void *info)
{
	struct rpcclnt *clnt = handle->cl_private;

	if (request != CLSET_VERS)
		return FALSE;
	clnt->config.vers = *(rpcvers_t *)info;
	return TRUE;
}

/* libtirpc's type has no const. */
static struct clnt_ops handle_ops = {
	.cl_call = handle_call,
	.cl_abort = handle_abort,
	.cl_geterr = handle_geterr,
	.cl_freeres = handle_freeres,
	.cl_destroy = handle_destroy,
	.cl_control = handle_control,
};

CLIENT *rpcclnt_handle(struct rpcclnt *clnt)
{
	return &clnt->handle;
}

void rpcclnt_next(struct rpcclnt *clnt, unsigned int timeout_ms,
		  rpcclnt_done_fn done, void *user)
{
	clnt->next_timeout = timeout_ms;
	clnt->next_done = done;
	clnt->next_user = user;
}

void *rpcclnt_keep(struct rpcclnt *clnt)
{
	return record_ref(clnt->current);
}

void rpcclnt_unkeep(void *record)
{
	record_unref(record);
}

size_t rpcclnt_outstanding(const struct rpcclnt *clnt)
{
	return clnt->n_calls;
}

size_t rpcclnt_queued(const struct rpcclnt *clnt)
{
	return clnt->stream.queued;
}

/* ---- life --------------------------------------------------------------- */

int rpcclnt_new(struct rpcclnt **clntp, int fd,
		const struct rpcclnt_config *config)
{
	_cleanup_(cleanup_free) struct rpcclnt *clnt = calloc(1, sizeof(*clnt));
	_cleanup_(cleanup_free) uint8_t *ahead = malloc(STREAM_AHEAD);
	const struct stream_config stream = {
		.base = config->base,
		.record_max = config->record_max,
		.fragments = FRAGMENTS,
		.ahead = ahead,
		.handlers = &clnt_handlers,
		.user = clnt,
	};
	int r;

	if (!clnt || !ahead)
		return -ENOMEM;
	clnt->config = *config;
	clnt->handle.cl_ops = &handle_ops;
	clnt->handle.cl_private = clnt;
	clnt->no_auth = clnt->handle.cl_auth = authnone_create();
	pool_init(&clnt->call_pool, sizeof(struct call));
	pool_init(&clnt->gather_pool, sizeof(struct gather));
	TAILQ_INIT(&clnt->calls);
	/* Not the same again after a restart; nothing secret. */
	if (getrandom(&clnt->xid, sizeof(clnt->xid), GRND_NONBLOCK) < 0)
		clnt->xid = (uint32_t)getpid() << 16;
	r = stream_init(&clnt->stream, fd, &stream);
	if (r)
		return r;
	clnt->ahead = steal_ptr(ahead);
	*clntp = steal_ptr(clnt);
	return 0;
}

struct rpcclnt *rpcclnt_free(struct rpcclnt *clnt)
{
	if (!clnt)
		return NULL;
	if (clnt->gonep)
		*clnt->gonep = true;
	fail_calls(clnt, ECANCELED);
	stream_deinit(&clnt->stream);
	pool_deinit(&clnt->call_pool);
	pool_deinit(&clnt->gather_pool);
	free(clnt->ahead);
	free(clnt);
	return NULL;
}
