// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target - what this machine offers. Owns the devices (from arrival until
 * they are unplugged and given up by their session), the sessions, the
 * events, the table of exports, and the timer over all of them.
 */
#include "server/target.h"

#include <ctype.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/pool.h"
#include "server/peer.h"
#include "server/urb.h"
#include "server/worker.h"

/* Until what the system had no room for is tried again, at the latest. */
#define ROOM_MS 20

uint64_t target_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static struct target *of_session(const struct session *s)
{
	return s->sessions->user;
}

/* ---- devices come and go ------------------------------------------------ */

static void *add_device(const struct backend_info *info, void *bdev, void *user)
{
	struct target *t = user;
	struct device *dev;

	if (device_new(&dev, info, t->config.backend, bdev, t->config.base))
		return NULL;
	dev->user = t;
	dev->id = ++t->last_id;
	TAILQ_INSERT_TAIL(&t->devices, dev, link);
	log_debug(LOG_TAG_DEVICE, "%s: plugged in, %04x:%04x %s", info->busid,
		  descriptors_vendor(&info->descriptors),
		  descriptors_product(&info->descriptors), info->product);
	events_add(&t->events,
		   departures_is_successor(&t->departures, info, target_now()) ?
		   EVENTS_TYPE_REENUMERATED : EVENTS_TYPE_ARRIVED, info->busid,
		   0, SESSION_WHY_NONE);
	return dev;
}

static void forget_device(struct device *dev)
{
	struct target *t = dev->user;
	void *bdev = dev->bdev;

	device_free(dev);
	t->config.backend->forget(bdev);
}

static void tell_session_end(struct session *s, enum session_why why)
{
	const struct device *dev = s->device;

	log_info("%s: the session of %s has ended: %s", dev->info->busid,
		 s->host, session_why_name(why));
	events_add(&of_session(s)->events, EVENTS_TYPE_SESSION,
		   dev->info->busid, s->handle, why);
	of_session(s)->config.ops->left(s);
}

static void end_session(struct session *s, enum session_why why)
{
	if (s->why != SESSION_WHY_NONE)
		return;
	tell_session_end(s, why);
	session_end(s, why);
}

static void remove_device(void *device)
{
	struct device *dev = device;
	struct target *t = dev->user;

	log_debug(LOG_TAG_DEVICE, "%s: unplugged", dev->info->busid);
	dev->gone = true;
	TAILQ_REMOVE(&t->devices, dev, link);
	departures_note(&t->departures, dev->info, target_now());
	events_add(&t->events, EVENTS_TYPE_LEFT, dev->info->busid, 0,
		   SESSION_WHY_NONE);
	if (dev->holder)
		end_session(dev->holder, SESSION_WHY_GONE);
	else
		forget_device(dev);
}

static void end_urb(struct urb *urb)
{
	struct session *s = urb->endpoint->user;
	struct device *dev = s->device;
	bool lost = urb->type == URB_TYPE_RESET &&
		    urb->xfer == URB_XFER_SHUTDOWN && !dev->gone;

	if (lost)
		end_session(s, SESSION_WHY_GONE);
	session_done(s, urb);
}

static void tell_room(void *user)
{
	struct target *t = user;

	event_active(t->room, EV_TIMEOUT, 1);
}

static const struct backend_sink sink = {
	.arrived = add_device,
	.left = remove_device,
	.done = end_urb,
	.room = tell_room,
};

/* ---- sessions on devices ------------------------------------------------ */

static void check_stopped(struct target *t)
{
	struct session *s;

	if (!t->stopping || t->stopped)
		return;
	TAILQ_FOREACH(s, &t->sessions.list, link)
		if (s->state != SESSION_STATE_ENDED)
			return;
	t->stopped = true;
	/* while calls can still be answered */
	peer_forget(t->names, NULL);
	events_deinit(&t->events);
	t->config.stopped(t->config.user);
}

static void tell_returned(struct target *t)
{
	if (t->config.returned)
		t->config.returned(t->config.user);
	check_stopped(t);
}

/* Nobody has dev any more. */
static void give_up_device(struct device *dev)
{
	struct target *t = dev->user;

	dev->holder = NULL;
	if (dev->gone)
		forget_device(dev);
	else
		events_add(&t->events, EVENTS_TYPE_CHANGED, dev->info->busid, 0,
			   SESSION_WHY_NONE);
}

