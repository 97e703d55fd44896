// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop - as much of libevent as the code under test uses, in virtual time.
 */
#include "tests/sim/loop.h"

#include <event2/event.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

struct event {
	TAILQ_ENTRY(event) link;	/* of those that wait to read */
	struct sim_timer timer;
	event_callback_fn fn;
	void *arg;
	evutil_socket_t fd;
	bool reads;
};

static TAILQ_HEAD(, event) readers = TAILQ_HEAD_INITIALIZER(readers);

static void run(void *arg)
{
	struct event *ev = arg;

	ev->fn(ev->fd, EV_TIMEOUT, ev->arg);
}

struct event *event_new(struct event_base *base, evutil_socket_t fd, short what,
			event_callback_fn fn, void *arg)
{
	struct event *ev = calloc(1, sizeof(*ev));

	if (!ev)
		return NULL;
	sim_timer_init(&ev->timer, run, ev);
	ev->fn = fn;
	ev->arg = arg;
	ev->fd = fd;
	return ev;
}

int event_add(struct event *ev, const struct timeval *tv)
{
	if (tv) {
		sim_timer_set(&ev->timer, (uint64_t)tv->tv_sec * S +
			      (uint64_t)tv->tv_usec);
	} else if (!ev->reads) {
		ev->reads = true;
		TAILQ_INSERT_TAIL(&readers, ev, link);
	}
	return 0;
}

int event_del(struct event *ev)
{
	sim_timer_stop(&ev->timer);
	if (ev->reads)
		TAILQ_REMOVE(&readers, ev, link);
	ev->reads = false;
	return 0;
}

void event_free(struct event *ev)
{
	event_del(ev);
	free(ev);
}

void event_active(struct event *ev, int what, short calls)
{
	sim_timer_set(&ev->timer, 0);
}

int event_pending(const struct event *ev, short what, struct timeval *tv)
{
	return ev->timer.pending;
}

void loop_readable(void)
{
	struct event *ev;

	TAILQ_FOREACH(ev, &readers, link)
		if (!ev->timer.pending)
			sim_timer_set(&ev->timer, 0);
}
