// SPDX-License-Identifier: GPL-2.0-or-later
/* pause - exponential back-off: a timer, and how long it takes next time. */
#include "client/pause.h"

#include <errno.h>
#include <string.h>

int pause_init(struct pause *p, struct event_base *base, unsigned int first_ms,
	       unsigned int max_ms, event_callback_fn over, void *user)
{
	p->first_ms = p->ms = first_ms;
	p->max_ms = max_ms;
	p->timer = evtimer_new(base, over, user);
	return p->timer ? 0 : -ENOMEM;
}

void pause_deinit(struct pause *p)
{
	if (p->timer)
		event_free(p->timer);
	memset(p, 0, sizeof(*p));
}

void pause_begin(struct pause *p)
{
	const struct timeval tv = { p->ms / 1000, p->ms % 1000 * 1000 };

	evtimer_add(p->timer, &tv);
	p->ms = 2 * p->ms < p->max_ms ? 2 * p->ms : p->max_ms;
}

void pause_reset(struct pause *p)
{
	p->ms = p->first_ms;
}

bool pause_is_on(const struct pause *p)
{
	return evtimer_pending(p->timer, NULL);
}

void pause_stop(struct pause *p)
{
	if (p->timer)
		event_del(p->timer);
}
