// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stream - records over a byte stream that does not block, on an event loop.
 *
 * Reading. One readv() fills two places: the rest of the record that is being
 * read, directly, and what comes behind it, into the read-ahead. So many
 * small records cost one system call, and a large one is copied once, by the
 * kernel. Behind large records the read-ahead is kept short, since what gets
 * into it is copied again. The read-ahead is parsed to its end before the
 * event is over; only a stream that is paused meanwhile keeps the rest.
 *
 * Sending. stream_send() queues and makes `writable` active by hand; it runs
 * when the callbacks before it are done, so that replies to a batch of calls
 * leave in one system call. The descriptor is watched for room only while it
 * has none.
 *
 * Failing. An error is noted where it is found, and told by an event of its
 * own: no caller of stream_send() finds its objects gone behind it.
 */
#include "common/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"

/* From this size on, a record is read into its place. */
#define LARGE_RECORD (16 * 1024)
/* The read-ahead behind such a record. */
#define SHORT_AHEAD (4 * 1024)
/* Reads of one event, so that one busy peer does not keep the loop. */
#define READS 8
/* Pieces of one writev(). */
#define PIECES 128

/* ---- sockets and pipes -------------------------------------------------- */

/* One piece is the most frequent case, and a list costs the kernel more. */
static ssize_t fd_readv(void *ctx, const struct iovec *iov, int n)
{
	int fd = (int)(intptr_t)ctx;
	ssize_t len = n == 1 ? read(fd, iov->iov_base, iov->iov_len) :
			       readv(fd, iov, n);

	return len < 0 ? -errno : len;
}

static ssize_t fd_writev(void *ctx, const struct iovec *iov, int n)
{
	int fd = (int)(intptr_t)ctx;
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t len = n == 1 ? send(fd, iov->iov_base, iov->iov_len,
				    MSG_NOSIGNAL) :
			       sendmsg(fd, &msg, MSG_NOSIGNAL);

	if (len < 0 && errno == ENOTSOCK)
		len = writev(fd, iov, n);
	return len < 0 ? -errno : len;
}

static void fd_close(void *ctx)
{
	close((int)(intptr_t)ctx);
}

static const struct stream_io fd_io = {
	.readv = fd_readv,
	.writev = fd_writev,
	.close = fd_close,
};

/*
 * Small calls must not wait for one another (Nagle), and a peer that is gone
 * without a word is noticed before a session's lease is over: 20 s.
 */
static void set_tcp_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 5 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 5 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 20000 },
	};
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len) ||
	    (name.ss_family != AF_INET && name.ss_family != AF_INET6))
		return;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name,
			       &options[i].value, sizeof(int)))
			log_debug(LOG_TAG_NET, "socket option %d: %s",
				  options[i].name, strerror(errno));
}

/* ---- failing ------------------------------------------------------------ */

static void drop_queue(struct stream *s)
{
	struct gather *g;

	while ((g = STAILQ_FIRST(&s->queue))) {
		STAILQ_REMOVE_HEAD(&s->queue, link);
		gather_free(g);
	}
	s->head_sent = s->queued = 0;
}

void stream_fail(struct stream *s, int error)
{
	if (s->error)
		return;
	s->error = error;
	event_del(&s->readable);
	event_del(&s->writable);
	event_active(&s->failing, EV_TIMEOUT, 1);
}

static void on_failing(evutil_socket_t fd, short what, void *user)
{
	struct stream *s = user;

	s->handlers->failed(s->error, s->user);
}

/* ---- reading ------------------------------------------------------------ */

/* Keep what can not be parsed now, since the stream was paused. */
static void keep_rest(struct stream *s, const uint8_t *data, size_t len)
{
	s->rest = malloc(len);
	if (!s->rest) {
		stream_fail(s, -ENOMEM);
		return;
	}
	memcpy(s->rest, data, len);
	s->rest_len = len;
}

/*
 * Hand a record over, behind which len bytes have been read. False: the
 * stream is gone, has failed, or is paused (and those bytes are kept).
 */
