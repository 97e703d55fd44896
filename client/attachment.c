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
 *   and from each of them DETACHING -> ENDED
 */
#include "client/attachment.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/calls.h"
#include "client/ctl.h"
#include "client/names.h"
#include "client/port.h"
#include "client/session.h"
#include "client/snapshot.h"
#include "client/sysfs.h"
#include "common/log.h"
#include "common/text.h"

#define LOOK_EVERY_MS	50

struct attachment {
	struct attachment_config config;
	enum attachment_state state;
	struct vhci *vhci;
	struct session *session;
	struct calls *calls;
	struct port *port;
	struct ctl *ctl;
	struct event *readable;		/* the kernel wants something */
	struct event *flush;		/* answers are queued */
	struct event *retry;		/* port_retry() */
	struct event *look;		/* at sysfs, while ENUMERATING */
	struct event *deadline;
	struct vhci_place place;
	struct names names;
	time_t since;
	bool queued;
	bool configured;		/* by the kernel, and not to 0 */
	struct failure why;		/* of the end */
};

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
		return from == ATTACHMENT_CLAIMING;
	case ATTACHMENT_ATTACHED:
		return from == ATTACHMENT_ENUMERATING || from == ATTACHMENT_HELD;
	case ATTACHMENT_HELD:
		return from == ATTACHMENT_ATTACHED;
	case ATTACHMENT_DETACHING:
		return from < ATTACHMENT_DETACHING;
	case ATTACHMENT_ENDED:
		return from == ATTACHMENT_DETACHING;
	}
	return false;
}

/* The only writer of a->state. */
static void attachment_set_state(struct attachment *a,
				 enum attachment_state next)
{
	log_debug(LOG_TAG_PORT, "%s from %s: %s -> %s", a->config.device,
		  a->config.host, state_str(a->state), state_str(next));
	assert(may_go(a->state, next));
	a->state = next;
}

static void set_timer(struct event *ev, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(ev, &tv);
}

/* ---- the end ------------------------------------------------------------ */

static void released(bool given_back, void *user)
{
	struct attachment *a = user;

	attachment_set_state(a, ATTACHMENT_ENDED);
	if (!given_back)
		log_warning("%s has not confirmed that it has %s back: it "
			    "takes it when the lease is over", a->config.host,
			    a->config.device);
	if (a->ctl)
		ctl_detached(a->ctl, given_back);
	a->config.ended(&a->why, a->config.user);
}

/*
 * Unplug first: every driver hears at once that the device is gone, and
 * nothing waits for the network any more.
 */
static void detach(struct attachment *a)
{
	int r;

	if (a->state >= ATTACHMENT_DETACHING)
		return;
	attachment_set_state(a, ATTACHMENT_DETACHING);
	event_del(a->look);
	event_del(a->deadline);
	event_del(a->retry);
	event_del(a->flush);
	if (a->readable)
		event_del(a->readable);
	if (a->port)
		port_down(a->port);
	r = a->vhci->ops->unplug(a->vhci);
	if (r)
		log_warning("unplugging %u-%u: %s", a->place.busnum,
			    a->place.hubport, strerror(-r));
	session_release(a->session, released);
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
	if (a->state < ATTACHMENT_ATTACHED)
		failure_set(&a->why, FAILURE_OTHER,
			    "attaching was broken off: %s", why);
	else
		failure_set(&a->why, FAILURE_NONE, "%s", why);
	detach(a);
}

/* Over for another reason than ours. */
static void lost_for_good(const char *why, void *user)
{
	struct attachment *a = user;
	struct failure f;

	failure_set(&f, FAILURE_OTHER, "%s from %s is gone: %s",
		    a->config.device, a->config.host, why);
	if (a->state > ATTACHMENT_ENUMERATING &&
	    a->state < ATTACHMENT_DETACHING)
		log_error("port %u: %s", ctl_port(a->ctl), f.text);
	give_up(a, &f);
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

	port_reset(a->port, id);
}

static void kernel_wants_streams(const struct vhci_streams *s, void *user)
{
	struct attachment *a = user;

	port_streams(a->port, s);
}

/* False: the controller is gone, and so is the attachment. */
static bool read_kernel(struct attachment *a, bool all)
{
	int r;

	do {
		r = a->vhci->ops->receive(a->vhci);
	} while (r > 0 && all && a->state < ATTACHMENT_DETACHING);
	if (r >= 0)
		return true;
	lost_for_good(strerror(-r), a);
	return false;
}

