// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session - one claim of a device. Owns the handle, the lease, the rows and
 * the window over them, and the barrier of device-state calls.
 *
 *	CLAIMING -> ACTIVE -> ENDING -> RETURNING -> ENDED -> forgotten
 *	    |__________________________________________^
 *
 * A state call runs alone in row 0 and holds the rows that it affects: they
 * start nothing, what they have at the device is cancelled, and when the last
 * of it has come back the call begins (the barrier). An end waits likewise
 * until all rows are idle.
 *
 * Each stream has a row of its own beside its endpoint's, made when it is first
 * used. Streams that were granted once keep their rows to the end, and go on
 * counting when they are allocated again: the device knows which there are.
 */
#include "server/session.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/cleanup.h"
#include "common/log.h"

/* An ended session answers why for this long, and so many of them. */
#define REMEMBER_MS (10 * 60 * 1000)
#define SESSIONS_MAX 1024

#define WINDOW_URBS 256
#define WINDOW_BYTES (32u << 20)

static const char *state_name(enum session_state state)
{
	switch (state) {
	case SESSION_STATE_CLAIMING:
		return "claiming";
	case SESSION_STATE_ACTIVE:
		return "active";
	case SESSION_STATE_ENDING:
		return "ending";
	case SESSION_STATE_RETURNING:
		return "returning";
	case SESSION_STATE_ENDED:
		return "ended";
	}
	return "?";
}

const char *session_why_name(enum session_why why)
{
	switch (why) {
	case SESSION_WHY_NONE:
		return "not ended";
	case SESSION_WHY_FAILED:
		return "the device could not be taken";
	case SESSION_WHY_EXPIRED:
		return "its lease ran out";
	case SESSION_WHY_GONE:
		return "the device was unplugged";
	case SESSION_WHY_REVOKED:
		return "ended by this target";
	case SESSION_WHY_RELEASED:
		return "released";
	}
	return "?";
}

static bool may_go(enum session_state from, enum session_state to)
{
	switch (from) {
	case SESSION_STATE_CLAIMING:
		return to == SESSION_STATE_ACTIVE || to == SESSION_STATE_ENDED;
	case SESSION_STATE_ACTIVE:
		return to == SESSION_STATE_ENDING;
	case SESSION_STATE_ENDING:
		return to == SESSION_STATE_RETURNING;
	case SESSION_STATE_RETURNING:
		return to == SESSION_STATE_ENDED;
	case SESSION_STATE_ENDED:
		return false;
	}
	return false;
}

/* The only writer of session->state. Handles are secret: they are not shown. */
static void session_set_state(struct session *s, enum session_state next)
{
	log_debug(LOG_TAG_SESSION, "session of %s: %s -> %s", s->host,
		  state_name(s->state), state_name(next));
	assert(may_go(s->state, next));
	s->state = next;
}

static bool is_idle(const struct session *s)
{
	const struct endpoint *ep;

	STAILQ_FOREACH(ep, &s->all_rows, link)
		if (ep->n_running)
			return false;
	return true;
}

/* Is ep, which is not endpoint 0, one of these rows or a stream of one? */
static bool is_of(const struct endpoint *ep, uint32_t rows)
{
	int row = endpoint_row(ep->address);

	return row > 0 && rows & (1u << row);
}

/* Has everything that the barrier waits for come back? */
static bool is_drained(const struct session *s)
{
	const struct endpoint *ep;

	STAILQ_FOREACH(ep, &s->all_rows, link)
		if (is_of(ep, s->barrier_rows) && ep->n_running)
			return false;
	return true;
}

static void end_barrier(struct session *s)
{
	uint32_t rows = s->barrier_rows;
	struct endpoint *ep;

	s->barrier = NULL;
	s->barrier_rows = 0;
	STAILQ_FOREACH(ep, &s->all_rows, link)
		if (is_of(ep, rows))
			endpoint_release(ep);
}

