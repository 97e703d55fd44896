/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pause - before something is tried again: longer each time, until it went well.
 */
#ifndef USBIP_CLIENT_PAUSE_H
#define USBIP_CLIENT_PAUSE_H

#include <event2/event.h>
#include <stdbool.h>

struct pause {
	struct event *timer;
	unsigned int first_ms, max_ms;
	unsigned int ms;		/* the next one */
};

/* over(-1, EV_TIMEOUT, user) runs at the end of each. -ENOMEM. */
int pause_init(struct pause *p, struct event_base *base, unsigned int first_ms,
	       unsigned int max_ms, event_callback_fn over, void *user);
/* What is all zero is fine; and is so afterwards. */
void pause_deinit(struct pause *p);
/* Begin one, and double the next; one that has begun is over. */
void pause_begin(struct pause *p);
/* It went well: the next one is the first. */
void pause_reset(struct pause *p);
bool pause_is_on(const struct pause *p);
/* Not any more. What is all zero is fine. */
void pause_stop(struct pause *p);

#endif
