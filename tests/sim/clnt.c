// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clnt - common/rpcclnt.h over the simulated network. Messages are encoded and
 * decoded by the real codec. On datagrams calls are sent again as that header's
 * owner is to do it: the same xid, with back-off, and IN_PROGRESS is not the
 * end of a call.
 */
#include "common/rpcclnt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/payload.h"
#include "common/record.h"
#include "common/rpcmsg.h"
#include "rpc/usbip.h"
#include "tests/sim/net.h"
#include "tests/sim/sim.h"
#include "tests/sim/wire.h"

#define AGAIN_FIRST	(50 * MS)
#define AGAIN_MAX	(2 * S)
#define AGAIN_RUNNING	(500 * MS)

struct call {
	TAILQ_ENTRY(call) link;
	struct rpcclnt *clnt;
	uint32_t xid;
	xdrproc_t xdr_res;
	void *res;
	rpcclnt_done_fn done;
	void *user;
	struct sim_timer timeout, again;
	uint64_t again_in;
	size_t len;
	uint8_t *message;		/* on datagrams */
};

struct rpcclnt {
	struct rpcclnt_config config;
	struct net_conn *conn;
	CLIENT handle;
	TAILQ_HEAD(, call) calls;
	size_t n_calls;
	bool ended;
	bool *gonep;
	struct record *current;
	unsigned int next_timeout;
	rpcclnt_done_fn next_done;
	void *next_user;
	unsigned int how;
	struct sim_timer proving;
	rpcclnt_done_fn prove_done;
	void *prove_user;
};

static uint32_t last_xid;

static void free_call(struct call *call)
{
	TAILQ_REMOVE(&call->clnt->calls, call, link);
	call->clnt->n_calls--;
	sim_timer_stop(&call->timeout);
	sim_timer_stop(&call->again);
	free(call->message);
	free(call);
}

static void fail_call(struct call *call, enum clnt_stat status)
{
	struct rpc_err err = { .re_status = status };
	rpcclnt_done_fn done = call->done;
	void *user = call->user;

	free_call(call);
	done(&err, user);
}

static void time_out(void *arg)
{
	fail_call(arg, RPC_TIMEDOUT);
}

static void send_again(void *arg)
{
	struct call *call = arg;

	sim_note("again -> %s", wire_call_text(call->message, call->len));
	net_send(call->clnt->conn, NET_CONTROLLER, call->message, call->len);
	call->again_in *= 2;
	if (call->again_in > AGAIN_MAX)
		call->again_in = AGAIN_MAX;
	sim_timer_set(&call->again, call->again_in);
}

/* False: clnt is gone. */
static bool fail_calls(struct rpcclnt *clnt)
{
	struct call *call;
	bool gone = false;

	clnt->ended = true;
	clnt->gonep = &gone;
	while ((call = TAILQ_FIRST(&clnt->calls))) {
		fail_call(call, RPC_CANTRECV);
		if (gone)
			return false;
	}
	clnt->gonep = NULL;
	return true;
}

/* ---- replies ------------------------------------------------------------ */

static struct call *find_call(struct rpcclnt *clnt, uint32_t xid)
{
	struct call *call;

	TAILQ_FOREACH(call, &clnt->calls, link)
		if (call->xid == xid)
			break;
	return call;
}

static bool is_interim(const struct rpcmsg_reply *reply,
		       const struct record *rec)
{
	const uint8_t *at = rec->data + reply->results;

	return reply->err.re_status == RPC_SUCCESS &&
	       rec->len == reply->results + 4 && at[3] == USBIP_IN_PROGRESS;
}

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
		if (!call->xdr_res(&xdrs, call->res))
			abort();
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

static void ask_slowly(struct call *call)
{
	if (call->message)
		sim_timer_set(&call->again, AGAIN_RUNNING);
}

static void receive(const uint8_t *data, size_t len, void *user)
{
	struct rpcclnt *clnt = user;
	struct record *rec = wire_record(data, len);
	struct rpcmsg_reply reply;
	struct call *call;

	if (rpcmsg_parse_reply(&reply, rec->data, rec->len))
		abort();
	call = find_call(clnt, reply.xid);
	sim_note("      <- %s%s", wire_reply_text(data, len, reply.xid),
		 call ? "" : ", which nobody waits for");
	if (call && net_is_datagram(clnt->conn) && is_interim(&reply, rec))
		ask_slowly(call);
	else if (call)
		finish_call(call, &reply, rec);
	record_unref(rec);
}

static void closed(void *user)
{
	struct rpcclnt *clnt = user;

	net_close(clnt->conn, NET_CONTROLLER);
	if (fail_calls(clnt))
		clnt->config.closed(-ECONNRESET, clnt->config.user);
}

static const struct net_handlers handlers = { receive, closed };

