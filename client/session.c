// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session - one claim of one device, from CLAIM to RELEASE.
 *
 * Timers
 *   tick    while UP: is it time for a RENEW, is the target there (pulse.h)?
 *   again   while LOST, or CONNECTING after a CLAIM without an answer: the
 *           next attempt to connect, with back-off.
 *   limit   while LOST or RETURNING: the target must have ended the lease by
 *           then. While RELEASING: at once, where there is nobody to ask.
 * Beside these the target says at once when it ends the session (watch.h).
 *
 * Over UDP a connection is a connected socket. CLAIMING has two more calls
 * there: before CLAIM the proof that the address is ours, and behind it the
 * descriptors, where its answer had no room for them. Returning needs no proof:
 * RENEW has the handle.
 *
 * The states are in session_state.c.
 */
#include "client/session.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/claim.h"
#include "client/deadline.h"
#include "client/descriptors.h"
#include "client/pause.h"
#include "client/pulse.h"
#include "client/status.h"
#include "client/target.h"
#include "client/watch.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/rpcclnt.h"

#define RETURN_TIMEOUT_MS	3000
/* A target may have much to cancel. Whoever asked waits for 10 s. */
#define RELEASE_TIMEOUT_MS	8000
#define AGAIN_FIRST_MS		100
#define AGAIN_MAX_MS		2000
/* Who closes on so many is not going to answer one. */
#define CLAIMS_MAX		5

struct session {
	struct session_config config;
	enum session_state state;
	uint8_t instance[16];
	uint64_t claim_end;		/* deadline of connecting and claiming */
	struct target *target;
	struct resolver_addr addr;	/* where it was found */
	struct rpcclnt *clnt;
	struct pulse pulse;
	struct event *tick, *limit;
	struct pause again;
	struct contact contact;
	unsigned int n_claims;		/* CLAIM was sent so often */
	void (*released)(bool given_back, void *user);
	usbip_session handle;
	struct watch watch;
	struct claim_device device;
	struct descriptors descriptors;	/* while they are fetched */
	/* Results of calls; at most one of each is outstanding. */
	usbip_claim_res claim_res;
	usbip_renew_res renew_res;
	usbip_stat_res release_res;
	bool renewing, again_renew;	/* outstanding; wanted behind it */
};

/* The only writer of s->state. */
static void session_set_state(struct session *s, enum session_state next)
{
	log_debug(LOG_TAG_SESSION, "%s at %s: %s -> %s", s->config.device,
		  s->config.host, session_state_str(s->state),
		  session_state_str(next));
	assert(session_may_go(s->state, next));
	s->state = next;
}

static void set_timer(struct event *ev, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(ev, &tv);
}

static void drop_connection(struct session *s)
{
	s->target = target_free(s->target);
	s->clnt = rpcclnt_free(s->clnt);
	s->renewing = false;
	s->again_renew = false;
}

/* Nothing comes any more, but answers to calls. */
static void rest(struct session *s)
{
	event_del(s->tick);
	pause_stop(&s->again);
	event_del(s->limit);
	watch_stop(&s->watch);
	/* A connection in the making would come too late. */
	s->target = target_free(s->target);
}

/* Neither up nor to come back. Says nothing to anybody. */
static void finish(struct session *s)
{
	session_set_state(s, SESSION_ENDED);
	rest(s);
}

static void fail(struct session *s, const struct failure *f)
{
	finish(s);
	s->config.failed(f, s->config.user);
}

static void end_with(struct session *s, usbip_stat why, const char *text)
{
	if (s->state == SESSION_RELEASING || s->state == SESSION_ENDED)
		return;
	finish(s);
	s->config.ended(why, text, s->config.user);
}

void session_end(struct session *s, usbip_stat why)
{
	end_with(s, why, status_text(why));
}

/* ---- a connection is lost, and comes back -------------------------------- */

