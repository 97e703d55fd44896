// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon - the target: server/ as it is, with everything exported to
 * everybody, and workers that have no threads.
 */
#include "tests/sim/daemon.h"

#include <stdlib.h>
#include <string.h>

#include "rpc/usbip.h"
#include "server/peer.h"
#include "server/proc.h"
#include "server/target.h"
#include "server/worker.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"
#include "tests/sim/srv.h"
#include "tests/sim/wire.h"

extern const struct backend_ops device_backend;

#define LOOK_EVERY	(500 * MS)
#define LATE		(2 * S)		/* a device may take so long to claim */

static struct target *target;
static bool stopped;
static struct sim_timer stopping, looking;
static uint64_t last_call;

/* ---- workers ------------------------------------------------------------ */

struct worker {
	struct sim_timer timer;
	worker_fn fn;			/* NULL: it has run */
	worker_done_fn done;
	void *arg;
	int r;
};

static void work(void *arg)
{
	struct worker *w = arg;
	worker_fn fn = w->fn;

	if (fn) {
		w->fn = NULL;
		w->r = fn(w->arg);
		sim_timer_set(&w->timer, sim_delay(5 * MS));
	} else {
		w->done(w->r, w->arg);
	}
}

int worker_new(struct worker **workerp, struct event_base *base)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	sim_timer_init(&w->timer, work, w);
	*workerp = w;
	return 0;
}

int worker_run(struct worker *w, worker_fn fn, worker_done_fn done, void *arg)
{
	sim_check(!w->timer.pending, "a device does one thing at a time",
		  "two");
	w->fn = fn;
	w->done = done;
	w->arg = arg;
	sim_timer_set(&w->timer, sim_delay(sim_chance(90) ? 10 * MS : 1 * S));
	return 0;
}

struct worker *worker_free(struct worker *w)
{
	if (w)
		sim_timer_stop(&w->timer);
	free(w);
	return NULL;
}

struct worker *worker_abandon(struct worker *w, void (*drop)(void *arg))
{
	return worker_free(w);
}

/* ---- exports and names -------------------------------------------------- */

bool exports_allow(const struct exports *ex, const struct backend_info *info,
		   const struct sockaddr *peer, const struct peer_name *name,
		   struct exports_options *options)
{
	if (options)
		memset(options, 0, sizeof(*options));
	return true;
}

bool exports_need_names(const struct exports *ex)
{
	return false;
}

bool exports_need_name(const struct exports *ex,
		       const struct backend_info *info,
		       const struct sockaddr *peer)
{
	return false;
}

const char *exports_netgroups(const struct exports *ex)
{
	return "";
}

size_t exports_count(const struct exports *ex)
{
	return 0;
}

int exports_load(struct exports **exportsp, const char *file)
{
	abort();
}

struct exports *exports_free(struct exports *ex)
{
	return NULL;
}

int peer_names_new(struct peer_names **namesp, struct event_base *base)
{
	*namesp = NULL;
	return 0;
}

struct peer_names *peer_names_free(struct peer_names *names)
{
	return NULL;
}

void peer_names_groups(struct peer_names *names, const char *groups)
{
}

void peer_name(struct peer_names *names, const struct sockaddr *addr,
	       const void *caller, peer_done_fn done, void *user)
{
	done(0, NULL, user);
}

void peer_forget(struct peer_names *names, const void *caller)
{
}

/* ---- what is looked at -------------------------------------------------- */

/* In words: behind the header of a call, and of a reply. */
#define ARGS	10
#define RESULTS	6

static void note_unlink(const uint8_t *data, size_t len)
{
	uint32_t stat = wire_word(wire_buffer, WIRE_MAX, RESULTS);
	uint32_t endpoint = wire_word(data, len, ARGS + 2);

	if (stat == USBIP_OK)
		oracle_unlink_came((uint8_t)endpoint,
				   (uint16_t)(endpoint >> 16),
				   wire_word(data, len, ARGS + 3));
}

/* One of each row is let in whatever there is. */
static void check_window(const struct session *s)
{
	const struct sessions *ss = s->sessions;

	sim_check(s->window.urbs <= ss->max_urbs + ENDPOINT_ROWS,
		  "kept replies and early UNLINKs are within the window",
		  "%u URBs of %u", s->window.urbs, ss->max_urbs);
	sim_check(s->window.unlinks <= ss->max_urbs + ENDPOINT_ROWS,
		  "kept replies and early UNLINKs are within the window",
		  "%u UNLINKs of %u", s->window.unlinks, ss->max_urbs);
	sim_check(s->window.bytes <= ss->max_bytes + ENDPOINT_ROWS * 65536,
		  "kept replies and early UNLINKs are within the window",
		  "%zu bytes of %zu", s->window.bytes, ss->max_bytes);
}

/* There is one controller. */
static void look(void *arg)
{
	const struct session *s;

	sim_timer_set(&looking, LOOK_EVERY);
	TAILQ_FOREACH(s, &target->sessions.list, link)
		sim_check(s->state != SESSION_STATE_ACTIVE ||
			  sim_now < last_call + s->lease * S + LATE,
			  "a lease that nobody renews is over", "after %u s",
			  (unsigned int)((sim_now - last_call) / S));
}

void daemon_dispatched(const uint8_t *data, size_t len)
{
	const struct session *s;

	last_call = sim_now;
	if (wire_word(data, len, 5) == USBIP_UNLINK)
		note_unlink(data, len);
	TAILQ_FOREACH(s, &target->sessions.list, link)
		check_window(s);
}

/* ---- life --------------------------------------------------------------- */

static void free_target(void *arg)
{
	sim_timer_stop(&looking);
	srv_hang_up();
	target = target_free(target);
	srv_end();
	sim_note("         the daemon is down");
}

static void tell_stopped(void *user)
{
	stopped = true;
	sim_timer_set(&stopping, 10 * MS);
}

void daemon_begin(void)
{
	const struct target_config config = {
		.backend = &device_backend,
		.lease = sim_weather.lease,
		.ops = &proc_target_ops,
		.stopped = tell_stopped,
	};

	stopped = false;
	sim_timer_init(&stopping, free_target, NULL);
	if (target_new(&target, &config))
		abort();
	target->sessions.max_urbs = sim_weather.window_urbs;
	target->sessions.max_bytes = sim_weather.window_bytes;
	srv_begin(target);
	sim_timer_init(&looking, look, NULL);
	sim_timer_set(&looking, LOOK_EVERY);
	sim_note("         the daemon is up");
}

bool daemon_is_up(void)
{
	return target;
}

void daemon_stop(bool abrupt)
{
	if (!target || target->stopping)
		return;
	sim_note("         the daemon %s", abrupt ? "dies" : "stops");
	if (abrupt)
		srv_hang_up();
	target_stop(target);
}

void daemon_end(void)
{
	sim_check(!target, "the target stops", "it does not");
}
