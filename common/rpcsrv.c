// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcsrv - the answering side of ONC RPC: service and connections. What
 * becomes of a record is rpcsrv_call.c's; where streams come from is
 * rpcsrv_listen.c's, and datagrams rpcsrv_dgram.c's.
 *
 * A connection ends in one place, on_closing(), which the loop calls: so it
 * can be asked for from anywhere. One whose peer has sent all that it wants
 * to (a client that shuts down its half, or dies) is answered first, for as
 * long as limits.drain.
 */
#include "common/rpcsrv_impl.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"

/* Bytes of a record that comes out of a pool: a call with a packet of 512. */
#define POOLED_RECORD 800

/* ---- connections -------------------------------------------------------- */

static const char *state_str(enum rpcsrv_conn_state state)
{
	switch (state) {
	case RPCSRV_CONN_OPEN:
		return "open";
	case RPCSRV_CONN_DRAINING:
		return "draining";
	case RPCSRV_CONN_CLOSING:
		return "closing";
	case RPCSRV_CONN_CLOSED:
		return "closed";
	}
	return "?";
}

/* The only writer of conn->state, which goes forward only. */
static void conn_set_state(struct rpcsrv_conn *conn,
			   enum rpcsrv_conn_state next)
{
	log_debug(LOG_TAG_NET, "%s: %s -> %s", conn->name,
		  state_str(conn->state), state_str(next));
	assert(next > conn->state);
	conn->state = next;
}

void rpcsrv_conn_close(struct rpcsrv_conn *conn)
{
	if (conn->state >= RPCSRV_CONN_CLOSING)
		return;
	if (!conn->dgram)
		stream_pause(&conn->stream, true);
	conn_set_state(conn, RPCSRV_CONN_CLOSING);
	event_active(&conn->closing, EV_TIMEOUT, 1);
}

static void conn_free(struct rpcsrv_conn *conn)
{
	LIST_REMOVE(conn, link);
	free(conn);
}

/* No descriptor and no event any more. */
static void shut(struct rpcsrv_conn *conn)
{
	event_del(&conn->timer);
	event_del(&conn->closing);
	conn_set_state(conn, RPCSRV_CONN_CLOSED);
	if (!conn->dgram)
		stream_deinit(&conn->stream);
}

static void on_closing(evutil_socket_t fd, short what, void *user)
{
	struct rpcsrv_conn *conn = user;
	struct rpcsrv *srv = conn->srv;

	if (conn->state == RPCSRV_CONN_OPEN && (conn->trust || conn->n_calls))
		return;		/* of datagrams, and in use again */
	conn->n_calls++;	/* conn stays until the callback is over */
	shut(conn);
	if (srv->config.conn_closed)
		srv->config.conn_closed(conn, srv->config.user);
	conn->n_calls--;
	if (!conn->n_calls)
		conn_free(conn);
}

bool rpcsrv_conn_is_full(const struct rpcsrv_conn *conn)
{
	const struct rpcsrv_limits *limits = &conn->srv->config.limits;
	size_t held = conn->bytes + conn->stream.queued;

	if (!conn->trust)
		return conn->n_calls >= limits->calls_small ||
		       held >= limits->bytes_small;
	return conn->n_calls >= limits->calls || held >= limits->bytes;
}

void rpcsrv_conn_update(struct rpcsrv_conn *conn)
{
	switch (conn->state) {
	case RPCSRV_CONN_OPEN:
		if (!conn->dgram)
			stream_pause(&conn->stream, rpcsrv_conn_is_full(conn));
		else if (!conn->trust && !conn->n_calls)
			event_active(&conn->closing, EV_TIMEOUT, 1);
		break;
	case RPCSRV_CONN_DRAINING:
		if (!conn->n_calls && !conn->stream.queued)
			rpcsrv_conn_close(conn);
		break;
	case RPCSRV_CONN_CLOSING:
		break;
	case RPCSRV_CONN_CLOSED:
		if (!conn->n_calls)
			conn_free(conn);
		break;
	}
}

