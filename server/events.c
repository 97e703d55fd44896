// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * events - a ring of what happened. Owns the ring and the list of waiters;
 * how an answer looks on the wire is not known here.
 */
#include "server/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of those who have no session: strangers too. */
#define WAITS_MAX 1024
#define WAITS_HOST 128

void events_init(struct events *ev, events_answer_fn answer, void *user)
{
	memset(ev, 0, sizeof(*ev));
	TAILQ_INIT(&ev->waits);
	ev->answer = answer;
	ev->user = user;
}

static void remove_wait(struct events *ev, struct events_wait *wait)
{
	TAILQ_REMOVE(&ev->waits, wait, link);
	if (!wait->filter.session)
		ev->n_waits--;
}

static void answer_wait(struct events *ev, struct events_wait *wait)
{
	remove_wait(ev, wait);
	ev->answer(ev, wait);
	free(wait);
}

void events_deinit(struct events *ev)
{
	struct events_wait *wait;

	while ((wait = TAILQ_FIRST(&ev->waits)))
		answer_wait(ev, wait);
}

static bool is_wanted(const struct events_filter *filter,
		      const struct events_event *event)
{
	if (event->session || event->type == EVENTS_TYPE_SESSION)
		return filter->session && event->session == filter->session;
	return !filter->session || !strcmp(event->busid, filter->busid);
}

void events_add(struct events *ev, enum events_type type, const char *busid,
		uint64_t session, enum session_why why)
{
	struct events_event *event = &ev->kept[++ev->last % EVENTS_KEPT];
	struct events_wait *wait, *after;

	event->type = type;
	snprintf(event->busid, sizeof(event->busid), "%s", busid);
	event->session = session;
	event->why = why;
	for (wait = TAILQ_FIRST(&ev->waits); wait; wait = after) {
		after = TAILQ_NEXT(wait, link);
		if (is_wanted(&wait->filter, event))
			answer_wait(ev, wait);
	}
}

size_t events_get(const struct events *ev, const struct events_filter *filter,
		  uint64_t after, struct events_event *out, size_t n,
		  uint64_t *last)
{
	const struct events_event *event;
	size_t told = 0;

	*last = ev->last;
	if (after > ev->last || ev->last - after > EVENTS_KEPT) {
		memset(out, 0, sizeof(*out));
		out->type = EVENTS_TYPE_LOST;
		return 1;
	}
	while (after < ev->last) {
		event = &ev->kept[++after % EVENTS_KEPT];
		if (!is_wanted(filter, event))
			continue;
		out[told++] = *event;
		if (told == n) {
			*last = after;
			break;
		}
	}
	return told;
}

/* A session waits once: a newer call takes the place of the older. */
static void end_wait_of(struct events *ev, uint64_t session)
{
	struct events_wait *wait;

	TAILQ_FOREACH(wait, &ev->waits, link)
		if (wait->filter.session == session) {
			answer_wait(ev, wait);
			return;
		}
}

/* May one more wait who has no session? */
static bool has_room(const struct events *ev, const struct in6_addr *host)
{
	const struct events_wait *wait;
	unsigned int n = 0;

	TAILQ_FOREACH(wait, &ev->waits, link)
		n += !wait->filter.session &&
		     IN6_ARE_ADDR_EQUAL(&wait->filter.host, host);
	return ev->n_waits < WAITS_MAX && n < WAITS_HOST;
}

int events_wait(struct events *ev, const struct events_filter *filter,
		uint64_t after, uint64_t deadline, void *waiter)
{
	struct events_wait *wait;

	if (!filter->session && !has_room(ev, &filter->host))
		return -EAGAIN;
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	if (filter->session)
		end_wait_of(ev, filter->session);
	wait->filter = *filter;
	wait->after = after;
	wait->deadline = deadline;
	wait->waiter = waiter;
	TAILQ_INSERT_TAIL(&ev->waits, wait, link);
	if (!filter->session)
		ev->n_waits++;
	return 0;
}

void events_forget(struct events *ev,
		   bool (*is_waiter)(void *waiter, void *arg), void *arg)
{
	struct events_wait *wait, *after;

	for (wait = TAILQ_FIRST(&ev->waits); wait; wait = after) {
		after = TAILQ_NEXT(wait, link);
		if (!is_waiter(wait->waiter, arg))
			continue;
		remove_wait(ev, wait);
		free(wait);
	}
}

uint64_t events_tick(struct events *ev, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	struct events_wait *wait, *after;

	for (wait = TAILQ_FIRST(&ev->waits); wait; wait = after) {
		after = TAILQ_NEXT(wait, link);
		if (wait->deadline <= now)
			answer_wait(ev, wait);
		else if (wait->deadline < next)
			next = wait->deadline;
	}
	return next;
}