static void returned(int r, void *user)
{
	struct session *s = user;
	struct target *t = of_session(s);
	struct device *dev = s->device;
	void *call = s->waiter;

	s->waiter = NULL;
	session_returned(s, target_now());
	give_up_device(dev);
	if (call)
		t->config.ops->released(call);
	tell_returned(t);
}

static void return_device(struct session *s)
{
	struct device *dev = s->device;
	int r;

	r = device_return(dev, !s->no_reset, returned, s);
	if (r)
		log_error("%s: can not be given back: %s; restart this service",
			  dev->info->busid, strerror(-r));
}

static int start_urb(struct session *s, struct urb *urb)
{
	struct target *t = of_session(s);
	const struct timeval tv = { 0, ROOM_MS * 1000 };
	int r;

	r = device_start(s->device, urb, end_urb);
	if (r == -EAGAIN)
		event_add(t->room, &tv);
	return r;
}

static void cancel_urb(struct session *s, struct urb *urb)
{
	device_cancel(s->device, urb);
}

static void answer_urb(struct session *s, struct urb *urb)
{
	of_session(s)->config.ops->ended(urb->waiter, urb);
}

static void supersede_call(struct session *s, void *waiter)
{
	of_session(s)->config.ops->superseded(waiter);
}

static uint32_t affected_rows(struct session *s, const struct urb *urb)
{
	return device_affects(s->device, urb);
}

static const struct session_ops session_ops = {
	.start = start_urb,
	.cancel = cancel_urb,
	.answer = answer_urb,
	.superseded = supersede_call,
	.affects = affected_rows,
	.returning = return_device,
};

static void retry(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = { 0, ROOM_MS * 1000 };
	struct target *t = arg;
	bool starved = false;
	struct session *s;

	TAILQ_FOREACH(s, &t->sessions.list, link)
		if (s->state == SESSION_STATE_ACTIVE)
			starved |= session_run(s);
	if (starved)
		event_add(t->room, &tv);
}

/* ---- claiming ----------------------------------------------------------- */

bool target_allows(const struct target *t, const struct device *dev,
		   const struct target_peer *peer,
		   struct exports_options *options)
{
	return exports_allow(t->exports, dev->info, peer->addr, peer->name,
			     options);
}

bool target_is_named(const struct device *dev, const char *name)
{
	const struct descriptors *d = &dev->info->descriptors;
	char id[10];

	if (!strcmp(name, dev->info->busid))
		return true;
	snprintf(id, sizeof(id), "%04x:%04x", descriptors_vendor(d),
		 descriptors_product(d));
	if (strncasecmp(name, id, 9))
		return false;
	return !name[9] || (name[9] == '/' && name[10] &&
			    !strcmp(name + 10, dev->info->serial));
}

bool target_needs_name(struct target *t, const struct sockaddr *addr,
		       const char *device)
{
	const struct device *dev;

	if (!exports_need_names(t->exports))
		return false;
	target_rescan(t);	/* it is the devices of the answer that count */
	TAILQ_FOREACH(dev, &t->devices, link)
		if ((!device || target_is_named(dev, device)) &&
		    exports_need_name(t->exports, dev->info, addr))
			return true;
	return false;
}

/* What a name means to this peer: what it may have goes first. */
static enum target_claim find_device(struct target *t, const char *name,
				     const struct target_peer *peer,
				     struct exports_options *options,
				     struct device **found)
{
	struct exports_options o;
	struct device *dev;
	bool refused = false;

	*found = NULL;
	TAILQ_FOREACH(dev, &t->devices, link) {
		if (!target_is_named(dev, name))
			continue;
		if (!target_allows(t, dev, peer, &o)) {
			refused = true;
			continue;
		}
		if (*found)
			return TARGET_CLAIM_AMBIGUOUS;
		*found = dev;
		*options = o;
	}
	if (*found)
		return TARGET_CLAIM_PENDING;
	return refused ? TARGET_CLAIM_NO_PERMISSION : TARGET_CLAIM_NO_DEVICE;
}

