// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control - a socket by which a running program is asked and told things.
 *
 * A peer is READING until its line is complete, WAITING until it has its
 * answer, and WRITING as long as the socket does not take all of that; then it
 * is closed.
 */
#include "config.h"

#include "common/control.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
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

#define REQUEST_MAX	1024
#define REPLY_MAX	(4u << 20)
#define PEERS_MAX	16
#define ACCEPT_PAUSE	1	/* second */

enum peer_state {
	PEER_STATE_READING,
	PEER_STATE_WAITING,
	PEER_STATE_WRITING,
};

struct control_peer {
	TAILQ_ENTRY(control_peer) link;
	struct control *control;
	struct event *readable, *writable;
	int fd;
	enum peer_state state;
	void *kept;			/* the owner's */
	size_t len;
	char request[REQUEST_MAX];
	char *reply;
	size_t reply_len, sent;
};

struct control {
	struct control_config config;
	struct sockaddr_un addr;
	bool bound;			/* the name is ours to remove */
	struct event *accept, *again;
	int fd;
	unsigned int n_peers;
	TAILQ_HEAD(control_peers, control_peer) peers;
};

CLEANUP_DEFINE(struct control, control_free);

static int make_addr(struct sockaddr_un *addr, const char *path)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, path);
	return 0;
}

/* ---- peers --------------------------------------------------------------- */

static void drop_peer(struct control_peer *peer)
{
	TAILQ_REMOVE(&peer->control->peers, peer, link);
	peer->control->n_peers--;
	if (peer->readable)
		event_free(peer->readable);
	if (peer->writable)
		event_free(peer->writable);
	close(peer->fd);
	free(peer->kept);
	free(peer->reply);
	free(peer);
}

static void write_reply(evutil_socket_t fd, short what, void *user)
{
	struct control_peer *peer = user;
	ssize_t n = send(peer->fd, peer->reply + peer->sent,
			 peer->reply_len - peer->sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		log_debug(LOG_TAG_NET, "control socket: answer not taken: %m");
		drop_peer(peer);
		return;
	}
	peer->sent += n > 0 ? (size_t)n : 0;
	if (peer->sent == peer->reply_len || event_add(peer->writable, NULL))
		drop_peer(peer);
}

void control_reply(struct control_peer *peer, json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

	json_decref(answer);
	if (!text) {
		log_warning("control socket: no memory for an answer");
		drop_peer(peer);
		return;
	}
	event_del(peer->readable);
	peer->state = PEER_STATE_WRITING;
	peer->reply = text;
	peer->reply_len = strlen(text);
	text[peer->reply_len++] = '\n';	/* in place of the end: it is sent */
	/* now, as the program may end when it has answered */
	write_reply(peer->fd, 0, peer);
}

void control_keep(struct control_peer *peer, void *what)
{
	peer->kept = what;
}

void *control_kept(const struct control_peer *peer)
{
	return peer->kept;
}

struct control_peer *control_waiting(struct control *control,
				     struct control_peer *peer)
{
	peer = peer ? TAILQ_NEXT(peer, link) : TAILQ_FIRST(&control->peers);
	while (peer && peer->state != PEER_STATE_WAITING)
		peer = TAILQ_NEXT(peer, link);
	return peer;
}

static void handle(struct control_peer *peer)
{
	const struct control_config *config = &peer->control->config;
	json_t *request = json_loadb(peer->request, peer->len, 0, NULL);

	peer->state = PEER_STATE_WAITING;
	if (json_is_object(request))
		config->asked(peer, request, config->user);
	else
		control_reply(peer, json_pack("{s:s}", "error", "not JSON"));
	json_decref(request);
}

/* Something comes from one who WAITS: no more than that it has gone matters. A
 * peer may close its half, and still wants its answer. */
static void look_after(struct control_peer *peer)
{
	struct pollfd p = { .fd = peer->fd };

	if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR))
		drop_peer(peer);
	else
		event_del(peer->readable);
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct control_peer *peer = user;
	ssize_t n;

	if (peer->state != PEER_STATE_READING) {
		look_after(peer);
		return;
	}
	n = recv(fd, peer->request + peer->len,
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

/* The folder's mode says the same, unless somebody has made it otherwise. */
static bool may_ask(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) &&
	       (!cred.uid || cred.uid == geteuid());
}

static void on_again(evutil_socket_t fd, short what, void *user)
{
	struct control *control = user;

	event_add(control->accept, NULL);
}

/* After an error that would repeat itself at once. */
static void pause_accepting(struct control *control, int error)
{
	const struct timeval tv = { ACCEPT_PAUSE, 0 };

	if (error != EMFILE && error != ENFILE && error != ENOMEM &&
	    error != ENOBUFS)
		return;
	log_warning("control socket: %s", strerror(error));
	event_del(control->accept);
	event_add(control->again, &tv);
}

