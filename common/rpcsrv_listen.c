// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcsrv_listen - the answering side of ONC RPC: sockets that streams are
 * accepted from, and who is let in where there is no room for all.
 */
#include "common/rpcsrv_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"

/* Connections accepted at once, so that listeners do not keep the loop. */
#define ACCEPTS 16
/* Seconds until a listener tries again that could not accept. */
#define ACCEPT_PAUSE 1

struct rpcsrv_listener {
	LIST_ENTRY(rpcsrv_listener) link;
	struct rpcsrv *srv;
	int fd;
	struct event readable;
	struct event again;	/* after an error that would repeat itself */
};

/*
 * Close the oldest connection that nobody vouches for, one that waits for
 * nothing first: so strangers who have all that there is do not keep others
 * out. false: there is none.
 */
static bool evict_stranger(struct rpcsrv *srv)
{
	struct rpcsrv_conn *conn, *idle = NULL, *stranger = NULL;

	LIST_FOREACH(conn, &srv->conns, link) {
		if (conn->trust || conn->state >= RPCSRV_CONN_CLOSING)
			continue;
		stranger = conn;	/* new ones are put in front */
		if (!conn->n_calls)
			idle = conn;
	}
	if (idle)
		stranger = idle;
	if (stranger)
		rpcsrv_conn_close(stranger);
	return stranger;
}

/* May there be one more connection, from peer? */
static bool make_room(struct rpcsrv *srv, const struct sockaddr_storage *peer)
{
	const struct rpcsrv_limits *limits = &srv->config.limits;
	unsigned int n_open = 0, n_peer = 0;
	struct rpcsrv_conn *conn;

	LIST_FOREACH(conn, &srv->conns, link) {
		if (conn->state >= RPCSRV_CONN_CLOSING)
			continue;
		n_open++;
		n_peer += !conn->trust &&
			  rpcsrv_same_host(&conn->peer, peer);
	}
	if (n_peer >= limits->conns_peer)
		return false;
	return n_open < limits->conns || evict_stranger(srv);
}

/* A connection was not accepted. */
static void note_refusal(struct rpcsrv *srv, const char *why)
{
	log_debug(LOG_TAG_NET, "a connection was refused: %s", why);
	if (!srv->refusing)
		log_warning("connections are being refused: %s", why);
	srv->refusing = true;
}

void rpcsrv_open_reserve(struct rpcsrv *srv)
{
	srv->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Stop listening for a while. */
static void pause_listener(struct rpcsrv_listener *l, const char *why)
{
	const struct timeval tv = { .tv_sec = ACCEPT_PAUSE };

	note_refusal(l->srv, why);
	event_del(&l->readable);
	evtimer_add(&l->again, &tv);
}

/*
 * accept() failed. A connection that can not be had for want of a descriptor
 * stays in the backlog and wakes the loop until a stranger's has been closed
 * for it. Where there is no stranger it would do so for ever: there is one
 * descriptor in reserve, to accept it by and close it.
 */
static void handle_accept_error(struct rpcsrv_listener *l, int error)
{
	struct rpcsrv *srv = l->srv;
	int fd;

	switch (error) {
	case EMFILE:
	case ENFILE:
		if (evict_stranger(srv))
			return;
		if (srv->reserve < 0)
			rpcsrv_open_reserve(srv);
		if (srv->reserve < 0) {
			pause_listener(l, strerror(error));
			return;
		}
		close(srv->reserve);
		fd = accept(l->fd, NULL, NULL);
		if (fd >= 0)
			close(fd);
		rpcsrv_open_reserve(srv);
		note_refusal(srv, strerror(error));
		return;
	case ENOBUFS:
	case ENOMEM:
		pause_listener(l, strerror(error));
		return;
	default:
		/* Of the connection, not of the listener: see accept(2). */
		if (error != EAGAIN && error != EINTR)
			log_debug(LOG_TAG_NET, "accept: %s", strerror(error));
	}
}

static void on_acceptable(evutil_socket_t lfd, short what, void *user)
{
	struct rpcsrv_listener *l = user;

	for (int i = 0; i < ACCEPTS; i++) {
		_cleanup_(cleanup_close) int fd = -1;
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);

		memset(&peer, 0, sizeof(peer));
		fd = accept4(lfd, (struct sockaddr *)&peer, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			/* It wants a descriptor before it looks for somebody:
			 * behind the first there may be nobody. */
			if (!i)
				handle_accept_error(l, errno);
			return;
		}
		if (!make_room(l->srv, &peer)) {
			note_refusal(l->srv, "there are too many");
			continue;
		}
		if (rpcsrv_adopt(l->srv, fd)) {
			note_refusal(l->srv, strerror(ENOMEM));
			continue;
		}
		steal_fd(&fd);
		l->srv->refusing = false;
	}
}

static void on_again(evutil_socket_t fd, short what, void *user)
{
	struct rpcsrv_listener *l = user;

	event_add(&l->readable, NULL);
}

int rpcsrv_listen(struct rpcsrv *srv, int fd)
{
	_cleanup_(cleanup_free) struct rpcsrv_listener *l =
		calloc(1, sizeof(*l));
	int flags = fcntl(fd, F_GETFL);

	if (!l)
		return -ENOMEM;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	l->srv = srv;
	l->fd = fd;
	if (event_assign(&l->readable, srv->config.base, fd,
			 EV_READ | EV_PERSIST, on_acceptable, l) ||
	    evtimer_assign(&l->again, srv->config.base, on_again, l) ||
	    event_add(&l->readable, NULL))
		return -ENOMEM;
	LIST_INSERT_HEAD(&srv->listeners, l, link);
	steal_ptr(l);
	return 0;
}

void rpcsrv_listener_free(struct rpcsrv_listener *l)
{
	LIST_REMOVE(l, link);
	event_del(&l->readable);
	event_del(&l->again);
	close(l->fd);
	free(l);
}