static void claimed(int r, void *user)
{
	struct session *s = user;
	struct target *t = of_session(s);
	struct device *dev = s->device;
	void *call = s->waiter;

	s->waiter = NULL;
	if (r) {
		log_warning("%s: could not be claimed for %s: %s",
			    dev->info->busid, s->host, strerror(-r));
		session_end(s, SESSION_WHY_FAILED);
		session_returned(s, target_now());
		give_up_device(dev);
	} else {
		log_info("%s: claimed by %s", dev->info->busid, s->host);
		events_add(&t->events, EVENTS_TYPE_CHANGED, dev->info->busid, 0,
			   SESSION_WHY_NONE);
		session_activate(s, target_now());
		event_active(t->timer, EV_TIMEOUT, 1);
	}
	if (call)
		t->config.ops->claimed(call, s, r);
	tell_returned(t);
}

static enum target_claim begin_claim(struct target *t, struct device *dev,
				     const uint8_t *instance,
				     const struct target_peer *peer,
				     const struct exports_options *options,
				     void *call)
{
	struct session *s;
	int r;

	r = session_new(&s, &t->sessions, instance, peer->host, target_now());
	if (r) {
		log_error("%s: no session for %s: %s", dev->info->busid,
			  peer->host, strerror(-r));
		return TARGET_CLAIM_NO_ROOM;
	}
	if (options->lease)
		s->lease = options->lease;
	s->no_reset = options->no_reset;
	s->device = dev;
	s->waiter = call;
	r = device_claim(dev, claimed, s);
	if (r) {
		log_error("%s: can not be claimed: %s", dev->info->busid,
			  strerror(-r));
		session_end(s, SESSION_WHY_FAILED);
		session_returned(s, target_now());
		return TARGET_CLAIM_NO_ROOM;
	}
	dev->holder = s;
	return TARGET_CLAIM_PENDING;
}

/* The CLAIM that made s has come again. */
static enum target_claim claim_again(struct target *t, struct session *s,
				     void *call)
{
	if (s->state == SESSION_STATE_ACTIVE) {
		target_session(t, s->handle);	/* renews the lease */
		return TARGET_CLAIM_HELD;
	}
	if (s->waiter)
		t->config.ops->superseded(s->waiter);
	s->waiter = call;
	return TARGET_CLAIM_PENDING;
}

enum target_claim target_claim(struct target *t, const char *name,
			       const uint8_t *instance,
			       const struct target_peer *peer, void *call,
			       struct session **sp)
{
	struct exports_options options = { 0 };
	enum target_claim found;
	struct device *dev;

	target_rescan(t);
	found = find_device(t, name, peer, &options, &dev);
	if (found != TARGET_CLAIM_PENDING)
		return found;
	*sp = dev->holder;
	if (dev->holder && session_is_of(dev->holder, instance))
		return claim_again(t, dev->holder, call);
	if (dev->holder)
		return TARGET_CLAIM_BUSY;
	if (t->stopping)
		return TARGET_CLAIM_FAILED;
	return begin_claim(t, dev, instance, peer, &options, call);
}

void target_release(struct target *t, struct session *s, void *call)
{
	if (s->waiter)
		t->config.ops->superseded(s->waiter);
	s->waiter = call;
	end_session(s, SESSION_WHY_RELEASED);
}

void target_revoke(struct target *t, struct session *s)
{
	end_session(s, SESSION_WHY_REVOKED);
}

struct session *target_session(struct target *t, uint64_t handle)
{
	return sessions_find(&t->sessions, handle, target_now());
}

int target_wait(struct target *t, const struct events_filter *filter,
		uint64_t after, unsigned int seconds, void *call)
{
	int r;

	if (t->stopping)
		return -EAGAIN;
	r = events_wait(&t->events, filter, after,
			target_now() + seconds * 1000ull, call);
	if (!r)
		event_active(t->timer, EV_TIMEOUT, 1);
	return r;
}

/* ---- time --------------------------------------------------------------- */

static bool expire_session(struct session *s)
{
	if (of_session(s)->config.ops->is_heard(s))
		return false;
	tell_session_end(s, SESSION_WHY_EXPIRED);
	return true;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct target *t = arg;
	uint64_t now = target_now(), next, wait;
	struct timeval tv;

	next = sessions_tick(&t->sessions, now, expire_session);
	wait = events_tick(&t->events, now);
	if (wait < next)
		next = wait;
	if (next == UINT64_MAX)
		return;
	next = next > now ? next - now : 1;
	tv.tv_sec = next / 1000;
	tv.tv_usec = next % 1000 * 1000;
	event_add(t->timer, &tv);
}

/* ---- exports ------------------------------------------------------------ */

/* What the loader has; nothing else, as it may have to be abandoned. */
struct load {
	struct target *target;		/* the loop's to look at */
	char *file;
	struct exports *exports;
};