/* ---- calls -------------------------------------------------------------- */

static size_t encode(struct rpcclnt *clnt, uint32_t xid, rpcproc_t proc,
		     xdrproc_t xdr_args, void *args)
{
	XDR xdrs;
	u_int words[10] = { xid, CALL, RPC_MSG_VERSION,
			    (u_int)clnt->config.prog, (u_int)clnt->config.vers,
			    (u_int)proc };

	xdrmem_create(&xdrs, (char *)wire_buffer, WIRE_MAX, XDR_ENCODE);
	for (int i = 0; i < 10; i++)
		if (!xdr_u_int(&xdrs, &words[i]))
			abort();
	if (!xdr_args(&xdrs, args))
		abort();
	return XDR_GETPOS(&xdrs);
}

static void add_call(struct rpcclnt *clnt, struct call *call)
{
	call->clnt = clnt;
	call->done = clnt->next_done;
	call->user = clnt->next_user;
	clnt->next_done = NULL;
	sim_timer_init(&call->timeout, time_out, call);
	sim_timer_init(&call->again, send_again, call);
	if (clnt->next_timeout)
		sim_timer_set(&call->timeout, clnt->next_timeout * MS);
	TAILQ_INSERT_TAIL(&clnt->calls, call, link);
	clnt->n_calls++;
	if (!net_is_datagram(clnt->conn) || clnt->how & RPCCLNT_ONCE)
		return;
	call->message = malloc(call->len);
	memcpy(call->message, wire_buffer, call->len);
	call->again_in = AGAIN_FIRST;
	sim_timer_set(&call->again, call->again_in);
}

static enum clnt_stat handle_call(CLIENT *handle, rpcproc_t proc,
				  xdrproc_t xdr_args, void *args,
				  xdrproc_t xdr_res, void *res,
				  struct timeval timeout)
{
	struct rpcclnt *clnt = handle->cl_private;
	struct call *call;

	if (clnt->ended)
		return RPC_CANTSEND;
	call = calloc(1, sizeof(*call));
	if (!call)
		abort();
	call->xid = ++last_xid;
	call->xdr_res = xdr_res;
	call->res = res;
	call->len = encode(clnt, call->xid, proc, xdr_args, args);
	sim_note("      -> %s", wire_call_text(wire_buffer, call->len));
	net_send(clnt->conn, NET_CONTROLLER, wire_buffer, call->len);
	add_call(clnt, call);
	return RPC_SUCCESS;
}

static struct clnt_ops handle_ops = { .cl_call = handle_call };

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
	clnt->how = 0;
}

void rpcclnt_how(struct rpcclnt *clnt, unsigned int how)
{
	clnt->how = how;
}

void rpcclnt_expect(struct rpcclnt *clnt, size_t bytes)
{
}

bool rpcclnt_is_dgram(const struct rpcclnt *clnt)
{
	return net_is_datagram(clnt->conn);
}

size_t rpcclnt_room(const struct rpcclnt *clnt)
{
	if (!rpcclnt_is_dgram(clnt))
		return SIZE_MAX;
	return sim_weather.small ? RPCCLNT_ROOM_MIN : RPCCLNT_ROOM_MAX;
}

static void prove(void *arg)
{
	struct rpcclnt *clnt = arg;
	const struct rpc_err err = { .re_status = RPC_SUCCESS };

	clnt->prove_done(&err, clnt->prove_user);
}

enum clnt_stat rpcclnt_prove(struct rpcclnt *clnt, unsigned int timeout_ms,
			     rpcclnt_done_fn done, void *user)
{
	clnt->prove_done = done;
	clnt->prove_user = user;
	sim_timer_set(&clnt->proving, sim_delay(sim_weather.delay));
	return RPC_SUCCESS;
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

/* ---- life --------------------------------------------------------------- */

int rpcclnt_new(struct rpcclnt **clntp, int fd,
		const struct rpcclnt_config *config)
{
	struct rpcclnt *clnt = calloc(1, sizeof(*clnt));

	if (!clnt)
		return -ENOMEM;
	clnt->config = *config;
	clnt->conn = net_of_fd(fd);
	clnt->handle.cl_ops = &handle_ops;
	clnt->handle.cl_private = clnt;
	TAILQ_INIT(&clnt->calls);
	sim_timer_init(&clnt->proving, prove, clnt);
	net_take(clnt->conn, NET_CONTROLLER, &handlers, clnt);
	*clntp = clnt;
	return 0;
}

struct rpcclnt *rpcclnt_free(struct rpcclnt *clnt)
{
	if (!clnt)
		return NULL;
	if (clnt->gonep)
		*clnt->gonep = true;
	fail_calls(clnt);
	net_close(clnt->conn, NET_CONTROLLER);
	sim_timer_stop(&clnt->proving);
	free(clnt);
	return NULL;
}
