// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attachment - one device of a target in one port of this controller.
 *
 * Answers to the kernel are queued and written once per round of the loop:
 * `flush` is made active by the first, and so runs after all that is ready.
 * After answers that stop an endpoint the kernel is read until it has nothing
 * more, and only then are they acknowledged (see port.c).
 *
 *   CLAIMING -> ENUMERATING -> ATTACHED <-> HELD
 *                    ^   |________|__________|
 *                    |   v        v
 *                 ASLEEP or WAITING (attachment_again.c)
 *   and from each of them DETACHING -> ENDED; WAITING also from CLAIMING
 */
#include "client/attachment_impl.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "client/calls.h"
#include "client/ctl.h"
#include "client/snapshot.h"
#include "common/log.h"
#include "common/rpcclnt.h"
#include "common/text.h"


static const char *state_str(enum attachment_state state)
{
	switch (state) {
	case ATTACHMENT_CLAIMING:
		return "claiming";
	case ATTACHMENT_ENUMERATING:
		return "enumerating";
	case ATTACHMENT_ATTACHED:
		return "attached";
	case ATTACHMENT_HELD:
		return "held";
	case ATTACHMENT_ASLEEP:
		return "asleep";
	case ATTACHMENT_WAITING:
		return "waiting";
	case ATTACHMENT_DETACHING:
		return "detaching";
	case ATTACHMENT_ENDED:
		return "ended";
	}
	return "?";
}

static bool may_go(enum attachment_state from, enum attachment_state to)
{
	switch (to) {
	case ATTACHMENT_CLAIMING:
		return false;
	case ATTACHMENT_ENUMERATING:
		return from == ATTACHMENT_CLAIMING ||
		       from == ATTACHMENT_ASLEEP ||
		       from == ATTACHMENT_WAITING;
	case ATTACHMENT_ATTACHED:
		return from == ATTACHMENT_ENUMERATING || from == ATTACHMENT_HELD;
	case ATTACHMENT_HELD:
		return from == ATTACHMENT_ATTACHED;
	case ATTACHMENT_ASLEEP:
		return (from >= ATTACHMENT_ENUMERATING &&
			from <= ATTACHMENT_HELD) ||
		       from == ATTACHMENT_WAITING;
	case ATTACHMENT_WAITING:
		return from < ATTACHMENT_WAITING;
	case ATTACHMENT_DETACHING:
		return from < ATTACHMENT_DETACHING;
	case ATTACHMENT_ENDED:
		return from == ATTACHMENT_DETACHING;
	}
	return false;
}

/* The only writer of a->state. */
void attachment_set_state(struct attachment *a, enum attachment_state next)
{
	log_debug(LOG_TAG_PORT, "%s from %s: %s -> %s", a->config.device,
		  a->config.host, state_str(a->state), state_str(next));
	assert(may_go(a->state, next));
	a->state = next;
}

void attachment_set_timer(struct event *ev, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(ev, &tv);
}

/* ---- the end ------------------------------------------------------------ */

void attachment_released(bool given_back, void *user)
{
	struct attachment *a = user;

	if (a->state == ATTACHMENT_WAITING) {
		attachment_claim_later(a);
		return;
	}
	attachment_set_state(a, ATTACHMENT_ENDED);
	if (!given_back)
		log_warning("%s has not confirmed that it has %s back: it "
			    "takes it when the lease is over", a->config.host,
			    a->config.device);
	if (a->ctl)
		ctl_detached(a->ctl, given_back);
	a->config.ended(&a->why, a->config.user);
}

void attachment_unplug(struct attachment *a)
{
	int r;

	event_del(a->look);
	event_del(a->deadline);
	event_del(a->flush);
	a->queued = false;
	event_del(a->readable);
	r = a->vhci->ops->unplug(a->vhci);
	if (r && r != -ENOTCONN)
		log_warning("unplugging %u-%u: %s", a->place.busnum,
			    a->place.hubport, strerror(-r));
}

/*
 * Unplug first: every driver hears at once that the device is gone, and
 * nothing waits for the network any more.
 */
static void detach(struct attachment *a)
{
	if (a->state >= ATTACHMENT_DETACHING)
		return;
	attachment_set_state(a, ATTACHMENT_DETACHING);
	event_del(a->again);
	event_del(a->retry);
	if (a->port)
		port_down(a->port);
	attachment_unplug(a);
	session_release(a->next ? a->next : a->session, attachment_released);
}

