// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stream over a transport that is not the descriptor itself: as TLS does,
 * it takes in more than it gives out, and the descriptor does not tell of the
 * rest; and it takes less than it is given. And one over TCP, whose peer may
 * be gone without a word.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/stream.h"
#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

enum { RECORDS = 40, GIVE = 700, TAKE = 300 };

/* The transport. */
struct box {
	int fd;
	uint8_t held[1 << 16];
	size_t n_held, at;
	bool closed;
};

static ssize_t box_readv(void *ctx, const struct iovec *iov, int n)
{
	struct box *box = ctx;
	size_t len;

	if (box->at == box->n_held) {
		ssize_t got = read(box->fd, box->held, sizeof(box->held));

		if (got <= 0)
			return got ? -errno : 0;
		box->n_held = got;
		box->at = 0;
	}
	len = box->n_held - box->at;
	len = len < GIVE ? len : GIVE;
	len = len < iov[0].iov_len ? len : iov[0].iov_len;
	memcpy(iov[0].iov_base, box->held + box->at, len);
	box->at += len;
	return len;
}

static ssize_t box_writev(void *ctx, const struct iovec *iov, int n)
{
	struct box *box = ctx;
	ssize_t len = write(box->fd, iov[0].iov_base,
			    iov[0].iov_len < TAKE ? iov[0].iov_len : TAKE);

	return len < 0 ? -errno : len;
}

static bool box_pending(void *ctx)
{
	struct box *box = ctx;

	return box->at < box->n_held;
}

static void box_close(void *ctx)
{
	struct box *box = ctx;

	box->closed = true;
	close(box->fd);
}

static const struct stream_io box_io = {
	.readv = box_readv,
	.writev = box_writev,
	.pending = box_pending,
	.close = box_close,
};

/* The owner. */
struct owner {
	struct event_base *base;
	struct stream stream;
	struct box box;
	uint8_t ahead[STREAM_AHEAD];
	unsigned int n_records, n_bad, n_eof, n_failed;
	unsigned int pause_every;	/* so many records; 0: never */
	int peer;
};

static struct owner owner;

static size_t record_len(unsigned int n)
{
	return n * 53 * 4;
}

static void on_record(struct record *rec, void *user)
{
	struct owner *o = user;

	o->n_bad += rec->len != record_len(o->n_records) ||
		    !service_check(rec->data, rec->len, o->n_records);
	o->n_records++;
	if (o->pause_every && o->n_records % o->pause_every == 0)
		stream_pause(&o->stream, true);
	record_unref(rec);
}

static void on_eof(void *user)
{
	struct owner *o = user;

	o->n_eof++;
}

static void on_failed(int error, void *user)
{
	struct owner *o = user;

	o->n_failed++;
}

static const struct stream_handlers handlers = {
	.record = on_record,
	.eof = on_eof,
	.failed = on_failed,
};

static void owner_init(unsigned int pause_every)
{
	struct stream_config config = {
		.record_max = 1 << 16, .fragments = 1, .ahead = owner.ahead,
		.handlers = &handlers, .user = &owner,
		.io = &box_io, .io_ctx = &owner.box,
	};
	int pair[2];

	memset(&owner, 0, sizeof(owner));
	config.base = owner.base = event_base_new();
	owner.pause_every = pause_every;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	owner.box.fd = pair[0];
	owner.peer = pair[1];
	if (stream_init(&owner.stream, pair[0], &config))
		abort();
}

static void owner_deinit(void)
{
	stream_deinit(&owner.stream);
	event_base_free(owner.base);
	close(owner.peer);
}

/* All records, in one piece, of which the transport holds most at once. */
static void send_records(void)
{
	static uint8_t data[1 << 18];
	size_t len = 0;

	for (unsigned int i = 0; i < RECORDS; i++) {
		uint32_t mark = htonl(0x80000000u | (uint32_t)record_len(i));

		memcpy(data + len, &mark, 4);
		service_fill(data + len + 4, record_len(i), i);
		len += 4 + record_len(i);
	}
	for (size_t at = 0; at < len; run(owner.base, 1)) {
		ssize_t n = send(owner.peer, data + at, len - at, MSG_DONTWAIT);

		at += n > 0 ? n : 0;
	}
}

static void test_pending(void)
{
	owner_init(0);
	send_records();
	run(owner.base, 5);
	ok(owner.n_records == RECORDS && !owner.n_bad, "what the transport holds is read");
	close(owner.peer);
	run(owner.base, 5);
	ok(owner.n_eof == 1 && owner.n_failed == 0, "and then its end");
	owner_deinit();
	ok(owner.box.closed, "it is closed by its own routine");
}

static void test_pause(void)
{
	owner_init(3);
	send_records();
	ok(owner.n_records == 3, "paused after three records");
	for (unsigned int i = 1; i <= RECORDS / 3; i++) {
		if (owner.n_records != 3 * i)
			break;
		stream_pause(&owner.stream, false);
		run(owner.base, 1);
	}
	ok(owner.n_records == RECORDS && !owner.n_bad, "three at a time, all in the end");
	owner_deinit();
}

static void test_short_writes(void)
{
	static uint8_t payload[20001], wire[4 + sizeof(payload) + 200];
	struct gather *g = gather_new(NULL, true);
	size_t len = 0, want;
	ssize_t n;
	XDR xdrs;

	owner_init(0);
	service_fill(payload, sizeof(payload), 9);
	gather_xdr(g, &xdrs);
	if (!xdr_opaque(&xdrs, (char *)payload, 96) ||
	    !gather_ref(&xdrs, payload, sizeof(payload)) ||
	    !xdr_opaque(&xdrs, (char *)payload, 100) || gather_finish(g))
		abort();
	want = gather_len(g);
	stream_send(&owner.stream, g);
	for (int i = 0; i < 200 && len < want; i++) {
		run(owner.base, 1);
		n = take(owner.peer, wire + len, sizeof(wire) - len);
		len += n > 0 ? n : 0;
	}
	ok(len == want && owner.stream.queued == 0, "a message in short writes");
	ok(!memcmp(wire + 4, payload, 96) &&
	   !memcmp(wire + 100, payload, sizeof(payload)) &&
	   !memcmp(wire + 100 + sizeof(payload), payload, 100), "its pieces in order");
	owner_deinit();
}

static int option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	if (getsockopt(fd, level, name, &value, &len))
		abort();
	return value;
}

/* Not after the system's two hours, nor its quarter of an hour with data. */
static void test_silence(void)
{
	struct stream_config config = {
		.record_max = 1 << 16, .fragments = 1, .ahead = owner.ahead,
		.handlers = &handlers, .user = &owner,
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	config.base = owner.base = event_base_new();
	if (fd < 0 || stream_init(&owner.stream, fd, &config))
		abort();
	ok(option(fd, SOL_SOCKET, SO_KEEPALIVE) &&
	   option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
	   option(fd, IPPROTO_TCP, TCP_KEEPINTVL) *
	   option(fd, IPPROTO_TCP, TCP_KEEPCNT) <= 20,
	   "a peer that says nothing is missed in 20 s");
	ok(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 20000,
	   "and so is one that takes nothing");
	stream_deinit(&owner.stream);
	event_base_free(owner.base);
}

int main(void)
{
	test_pending();
	test_pause();
	test_short_writes();
	test_silence();
	return tap_done();
}