static void free_load(void *arg)
{
	struct load *load = arg;

	exports_free(load->exports);
	free(load->file);
	free(load);
}

static int load_in_worker(void *arg)
{
	struct load *load = arg;

	return exports_load(&load->exports, load->file);
}

static void replace_exports(struct target *t, struct load *load)
{
	struct device *dev;

	peer_names_groups(t->names, exports_netgroups(load->exports));
	exports_free(t->exports);
	t->exports = steal_ptr(load->exports);
	log_info("%s: read again, %zu lines", load->file,
		 exports_count(t->exports));
	TAILQ_FOREACH(dev, &t->devices, link)
		events_add(&t->events, EVENTS_TYPE_CHANGED, dev->info->busid, 0,
			   SESSION_WHY_NONE);
}

static void loaded(int r, void *arg)
{
	struct load *load = arg;
	struct target *t = load->target;

	t->loader = worker_free(t->loader);
	if (r)
		log_warning("%s: not read; what was exported before still is",
			    load->file);
	else
		replace_exports(t, load);
	free_load(load);
	if (t->reload)
		target_reload(t);
}

static int start_load(struct target *t)
{
	struct load *load = calloc(1, sizeof(*load));
	int r = -ENOMEM;

	if (!load)
		return r;
	load->target = t;
	load->file = strdup(t->config.exports_file);
	if (load->file)
		r = worker_new(&t->loader, t->config.base);
	if (!r)
		r = worker_run(t->loader, load_in_worker, loaded, load);
	if (r) {
		t->loader = worker_free(t->loader);
		free_load(load);
	}
	return r;
}

void target_reload(struct target *t)
{
	int r;

	if (t->stopping)
		return;
	/* it may have changed since the loader has read it */
	t->reload = t->loader;
	if (t->loader)
		return;
	r = start_load(t);
	if (r)
		log_error("%s: not read: %s", t->config.exports_file,
			  strerror(-r));
}

/* ---- the whole ---------------------------------------------------------- */

void target_rescan(struct target *t)
{
	t->config.backend->rescan(t->backend);
}

void target_stop(struct target *t)
{
	struct session *s, *after;

	if (t->stopping)
		return;
	t->stopping = true;
	for (s = TAILQ_FIRST(&t->sessions.list); s; s = after) {
		after = TAILQ_NEXT(s, link);
		if (s->why == SESSION_WHY_NONE)
			end_session(s, SESSION_WHY_REVOKED);
	}
	check_stopped(t);
}

CLEANUP_DEFINE(struct target, target_free);

struct target *target_free(struct target *t)
{
	struct device *dev;

	if (!t)
		return NULL;
	worker_abandon(t->loader, free_load);
	peer_names_free(t->names);
	events_deinit(&t->events);
	sessions_deinit(&t->sessions);
	pool_deinit(&t->urbs);
	while ((dev = TAILQ_FIRST(&t->devices))) {
		TAILQ_REMOVE(&t->devices, dev, link);
		device_free(dev);
	}
	t->config.backend->close(t->backend);
	exports_free(t->exports);
	if (t->timer)
		event_free(t->timer);
	if (t->room)
		event_free(t->room);
	free(t);
	return NULL;
}

int target_new(struct target **tp, const struct target_config *config)
{
	_cleanup_(target_freep) struct target *t = calloc(1, sizeof(*t));
	int r;

	if (!t) {
		exports_free(config->exports);
		return -ENOMEM;
	}
	t->config = *config;
	t->exports = config->exports;
	TAILQ_INIT(&t->devices);
	sessions_init(&t->sessions, &session_ops, config->lease);
	t->sessions.user = t;
	events_init(&t->events, config->ops->events, t);
	if (getrandom(t->boot, sizeof(t->boot), 0) != sizeof(t->boot))
		return -errno;
	pool_init(&t->urbs, sizeof(struct urb));
	t->timer = event_new(config->base, -1, 0, tick, t);
	t->room = event_new(config->base, -1, 0, retry, t);
	if (!t->timer || !t->room)
		return -ENOMEM;
	r = peer_names_new(&t->names, config->base);
	if (r)
		return r;
	peer_names_groups(t->names, exports_netgroups(t->exports));
	r = config->backend->open(&t->backend, config->base,
				  config->backend_argument, &sink, t);
	if (r)
		return r;
	*tp = steal_ptr(t);
	return 0;
}
