/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream - records over a byte stream that does not block, on an event loop.
 *
 * Owns the descriptor (behind a table, so that TLS or another transport can
 * stand there), the record parser, and the queue of messages to send. Knows
 * nothing of calls and replies.
 */
#ifndef USBIP_COMMON_STREAM_H
#define USBIP_COMMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/gather.h"
#include "common/record.h"

struct iovec;

/* Bytes that may be read ahead of what is parsed. */
#define STREAM_AHEAD (256 * 1024)

/* A byte stream; readv and writev as the system calls, but -errno. */
struct stream_io {
	ssize_t (*readv)(void *ctx, const struct iovec *iov, int n);
	ssize_t (*writev)(void *ctx, const struct iovec *iov, int n);
	/* There are bytes that the descriptor does not tell of, or NULL. */
	bool (*pending)(void *ctx);
	void (*close)(void *ctx);
};

/* All of them are called from the loop alone, and may call stream_deinit();
 * the release() of a message may not. */
struct stream_handlers {
	/* The descriptor is connected: messages go out. May be NULL. */
	void (*connected)(void *user);
	/* rec is the callee's from now on. */
	void (*record)(struct record *rec, void *user);
	/* The queue has become shorter. May be NULL. */
	void (*sent)(void *user);
	/* The peer sends no more; what is queued still goes out. */
	void (*eof)(void *user);
	/* Once: nothing is read or sent any more. -errno. */
	void (*failed)(int error, void *user);
};

struct stream {
	const struct stream_io *io;
	void *ctx;
	const struct stream_handlers *handlers;
	void *user;

	struct event readable, writable;
	struct event failing;		/* failed() from the loop, by itself */
	int error;			/* 0, or what failed() is told */
	bool paused;			/* by the owner */
	bool connected;			/* else sending waits for `writable` */
	bool flushing;			/* on_writable() comes anyway */
	bool eof;
	bool *gonep;			/* for stream_deinit() in a handler */

	struct record_parser parser;
	size_t last_len;		/* of the record before */
	uint8_t *ahead;			/* STREAM_AHEAD bytes, the owner's */
	uint8_t *rest;			/* read, and not parsed while paused */
	size_t rest_len;

	struct gather_queue queue;
	size_t head_sent;		/* bytes of the first message */
	size_t queued;			/* bytes of all that are not sent */
	uint64_t received;		/* bytes, ever */
};

struct stream_config {
	struct event_base *base;
	size_t record_max;
	unsigned int fragments;		/* of a record */
	/*
	 * STREAM_AHEAD bytes, which streams of one loop may share: nothing
	 * is left in there between two events.
	 */
	uint8_t *ahead;
	/* For small records, or NULL; outlives all records. */
	struct pool *records;
	const struct stream_handlers *handlers;
	void *user;
	/* What stands between the stream and fd: NULL, fd itself. */
	const struct stream_io *io;
	void *io_ctx;
};

/* A stream over socket or pipe fd, consumed on success: made nonblocking, and
 * sent on as soon as it is connected. With an io of its own, that one closes
 * fd, which is then only watched. 0 or -errno. */
int stream_init(struct stream *s, int fd, const struct stream_config *config);
/* Closes; drops what is queued. */
void stream_deinit(struct stream *s);

/* Of fragments that begin from now on. */
void stream_set_record_max(struct stream *s, size_t max);
/* Is there a part of a record? */
bool stream_is_receiving(const struct stream *s);
/* Queue g, which is the stream's from now on; it is sent from the loop, with
 * all others that are queued until then. */
void stream_send(struct stream *s, struct gather *g);
/* Its payloads go: take g out of the queue, or, where a part of it was sent,
 * copy them. Without memory for that the stream fails. */
void stream_withdraw(struct stream *s, struct gather *g);
/* Read and send no more; failed(error) is called from the loop. */
void stream_fail(struct stream *s, int error);
/* Stop or go on reading. */
void stream_pause(struct stream *s, bool paused);

#endif