static void kernel_readable(evutil_socket_t fd, short what, void *user)
{
	read_kernel(user, false);
}

static void flush_due(evutil_socket_t fd, short what, void *user)
{
	struct attachment *a = user;

	while (a->queued && a->state < ATTACHMENT_DETACHING) {
		bool stopped;
		int r;

		a->queued = false;
		r = a->vhci->ops->flush(a->vhci);
		if (r) {
			lost_for_good(strerror(-r), a);
			return;
		}
		stopped = port_written(a->port);
		/* Even if not: most drivers go on at once, within the write. */
		if (!read_kernel(a, stopped) ||
		    a->state >= ATTACHMENT_DETACHING)
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

	if (a->state >= ATTACHMENT_DETACHING)
		return;
	if (a->vhci->ops->complete(a->vhci, done)) {
		lost_for_good("out of memory", a);
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
		set_timer(a->retry, ms);
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

/* ---- enumeration -------------------------------------------------------- */

static void attached(struct attachment *a)
{
	const uint8_t *d = session_device(a->session)->descriptors.device;
	char text[256], name[160];

	event_del(a->look);
	event_del(a->deadline);
	text_device_name(a->names.maker, a->names.product, name, sizeof(name));
	snprintf(text, sizeof(text),
		 "attached %04x:%04x %s%sfrom %s as port %u (bus %u-%u)",
		 usb_get16(d + 8), usb_get16(d + 10), name, *name ? " " : "",
		 a->config.host, ctl_port(a->ctl), a->place.busnum,
		 a->place.hubport);
	a->since = time(NULL);
	attachment_set_state(a, ATTACHMENT_ATTACHED);
	a->config.attached(text, a->config.user);
}

static void look(evutil_socket_t fd, short what, void *user)
{
	struct attachment *a = user;

	/* Until then, what is there may be left of the device before. */
	if (a->configured &&
	    sysfs_is_configured(a->config.sysfs_dir, &a->place,
				&session_device(a->session)->descriptors))
		attached(a);
	else
		set_timer(a->look, LOOK_EVERY_MS);
}

static void deadline(evutil_socket_t fd, short what, void *user)
{
	struct attachment *a = user;
	struct failure f;

	if (a->state == ATTACHMENT_ENUMERATING)
		failure_set(&f, FAILURE_ENUMERATION,
			    "%s from %s did not get ready within %u s: %s",
			    a->config.device, a->config.host,
			    a->config.timeout_ms / 1000,
			    sysfs_missing(a->config.sysfs_dir, &a->place));
	else
		failure_set(&f, FAILURE_UNREACHABLE,
			    "no claim of %s at %s within %u s",
			    a->config.device, a->config.host,
			    a->config.timeout_ms / 1000);
	give_up(a, &f);
}

static json_t *ctl_status(void *user)
{
	return attachment_status(user);
}

static void ctl_detach(void *user)
{
	attachment_detach(user, "as asked");
}

/* 0, or -1 and *f says why. */
static int take_number(struct attachment *a, struct failure *f)
{
	const struct ctl_config ctl = {
		.base = a->config.base,
		.dir = a->config.ctl_dir,
		.port = a->config.port,
		.status = ctl_status,
		.detach = ctl_detach,
		.user = a,
	};
	int r = ctl_new(&a->ctl, &ctl);

	if (!r)
		return 0;
	if (r == -EBUSY)
		failure_set(f, FAILURE_BUSY, "port %d is taken", ctl.port);
	else
		failure_set(f, FAILURE_OTHER, "no control socket in %s: %s",
			    ctl.dir, strerror(-r));
	return -1;
}

static int plug(struct attachment *a, const struct claim_device *device,
		struct failure *f)
{
	int r = a->vhci->ops->plug(a->vhci, device->speed, &a->place);

	if (!r) {
		a->readable = event_new(a->config.base, a->vhci->fd,
					EV_READ | EV_PERSIST, kernel_readable,
					a);
		r = a->readable && !event_add(a->readable, NULL) ? 0 : -ENOMEM;
	}
	if (!r)
		return 0;
	if (r == -ENOSPC)
		failure_set(f, FAILURE_BUSY,
			    "no free port for a device of %s: detach another, "
			    "or load usbip-rpc-vhci with more ports",
			    usb_speed_text(device->speed));
	else
		failure_set(f, FAILURE_OTHER,
			    "the controller does not take the device: %s",
			    strerror(-r));
	return -1;
}

/* ---- what the session says ---------------------------------------------- */

static void session_claimed(void *user)
{
	struct attachment *a = user;
	const struct claim_device *device = session_device(a->session);
	struct port_ops ops = {
		.submit = port_submits,
		.unlink = port_unlinks,
		.renew = port_renews,
		.complete = port_completes,
		.retry_in = port_retries_in,
		.heard = port_heard,
		.broken = lost_for_good,
		.user = a,
	};
	struct failure f;

	failure_set(&f, FAILURE_OTHER, "out of memory");
	a->port = port_new(&device->window, &device->descriptors, &ops);
	a->calls = calls_new(a->session);
	if (!a->port || !a->calls || take_number(a, &f) ||
	    plug(a, device, &f)) {
		give_up(a, &f);
		return;
	}
	port_set_isoc(a->port, device->speed, a->config.isoc_ms);
	attachment_set_state(a, ATTACHMENT_ENUMERATING);
	port_up(a->port);
	set_timer(a->look, LOOK_EVERY_MS);
}

static void session_failed(const struct failure *f, void *user)
{
	give_up(user, f);
}

static void session_lost(void *user)
{
	struct attachment *a = user;

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

static int make_events(struct attachment *a)
{
	struct event_base *base = a->config.base;

	a->flush = event_new(base, -1, 0, flush_due, a);
	a->retry = evtimer_new(base, retry_due, a);
	a->look = evtimer_new(base, look, a);
	a->deadline = evtimer_new(base, deadline, a);
	return a->flush && a->retry && a->look && a->deadline ? 0 : -ENOMEM;
}

static int begin(struct attachment *a, struct failure *f)
{
	const struct vhci_events events = {
		.submit = kernel_submits,
		.unlink = kernel_unlinks,
		.reset = kernel_resets,
		.streams = kernel_wants_streams,
		.user = a,
	};
	const struct session_config session = {
		.base = a->config.base,
		.host = a->config.host,
		.device = a->config.device,
		.tcp_port = a->config.tcp_port,
		/* Who does not answer is named before the deadline is over. */
		.timeout_ms = a->config.timeout_ms / 5 * 4,
		.claimed = session_claimed,
		.failed = session_failed,
		.lost = session_lost,
		.restored = session_restored,
		.acks = session_acks,
		.ended = lost_for_good,
		.user = a,
	};
	int r;

	r = a->config.open(&a->vhci, &events, f);
	if (r)
		return r;
	r = make_events(a);
	if (!r)
		r = session_new(&a->session, &session);
	if (r)
		failure_set(f, FAILURE_OTHER, "%s", strerror(-r));
	else
		set_timer(a->deadline, a->config.timeout_ms);
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
	struct event *events[5];

	if (!a)
		return NULL;
	a->ctl = ctl_free(a->ctl);
	/* The connection first: its calls refer to URBs and their data. */
	if (a->vhci && a->readable)
		event_del(a->readable);
	a->session = session_free(a->session);
	a->calls = calls_free(a->calls);
	a->port = port_free(a->port);
	memcpy(events, (struct event *[]){ a->readable, a->flush, a->retry,
		a->look, a->deadline }, sizeof(events));
	for (size_t i = 0; i < 5; i++)
		if (events[i])
			event_free(events[i]);
	if (a->vhci)
		a->vhci->ops->free(a->vhci);
	free(a);
	return NULL;
}

json_t *attachment_status(const struct attachment *a)
{
	const struct snapshot s = {
		.port = ctl_port(a->ctl),
		.place = &a->place,
		.devnum = a->vhci->ops->devnum(a->vhci),
		.names = &a->names,
		.host = a->config.host,
		.device = session_device(a->session),
		.since = a->since,
		.state = state_str(a->state),
		.session = session_state_str(session_state(a->session)),
		.reconnects = session_returns(a->session),
		.stats = port_stats(a->port),
		.isoc = port_isoc(a->port),
		.outstanding = port_outstanding(a->port),
	};

	return snapshot_json(&s);
}
