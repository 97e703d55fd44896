// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcclnt_dgram - calls to one peer by datagrams, each sent again until it is
 * answered.
 *
 * Calls that are answered at once (RPCCLNT_PROMPT) measure the round trip, and
 * if they or their replies are large, a window says how many of them may be on
 * their way; the others wait in their order. So a call is in one place:
 *
 *	     send()                          answered
 *	READY ------> NOWHERE ------------------------------------> gone
 *	  ^              | time-out
 *	  +--------------+
 *
 *	     window                          answered
 *	HELD -------> FLYING -------------------------------------> gone
 *	  ^              | time-out, or others that were sent later are answered
 *	  +--------------+
 *
 * The time-out of other calls says nothing: whoever waits for a device may be
 * answered in hours. If the peer says that such a call runs (config.interim),
 * it is asked for slowly from then on, for the reply may be lost.
 *
 * Nothing is sent and nobody is called back from within a stub: all that is
 * done by events, `flush` and `attention`.
 */
#include "common/rpcclnt_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/dgram.h"
#include "common/log.h"

/* Replies of one event, so that one busy peer does not keep the loop. */
#define READS 64
/* Bytes of a call and its reply that the window does not count. */
#define SMALL 512
/* Bytes of a reply beside its results. */
#define REPLY_HEADER 24
/* Until a call that runs at the peer is asked for again, in us. */
#define INTERIM 500000
/* So many times in a row lost, while others are not: too large for the way. */
#define BLACK_HOLE 3
/* Errors of the network without an answer between them: it is so. */
#define ERRORS_MAX 2

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000;
}

static size_t len_of(const struct rpcclnt_call *call)
{
	return gather_len(call->message) - GATHER_MARK;
}

static void flush_soon(struct rpcclnt *clnt)
{
	struct rpcclnt_dgram *d = &clnt->dgram;

	if (!d->error && !d->blocked)
		event_active(&d->flush, EV_WRITE, 1);
}

/* ---- places ------------------------------------------------------------- */

static struct rpcclnt_calls *list_of(struct rpcclnt_dgram *d,
				     enum rpcclnt_place place)
{
	switch (place) {
	case RPCCLNT_NOWHERE:
		return NULL;
	case RPCCLNT_READY:
		return &d->ready;
	case RPCCLNT_HELD:
		return &d->held;
	case RPCCLNT_FLYING:
		return &d->flying;
	}
	return NULL;
}

/* Put call to the held ones, in the order that they were made in. */
static void hold(struct rpcclnt_dgram *d, struct rpcclnt_call *call)
{
	struct rpcclnt_call *next = TAILQ_LAST(&d->held, rpcclnt_calls);

	if (!next || next->order < call->order) {
		TAILQ_INSERT_TAIL(&d->held, call, at);
		return;
	}
	/* One that was sent already is older than nearly all of them. */
	TAILQ_FOREACH(next, &d->held, at)
		if (next->order > call->order)
			break;
	TAILQ_INSERT_BEFORE(next, call, at);
}

/* The only writer of call->place. */
static void set_place(struct rpcclnt_call *call, enum rpcclnt_place place)
{
	struct rpcclnt_dgram *d = &call->clnt->dgram;
	struct rpcclnt_calls *list = list_of(d, call->place);

	if (call->place == place)
		return;
	if (call->place == RPCCLNT_FLYING)
		congest_landed(&d->congest, call->charge);
	else if (list)
		d->queued -= len_of(call);
	if (list)
		TAILQ_REMOVE(list, call, at);
	call->place = place;
	list = list_of(d, place);
	if (place == RPCCLNT_FLYING)
		congest_sent(&d->congest, call->charge);
	else if (list)
		d->queued += len_of(call);
	if (place == RPCCLNT_HELD)
		hold(d, call);
	else if (list)
		TAILQ_INSERT_TAIL(list, call, at);
}

static void set_again(struct rpcclnt_call *call, uint32_t us)
{
	const struct timeval tv = { us / 1000000, us % 1000000 };

	evtimer_add(&call->again, &tv);
}

/* To be sent, as soon as it may. */
static void enqueue(struct rpcclnt_call *call)
{
	set_place(call, call->charge ? RPCCLNT_HELD : RPCCLNT_READY);
	flush_soon(call->clnt);
}

/* ---- errors, and how much fits ------------------------------------------ */

/* The network says that the peer is not there: true: it is believed. */
static bool note_error(struct rpcclnt *clnt, int error)
{
	struct rpcclnt_dgram *d = &clnt->dgram;

	log_debug(LOG_TAG_NET, "datagrams: %s", strerror(-error));
	if (++d->errors < ERRORS_MAX)
		return false;
	d->error = error;
	event_del(&d->readable);
	event_del(&d->flush);
	event_del(&d->pace);
	event_del(&d->reorder);
	event_active(&d->attention, EV_TIMEOUT, 1);
	return true;
}