static void on_acceptable(evutil_socket_t fd, short what, void *user)
{
	struct control *control = user;
	int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_peer *peer = NULL;

	if (peer_fd < 0) {
		pause_accepting(control, errno);
		return;
	}
	if (control->n_peers < PEERS_MAX && may_ask(peer_fd))
		peer = calloc(1, sizeof(*peer));
	if (!peer) {
		close(peer_fd);
		return;
	}
	peer->control = control;
	peer->fd = peer_fd;
	TAILQ_INSERT_TAIL(&control->peers, peer, link);
	control->n_peers++;
	peer->readable = event_new(control->config.base, peer_fd,
				   EV_READ | EV_PERSIST, on_readable, peer);
	peer->writable = event_new(control->config.base, peer_fd, EV_WRITE,
				   write_reply, peer);
	if (!peer->readable || !peer->writable ||
	    event_add(peer->readable, NULL))
		drop_peer(peer);
}

/* ---- the socket ---------------------------------------------------------- */

/* Does a program listen there? One that is too busy to accept does. */
static bool is_taken(const struct sockaddr_un *addr)
{
	_cleanup_(cleanup_close) int fd = -1;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    !connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return true;
	return errno != ENOENT && errno != ECONNREFUSED;
}

/* Make the folder, and lock it: two programs that come at once must not both
 * take the same name for a dead one's. path: of a sun_path. A descriptor, or
 * -errno. */
static int lock_folder(const char *path)
{
	_cleanup_(cleanup_close) int lock = -1;
	char file[sizeof(((struct sockaddr_un *)NULL)->sun_path) + sizeof("/lock")];
	char *slash;

	strcpy(file, path);
	slash = strrchr(file, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	if (*file && mkdir(file, 0700) && errno != EEXIST)
		return -errno;
	strcpy(slash, "/lock");
	lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX))
		return -errno;
	return steal_fd(&lock);
}

static int take_name(struct control *control, const char *path)
{
	_cleanup_(cleanup_close) int lock = lock_folder(path);

	if (lock < 0)
		return lock;
	if (is_taken(&control->addr))
		return -EBUSY;
	unlink(path);		/* a dead one's */
	if (bind(control->fd, (struct sockaddr *)&control->addr,
		 sizeof(control->addr)))
		return -errno;
	control->bound = true;
	return chmod(path, 0600) || listen(control->fd, 8) ? -errno : 0;
}

int control_new(struct control **controlp, const struct control_config *config)
{
	_cleanup_(control_freep) struct control *control =
		calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->config = *config;
	control->config.path = control->addr.sun_path;
	control->fd = -1;
	TAILQ_INIT(&control->peers);
	r = make_addr(&control->addr, config->path);
	if (r)
		return r;
	control->fd = socket(AF_UNIX,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		return -errno;
	r = take_name(control, control->addr.sun_path);
	if (r)
		return r;
	control->accept = event_new(config->base, control->fd,
				    EV_READ | EV_PERSIST, on_acceptable,
				    control);
	control->again = event_new(config->base, -1, 0, on_again, control);
	if (!control->accept || !control->again ||
	    event_add(control->accept, NULL))
		return -ENOMEM;
	*controlp = steal_ptr(control);
	return 0;
}

void control_withdraw(struct control *control)
{
	if (control->bound)
		unlink(control->addr.sun_path);
	control->bound = false;
}

struct control *control_free(struct control *control)
{
	struct control_peer *peer;

	if (!control)
		return NULL;
	while ((peer = TAILQ_FIRST(&control->peers)))
		drop_peer(peer);
	if (control->accept)
		event_free(control->accept);
	if (control->again)
		event_free(control->again);
	if (control->fd >= 0)
		close(control->fd);
	control_withdraw(control);
	free(control);
	return NULL;
}

/* ---- the asking side ----------------------------------------------------- */

static int read_reply(int fd, json_t **replyp)
{
	_cleanup_(cleanup_free) char *line = NULL;
	size_t len = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (len == size) {
			char *more = size < REPLY_MAX ?
				     realloc(line, size + 65536) : NULL;

			if (!more)
				return -EPROTO;
			line = more;
			size += 65536;
		}
		n = recv(fd, line + len, size - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (!n)
			return -EPROTO;
		len += (size_t)n;
		if (line[len - 1] == '\n')
			break;
	}
	*replyp = json_loadb(line, len, 0, NULL);
	return json_is_object(*replyp) ? 0 : -EPROTO;
}

static int send_request(int fd, const json_t *request)
{
	_cleanup_(cleanup_free) char *text = json_dumps(request, JSON_COMPACT);
	size_t len;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	text[len++] = '\n';
	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -errno;
}

int control_ask(const char *path, json_t *request, unsigned int timeout_ms,
		json_t **replyp)
{
	const struct timeval tv = {
		timeout_ms / 1000, timeout_ms % 1000 * 1000
	};
	_cleanup_(cleanup_close) int fd = -1;
	struct sockaddr_un addr;
	int r = make_addr(&addr, path);

	*replyp = NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!r && (fd < 0 ||
		   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
		   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) ||
		   connect(fd, (struct sockaddr *)&addr, sizeof(addr))))
		r = -errno;
	if (!r)
		r = send_request(fd, request);
	json_decref(request);
	return r ? r : read_reply(fd, replyp);
}

pid_t control_owner(const char *path)
{
	_cleanup_(cleanup_close) int fd = -1;
	socklen_t len = sizeof(struct ucred);
	struct sockaddr_un addr;
	struct ucred cred;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || make_addr(&addr, path) ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return 0;
	return cred.pid;
}