static void give_up(struct attachment *a, const struct failure *why)
{
	if (a->state >= ATTACHMENT_DETACHING)
		return;
	a->why = *why;
	detach(a);
}

void attachment_detach(struct attachment *a, const char *why)
{
	if (a->state >= ATTACHMENT_DETACHING)
		return;
	if (a->state > ATTACHMENT_CLAIMING)
		log_info("port %u: %s from %s is detached: %s", ctl_port(a->ctl),
			 a->config.device, a->config.host, why);
	/* Who waits for the device is not told that it is there. */
	if (!a->told)
		failure_set(&a->why, FAILURE_OTHER,
			    "attaching was broken off: %s", why);
	else
		failure_set(&a->why, FAILURE_NONE, "%s", why);
	detach(a);
}

void attachment_fail(struct attachment *a, const struct failure *why)
{
	if (a->told && a->state < ATTACHMENT_DETACHING)
		log_error("port %u: %s", ctl_port(a->ctl), why->text);
	give_up(a, why);
}

void attachment_lose(struct attachment *a, const struct failure *why)
{
	if (!a->told || !attachment_wait(a, why))
		attachment_fail(a, why);
}

static void set_gone(struct failure *f, const struct attachment *a,
		     const char *why)
{
	failure_set(f, FAILURE_OTHER, "%s from %s is gone: %s",
		    a->config.device, a->config.host, why);
}

/* Over for another reason than ours. */
static void lost(const char *why, void *user)
{
	struct attachment *a = user;
	struct failure f;

	set_gone(&f, a, why);
	attachment_lose(a, &f);
}

static void lost_for_good(const char *why, struct attachment *a)
{
	struct failure f;

	set_gone(&f, a, why);
	attachment_fail(a, &f);
}

/* ---- the kernel's side -------------------------------------------------- */

static void kernel_submits(const struct vhci_submit *s, void *user)
{
	struct attachment *a = user;

	port_submit(a->port, s);
}

static void kernel_unlinks(uint64_t id, void *user)
{
	struct attachment *a = user;

	port_unlink(a->port, id);
}

static void kernel_resets(uint64_t id, void *user)
{
	struct attachment *a = user;

	a->reset_id = id;
	port_reset(a->port, id);
}

static void kernel_wants_streams(const struct vhci_streams *s, void *user)
{
	struct attachment *a = user;

	port_streams(a->port, s);
}

static void kernel_suspends(uint64_t id, bool suspend, void *user)
{
	struct attachment *a = user;

	port_suspend(a->port, id, suspend);
}

/* Is the device plugged in? */
static bool is_plugged(const struct attachment *a)
{
	return a->state >= ATTACHMENT_ENUMERATING &&
	       a->state <= ATTACHMENT_HELD;
}

/* The kernel does not talk to us about the device any more. */
static void kernel_failed(struct attachment *a, int r)
{
	if (r == -ENOTCONN)
		attachment_sleep(a);
	else
		lost_for_good(strerror(-r), a);
}

/* False: it is not plugged in any more. */
static bool read_kernel(struct attachment *a, bool all)
{
	int r;

	do {
		r = a->vhci->ops->receive(a->vhci);
	} while (r > 0 && all && is_plugged(a));
	if (r < 0)
		kernel_failed(a, r);
	return is_plugged(a);
}

static void kernel_readable(evutil_socket_t fd, short what, void *user)
{
	read_kernel(user, false);
}

static void flush_due(evutil_socket_t fd, short what, void *user)
{
	struct attachment *a = user;

	while (a->queued && is_plugged(a)) {
		bool stopped;
		int r;

		a->queued = false;
		r = a->vhci->ops->flush(a->vhci);
		if (r) {
			kernel_failed(a, r);
			return;
		}
		stopped = port_written(a->port);
		/* Even if not: most drivers go on at once, within the write. */
		if (!read_kernel(a, stopped))
			return;
		if (stopped)
			port_settled(a->port);
	}
}

/* ---- what the port wants ------------------------------------------------ */

static int port_submits(struct urb *urb, uint32_t acked, void *user)
{
	struct attachment *a = user;

	return calls_submit(a->calls, urb, acked);
}