/* No more than `room` passes from now on. */
static void narrow(struct rpcclnt *clnt, size_t room)
{
	struct rpcclnt_dgram *d = &clnt->dgram;

	if (room >= d->room)
		return;
	log_debug(LOG_TAG_NET, "datagrams have %zu bytes at most now, not %zu",
		  room, d->room);
	d->room = room;
	congest_narrow(&d->congest, room);
	event_active(&d->attention, EV_TIMEOUT, 1);
}

/* As the system knows the path. */
static size_t known_room(int fd)
{
	ssize_t room = dgram_room(fd);

	if (room < 0)
		return RPCCLNT_ROOM_MIN;
	return room < RPCCLNT_ROOM_MAX ? room : RPCCLNT_ROOM_MAX;
}

/* Bytes that a way has to take for call. Of a call that is not prompt the
 * reply is the peer's affair: it may be done already. */
static size_t size_of(const struct rpcclnt_call *call)
{
	size_t len = len_of(call), reply = REPLY_HEADER + call->expect;

	return (call->how & RPCCLNT_PROMPT) && reply > len ? reply : len;
}

static bool is_large(const struct rpcclnt_call *call)
{
	return size_of(call) > RPCCLNT_ROOM_MIN;
}

/* Does it look as if large datagrams vanished on the way, and only those? */
static bool is_black_hole(const struct rpcclnt_call *call)
{
	const struct rpcclnt_dgram *d = &call->clnt->dgram;

	return call->tries >= BLACK_HOLE && !call->interim && is_large(call) &&
	       d->room > RPCCLNT_ROOM_MIN && d->answered > call->first &&
	       d->answered_large < call->first;
}

static struct rpcclnt_call *find_misfit(struct rpcclnt *clnt)
{
	struct rpcclnt_call *call;

	TAILQ_FOREACH(call, &clnt->calls, link)
		if (!(call->how & RPCCLNT_ONCE) &&
		    size_of(call) > clnt->dgram.room)
			return call;
	return NULL;
}

static void on_attention(evutil_socket_t fd, short what, void *user)
{
	struct rpcclnt *clnt = user;
	struct rpcclnt_call *call;

	if (clnt->dgram.error) {
		rpcclnt_fail(clnt, clnt->dgram.error);
		return;
	}
	while ((call = find_misfit(clnt)))
		if (!rpcclnt_fail_call(call, RPC_CANTSEND, EMSGSIZE))
			return;
	if (clnt->config.narrowed)
		clnt->config.narrowed(clnt->config.user);
}

/* ---- sending ------------------------------------------------------------ */

/* 0, or -errno where call can not be sent now. */
static int transmit(struct rpcclnt_call *call)
{
	struct rpcclnt *clnt = call->clnt;
	struct rpcclnt_dgram *d = &clnt->dgram;
	size_t len = len_of(call);
	int r;

	do {
		r = len > d->room ? dgram_send_long(d->fd, call->message) :
				    dgram_send(d->fd, call->message, NULL);
		/* It may be an earlier one's, and then this was not sent. */
	} while (r == -EINTR ||
		 (dgram_is_of_network(r) && !note_error(clnt, r)));
	if (r == -EMSGSIZE) {
		narrow(clnt, known_room(d->fd));
		if (len <= d->room || (call->how & RPCCLNT_ONCE))
			r = dgram_send_long(d->fd, call->message);
	}
	return r;
}

static void note_sent(struct rpcclnt_call *call)
{
	struct rpcclnt_dgram *d = &call->clnt->dgram;
	uint32_t us = rtt_timeout(&d->rtt);

	call->sent = now_us();
	if (!call->tries++)
		call->first = call->sent;
	call->nth = d->nth++;
	set_place(call, call->charge ? RPCCLNT_FLYING : RPCCLNT_NOWHERE);
	if (call->interim)
		us = INTERIM;
	else if (us < call->interval)
		us = call->interval;
	call->interval = us;
	if (!(call->how & RPCCLNT_ONCE))
		set_again(call, us);
}

/* False: no more can be sent now. */
static bool send_first(struct rpcclnt *clnt, struct rpcclnt_calls *list)
{
	struct rpcclnt_dgram *d = &clnt->dgram;
	struct rpcclnt_call *call = TAILQ_FIRST(list);
	int r = transmit(call);

	if (d->error)
		return false;
	if (r == -EAGAIN) {
		d->blocked = !event_add(&d->flush, NULL);
		return false;
	}
	/* What failed otherwise is as good as lost, or is going to be told by
	 * on_attention(). */
	if (r)
		log_debug(LOG_TAG_NET, "xid %08x: %s", call->xid, strerror(-r));
	note_sent(call);
	return true;
}

