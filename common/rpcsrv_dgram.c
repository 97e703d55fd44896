// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcsrv_dgram - the answering side of ONC RPC, by datagrams: one socket, and
 * the addresses that call there.
 *
 * What came is copied into a record of its own size and handed to
 * rpcsrv_call.c; what makes no sense is dropped. A stranger too many takes the
 * place of the oldest, whose calls are forgotten, and who sends them again if
 * it meant them. Nobody is waited for: a reply that the socket does not take
 * waits in a short queue, and where that is full it is dropped as the network
 * might have done.
 */
#include "common/rpcsrv_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"

#define BUCKETS 64
/* Datagrams of one event, so that one socket does not keep the loop. */
#define READS 32
/* Replies that wait for the socket. */
#define WAITING 256

struct waiting {
	STAILQ_ENTRY(waiting) link;
	struct gather *message;
	struct dgram_path path;
};

struct rpcsrv_dgram {
	LIST_ENTRY(rpcsrv_dgram) link;
	struct rpcsrv *srv;
	int fd;
	struct event readable, writable;
	LIST_HEAD(, rpcsrv_conn) buckets[BUCKETS];
	STAILQ_HEAD(, waiting) waiting;
	unsigned int n_waiting;
};

/* ---- addresses ---------------------------------------------------------- */

static unsigned int port_of(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET ?
	       ((const struct sockaddr_in *)addr)->sin_port :
	       ((const struct sockaddr_in6 *)addr)->sin6_port;
}

/* Ports differ more than hosts do: of a host's, each session has one. */
static unsigned int bucket_of(const struct sockaddr_storage *addr)
{
	unsigned int port = ntohs(port_of(addr));

	return (port ^ port >> 6) % BUCKETS;
}

/* Are both ends the same? Ours counts: who writes another's address on a
 * datagram is not to change where that one's replies come from. */
static bool same_path(const struct dgram_path *a, const struct dgram_path *b)
{
	if (!rpcsrv_same_host(&a->peer, &b->peer) ||
	    port_of(&a->peer) != port_of(&b->peer) ||
	    memcmp(&a->local, &b->local, sizeof(a->local)))
		return false;
	return a->peer.ss_family != AF_INET6 ||
	       ((const struct sockaddr_in6 *)&a->peer)->sin6_scope_id ==
	       ((const struct sockaddr_in6 *)&b->peer)->sin6_scope_id;
}

static struct rpcsrv_conn *find_conn(struct rpcsrv_dgram *d,
				     const struct dgram_path *path)
{
	struct rpcsrv_conn *conn;

	LIST_FOREACH(conn, &d->buckets[bucket_of(&path->peer)], link)
		if (conn->state == RPCSRV_CONN_OPEN &&
		    same_path(&conn->path, path))
			return conn;
	return NULL;
}

/* Strangers, of a host or of all. */
struct strangers {
	unsigned int n;
	struct rpcsrv_conn *oldest;
};

static void count_stranger(struct strangers *s, struct rpcsrv_conn *conn)
{
	s->n++;
	if (!s->oldest || conn->serial < s->oldest->serial)
		s->oldest = conn;
}

/* For one more stranger, from peer: where there are enough, the oldest gives
 * way, so that those who wait for ever keep nobody out. */
static void make_room(struct rpcsrv_dgram *d,
		      const struct sockaddr_storage *peer)
{
	const struct rpcsrv_limits *limits = &d->srv->config.limits;
	struct strangers all = { 0 }, of_peer = { 0 };
	struct rpcsrv_conn *conn;

	for (unsigned int i = 0; i < BUCKETS; i++)
		LIST_FOREACH(conn, &d->buckets[i], link) {
			if (conn->trust || !conn->n_calls ||
			    conn->state != RPCSRV_CONN_OPEN)
				continue;
			count_stranger(&all, conn);
			if (rpcsrv_same_host(&conn->peer, peer))
				count_stranger(&of_peer, conn);
		}
	if (of_peer.n >= limits->strangers_peer)
		rpcsrv_conn_close(of_peer.oldest);
	else if (all.n >= limits->strangers)
		rpcsrv_conn_close(all.oldest);
}

static struct rpcsrv_conn *conn_new(struct rpcsrv_dgram *d,
				    const struct dgram_path *path)
{
	struct rpcsrv_conn *conn;

	make_room(d, &path->peer);
	conn = calloc(1, sizeof(*conn));
	if (!conn || rpcsrv_conn_init(conn, d->srv, &path->peer)) {
		free(conn);
		return NULL;
	}
	conn->dgram = d;
	conn->serial = d->srv->next_serial++;
	conn->path = *path;
	LIST_INSERT_HEAD(&d->buckets[bucket_of(&path->peer)], conn, link);
	return conn;
}