static int begin_barrier(struct session *s, struct urb *urb)
{
	struct endpoint *ep;

	s->barrier = urb;
	s->barrier_begun = false;
	s->barrier_rows = s->sessions->ops->affects(s, urb) & ~1u;
	STAILQ_FOREACH(ep, &s->all_rows, link)
		if (is_of(ep, s->barrier_rows))
			endpoint_hold(ep);
	if (!is_drained(s))
		return 0;	/* step() begins it */
	s->barrier_begun = true;
	if (!s->sessions->ops->start(s, urb))
		return 0;
	end_barrier(s);
	return 1;
}

static int start_urb(struct urb *urb, void *user)
{
	struct session *s = user;

	if (urb_is_state_call(urb))
		return begin_barrier(s, urb);
	return s->sessions->ops->start(s, urb);
}

static void cancel_urb(struct urb *urb, void *user)
{
	struct session *s = user;

	s->sessions->ops->cancel(s, urb);
}

static void answer_urb(struct urb *urb, void *user)
{
	struct session *s = user;

	/* how a transfer fails without its device says nothing */
	if (s->why == SESSION_WHY_GONE && urb->xfer != URB_XFER_OK)
		urb->xfer = URB_XFER_SHUTDOWN;
	s->sessions->ops->answer(s, urb);
}

static void supersede_waiter(void *waiter, void *user)
{
	struct session *s = user;

	s->sessions->ops->superseded(s, waiter);
}

static const struct endpoint_ops endpoint_ops = {
	.start = start_urb,
	.cancel = cancel_urb,
	.answer = answer_urb,
	.superseded = supersede_waiter,
};

/* Something came back from the device: go on with what waited for that. */
static void step(struct session *s)
{
	struct urb *urb = s->barrier;

	if (urb && !s->barrier_begun && is_drained(s)) {
		s->barrier_begun = true;
		if (s->state != SESSION_STATE_ACTIVE) {
			urb->xfer = URB_XFER_CANCELLED;
			end_barrier(s);
			endpoint_done(urb);
		} else if (s->sessions->ops->start(s, urb)) {
			end_barrier(s);
			endpoint_done(urb);
		}
	}
	if (s->state == SESSION_STATE_ENDING && is_idle(s)) {
		session_set_state(s, SESSION_STATE_RETURNING);
		s->sessions->ops->returning(s);
	}
}

/* What was granted has rows from now on, and may be used. */
static void note_streams(struct session *s, const struct urb *urb)
{
	if (urb->verdict != URB_VERDICT_TAKEN || urb->xfer != URB_XFER_OK)
		return;
	for (uint32_t rows = urb->rows; rows; rows &= rows - 1) {
		uint16_t *n = &s->n_streams[__builtin_ctz(rows)];

		if (*n < urb->actual)
			*n = urb->actual;
	}
}

static void count_urb(struct session *s, const struct urb *urb)
{
	struct session_traffic *traffic = urb_is_in(urb) ? &s->in : &s->out;

	if (urb_is_state_call(urb))
		return;
	traffic->urbs++;
	traffic->bytes += urb->actual;
}

void session_done(struct session *s, struct urb *urb)
{
	count_urb(s, urb);
	if (urb->type == URB_TYPE_ALLOC_STREAMS)
		note_streams(s, urb);
	if (urb == s->barrier)
		end_barrier(s);
	endpoint_done(urb);
	step(s);
}

bool session_run(struct session *s)
{
	struct endpoint *ep;
	bool starved = false;

	STAILQ_FOREACH(ep, &s->all_rows, link) {
		if (ep->starved)
			endpoint_run(ep);
		starved |= ep->starved;
	}
	return starved;
}

/* ---- rows --------------------------------------------------------------- */

static void add_row(struct session *s, struct endpoint *ep, int row,
		    unsigned int stream)
{
	endpoint_init(ep, endpoint_row_address(row), &s->window, &endpoint_ops,
		      s);
	ep->stream = stream;
	ep->held = s->barrier_rows & (1u << row);
	STAILQ_INSERT_TAIL(&s->all_rows, ep, link);
	if (stream)
		SLIST_INSERT_HEAD(&s->streams[stream % SESSION_BUCKETS], ep,
				  by_stream);
}

/* NULL: there is no such row (yet). */
static struct endpoint *find_row(struct session *s, int row,
				 unsigned int stream)
{
	struct endpoint *ep;

	if (!stream)
		return &s->rows[row];
	SLIST_FOREACH(ep, &s->streams[stream % SESSION_BUCKETS], by_stream)
		if (ep->stream == stream &&
		    ep->address == s->rows[row].address)
			break;
	return ep;
}

