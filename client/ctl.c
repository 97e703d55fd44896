// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctl - the control socket of a helper.
 */
#include "config.h"

#include "client/ctl.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"

#define REQUEST_MAX	512
#define REPLY_MAX	2048
#define PEERS_MAX	16
#define PORTS_MAX	65536

struct peer {
	LIST_ENTRY(peer) link;
	struct ctl *ctl;
	struct event *io;
	int fd;
	bool waits;			/* for the end of the detach */
	size_t len;
	char request[REQUEST_MAX];
};

struct ctl {
	struct ctl_config config;
	struct sockaddr_un addr;
	struct event *accept;
	int fd;
	unsigned int port;
	unsigned int n_peers;
	LIST_HEAD(peers, peer) peers;
};

static int make_addr(struct sockaddr_un *addr, const char *dir,
		     unsigned int port)
{
	int n;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%u.sock", dir,
		     port);
	return n < 0 || (size_t)n >= sizeof(addr->sun_path) ? -ENAMETOOLONG : 0;
}

/* ---- the helper's side --------------------------------------------------- */

static void drop_peer(struct peer *peer)
{
	LIST_REMOVE(peer, link);
	peer->ctl->n_peers--;
	if (peer->io)
		event_free(peer->io);
	close(peer->fd);
	free(peer);
}

/* A line; a socket's buffer has room for it. Consumes the object. */
static void reply(struct peer *peer, json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	char line[REPLY_MAX];
	int n;

	json_decref(object);
	if (!text)
		return;
	n = snprintf(line, sizeof(line), "%s\n", text);
	if (n > 0 && (size_t)n < sizeof(line) &&
	    send(peer->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
		log_debug(LOG_TAG_PORT, "control socket: answer not taken: %m");
	free(text);
}

static void handle(struct peer *peer)
{
	struct ctl *ctl = peer->ctl;
	json_t *request = json_loadb(peer->request, peer->len, 0, NULL);
	const char *verb = json_string_value(json_object_get(request, "request"));
	bool detach = verb && !strcmp(verb, "detach");

	if (verb && !strcmp(verb, "status"))
		reply(peer, ctl->config.status(ctl->config.user));
	else if (!detach)
		reply(peer, json_pack("{s:s}", "error", "unknown request"));
	json_decref(request);
	if (!detach) {
		drop_peer(peer);
		return;
	}
	peer->waits = true;
	event_del(peer->io);
	ctl->config.detach(ctl->config.user);	/* may free peer */
}

static void peer_readable(evutil_socket_t fd, short what, void *user)
{
	struct peer *peer = user;
	ssize_t n = recv(fd, peer->request + peer->len,
			 sizeof(peer->request) - peer->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_peer(peer);
		return;
	}
	peer->len += (size_t)n;
	if (memchr(peer->request, '\n', peer->len))
		handle(peer);
	else if (peer->len == sizeof(peer->request))
		drop_peer(peer);
}

static void acceptable(evutil_socket_t fd, short what, void *user)
{
	struct ctl *ctl = user;
	int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *peer;

	if (peer_fd < 0)
		return;
	peer = ctl->n_peers < PEERS_MAX ? calloc(1, sizeof(*peer)) : NULL;
	if (!peer) {
		close(peer_fd);
		return;
	}
	peer->ctl = ctl;
	peer->fd = peer_fd;
	LIST_INSERT_HEAD(&ctl->peers, peer, link);
	ctl->n_peers++;
	peer->io = event_new(ctl->config.base, peer_fd, EV_READ | EV_PERSIST,
			     peer_readable, peer);
	if (!peer->io || event_add(peer->io, NULL))
		drop_peer(peer);
}

/* Does a helper listen there? One that is too busy to accept does. */
static bool is_taken(const struct sockaddr_un *addr)
{
	_cleanup_(cleanup_close) int fd = -1;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return true;
	return errno != ENOENT && errno != ECONNREFUSED;
}

/* Bind to this port's name. -EBUSY: it is another helper's. */
static int take_port(struct ctl *ctl, unsigned int port)
{
	int r = make_addr(&ctl->addr, ctl->config.dir, port);

	if (r)
		return r;
	if (is_taken(&ctl->addr)) {
		ctl->addr.sun_path[0] = '\0';
		return -EBUSY;
	}
	/* A dead helper's. */
	unlink(ctl->addr.sun_path);
	ctl->port = port;
	if (bind(ctl->fd, (struct sockaddr *)&ctl->addr, sizeof(ctl->addr)) ||
	    chmod(ctl->addr.sun_path, 0600) || listen(ctl->fd, 8))
		return -errno;
	return 0;
}

/* The lock keeps two helpers from taking the same port for a dead one's. */
static int take_any(struct ctl *ctl)
{
	_cleanup_(cleanup_close) int lock = -1;
	char path[sizeof(ctl->addr.sun_path)];
	int r = -EBUSY;

	snprintf(path, sizeof(path), "%s/lock", ctl->config.dir);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX))
		return -errno;
	if (ctl->config.port >= 0)
		return take_port(ctl, (unsigned int)ctl->config.port);
	for (unsigned int i = 0; i < PORTS_MAX && r == -EBUSY; i++)
		r = take_port(ctl, i);
	return r;
}