/* ---- datagrams ---------------------------------------------------------- */

static void handle_datagram(struct rpcsrv_dgram *d, const void *data,
			    size_t len, const struct dgram_path *path)
{
	struct rpcsrv_conn *conn = find_conn(d, path);
	struct record *rec;

	if (!conn)
		conn = conn_new(d, path);
	if (!conn) {
		log_debug(LOG_TAG_NET, "a stranger's datagram was dropped");
		return;
	}
	conn->received += len;
	if (rpcsrv_conn_is_full(conn) ||
	    (!conn->trust && len > d->srv->config.limits.record_small)) {
		log_debug(LOG_TAG_NET, "%s: a datagram of %zu bytes too many",
			  conn->name, len);
		rpcsrv_conn_update(conn);
		return;
	}
	rec = record_copy(&d->srv->records, data, len);
	if (rec)
		rpcsrv_call_handle(conn, rec);
	else
		rpcsrv_conn_update(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct rpcsrv_dgram *d = user;
	struct dgram_path path;
	ssize_t len;

	for (int i = 0; i < READS; i++) {
		len = dgram_recv(fd, d->srv->ahead, DGRAM_BUFFER, &path);
		if (len == -EAGAIN)
			return;
		if (len >= 0)
			handle_datagram(d, d->srv->ahead, len, &path);
		else
			log_debug(LOG_TAG_NET, "datagrams: %s", strerror(-len));
	}
}

static void free_first(struct rpcsrv_dgram *d)
{
	struct waiting *w = STAILQ_FIRST(&d->waiting);

	STAILQ_REMOVE_HEAD(&d->waiting, link);
	d->n_waiting--;
	gather_free(w->message);
	free(w);
}

static void on_writable(evutil_socket_t fd, short what, void *user)
{
	struct rpcsrv_dgram *d = user;
	struct waiting *w;

	while ((w = STAILQ_FIRST(&d->waiting))) {
		if (dgram_send(fd, w->message, &w->path) == -EAGAIN) {
			event_add(&d->writable, NULL);
			return;
		}
		free_first(d);
	}
}

/* The socket has no room: g waits, or is dropped. */
static void queue(struct rpcsrv_conn *conn, struct gather *g)
{
	struct rpcsrv_dgram *d = conn->dgram;
	struct waiting *w = NULL;

	if (d->n_waiting < WAITING)
		w = malloc(sizeof(*w));
	if (!w || (!d->n_waiting && event_add(&d->writable, NULL))) {
		log_debug(LOG_TAG_NET, "%s: a reply was dropped", conn->name);
		gather_free(g);
		free(w);
		return;
	}
	w->message = g;
	w->path = conn->path;
	STAILQ_INSERT_TAIL(&d->waiting, w, link);
	d->n_waiting++;
}

void rpcsrv_dgram_send(struct rpcsrv_conn *conn, struct gather *g)
{
	struct rpcsrv_dgram *d = conn->dgram;
	int r = d->n_waiting ? -EAGAIN : dgram_send(d->fd, g, &conn->path);

	if (r == -EAGAIN) {
		queue(conn, g);
		return;
	}
	if (r)
		log_debug(LOG_TAG_NET, "%s: %s", conn->name, strerror(-r));
	gather_free(g);
}

/* ---- life --------------------------------------------------------------- */

int rpcsrv_listen_dgram(struct rpcsrv *srv, int fd)
{
	_cleanup_(cleanup_free) struct rpcsrv_dgram *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = dgram_init_answering(fd);
	if (r)
		return r;
	d->srv = srv;
	d->fd = fd;
	STAILQ_INIT(&d->waiting);
	if (event_assign(&d->readable, srv->config.base, fd,
			 EV_READ | EV_PERSIST, on_readable, d) ||
	    event_assign(&d->writable, srv->config.base, fd, EV_WRITE,
			 on_writable, d) ||
	    event_add(&d->readable, NULL))
		return -ENOMEM;
	LIST_INSERT_HEAD(&srv->dgrams, d, link);
	steal_ptr(d);
	return 0;
}

void rpcsrv_dgram_free(struct rpcsrv_dgram *d)
{
	struct rpcsrv_conn *conn;

	LIST_REMOVE(d, link);
	for (unsigned int i = 0; i < BUCKETS; i++)
		while ((conn = LIST_FIRST(&d->buckets[i])))
			rpcsrv_conn_discard(conn);
	event_del(&d->readable);
	event_del(&d->writable);
	while (d->n_waiting)
		free_first(d);
	close(d->fd);
	free(d);
}