/* May the first of the held ones be sent now? If not, pace tells when, or an
 * answer. */
static bool may_send_held(struct rpcclnt_dgram *d)
{
	const struct rpcclnt_call *call = TAILQ_FIRST(&d->held);
	struct timeval tv;
	uint64_t us;

	us = congest_wait(&d->congest, call->charge, d->rtt.srtt, now_us());
	if (!us)
		return true;
	tv = (struct timeval){ us / 1000000, us % 1000000 };
	if (us != CONGEST_FULL)
		evtimer_add(&d->pace, &tv);
	return false;
}

static void flush(struct rpcclnt *clnt)
{
	struct rpcclnt_dgram *d = &clnt->dgram;

	while (!TAILQ_EMPTY(&d->ready))
		if (!send_first(clnt, &d->ready))
			return;
	while (!TAILQ_EMPTY(&d->held))
		if (!may_send_held(d) || !send_first(clnt, &d->held))
			return;
}

/* It is, as far as there is such a thing. False: clnt is gone. */
static bool tell_connected(struct rpcclnt *clnt)
{
	bool gone = false;

	clnt->dgram.told = true;
	if (!clnt->config.connected)
		return true;
	clnt->gonep = &gone;
	clnt->config.connected(clnt->config.user);
	if (gone)
		return false;
	clnt->gonep = NULL;
	return true;
}

static void on_flush(evutil_socket_t fd, short what, void *user)
{
	struct rpcclnt *clnt = user;

	clnt->dgram.blocked = false;
	if (clnt->dgram.told || tell_connected(clnt))
		flush(clnt);
}

/* ---- losses ------------------------------------------------------------- */

static void note_loss(struct rpcclnt_call *call, bool timed_out)
{
	struct rpcclnt_dgram *d = &call->clnt->dgram;

	log_debug(LOG_TAG_RPC, "xid %08x: lost", call->xid);
	call->lost = true;
	call->cut = congest_lost(&d->congest, timed_out, call->sent, now_us());
}

/* What is flying and was passed for too long by what is answered is lost. */
static void note_passed(struct rpcclnt_dgram *d)
{
	struct rpcclnt_call *call;
	struct timeval tv;
	uint64_t us;

	while ((call = TAILQ_FIRST(&d->flying))) {
		us = rack_wait(&d->rack, &d->rtt, call->nth, call->sent,
			       now_us());
		if (us) {
			tv = (struct timeval){ us / 1000000, us % 1000000 };
			if (us != RACK_NO)
				evtimer_add(&d->reorder, &tv);
			return;
		}
		note_loss(call, false);
		event_del(&call->again);
		enqueue(call);
	}
}

static void on_reorder(evutil_socket_t fd, short what, void *user)
{
	struct rpcclnt *clnt = user;

	note_passed(&clnt->dgram);
}

/* Was what is taken for lost only late (RFC 3522)? Then it is answered before
 * it was sent again, or so soon after that this is not what is answered. */
static bool is_late(const struct rpcclnt_call *call)
{
	const struct rpcclnt_dgram *d = &call->clnt->dgram;

	if (!call->lost)
		return false;
	return call->place == RPCCLNT_HELD || call->place == RPCCLNT_READY ||
	       d->answered - call->sent < d->rtt.srtt / 2;
}

/* A call that is prompt is answered: what is known of the way by that? */
static void measure(struct rpcclnt_call *call)
{
	struct rpcclnt_dgram *d = &call->clnt->dgram;
	bool late = is_late(call);

	if (call->tries == 1)
		rtt_sample(&d->rtt, d->answered - call->sent);
	if (call->tries == 1 || !late)
		rack_answered(&d->rack, call->nth, call->sent, d->answered);
	if (late) {
		congest_not_lost(&d->congest, call->cut);
		rack_widen(&d->rack, &d->rtt, d->answered);
	}
	congest_answered(&d->congest,
			 call->place == RPCCLNT_FLYING ? call->charge : 0);
}

/* The time-out is doubled once for all that were sent before. */
static void back_off(struct rpcclnt_call *call)
{
	struct rpcclnt_dgram *d = &call->clnt->dgram;

	if (call->sent <= d->backed_off)
		return;
	d->backed_off = now_us();
	rtt_back_off(&d->rtt);
}

static void on_again(evutil_socket_t fd, short what, void *user)
{
	struct rpcclnt_call *call = user;

	if (is_black_hole(call)) {
		narrow(call->clnt, RPCCLNT_ROOM_MIN);
		return;		/* on_attention() ends it */
	}
	if ((call->how & RPCCLNT_PROMPT) && !call->interim) {
		back_off(call);
		note_loss(call, true);
	}
	call->interval = call->interval < RTT_MAX / 2 ? 2 * call->interval :
							 RTT_MAX;
	enqueue(call);
}

