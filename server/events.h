/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events - what happened to devices and sessions, numbered, the newest of it
 * kept, and who waits for more. No I/O and no clock: time is an argument.
 */
#ifndef USBIP_SERVER_EVENTS_H
#define USBIP_SERVER_EVENTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/session.h"

#define EVENTS_KEPT 256
#define EVENTS_BUSID_MAX 31

enum events_type {
	EVENTS_TYPE_ARRIVED,
	EVENTS_TYPE_LEFT,
	EVENTS_TYPE_CHANGED,
	EVENTS_TYPE_REENUMERATED, /* arrived, where another has just left */
	EVENTS_TYPE_LOST,	/* only told, never kept */
	EVENTS_TYPE_SESSION,
};

struct events_event {
	enum events_type type;
	char busid[EVENTS_BUSID_MAX + 1];
	uint64_t session;		/* SESSION: whose; else 0 */
	enum session_why why;		/* SESSION */
};

/* What a caller wants to know of. */
struct events_filter {
	uint64_t session;		/* 0: of all devices */
	char busid[EVENTS_BUSID_MAX + 1];/* with a session: its device */
	struct in6_addr host;		/* whose call it is */
};

struct events_wait {
	TAILQ_ENTRY(events_wait) link;
	struct events_filter filter;
	uint64_t after;
	uint64_t deadline;		/* ms */
	void *waiter;			/* the call */
};

struct events;
/* Answer wait->waiter from events_get(); wait is freed afterwards. */
typedef void (*events_answer_fn)(struct events *ev, struct events_wait *wait);

struct events {
	uint64_t last;		/* number of the newest; the first is 1 */
	struct events_event kept[EVENTS_KEPT];	/* number % EVENTS_KEPT */
	TAILQ_HEAD(, events_wait) waits;
	unsigned int n_waits;		/* of those without a session */
	events_answer_fn answer;
	void *user;
};

void events_init(struct events *ev, events_answer_fn answer, void *user);
/* Answers everybody who waits. */
void events_deinit(struct events *ev);

/* It happened: who waits for it is answered. */
void events_add(struct events *ev, enum events_type type, const char *busid,
		uint64_t session, enum session_why why);

/*
 * What happened after number `after`: at most n into out, returns how many;
 * *last: the number of the last one told, or of the newest if none.
 */
size_t events_get(const struct events *ev, const struct events_filter *filter,
		  uint64_t after, struct events_event *out, size_t n,
		  uint64_t *last);
/* Wait for such; a session waits once, an older wait of it is answered.
 * -ENOMEM; -EAGAIN: too many wait, in all or of that host. */
int events_wait(struct events *ev, const struct events_filter *filter,
		uint64_t after, uint64_t deadline, void *waiter);
/* Forget, unanswered, whom is_waiter() knows; it may give the call up. */
void events_forget(struct events *ev,
		   bool (*is_waiter)(void *waiter, void *arg), void *arg);
/* Answer whose time is over. The time of the next, UINT64_MAX: none. */
uint64_t events_tick(struct events *ev, uint64_t now);

#endif