static void lose(struct session *s)
{
	if (s->state != SESSION_UP && s->state != SESSION_RETURNING)
		return;
	if (s->state == SESSION_UP) {
		pause_reset(&s->again);
		/* Once more than the lease: the target counts from what it
		 * got last, and one answer "expired" is better than a guess. */
		set_timer(s->limit, (s->device.lease + 2) * 1000);
		event_del(s->tick);
		watch_stop(&s->watch);
		log_warning("connection to %s lost: trying again for %u s",
			    s->config.host, s->device.lease);
		contact_lost(&s->contact, s->device.lease);
		session_set_state(s, SESSION_LOST);
		s->config.lost(s->config.user);
	} else {
		session_set_state(s, SESSION_LOST);
	}
	pause_begin(&s->again);
}

static void closed(int error, void *user)
{
	struct session *s = user;

	log_debug(LOG_TAG_NET, "connection to %s ended: %s", s->config.host,
		  error ? strerror(error < 0 ? -error : error) : "closed");
	/* A CLAIM that was not answered has seen to itself in its callback. */
	lose(s);
}

static int make_clnt(struct session *s, int fd)
{
	struct rpcclnt_config config = {
		.base = s->config.base,
		.prog = USBIP_PROGRAM,
		.vers = USBIP_V1,
		.record_max = USBIP_DATA_MAX + USBIP_RECORD_EXTRA,
		.records = s->config.records,
		.closed = closed,
		.interim = status_is_interim,
		.user = s,
	};

	pulse_begin(&s->pulse, fd);
	return rpcclnt_new(&s->clnt, fd, &config);
}

static void send_renew(struct session *s, bool all);

static void returned(int fd, const struct resolver_addr *addr, void *user)
{
	struct session *s = user;

	s->addr = *addr;
	s->target = target_free(s->target);
	if (make_clnt(s, fd)) {
		close(fd);
		lose(s);
		return;
	}
	send_renew(s, true);
}

static void return_failed(const struct failure *f, void *user)
{
	struct session *s = user;

	log_debug(LOG_TAG_NET, "%s", f->text);
	s->target = target_free(s->target);
	lose(s);
}

static void connected(int fd, const struct resolver_addr *addr, void *user);
static void connect_failed(const struct failure *f, void *user);

static void try_again(evutil_socket_t fd, short what, void *user)
{
	struct session *s = user;
	bool claims = s->state == SESSION_CONNECTING;
	struct target_config config = {
		.base = s->config.base,
		.host = s->config.host,
		.udp = s->config.udp,
		.port = s->config.tcp_port,
		.known = claims || contact_try(&s->contact) ? &s->addr : NULL,
		.timeout_ms = RETURN_TIMEOUT_MS,
		.connected = claims ? connected : returned,
		.failed = claims ? connect_failed : return_failed,
		.user = s,
	};

	/* What still comes by the old one has been heard by now. */
	s->clnt = rpcclnt_free(s->clnt);
	s->renewing = false;
	if (!claims)
		session_set_state(s, SESSION_RETURNING);
	if (!target_new(&s->target, &config))
		return;
	if (claims)
		pause_begin(&s->again);
	else
		lose(s);
}

static void limit_reached(evutil_socket_t fd, short what, void *user)
{
	struct session *s = user;

	if (s->state != SESSION_RELEASING) {
		end_with(s, USBIP_EXPIRED,
			 "the connection was lost for longer than the lease");
		return;
	}
	finish(s);
	/* A CLAIM that was not answered may have been granted all the same. */
	s->released(!s->n_claims, s->config.user);
}

/* ---- RENEW --------------------------------------------------------------- */