static void port_unlinks(struct urb *urb, void *user)
{
	struct attachment *a = user;

	calls_unlink(a->calls, urb);
}

static void port_renews(void *user)
{
	struct attachment *a = user;

	session_renew(a->session);
}

static void port_completes(const struct vhci_complete *done, void *user)
{
	struct attachment *a = user;

	if (done->id == ATTACHMENT_RESET_ID) {
		attachment_was_reset(a, done->status);
		return;
	}
	if (!is_plugged(a))
		return;
	if (done->id == a->reset_id)
		a->reset_id = 0;
	if (a->vhci->ops->complete(a->vhci, done)) {
		lost("out of memory", a);
		return;
	}
	if (!a->queued)
		event_active(a->flush, EV_TIMEOUT, 1);
	a->queued = true;
}

static void port_retries_in(unsigned int ms, void *user)
{
	struct attachment *a = user;

	if (!evtimer_pending(a->retry, NULL))
		attachment_set_timer(a->retry, ms);
}

static void port_heard(const uint8_t setup[8], const uint8_t *data, size_t len,
		       void *user)
{
	struct attachment *a = user;

	if (!len)
		a->configured = setup[2];
	names_learn(&a->names,
		    session_device(a->session)->descriptors.device, setup, data,
		    len);
}

static void retry_due(evutil_socket_t fd, short what, void *user)
{
	struct attachment *a = user;

	port_retry(a->port);
}

/* ---- what the session says ---------------------------------------------- */

static void session_claimed(void *user)
{
	struct attachment *a = user;
	const struct claim_device *device;
	struct port_ops ops = {
		.submit = port_submits,
		.unlink = port_unlinks,
		.renew = port_renews,
		.complete = port_completes,
		.retry_in = port_retries_in,
		.heard = port_heard,
		.broken = lost,
		.user = a,
	};
	struct failure f;
	int r;

	if (a->next)
		attachment_take_next(a);
	device = session_device(a->session);
	failure_set(&f, FAILURE_OTHER, "out of memory");
	a->port = port_new(&device->window, &device->descriptors, &ops);
	a->calls = calls_new(a->session, a->config.base);
	if (!a->port || !a->calls || attachment_take_number(a, &f)) {
		attachment_lose(a, &f);
		return;
	}
	port_set_isoc(a->port, device->speed, a->config.isoc_ms);
	if (a->config.udp)
		port_limit_isoc(a->port);
	port_up(a->port);
	r = attachment_plug(a, &f);
	if (r == -EAGAIN && a->told)
		attachment_sleep(a);
	else if (r)
		attachment_lose(a, &f);
}

static void session_failed(const struct failure *f, void *user)
{
	struct attachment *a = user;

	if (a->state == ATTACHMENT_WAITING)
		attachment_not_yet(a, f);
	else if (f->lasting || !attachment_wait(a, f))
		give_up(a, f);
}

static void session_ended(usbip_stat why, const char *text, void *user)
{
	if (!attachment_follow(user, why, text))
		lost(text, user);
}

static void session_lost(void *user)
{
	struct attachment *a = user;

	calls_down(a->calls);
	port_down(a->port);
	if (a->state == ATTACHMENT_ATTACHED)
		attachment_set_state(a, ATTACHMENT_HELD);
}

static void session_restored(void *user)
{
	struct attachment *a = user;

	if (a->state == ATTACHMENT_HELD)
		attachment_set_state(a, ATTACHMENT_ATTACHED);
	port_up(a->port);
}

static size_t session_acks(struct port_ack *acks, bool all, void *user)
{
	struct attachment *a = user;

	return a->port ? port_acks(a->port, acks, all) : 0;
}

/* ---- life --------------------------------------------------------------- */

static void look(evutil_socket_t fd, short what, void *user)
{
	attachment_look(user);
}

static void deadline(evutil_socket_t fd, short what, void *user)
{
	attachment_late(user);
}

static void again(evutil_socket_t fd, short what, void *user)
{
	attachment_again(user);
}

static int make_events(struct attachment *a)
{
	struct event_base *base = a->config.base;

	a->flush = event_new(base, -1, 0, flush_due, a);
	a->retry = evtimer_new(base, retry_due, a);
	a->look = evtimer_new(base, look, a);
	a->deadline = evtimer_new(base, deadline, a);
	a->again = evtimer_new(base, again, a);
	a->readable = event_new(base, a->vhci->fd, EV_READ | EV_PERSIST,
				kernel_readable, a);
	return a->flush && a->retry && a->look && a->deadline && a->again &&
	       a->readable ? 0 : -ENOMEM;
}