/* TAKEN: *epp is it. */
static enum endpoint_taken make_row(struct session *s, int row,
				    unsigned int stream, struct endpoint **epp)
{
	*epp = find_row(s, row, stream);
	if (*epp)
		return ENDPOINT_TAKEN;
	if (stream > s->n_streams[row])
		return ENDPOINT_INVAL;
	*epp = malloc(sizeof(**epp));
	if (!*epp)
		return ENDPOINT_DELAY;
	add_row(s, *epp, row, stream);
	return ENDPOINT_TAKEN;
}

enum endpoint_taken session_submit(struct session *s, int row, struct urb *urb,
				   uint32_t acked)
{
	enum endpoint_taken taken;
	struct endpoint *ep;

	assert(s->state == SESSION_STATE_ACTIVE);
	taken = make_row(s, row, urb->stream, &ep);
	if (taken != ENDPOINT_TAKEN) {
		urb_unref(urb);
		return taken;
	}
	endpoint_ack(ep, acked);
	return endpoint_submit(ep, urb);
}

void session_ack(struct session *s, int row, unsigned int stream,
		 uint32_t acked)
{
	struct endpoint *ep = find_row(s, row, stream);

	if (ep)
		endpoint_ack(ep, acked);
}

enum endpoint_taken session_unlink(struct session *s, int row,
				   unsigned int stream, uint32_t number)
{
	enum endpoint_taken taken;
	struct endpoint *ep;

	taken = make_row(s, row, stream, &ep);
	if (taken != ENDPOINT_TAKEN)
		return taken;
	taken = endpoint_unlink(ep, number);
	step(s);
	return taken;
}

enum endpoint_taken session_stage(struct session *s, int row,
				  unsigned int stream, uint32_t number,
				  uint32_t offset, const uint8_t *data,
				  uint32_t length)
{
	enum endpoint_taken taken;
	struct endpoint *ep;

	taken = make_row(s, row, stream, &ep);
	return taken == ENDPOINT_TAKEN ?
	       endpoint_stage(ep, number, offset, data, length) : taken;
}

enum endpoint_taken session_fetch(struct session *s, int row,
				  unsigned int stream, uint32_t number,
				  const struct urb **found)
{
	struct endpoint *ep = find_row(s, row, stream);

	return ep ? endpoint_fetch(ep, number, found) : ENDPOINT_INVAL;
}

/* ---- the end ------------------------------------------------------------ */

static void begin_end(struct session *s)
{
	enum urb_xfer xfer = s->why == SESSION_WHY_GONE ? URB_XFER_SHUTDOWN :
							  URB_XFER_CANCELLED;

	struct endpoint *ep;

	session_set_state(s, SESSION_STATE_ENDING);
	STAILQ_FOREACH(ep, &s->all_rows, link)
		endpoint_end(ep, xfer);
	step(s);
}

void session_end(struct session *s, enum session_why why)
{
	assert(why != SESSION_WHY_NONE);
	if (s->why != SESSION_WHY_NONE)
		return;
	s->why = why;
	if (s->state == SESSION_STATE_ACTIVE)
		begin_end(s);	/* CLAIMING: session_activate() does */
}

/* Streams' rows go; the others are empty from here on. */
static void forget_rows(struct session *s)
{
	struct endpoint *ep, *next;

	for (ep = STAILQ_FIRST(&s->all_rows); ep; ep = next) {
		next = STAILQ_NEXT(ep, link);
		endpoint_deinit(ep);
		if (ep->stream)
			free(ep);
	}
	STAILQ_INIT(&s->all_rows);
}

void session_returned(struct session *s, uint64_t now)
{
	session_set_state(s, SESSION_STATE_ENDED);
	forget_rows(s);
	s->device = NULL;
	s->deadline = now + REMEMBER_MS;
}

static void session_free(struct session *s)
{
	TAILQ_REMOVE(&s->sessions->list, s, link);
	s->sessions->n--;
	forget_rows(s);
	free(s);
}