static void set_timer(struct rpcsrv_conn *conn, unsigned int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	evtimer_add(&conn->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	struct rpcsrv_conn *conn = user;

	if (conn->state == RPCSRV_CONN_OPEN && conn->n_calls) {
		set_timer(conn, conn->srv->config.limits.idle);
		return;
	}
	log_debug(LOG_TAG_NET, "%s: %s too long", conn->name,
		  conn->state == RPCSRV_CONN_OPEN ? "idle" : "draining");
	rpcsrv_conn_close(conn);
}

static void on_record(struct record *rec, void *user)
{
	struct rpcsrv_conn *conn = user;

	if (!conn->trust)
		set_timer(conn, conn->srv->config.limits.idle);
	rpcsrv_call_handle(conn, rec);
}

static void on_sent(void *user)
{
	rpcsrv_conn_update(user);
}

static void on_eof(void *user)
{
	struct rpcsrv_conn *conn = user;

	if (conn->state != RPCSRV_CONN_OPEN)
		return;
	conn_set_state(conn, RPCSRV_CONN_DRAINING);
	set_timer(conn, conn->srv->config.limits.drain);
	rpcsrv_conn_update(conn);
}

static void on_failed(int error, void *user)
{
	struct rpcsrv_conn *conn = user;

	log_debug(LOG_TAG_NET, "%s: %s", conn->name, strerror(-error));
	rpcsrv_conn_close(conn);
}

static const struct stream_handlers conn_handlers = {
	.record = on_record,
	.sent = on_sent,
	.eof = on_eof,
	.failed = on_failed,
};

static void name_peer(struct rpcsrv_conn *conn)
{
	socklen_t len = sizeof(conn->peer);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (conn->peer.ss_family == AF_UNSPEC ||
	    conn->peer.ss_family == AF_UNIX ||
	    getnameinfo((struct sockaddr *)&conn->peer, len, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(conn->name, sizeof(conn->name), "local peer");
	else
		snprintf(conn->name, sizeof(conn->name), "%.48s port %.6s", host, port);
}

int rpcsrv_conn_init(struct rpcsrv_conn *conn, struct rpcsrv *srv,
		     const struct sockaddr_storage *peer)
{
	struct event_base *base = srv->config.base;

	conn->srv = srv;
	conn->state = RPCSRV_CONN_OPEN;
	LIST_INIT(&conn->calls);
	conn->peer = *peer;
	name_peer(conn);
	if (evtimer_assign(&conn->timer, base, on_timer, conn) ||
	    event_assign(&conn->closing, base, -1, 0, on_closing, conn))
		return -EINVAL;
	return 0;
}

int rpcsrv_adopt(struct rpcsrv *srv, int fd)
{
	_cleanup_(cleanup_free) struct rpcsrv_conn *conn =
		calloc(1, sizeof(*conn));
	const struct stream_config config = {
		.base = srv->config.base,
		.record_max = srv->config.limits.record_small,
		.fragments = srv->config.limits.fragments,
		.ahead = srv->ahead,
		.records = &srv->records,
		.handlers = &conn_handlers,
		.user = conn,
	};
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int r;

	if (!conn)
		return -ENOMEM;
	memset(&peer, 0, sizeof(peer));
	if (getpeername(fd, (struct sockaddr *)&peer, &len))
		peer.ss_family = AF_UNSPEC;
	r = rpcsrv_conn_init(conn, srv, &peer);
	if (r)
		return r;
	r = stream_init(&conn->stream, fd, &config);
	if (r)
		return r;
	set_timer(conn, srv->config.limits.idle);
	LIST_INSERT_HEAD(&srv->conns, conn, link);
	log_debug(LOG_TAG_NET, "%s: connected", conn->name);
	steal_ptr(conn);
	return 0;
}

void rpcsrv_conn_set_user(struct rpcsrv_conn *conn, void *user)
{
	conn->user = user;
}

void *rpcsrv_conn_user(const struct rpcsrv_conn *conn)
{
	return conn->user;
}

bool rpcsrv_conn_is_dgram(const struct rpcsrv_conn *conn)
{
	return conn->dgram;
}

const struct sockaddr *rpcsrv_conn_peer(const struct rpcsrv_conn *conn)
{
	return (const struct sockaddr *)&conn->peer;
}

const char *rpcsrv_conn_name(const struct rpcsrv_conn *conn)
{
	return conn->name;
}

uint64_t rpcsrv_conn_received(const struct rpcsrv_conn *conn)
{
	return conn->dgram ? conn->received : conn->stream.received;
}

bool rpcsrv_conn_is_receiving(const struct rpcsrv_conn *conn)
{
	return stream_is_receiving(&conn->stream);
}

bool rpcsrv_conn_is_open(const struct rpcsrv_conn *conn)
{
	return conn->state == RPCSRV_CONN_OPEN;
}

void rpcsrv_conn_trust(struct rpcsrv_conn *conn)
{
	if (conn->trust++ || conn->state != RPCSRV_CONN_OPEN || conn->dgram)
		return;
	event_del(&conn->timer);
	stream_set_record_max(&conn->stream,
			      conn->srv->config.limits.record_max);
	rpcsrv_conn_update(conn);
}

bool rpcsrv_conn_distrust(struct rpcsrv_conn *conn)
{
	assert(conn->trust);
	if (--conn->trust)
		return true;
	if (conn->state != RPCSRV_CONN_OPEN)
		return false;
	if (!conn->dgram) {
		set_timer(conn, conn->srv->config.limits.idle);
		stream_set_record_max(&conn->stream,
				      conn->srv->config.limits.record_small);
	}
	rpcsrv_conn_update(conn);
	return false;
}

bool rpcsrv_same_host(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	if (a->ss_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(
			&((const struct sockaddr_in6 *)a)->sin6_addr,
			&((const struct sockaddr_in6 *)b)->sin6_addr);
	return false;
}

/* ---- the service -------------------------------------------------------- */

void rpcsrv_limits_default(struct rpcsrv_limits *limits, size_t record_max)
{
	*limits = (struct rpcsrv_limits){
		.record_small = 4096,
		.record_max = record_max,
		/* libtirpc's clients send fragments of 8 KiB and more. */
		.fragments = 16 + record_max / 4096,
		.conns = 512,
		.conns_peer = 128,
		.calls_small = 32,
		.calls = 1024,
		.bytes_small = 128 * 1024,
		.bytes = 2 * record_max,
		.idle = 30,
		.drain = 5,
		.strangers = 256,
		.strangers_peer = 64,
	};
}

int rpcsrv_new(struct rpcsrv **srvp, const struct rpcsrv_config *config)
{
	_cleanup_(cleanup_free) struct rpcsrv *srv = calloc(1, sizeof(*srv));
	int r;

	if (!srv)
		return -ENOMEM;
	srv->config = *config;
	LIST_INIT(&srv->listeners);
	LIST_INIT(&srv->conns);
	LIST_INIT(&srv->dgrams);
	r = proof_init(&srv->proof);
	if (r)
		return r;
	srv->ahead = malloc(STREAM_AHEAD);
	if (!srv->ahead)
		return -ENOMEM;
	pool_init(&srv->calls, sizeof(struct rpcsrv_call));
	pool_init(&srv->records, POOLED_RECORD);
	pool_init(&srv->gathers, sizeof(struct gather));
	rpcsrv_open_reserve(srv);
	*srvp = steal_ptr(srv);
	return 0;
}

void rpcsrv_conn_discard(struct rpcsrv_conn *conn)
{
	struct rpcsrv_call *call;

	conn->n_calls++;	/* conn stays until all are gone */
	if (conn->state != RPCSRV_CONN_CLOSED)
		shut(conn);
	while ((call = LIST_FIRST(&conn->calls)))
		rpcsrv_call_free(call);
	conn_free(conn);
}

struct rpcsrv *rpcsrv_free(struct rpcsrv *srv)
{
	struct rpcsrv_listener *l;
	struct rpcsrv_dgram *d;
	struct rpcsrv_conn *conn;

	if (!srv)
		return NULL;
	while ((l = LIST_FIRST(&srv->listeners)))
		rpcsrv_listener_free(l);
	while ((conn = LIST_FIRST(&srv->conns)))
		rpcsrv_conn_discard(conn);
	while ((d = LIST_FIRST(&srv->dgrams)))
		rpcsrv_dgram_free(d);
	pool_deinit(&srv->calls);
	pool_deinit(&srv->records);
	pool_deinit(&srv->gathers);
	cleanup_close(&srv->reserve);
	free(srv->ahead);
	free(srv);
	return NULL;
}