int attachment_claim(struct attachment *a, struct session **sp,
		     unsigned int timeout_ms)
{
	const struct session_config session = {
		.base = a->config.base,
		.records = &a->records,
		.host = a->config.host,
		.device = a->config.device,
		.udp = a->config.udp,
		.tcp_port = a->config.tcp_port,
		.timeout_ms = timeout_ms,
		.claimed = session_claimed,
		.failed = session_failed,
		.lost = session_lost,
		.restored = session_restored,
		.acks = session_acks,
		.ended = session_ended,
		.user = a,
	};

	return session_new(sp, &session);
}

static int begin(struct attachment *a, struct failure *f)
{
	const struct vhci_events events = {
		.submit = kernel_submits,
		.unlink = kernel_unlinks,
		.reset = kernel_resets,
		.streams = kernel_wants_streams,
		.suspend = kernel_suspends,
		.user = a,
	};
	int r;

	r = a->config.open(&a->vhci, &events, f);
	if (r)
		return r;
	r = make_events(a);
	/* What may be waited for has a number to be called by. */
	if (!r && a->config.persist && attachment_take_number(a, f))
		return -EBUSY;
	if (!r)	/* who does not answer is named before the deadline is over */
		r = attachment_claim(a, &a->session,
				     a->config.timeout_ms / 5 * 4);
	if (r)
		failure_set(f, FAILURE_OTHER, "%s", strerror(-r));
	else
		attachment_set_timer(a->deadline, a->config.timeout_ms);
	return r;
}

int attachment_new(struct attachment **ap,
		   const struct attachment_config *config, struct failure *f)
{
	struct attachment *a = calloc(1, sizeof(*a));
	int r;

	if (!a) {
		failure_set(f, FAILURE_OTHER, "out of memory");
		return -ENOMEM;
	}
	a->config = *config;
	pool_init(&a->records, RPCCLNT_POOLED);
	r = begin(a, f);
	if (r) {
		attachment_free(a);
		return r;
	}
	*ap = a;
	return 0;
}

struct attachment *attachment_free(struct attachment *a)
{
	struct event *events[6];

	if (!a)
		return NULL;
	a->ctl = ctl_free(a->ctl);
	/* The connection first: its calls refer to URBs and their data. */
	if (a->vhci && a->readable)
		event_del(a->readable);
	a->next = session_free(a->next);
	a->session = session_free(a->session);
	a->calls = calls_free(a->calls);
	a->port = port_free(a->port);
	memcpy(events, (struct event *[]){ a->readable, a->flush, a->retry,
		a->look, a->deadline, a->again }, sizeof(events));
	for (size_t i = 0; i < 6; i++)
		if (events[i])
			event_free(events[i]);
	if (a->vhci)
		a->vhci->ops->free(a->vhci);
	pool_deinit(&a->records);
	free(a);
	return NULL;
}

json_t *attachment_status(const struct attachment *a)
{
	const struct claim_device *device = session_device(a->session);
	const struct contact *contact = session_contact(a->session);
	const struct snapshot s = {
		.port = ctl_port(a->ctl),
		.place = &a->place,
		.devnum = a->vhci->ops->devnum(a->vhci),
		.names = &a->names,
		.host = a->config.host,
		.asked = a->config.device,
		.device = device->lease ? device : NULL,
		.persist = a->config.persist,
		.since = a->since,
		.state = state_str(a->state),
		.session = session_state_str(session_state(a->session)),
		.transport = a->config.udp ? "udp" : "tcp",
		.contact = contact,
		.reconnects = a->reconnects + contact->returns,
		.waits_since = a->state == ATTACHMENT_WAITING ?
			       a->waits_since : 0,
		.attempts = a->attempts,
		.why = a->refusal.text[0] ? a->refusal.text : a->why.text,
		.stats = a->port ? port_stats(a->port) : NULL,
		.isoc = a->port ? port_isoc(a->port) : NULL,
		.outstanding = a->port ? port_outstanding(a->port) : 0,
	};

	return snapshot_json(&s);
}