static void renewed(const struct rpc_err *err, void *user)
{
	struct session *s = user;

	s->renewing = false;
	if (s->state != SESSION_UP && s->state != SESSION_RETURNING)
		return;
	if (err->re_status == RPC_TIMEDOUT && s->state == SESSION_UP &&
	    pulse_is_there(&s->pulse)) {
		/* it may never have come, with what it acknowledged */
		send_renew(s, true);
		return;
	}
	if (err->re_status != RPC_SUCCESS) {
		/* CANTRECV: closed() follows. Else the connection is of no use. */
		if (err->re_status != RPC_CANTRECV)
			lose(s);
		return;
	}
	pulse_heard(&s->pulse);
	if (s->renew_res.status != USBIP_OK) {
		session_end(s, s->renew_res.status);
		return;
	}
	s->device.lease = claim_lease(s->renew_res.usbip_renew_res_u.lease);
	if (s->state == SESSION_RETURNING) {
		event_del(s->limit);
		session_set_state(s, SESSION_UP);
		log_info("connection to %s is back, after %u s",
			 s->config.host, contact_seconds(&s->contact));
		contact_made(&s->contact);
		set_timer(s->tick, s->device.lease * 1000 / PULSE_TICKS);
		watch_begin(&s->watch, s->clnt);
		s->config.restored(s->config.user);
	}
	if (s->again_renew)
		session_renew(s);
}

/* One that waits behind data must not keep the next one past the lease. */
static unsigned int renew_timeout_ms(const struct session *s)
{
	unsigned int third = s->device.lease * 1000 / 3;

	return third < PULSE_TIMEOUT_MS ? third : PULSE_TIMEOUT_MS;
}

_Static_assert(PORT_ACKS == USBIP_ENDPOINTS_MAX, "a RENEW takes as many");

static void send_renew(struct session *s, bool all)
{
	struct port_ack acks[PORT_ACKS];
	usbip_ack wire[PORT_ACKS];
	usbip_renew_args args = { .session = s->handle };
	size_t n = s->config.acks(acks, all, s->config.user);

	for (size_t i = 0; i < n; i++)
		wire[i] = (usbip_ack){
			acks[i].endpoint |
			(u_int)acks[i].stream << USBIP_PIPE_STREAM_SHIFT,
			acks[i].acked,
		};
	args.acks.acks_len = (u_int)n;
	args.acks.acks_val = wire;
	s->again_renew = n == PORT_ACKS;	/* there may be more */
	pulse_renews(&s->pulse);
	rpcclnt_next(s->clnt, renew_timeout_ms(s), renewed, s);
	rpcclnt_how(s->clnt, RPCCLNT_PROMPT);
	memset(&s->renew_res, 0, sizeof(s->renew_res));
	/* If it can not be sent, closed() is on its way. */
	s->renewing = usbip_renew_1(&args, &s->renew_res,
				    rpcclnt_handle(s->clnt)) == RPC_SUCCESS;
}

void session_renew(struct session *s)
{
	if (s->state != SESSION_UP)
		return;
	if (s->renewing) {
		s->again_renew = true;
		return;
	}
	send_renew(s, false);
}

static void tick_due(evutil_socket_t fd, short what, void *user)
{
	struct session *s = user;
	/* EVENTS may be outstanding for as long as nothing happens. */
	bool waiting = rpcclnt_outstanding(s->clnt) > s->watch.outstanding;

	set_timer(s->tick, s->device.lease * 1000 / PULSE_TICKS);
	if (pulse_tick(&s->pulse, waiting) && !s->renewing)
		session_renew(s);
}

void session_heard(struct session *s)
{
	pulse_heard(&s->pulse);
}

static void watch_heard(void *user)
{
	session_heard(user);
}

static void watch_ended(usbip_stat why, void *user)
{
	session_end(user, why);
}

/* ---- CLAIM --------------------------------------------------------------- */

/*
 * The connection ended before CLAIM was answered, and it may have been granted
 * all the same. The same again, from the same instance, gets that session.
 * False: it is not worth another one.
 */
static bool claim_again(struct session *s)
{
	if (!s->n_claims || s->n_claims >= CLAIMS_MAX ||
	    deadline_left(s->claim_end) <= s->again.ms)
		return false;
	if (s->state == SESSION_CLAIMING)
		session_set_state(s, SESSION_CONNECTING);
	pause_begin(&s->again);
	return true;
}

/* It is of no use, or the connection was cut. */
static void claim_failed(struct session *s, const struct rpc_err *err,
			 const struct failure *f)
{
	bool cut = err->re_status == RPC_CANTRECV ||
		   err->re_status == RPC_CANTSEND;

	if (!cut || !claim_again(s))
		fail(s, f);
}

