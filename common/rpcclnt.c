// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcclnt - the calling side of ONC RPC: calls, from the stub to their end.
 *
 * A call is kept, by its transaction id, from the stub that makes it until
 * its end: a reply, its time-out, or the end of the connection.
 *
 * A callback may make calls, and may free the client: what comes after a
 * callback in here looks at `gone` first.
 */
#include "common/rpcclnt_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/payload.h"

/* ---- calls -------------------------------------------------------------- */

static struct rpcclnt_call *find_call(struct rpcclnt *clnt, uint32_t xid)
{
	struct rpcclnt_call *call;

	LIST_FOREACH(call, &clnt->buckets[xid % RPCCLNT_BUCKETS], bucket)
		if (call->xid == xid)
			return call;
	return NULL;
}

/* An id that no outstanding call has. */
static uint32_t next_xid(struct rpcclnt *clnt)
{
	while (find_call(clnt, clnt->xid))
		clnt->xid++;
	return clnt->xid++;
}

void rpcclnt_rename(struct rpcclnt_call *call)
{
	struct rpcclnt *clnt = call->clnt;

	LIST_REMOVE(call, bucket);
	call->xid = next_xid(clnt);
	LIST_INSERT_HEAD(&clnt->buckets[call->xid % RPCCLNT_BUCKETS], call,
			 bucket);
}

/* Nobody waits for the call any more, and it waits for nothing: it is gone. */
static void free_call(struct rpcclnt_call *call)
{
	struct rpcclnt *clnt = call->clnt;

	LIST_REMOVE(call, bucket);
	TAILQ_REMOVE(&clnt->calls, call, link);
	clnt->n_calls--;
	if (call->timed)
		event_del(&call->timer);
	clnt->transport->forget(call);
	pool_give(&clnt->call_pool, call);
}

/* Run a callback, for rec if there is one. False: clnt is gone. */
static bool run_done(struct rpcclnt *clnt, const struct rpc_err *err,
		     struct record *rec, rpcclnt_done_fn done, void *user)
{
	bool gone = false, *outer = clnt->gonep;

	clnt->current = rec;
	clnt->gonep = &gone;
	done(err, user);
	if (gone) {
		if (outer)
			*outer = true;
		return false;
	}
	clnt->current = NULL;
	clnt->gonep = outer;
	return true;
}

bool rpcclnt_fail_call(struct rpcclnt_call *call, enum clnt_stat status,
		       int error)
{
	struct rpc_err err = { .re_status = status };
	struct rpcclnt *clnt = call->clnt;
	rpcclnt_done_fn done = call->done;
	void *user = call->user;

	err.re_errno = error;
	free_call(call);
	return run_done(clnt, &err, NULL, done, user);
}

static void on_timeout(evutil_socket_t fd, short what, void *user)
{
	struct rpcclnt_call *call = user;

	log_debug(LOG_TAG_RPC, "xid %08x: timed out", call->xid);
	rpcclnt_fail_call(call, RPC_TIMEDOUT, ETIMEDOUT);
}

/* All that is left of calls ends. False: clnt is gone. */
static bool fail_calls(struct rpcclnt *clnt, int error)
{
	struct rpcclnt_call *call;

	clnt->ended = true;
	while ((call = TAILQ_FIRST(&clnt->calls)))
		if (!rpcclnt_fail_call(call, RPC_CANTRECV, error))
			return false;
	return true;
}

void rpcclnt_fail(struct rpcclnt *clnt, int error)
{
	log_debug(LOG_TAG_NET, "connection ended: %s", strerror(-error));
	if (fail_calls(clnt, -error))
		clnt->config.closed(error, clnt->config.user);
}

/* The end of a call with a reply. False: clnt is gone. */
static bool finish_call(struct rpcclnt_call *call, struct rpcmsg_reply *reply,
			struct record *rec)
{
	struct rpcclnt *clnt = call->clnt;
	rpcclnt_done_fn done = call->done;
	void *user = call->user;
	XDR xdrs;

	if (reply->err.re_status == RPC_SUCCESS) {
		payload_decode(&xdrs, rec, reply->results);
		if (!call->xdr_res(&xdrs, call->res)) {
			xdr_free(call->xdr_res, call->res);
			reply->err.re_status = RPC_CANTDECODERES;
		}
	}
	free_call(call);
	return run_done(clnt, &reply->err, rec, done, user);
}

/* ---- replies ------------------------------------------------------------ */