static int listen_at(struct ctl *ctl)
{
	int r;

	if (mkdir(ctl->config.dir, 0700) && errno != EEXIST)
		return -errno;
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ctl->fd < 0)
		return -errno;
	r = take_any(ctl);
	if (r)
		return r;
	ctl->accept = event_new(ctl->config.base, ctl->fd,
				EV_READ | EV_PERSIST, acceptable, ctl);
	if (!ctl->accept || event_add(ctl->accept, NULL))
		return -ENOMEM;
	return 0;
}

unsigned int ctl_port(const struct ctl *ctl)
{
	return ctl->port;
}

int ctl_new(struct ctl **ctlp, const struct ctl_config *config)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	int r;

	if (!ctl)
		return -ENOMEM;
	ctl->config = *config;
	ctl->fd = -1;
	LIST_INIT(&ctl->peers);
	r = listen_at(ctl);
	if (r) {
		ctl_free(ctl);
		return r;
	}
	*ctlp = ctl;
	return 0;
}

void ctl_detached(struct ctl *ctl, bool released)
{
	struct peer *peer;

	if (ctl->addr.sun_path[0])
		unlink(ctl->addr.sun_path);
	ctl->addr.sun_path[0] = '\0';
	LIST_FOREACH(peer, &ctl->peers, link)
		if (peer->waits)
			reply(peer, json_pack("{s:b, s:b}", "ok", 1,
					      "released", released));
}

struct ctl *ctl_free(struct ctl *ctl)
{
	struct peer *peer;

	if (!ctl)
		return NULL;
	while ((peer = LIST_FIRST(&ctl->peers)))
		drop_peer(peer);
	if (ctl->accept)
		event_free(ctl->accept);
	if (ctl->fd >= 0) {
		close(ctl->fd);
		if (ctl->addr.sun_path[0])
			unlink(ctl->addr.sun_path);
	}
	free(ctl);
	return NULL;
}

/* ---- the asking side ----------------------------------------------------- */

/* Reads until the line ends. The length, or -errno. */
static ssize_t read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = recv(fd, line + len, size - len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (!n)
			return -EPROTO;
		len += (size_t)n;
		if (line[len - 1] == '\n')
			return (ssize_t)len;
	}
	return -EPROTO;
}

int ctl_ask(const char *dir, unsigned int port, const char *request,
	    unsigned int timeout_ms, json_t **replyp)
{
	const struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	_cleanup_(cleanup_close) int fd = -1;
	char line[REPLY_MAX];
	struct sockaddr_un addr;
	ssize_t n;
	int r = make_addr(&addr, dir, port);

	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	n = snprintf(line, sizeof(line), "{\"request\":\"%s\"}\n", request);
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		return -errno;
	n = read_line(fd, line, sizeof(line));
	if (n < 0)
		return (int)n;
	*replyp = json_loadb(line, (size_t)n, 0, NULL);
	return json_is_object(*replyp) ? 0 : -EPROTO;
}

/* Who listens there: 0, it can not be found out. */
static pid_t helper_of(const char *dir, unsigned int port)
{
	_cleanup_(cleanup_close) int fd = -1;
	socklen_t len = sizeof(struct ucred);
	struct sockaddr_un addr;
	struct ucred cred;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || make_addr(&addr, dir, port) ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return 0;
	return cred.pid;
}

void ctl_silent(struct failure *f, const char *dir, unsigned int port,
		int error)
{
	pid_t pid = helper_of(dir, port);
	char hint[80] = "";

	if (pid > 0)
		snprintf(hint, sizeof(hint), "; if it hangs, kill -9 %d unplugs "
			 "the device", (int)pid);
	failure_set(f, error == -EACCES ? FAILURE_PERMISSION : FAILURE_OTHER,
		    "the helper of port %u does not answer: %s%s", port,
		    strerror(-error), hint);
}

static int compare_ports(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return (x > y) - (x < y);
}

int ctl_ports(const char *dir, unsigned int **portsp, size_t *np)
{
	_cleanup_(cleanup_free) unsigned int *ports = NULL;
	size_t n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	*portsp = NULL;
	*np = 0;
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		unsigned int port, *more;
		int end = 0;

		if (sscanf(e->d_name, "%u.sock%n", &port, &end) != 1 ||
		    !end || e->d_name[end])
			continue;
		more = reallocarray(ports, n + 1, sizeof(*ports));
		if (!more) {
			closedir(d);
			return -ENOMEM;
		}
		ports = more;
		ports[n++] = port;
	}
	closedir(d);
	if (n)
		qsort(ports, n, sizeof(*ports), compare_ports);
	*portsp = steal_ptr(ports);
	*np = n;
	return 0;
}