static bool deliver(struct stream *s, struct record *rec,
		    const uint8_t *behind, size_t len)
{
	bool gone = false;

	s->last_len = rec->len;
	s->gonep = &gone;
	s->handlers->record(rec, s->user);
	if (gone)
		return false;
	s->gonep = NULL;
	if (s->error)
		return false;
	if (s->paused && len)
		keep_rest(s, behind, len);
	return !s->paused;
}

/* False as of deliver(). */
static bool parse(struct stream *s, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;
	struct record *rec;
	size_t used;
	int r;

	while (data < end) {
		r = record_parse(&s->parser, data, end - data, &used, &rec);
		data += used;
		if (r < 0) {
			stream_fail(s, r);
			return false;
		}
		if (r && !deliver(s, rec, data, end - data))
			return false;
	}
	return true;
}

/* What was kept while the stream was paused. False as of deliver(). */
static bool parse_rest(struct stream *s)
{
	uint8_t *rest = steal_ptr(s->rest);
	bool go_on = parse(s, rest, s->rest_len);

	free(rest);
	return go_on;
}

/* What is in the socket makes an event; what the transport holds does not. */
static void activate_pending(struct stream *s)
{
	if (s->io->pending && s->io->pending(s->ctx))
		event_active(&s->readable, EV_READ, 1);
}

/* Read and parse once. False: nothing to read now, or as of deliver(). */
static bool read_once(struct stream *s)
{
	struct iovec iov[2];
	struct record *rec;
	size_t room, ahead;
	ssize_t len;

	iov[0].iov_base = record_room(&s->parser, &room);
	iov[0].iov_len = room;
	iov[1].iov_base = s->ahead;
	iov[1].iov_len = room >= LARGE_RECORD || s->last_len >= LARGE_RECORD ?
			 SHORT_AHEAD : STREAM_AHEAD;
	len = s->io->readv(s->ctx, room ? iov : iov + 1, room ? 2 : 1);
	if (len == -EAGAIN || len == -EINTR)
		return false;
	if (len < 0) {
		stream_fail(s, len);
		return false;
	}
	if (!len) {
		s->eof = true;
		event_del(&s->readable);
		s->handlers->eof(s->user);
		return false;
	}
	s->received += len;
	ahead = (size_t)len > room ? len - room : 0;
	if (room && record_filled(&s->parser, len - ahead, &rec) &&
	    !deliver(s, rec, s->ahead, ahead))
		return false;
	if (!parse(s, s->ahead, ahead))
		return false;
	return (size_t)len == room + iov[1].iov_len ||
	       (s->io->pending && s->io->pending(s->ctx));
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct stream *s = user;

	if (s->rest) {
		/* Others first, then what is in the socket. */
		if (parse_rest(s))
			activate_pending(s);
		return;
	}
	for (int n = 0; n < READS; n++)
		if (!read_once(s))
			return;
	activate_pending(s);
}

/* ---- sending ------------------------------------------------------------ */

/* len more bytes of the queue were sent. */
static void consume(struct stream *s, size_t len)
{
	struct gather *g;

	s->queued -= len;
	s->head_sent += len;
	while ((g = STAILQ_FIRST(&s->queue)) && s->head_sent >= gather_len(g)) {
		s->head_sent -= gather_len(g);
		STAILQ_REMOVE_HEAD(&s->queue, link);
		gather_free(g);
	}
}

/* Send as much as the transport takes at once; -errno. */
static ssize_t send_some(struct stream *s)
{
	struct iovec iov[PIECES];
	size_t skip = s->head_sent;
	struct gather *g;
	int n = 0;

	STAILQ_FOREACH(g, &s->queue, link) {
		n += gather_iovec(g, skip, iov + n, PIECES - n);
		skip = 0;
		if (n == PIECES)
			break;
	}
	return s->io->writev(s->ctx, iov, n);
}