static void go_up(struct session *s)
{
	session_set_state(s, SESSION_UP);
	contact_made(&s->contact);
	set_timer(s->tick, s->device.lease * 1000 / PULSE_TICKS);
	watch_begin(&s->watch, s->clnt);
	s->config.claimed(s->config.user);
}

/* What CLAIM left out is there, or will not be. */
static void described(const struct rpc_err *err, usbip_stat stat, void *user)
{
	struct session *s = user;
	struct failure f;
	int r = -EPROTO;

	if (s->state != SESSION_CLAIMING)
		return;
	if (err->re_status != RPC_SUCCESS) {
		status_rpc_failure(&f, err, s->config.host);
		claim_failed(s, err, &f);
		return;
	}
	if (stat == USBIP_OK)
		r = claim_take_descriptors(&s->device, s->descriptors.bytes,
					   s->descriptors.len);
	if (!r) {
		go_up(s);
		return;
	}
	failure_set(&f, FAILURE_OTHER, "descriptors of %s at %s: %s",
		    s->config.device, s->config.host,
		    stat == USBIP_OK ? strerror(-r) : status_text(stat));
	fail(s, &f);
}

static void ask_descriptors(struct session *s)
{
	descriptors_deinit(&s->descriptors);
	s->descriptors.clnt = s->clnt;
	s->descriptors.end = s->claim_end;
	s->descriptors.done = described;
	s->descriptors.user = s;
	descriptors_ask(&s->descriptors, s->handle);
}

static void claim_answered(struct session *s, const struct rpc_err *err)
{
	const usbip_claim_ok *ok = &s->claim_res.usbip_claim_res_u.claim;
	struct failure f;

	answer_descriptors_deinit(&s->device.descriptors);
	if (claim_read(&s->device, err, &s->claim_res, s->config.host,
		       s->config.device, &f)) {
		claim_failed(s, err, &f);
		return;
	}
	s->handle = ok->session;
	watch_learn(&s->watch, ok);
	if (s->config.udp && claim_is_cut(ok))
		ask_descriptors(s);
	else
		go_up(s);
}

static void claimed(const struct rpc_err *err, void *user)
{
	struct session *s = user;

	if (s->state == SESSION_CLAIMING)
		claim_answered(s, err);
	xdr_free((xdrproc_t)xdr_usbip_claim_res, &s->claim_res);
}

static void send_claim(struct session *s)
{
	struct rpc_err err = { .re_status = RPC_SUCCESS };
	char host[USBIP_HOST_MAX + 1] = "";
	usbip_claim_args args = {
		.device = (char *)(uintptr_t)s->config.device,
		.host = host,
	};

	gethostname(host, sizeof(host) - 1);
	memcpy(args.instance, s->instance, sizeof(args.instance));
	s->n_claims++;
	rpcclnt_next(s->clnt, deadline_left(s->claim_end), claimed, s);
	rpcclnt_how(s->clnt, RPCCLNT_PROVED);
	memset(&s->claim_res, 0, sizeof(s->claim_res));
	err.re_status = usbip_claim_1(&args, &s->claim_res,
				      rpcclnt_handle(s->clnt));
	if (err.re_status != RPC_SUCCESS)
		claim_answered(s, &err);
}

/* A target grants nothing to an address that may be another's. */
static void proved(const struct rpc_err *err, void *user)
{
	struct session *s = user;

	if (s->state != SESSION_CLAIMING)
		return;
	if (err->re_status == RPC_SUCCESS)
		send_claim(s);
	else
		claim_answered(s, err);
}

static void prove(struct session *s)
{
	struct rpc_err err = { .re_status = RPC_SUCCESS };

	err.re_status = rpcclnt_prove(s->clnt, deadline_left(s->claim_end),
				      proved, s);
	if (err.re_status != RPC_SUCCESS)
		claim_answered(s, &err);
}