/* False: clnt is gone. */
static bool take_reply(struct rpcclnt_call *call, struct rpcmsg_reply *reply,
		       struct record *rec)
{
	struct rpcclnt *clnt = call->clnt;
	size_t len = reply->err.re_status == RPC_SUCCESS ?
		     rec->len - reply->results : 0;

	if (rpcclnt_is_dgram(clnt)) {
		if (!rpcclnt_dgram_answered(call, rec->data + reply->results,
					    len))
			return true;
		rpcclnt_proof_keep(clnt, &reply->verf);
		if (rpcclnt_proof_is_wanted(call, &reply->err))
			return rpcclnt_proof_renew(call);
	}
	return finish_call(call, reply, rec);
}

int rpcclnt_receive(struct rpcclnt *clnt, struct record *rec, bool *gonep)
{
	struct rpcmsg_reply reply;
	struct rpcclnt_call *call;
	int r;

	r = rpcmsg_parse_reply(&reply, rec->data, rec->len);
	if (!r) {
		call = find_call(clnt, reply.xid);
		log_debug(LOG_TAG_RPC, "xid %08x: reply of %zu bytes%s", reply.xid,
			  rec->len, call ? "" : ", which nobody waits for");
		if (call && !take_reply(call, &reply, rec))
			*gonep = true;
	}
	record_unref(rec);
	return r;
}

/* ---- the handle --------------------------------------------------------- */

/* A call's header. */
static bool_t put_header(XDR *xdrs, struct rpcclnt *clnt,
			 const struct rpcclnt_call *call, rpcproc_t proc)
{
	bool proved = call->cred;
	bool unproved = rpcclnt_is_dgram(clnt) && (call->how & RPCCLNT_PROVED);
	bool none = !proved &&
		    (unproved || clnt->handle.cl_auth == clnt->no_auth);
	int32_t *words = XDR_INLINE(xdrs, (none ? 10 : 6) * BYTES_PER_XDR_UNIT);

	if (!words)
		return FALSE;
	IXDR_PUT_U_INT32(words, call->xid);
	IXDR_PUT_U_INT32(words, CALL);
	IXDR_PUT_U_INT32(words, RPC_MSG_VERSION);
	IXDR_PUT_U_INT32(words, clnt->config.prog);
	IXDR_PUT_U_INT32(words, clnt->config.vers);
	IXDR_PUT_U_INT32(words, proc);
	if (proved)
		return rpcclnt_proof_put(xdrs, clnt);
	if (!none)
		return AUTH_MARSHALL(clnt->handle.cl_auth, xdrs);
	/* What AUTH_NONE marshals, without its lock. */
	memset(words, 0, 4 * BYTES_PER_XDR_UNIT);
	return TRUE;
}

/* Encode a call; NULL: it can not be. */
static struct gather *encode_call(struct rpcclnt *clnt,
				  const struct rpcclnt_call *call,
				  rpcproc_t proc, xdrproc_t xdr_args,
				  void *args)
{
	struct gather *g = gather_new(&clnt->gather_pool, true);
	XDR xdrs;

	if (!g)
		return NULL;
	gather_xdr(g, &xdrs);
	if (!put_header(&xdrs, clnt, call, proc) ||
	    !xdr_args(&xdrs, args) || gather_finish(g))
		return gather_free(g);
	return g;
}

static void add_call(struct rpcclnt *clnt, struct rpcclnt_call *call)
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
	LIST_INSERT_HEAD(&clnt->buckets[call->xid % RPCCLNT_BUCKETS], call,
			 bucket);
	TAILQ_INSERT_TAIL(&clnt->calls, call, link);
	clnt->n_calls++;
}

static enum clnt_stat tell(struct rpcclnt *clnt, enum clnt_stat status,
			   int error)
{
	clnt->last_error.re_status = status;
	clnt->last_error.re_errno = error;
	return status;
}

/* A call as rpcclnt_next() and what follows it say, not in the table yet. */
static struct rpcclnt_call *call_new(struct rpcclnt *clnt)
{
	struct rpcclnt_call *call = pool_take(&clnt->call_pool);

	if (!call)
		return NULL;
	call->xid = next_xid(clnt);
	call->how = clnt->next_how;
	call->expect = clnt->next_expect;
	call->proving = call->proved_anew = false;
	call->cred = call->how & RPCCLNT_PROVED ? RNDUP(clnt->cookie_len) : 0;
	return call;
}

/* May a call have so many bytes? */
static bool is_short_enough(const struct rpcclnt_call *call,
			    const struct rpcclnt *clnt)
{
	size_t len = gather_len(call->message) - GATHER_MARK;

	if (rpcclnt_is_dgram(clnt) && (call->how & RPCCLNT_ONCE))
		return len <= RPCCLNT_ROOM_MAX;
	return len <= rpcclnt_room(clnt);
}