/* The descriptor became writable for the first time: is it connected? */
static bool finish_connect(struct stream *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (!getsockopt(event_get_fd(&s->writable), SOL_SOCKET, SO_ERROR,
			&error, &len) &&
	    error) {
		stream_fail(s, -error);
		return false;
	}
	s->connected = true;
	return true;
}

static void on_writable(evutil_socket_t fd, short what, void *user)
{
	struct stream *s = user;
	bool gone = false;
	ssize_t len;

	s->flushing = false;
	if (!s->connected) {
		if (!finish_connect(s))
			return;
		s->gonep = &gone;
		if (s->handlers->connected)
			s->handlers->connected(s->user);
		if (gone)
			return;
		s->gonep = NULL;
	}
	while (!STAILQ_EMPTY(&s->queue)) {
		len = send_some(s);
		if (len == -EINTR)
			continue;
		if (len == -EAGAIN) {
			s->flushing = true;
			event_add(&s->writable, NULL);
			break;
		}
		if (len < 0) {
			stream_fail(s, len);
			return;
		}
		consume(s, len);
	}
	if (s->handlers->sent)
		s->handlers->sent(s->user);
}

void stream_send(struct stream *s, struct gather *g)
{
	if (s->error) {
		gather_free(g);
		return;
	}
	s->queued += gather_len(g);
	STAILQ_INSERT_TAIL(&s->queue, g, link);
	/* Unless the transport has no room, or is not there yet. */
	if (s->connected && !s->flushing) {
		s->flushing = true;
		event_active(&s->writable, EV_WRITE, 1);
	}
}

void stream_withdraw(struct stream *s, struct gather *g)
{
	if (g == STAILQ_FIRST(&s->queue) && s->head_sent) {
		if (!gather_detach(g))
			return;
		/* Then nothing more is sent, and g can go at once. */
		stream_fail(s, -ENOMEM);
		s->queued += s->head_sent;
		s->head_sent = 0;
	}
	STAILQ_REMOVE(&s->queue, g, gather, link);
	s->queued -= gather_len(g);
	gather_free(g);
}

/* ---- life --------------------------------------------------------------- */

void stream_pause(struct stream *s, bool paused)
{
	if (s->paused == paused || s->error)
		return;
	s->paused = paused;
	if (paused) {
		event_del(&s->readable);
		return;
	}
	if (!s->eof)
		event_add(&s->readable, NULL);
	if (s->rest)
		event_active(&s->readable, EV_READ, 1);
	else
		activate_pending(s);
}

bool stream_is_receiving(const struct stream *s)
{
	return s->parser.rec || s->parser.n_mark;
}

void stream_set_record_max(struct stream *s, size_t max)
{
	s->parser.max = max;
}

int stream_init(struct stream *s, int fd, const struct stream_config *config)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	set_tcp_options(fd);
	memset(s, 0, sizeof(*s));
	s->io = config->io ? config->io : &fd_io;
	s->ctx = config->io ? config->io_ctx : (void *)(intptr_t)fd;
	s->handlers = config->handlers;
	s->user = config->user;
	s->ahead = config->ahead;
	STAILQ_INIT(&s->queue);
	record_parser_init(&s->parser, config->record_max, config->fragments,
			   config->records);
	if (event_assign(&s->readable, config->base, fd, EV_READ | EV_PERSIST,
			 on_readable, s) ||
	    event_assign(&s->writable, config->base, fd, EV_WRITE, on_writable,
			 s) ||
	    event_assign(&s->failing, config->base, -1, 0, on_failing, s))
		return -EINVAL;
	if (event_add(&s->readable, NULL))
		return -ENOMEM;
	if (event_add(&s->writable, NULL)) {
		event_del(&s->readable);
		return -ENOMEM;
	}
	return 0;
}

void stream_deinit(struct stream *s)
{
	if (s->gonep)
		*s->gonep = true;
	event_del(&s->readable);
	event_del(&s->writable);
	event_del(&s->failing);
	s->error = -ECANCELED;
	s->io->close(s->ctx);
	record_parser_deinit(&s->parser);
	free(s->rest);
	s->rest = NULL;
	drop_queue(s);
}