/* ---- answers ------------------------------------------------------------ */

bool rpcclnt_dgram_answered(struct rpcclnt_call *call, const uint8_t *results,
			    size_t len)
{
	struct rpcclnt *clnt = call->clnt;
	struct rpcclnt_dgram *d = &clnt->dgram;
	bool measured = (call->how & RPCCLNT_PROMPT) && !call->interim;

	d->errors = 0;
	d->answered = now_us();
	if (is_large(call))
		d->answered_large = d->answered;
	if (measured)
		measure(call);
	set_place(call, RPCCLNT_NOWHERE);
	event_del(&call->again);
	if (measured)
		note_passed(d);
	if (!TAILQ_EMPTY(&d->held))
		flush_soon(clnt);
	if (!len || !clnt->config.interim ||
	    !clnt->config.interim(results, len))
		return true;
	call->interim = true;
	call->proved_anew = false;
	call->charge = 0;
	if (!(call->how & RPCCLNT_ONCE))
		set_again(call, INTERIM);
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct rpcclnt *clnt = user;
	bool gone = false;
	struct record *rec;
	ssize_t len;

	for (int i = 0; i < READS && !clnt->dgram.error; i++) {
		len = dgram_recv(fd, clnt->ahead, DGRAM_BUFFER, NULL);
		if (len == -EAGAIN)
			return;
		if (len == -EMSGSIZE)
			narrow(clnt, known_room(fd));
		else if (dgram_is_of_network(len))
			note_error(clnt, len);
		if (len < 0 || (size_t)len > clnt->config.record_max)
			continue;
		rec = record_copy(clnt->config.records, clnt->ahead, len);
		if (rec)
			rpcclnt_receive(clnt, rec, &gone);
		if (gone)
			return;
	}
}

/* ---- the transport ------------------------------------------------------ */

/* call begins, or begins anew. */
static void begin(struct rpcclnt_call *call)
{
	call->tries = 0;
	call->lost = false;
	call->interval = 0;
	call->interim = false;
	call->charge = 0;
	if ((call->how & RPCCLNT_PROMPT) &&
	    len_of(call) + call->expect > SMALL)
		call->charge = len_of(call) + call->expect;
	enqueue(call);
}

static void send_call(struct rpcclnt_call *call)
{
	call->place = RPCCLNT_NOWHERE;
	call->order = call->clnt->dgram.order++;
	evtimer_assign(&call->again, call->clnt->config.base, on_again, call);
	begin(call);
}

void rpcclnt_dgram_send_anew(struct rpcclnt_call *call)
{
	begin(call);
}

static void forget_call(struct rpcclnt_call *call)
{
	struct rpcclnt *clnt = call->clnt;

	set_place(call, RPCCLNT_NOWHERE);
	event_del(&call->again);
	gather_free(call->message);
	if (!TAILQ_EMPTY(&clnt->dgram.held))
		flush_soon(clnt);
}

static void deinit(struct rpcclnt *clnt)
{
	struct rpcclnt_dgram *d = &clnt->dgram;

	event_del(&d->readable);
	event_del(&d->flush);
	event_del(&d->pace);
	event_del(&d->reorder);
	event_del(&d->attention);
	close(d->fd);
}

const struct rpcclnt_transport rpcclnt_by_dgram = {
	.send = send_call,
	.forget = forget_call,
	.deinit = deinit,
};

int rpcclnt_dgram_init(struct rpcclnt *clnt, int fd)
{
	struct event_base *base = clnt->config.base;
	struct rpcclnt_dgram *d = &clnt->dgram;
	int r = dgram_init_calling(fd);

	if (r)
		return r;
	d->fd = fd;
	d->room = known_room(fd);
	TAILQ_INIT(&d->ready);
	TAILQ_INIT(&d->held);
	TAILQ_INIT(&d->flying);
	rtt_init(&d->rtt);
	rack_init(&d->rack);
	congest_init(&d->congest, d->room, now_us());
	if (event_assign(&d->readable, base, fd, EV_READ | EV_PERSIST,
			 on_readable, clnt) ||
	    event_assign(&d->flush, base, fd, EV_WRITE, on_flush, clnt) ||
	    evtimer_assign(&d->pace, base, on_flush, clnt) ||
	    evtimer_assign(&d->reorder, base, on_reorder, clnt) ||
	    event_assign(&d->attention, base, -1, 0, on_attention, clnt))
		return -EINVAL;
	if (event_add(&d->readable, NULL))
		return -ENOMEM;
	flush_soon(clnt);
	return 0;
}