static void connected(int fd, const struct resolver_addr *addr, void *user)
{
	struct session *s = user;
	struct failure f;
	int r;

	s->addr = *addr;
	s->target = target_free(s->target);
	r = make_clnt(s, fd);
	if (r) {
		close(fd);
		failure_set(&f, FAILURE_OTHER, "%s", strerror(-r));
		fail(s, &f);
		return;
	}
	session_set_state(s, SESSION_CLAIMING);
	if (s->config.udp)
		prove(s);
	else
		send_claim(s);
}

static void connect_failed(const struct failure *f, void *user)
{
	struct session *s = user;
	struct failure why = *f;	/* the target's */

	s->target = target_free(s->target);
	if (!claim_again(s))
		fail(s, &why);
}

/* ---- life ---------------------------------------------------------------- */

static void released(const struct rpc_err *err, void *user)
{
	struct session *s = user;
	usbip_stat stat = s->release_res.status;

	if (s->state != SESSION_RELEASING)
		return;
	finish(s);
	s->released(err->re_status == RPC_SUCCESS &&
		    (stat == USBIP_OK || status_ends_session(stat)),
		    s->config.user);
}

void session_release(struct session *s,
		     void (*done)(bool given_back, void *user))
{
	usbip_session_args args = { .session = s->handle };
	bool up = s->state == SESSION_UP;

	if (s->state == SESSION_ENDED) {
		done(true, s->config.user);
		return;
	}
	if (s->state == SESSION_RELEASING)
		return;
	s->released = done;
	session_set_state(s, SESSION_RELEASING);
	rest(s);
	if (up) {
		rpcclnt_next(s->clnt, RELEASE_TIMEOUT_MS, released, s);
		memset(&s->release_res, 0, sizeof(s->release_res));
		up = usbip_release_1(&args, &s->release_res,
				     rpcclnt_handle(s->clnt)) == RPC_SUCCESS;
	}
	if (!up)
		set_timer(s->limit, 0);
}

static int begin(struct session *s)
{
	struct target_config config = {
		.base = s->config.base,
		.host = s->config.host,
		.udp = s->config.udp,
		.port = s->config.tcp_port,
		.timeout_ms = s->config.timeout_ms,
		.connected = connected,
		.failed = connect_failed,
		.user = s,
	};

	if (getrandom(s->instance, sizeof(s->instance), 0) !=
	    sizeof(s->instance))
		return -errno;
	s->tick = evtimer_new(s->config.base, tick_due, s);
	s->limit = evtimer_new(s->config.base, limit_reached, s);
	if (!s->tick || !s->limit || watch_init(&s->watch, s->config.base) ||
	    pause_init(&s->again, s->config.base, AGAIN_FIRST_MS, AGAIN_MAX_MS,
		       try_again, s))
		return -ENOMEM;
	s->claim_end = deadline_in(s->config.timeout_ms);
	session_set_state(s, SESSION_CONNECTING);
	return target_new(&s->target, &config);
}

int session_new(struct session **sp, const struct session_config *config)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->watch.heard = watch_heard;
	s->watch.ended = watch_ended;
	s->watch.user = s;
	r = begin(s);
	if (r) {
		session_free(s);
		return r;
	}
	*sp = s;
	return 0;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	/* Callbacks of calls run in here: they see that it is over. */
	if (s->state != SESSION_ENDED && s->state != SESSION_NEW)
		finish(s);
	drop_connection(s);
	watch_deinit(&s->watch);
	if (s->tick)
		event_free(s->tick);
	pause_deinit(&s->again);
	if (s->limit)
		event_free(s->limit);
	answer_descriptors_deinit(&s->device.descriptors);
	descriptors_deinit(&s->descriptors);
	free(s);
	return NULL;
}

enum session_state session_state(const struct session *s)
{
	return s->state;
}

const struct claim_device *session_device(const struct session *s)
{
	return &s->device;
}

const struct contact *session_contact(const struct session *s)
{
	return &s->contact;
}

struct rpcclnt *session_clnt(const struct session *s)
{
	return s->state == SESSION_UP ? s->clnt : NULL;
}

usbip_session session_handle(const struct session *s)
{
	return s->handle;
}