void sessions_init(struct sessions *ss, const struct session_ops *ops,
		   unsigned int lease)
{
	memset(ss, 0, sizeof(*ss));
	TAILQ_INIT(&ss->list);
	ss->ops = ops;
	ss->lease = lease;
	ss->max_urbs = WINDOW_URBS;
	ss->max_bytes = WINDOW_BYTES;
}

void sessions_deinit(struct sessions *ss)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&ss->list)))
		session_free(s);
}

/* Make room by forgetting the oldest of the ended. */
static bool forget_one(struct sessions *ss)
{
	struct session *s;

	TAILQ_FOREACH_REVERSE(s, &ss->list, session_list, link)
		if (s->state == SESSION_STATE_ENDED) {
			session_free(s);
			return true;
		}
	return false;
}

static int make_handle(struct sessions *ss, uint64_t *handle)
{
	struct session *s;

	for (;;) {
		if (getrandom(handle, sizeof(*handle), 0) != sizeof(*handle))
			return -errno;
		if (!*handle)
			continue;
		TAILQ_FOREACH(s, &ss->list, link)
			if (s->handle == *handle)
				break;
		if (!s)
			return 0;
	}
}

int session_new(struct session **sp, struct sessions *ss,
		const uint8_t *instance, const char *host, uint64_t now)
{
	_cleanup_(cleanup_free) struct session *s = NULL;
	int r;

	if (ss->n >= SESSIONS_MAX && !forget_one(ss))
		return -ENOMEM;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = make_handle(ss, &s->handle);
	if (r)
		return r;
	s->sessions = ss;
	memcpy(s->instance, instance, sizeof(s->instance));
	strncpy(s->host, host, SESSION_HOST_MAX);
	s->state = SESSION_STATE_CLAIMING;
	s->lease = ss->lease;
	s->since = now;
	s->deadline = UINT64_MAX;	/* begins with session_activate() */
	s->window.max_urbs = ss->max_urbs;
	s->window.max_bytes = ss->max_bytes;
	STAILQ_INIT(&s->all_rows);
	for (int i = 0; i < ENDPOINT_ROWS; i++)
		add_row(s, &s->rows[i], i, 0);
	TAILQ_INSERT_HEAD(&ss->list, s, link);
	ss->n++;
	*sp = steal_ptr(s);
	return 0;
}

void session_activate(struct session *s, uint64_t now)
{
	session_set_state(s, SESSION_STATE_ACTIVE);
	s->deadline = now + s->lease * 1000ull;
	if (s->why != SESSION_WHY_NONE)
		begin_end(s);
}

bool session_is_of(const struct session *s, const uint8_t *instance)
{
	return s->why == SESSION_WHY_NONE &&
	       !memcmp(s->instance, instance, sizeof(s->instance));
}

struct session *sessions_find(struct sessions *ss, uint64_t handle,
			      uint64_t now)
{
	struct session *s;

	TAILQ_FOREACH(s, &ss->list, link) {
		if (s->handle != handle)
			continue;
		if (s->state != SESSION_STATE_ACTIVE)
			return s;
		s->deadline = now + s->lease * 1000ull;
		/* what is in use is found soon, what has ended drifts back */
		TAILQ_REMOVE(&ss->list, s, link);
		TAILQ_INSERT_HEAD(&ss->list, s, link);
		return s;
	}
	return NULL;
}

uint64_t sessions_tick(struct sessions *ss, uint64_t now,
		       bool (*expires)(struct session *s))
{
	uint64_t next = UINT64_MAX;
	struct session *s, *after;

	for (s = TAILQ_FIRST(&ss->list); s; s = after) {
		after = TAILQ_NEXT(s, link);
		if (s->deadline <= now && s->state == SESSION_STATE_ENDED) {
			session_free(s);
			continue;
		}
		if (s->deadline <= now && s->state == SESSION_STATE_ACTIVE) {
			if (expires(s)) {
				s->deadline = UINT64_MAX;
				session_end(s, SESSION_WHY_EXPIRED);
			} else {
				s->deadline = now + s->lease * 1000ull;
			}
		}
		if (s->deadline < next)
			next = s->deadline;
	}
	return next;
}
