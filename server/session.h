/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session - one claim of one device by one controller: its handle, its lease,
 * its rows of URBs, and why it ended. Does no I/O and has no clock: time is
 * an argument, in milliseconds of any monotonic clock.
 */
#ifndef USBIP_SERVER_SESSION_H
#define USBIP_SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/endpoint.h"

#define SESSION_INSTANCE 16
#define SESSION_HOST_MAX 255
#define SESSION_BUCKETS 64

enum session_state {
	SESSION_STATE_CLAIMING,	/* the device is being taken */
	SESSION_STATE_ACTIVE,
	SESSION_STATE_ENDING,	/* what runs is cancelled; nothing is let in */
	SESSION_STATE_RETURNING,/* the device is being given back */
	SESSION_STATE_ENDED,	/* remembered for a while */
};

enum session_why {
	SESSION_WHY_NONE,	/* it has not ended */
	SESSION_WHY_FAILED,	/* the device could not be taken */
	SESSION_WHY_EXPIRED,
	SESSION_WHY_GONE,
	SESSION_WHY_REVOKED,
	SESSION_WHY_RELEASED,
};

struct session;

struct session_ops {
	/* As in endpoint_ops, for transfers and for state calls; a state call
	 * comes when what it affects is idle. */
	int (*start)(struct session *s, struct urb *urb);
	void (*cancel)(struct session *s, struct urb *urb);
	void (*answer)(struct session *s, struct urb *urb);
	void (*superseded)(struct session *s, void *waiter);
	/* The rows that state call urb affects, a bit each by endpoint_row();
	 * row 0 need not be told. */
	uint32_t (*affects)(struct session *s, const struct urb *urb);
	/* RETURNING: nothing is at the device any more. Give it back, then
	 * call session_returned(). */
	void (*returning)(struct session *s);
};

struct sessions {
	TAILQ_HEAD(session_list, session) list;
	unsigned int n;
	unsigned int lease;		/* seconds, of a new session */
	unsigned int max_urbs;
	size_t max_bytes;
	const struct session_ops *ops;
	void *user;			/* the owner's */
};

/* What the device has carried out, one way. */
struct session_traffic {
	uint64_t urbs, bytes;
};

struct session {
	TAILQ_ENTRY(session) link;
	struct sessions *sessions;
	uint64_t handle;
	uint8_t instance[SESSION_INSTANCE];
	char host[SESSION_HOST_MAX + 1];/* who, for people; printable */
	enum session_state state;
	enum session_why why;
	unsigned int lease;		/* seconds */
	uint64_t since, deadline;	/* ms; deadline: of the lease, and once
					 * ENDED until when it is remembered */
	struct endpoint_window window;
	struct session_traffic in, out;
	struct endpoint rows[ENDPOINT_ROWS];
	STAILQ_HEAD(, endpoint) all_rows;	/* of streams, too */
	SLIST_HEAD(, endpoint) streams[SESSION_BUCKETS];
	uint16_t n_streams[ENDPOINT_ROWS];	/* that have, or may have, rows */
	struct urb *barrier;	/* the state call that holds rows, or NULL */
	uint32_t barrier_rows;
	bool barrier_begun;		/* all idle: it is at the device */
	void *device;			/* the owner's */
	bool no_reset;			/* the owner's: not at the return */
	void *conn;			/* the owner's: its home, or NULL */
	uint64_t received;		/* the owner's: bytes by conn so far */
	void *waiter;		/* the call that waits for state to change */
};

void sessions_init(struct sessions *ss, const struct session_ops *ops,
		   unsigned int lease);
/* Frees all; none may have anything at a device. */
void sessions_deinit(struct sessions *ss);

/* A session that is CLAIMING. `instance`: 16 bytes. -ENOMEM, or as
 * getrandom() fails. */
int session_new(struct session **sp, struct sessions *ss,
		const uint8_t *instance, const char *host, uint64_t now);
/* The device is there: the lease begins; or the end, if that was asked for. */
void session_activate(struct session *s, uint64_t now);
/* It has not ended, and this instance claimed it. */
bool session_is_of(const struct session *s, const uint8_t *instance);
/*
 * The session with this handle; if it is ACTIVE the lease is renewed. NULL:
 * never was, or forgotten. Look at why: not NONE is a session that has ended.
 */
struct session *sessions_find(struct sessions *ss, uint64_t handle,
			      uint64_t now);
/*
 * Expire and forget what is due. The time of the next such, UINT64_MAX: none.
 * expires() is asked of each whose lease is over, before its end begins:
 * false, it was heard of all the same, begins the lease anew.
 */
uint64_t sessions_tick(struct sessions *ss, uint64_t now,
		       bool (*expires)(struct session *s));

/*
 * ACTIVE only. row: of endpoint_row(). As endpoint_submit() and so on; INVAL:
 * ALLOC_STREAMS never granted that stream.
 */
enum endpoint_taken session_submit(struct session *s, int row, struct urb *urb,
				   uint32_t acked);
void session_ack(struct session *s, int row, unsigned int stream,
		 uint32_t acked);
enum endpoint_taken session_unlink(struct session *s, int row,
				   unsigned int stream, uint32_t number);
enum endpoint_taken session_stage(struct session *s, int row,
				  unsigned int stream, uint32_t number,
				  uint32_t offset, const uint8_t *data,
				  uint32_t length);
enum endpoint_taken session_fetch(struct session *s, int row,
				  unsigned int stream, uint32_t number,
				  const struct urb **found);
/* What was started has ended: xfer, actual, perhaps verdict are set. */
void session_done(struct session *s, struct urb *urb);
/* Try again what the device had no room for. true: some still wait. */
bool session_run(struct session *s);

/* Begin to end. Nothing if it has begun already. */
void session_end(struct session *s, enum session_why why);
/* RETURNING, or CLAIMING that failed, is over: ENDED, and remembered. */
void session_returned(struct session *s, uint64_t now);

const char *session_why_name(enum session_why why);

#endif