/* timeout is rpcgen's fixed one, and not meant: see rpcclnt_next(). */
static enum clnt_stat handle_call(CLIENT *handle, rpcproc_t proc,
				  xdrproc_t xdr_args, void *args,
				  xdrproc_t xdr_res, void *res,
				  struct timeval timeout)
{
	struct rpcclnt *clnt = handle->cl_private;
	struct rpcclnt_call *call;

	if (!clnt->next_done || clnt->ended || clnt->stream.error ||
	    clnt->dgram.error)
		return tell(clnt, RPC_CANTSEND, 0);
	call = call_new(clnt);
	if (!call)
		return tell(clnt, RPC_SYSTEMERROR, ENOMEM);
	call->xdr_res = xdr_res;
	call->res = res;
	call->message = encode_call(clnt, call, proc, xdr_args, args);
	if (!call->message) {
		pool_give(&clnt->call_pool, call);
		return tell(clnt, RPC_CANTENCODEARGS, 0);
	}
	if (!is_short_enough(call, clnt)) {
		gather_free(call->message);
		pool_give(&clnt->call_pool, call);
		return tell(clnt, RPC_CANTSEND, EMSGSIZE);
	}
	add_call(clnt, call);
	log_debug(LOG_TAG_RPC, "xid %08x: procedure %u, call of %zu bytes", call->xid,
		  (unsigned int)proc, gather_len(call->message));
	clnt->transport->send(call);
	return tell(clnt, RPC_SUCCESS, 0);
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
	clnt->next_how = 0;
	clnt->next_expect = 0;
	clnt->next_done = done;
	clnt->next_user = user;
}

void rpcclnt_how(struct rpcclnt *clnt, unsigned int how)
{
	clnt->next_how = how;
}

void rpcclnt_expect(struct rpcclnt *clnt, size_t bytes)
{
	clnt->next_expect = bytes;
}

bool rpcclnt_is_dgram(const struct rpcclnt *clnt)
{
	return clnt->transport == &rpcclnt_by_dgram;
}

size_t rpcclnt_room(const struct rpcclnt *clnt)
{
	return rpcclnt_is_dgram(clnt) ? clnt->dgram.room : SIZE_MAX;
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
	return clnt->stream.queued + clnt->dgram.queued;
}

/* ---- life --------------------------------------------------------------- */

static int type_of(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	/* A pipe is a stream, too. */
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ? SOCK_STREAM :
	       type;
}

int rpcclnt_new(struct rpcclnt **clntp, int fd,
		const struct rpcclnt_config *config)
{
	_cleanup_(cleanup_free) struct rpcclnt *clnt = calloc(1, sizeof(*clnt));
	_cleanup_(cleanup_free) uint8_t *ahead = malloc(STREAM_AHEAD);
	bool dgram = type_of(fd) == SOCK_DGRAM;
	int r;

	if (!clnt || !ahead)
		return -ENOMEM;
	clnt->config = *config;
	clnt->transport = dgram ? &rpcclnt_by_dgram : &rpcclnt_by_stream;
	clnt->ahead = ahead;
	clnt->handle.cl_ops = &handle_ops;
	clnt->handle.cl_private = clnt;
	clnt->no_auth = clnt->handle.cl_auth = authnone_create();
	pool_init(&clnt->call_pool, sizeof(struct rpcclnt_call));
	pool_init(&clnt->gather_pool, sizeof(struct gather));
	TAILQ_INIT(&clnt->calls);
	/* Not the same again after a restart; nothing secret. */
	if (getrandom(&clnt->xid, sizeof(clnt->xid), GRND_NONBLOCK) < 0)
		clnt->xid = (uint32_t)getpid() << 16;
	r = dgram ? rpcclnt_dgram_init(clnt, fd) :
		    rpcclnt_stream_init(clnt, fd);
	if (r)
		return r;
	steal_ptr(ahead);
	*clntp = steal_ptr(clnt);
	return 0;
}

struct rpcclnt *rpcclnt_free(struct rpcclnt *clnt)
{
	if (!clnt)
		return NULL;
	if (clnt->gonep)
		*clnt->gonep = true;
	clnt->gonep = NULL;
	fail_calls(clnt, ECANCELED);
	clnt->transport->deinit(clnt);
	pool_deinit(&clnt->call_pool);
	pool_deinit(&clnt->gather_pool);
	free(clnt->ahead);
	free(clnt);
	return NULL;
}
