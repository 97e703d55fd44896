// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attachment_again - the device has left, and is plugged in again: into the
 * same port, by the same helper.
 *
 * System sleep: the kernel has unplugged it, as nobody would answer while all
 * processes are frozen (POLLHUP). The session stays, for as long as its lease
 * does: what the kernel has back is cancelled, the device is reset as a port
 * does that something is plugged into, and as soon as the kernel takes it, it
 * is plugged in. Where the lease was over before, it is claimed anew.
 *
 * Following: the session is over since the device has come back as another one
 * after a reset (firmware was loaded, a mode was switched), or, where that is
 * asked for, since it was unplugged. Every driver is told at once; then it is
 * claimed by the name that was given, for some time: so what comes to a port
 * that was named is taken, and of a kind that was named only what is of it.
 */
#include "client/attachment_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "client/calls.h"
#include "client/ctl.h"
#include "client/deadline.h"
#include "common/log.h"

/* A device that starts new firmware is back in some seconds. */
#define RESET_FOLLOW_MS		10000
/* A network that was asleep, too, may take a while. */
#define SLEEP_FOLLOW_MS		60000
#define CLAIM_AGAIN_MS		250
#define CLAIM_TIMEOUT_MS	5000
#define PLUG_AGAIN_MS		200

/* ---- system sleep -------------------------------------------------------- */

void attachment_sleep(struct attachment *a)
{
	log_info("port %u: %s from %s is unplugged while the system sleeps",
		 ctl_port(a->ctl), a->config.device, a->config.host);
	a->slept = true;
	a->reset_id = 0;
	attachment_unplug(a);
	attachment_set_state(a, ATTACHMENT_ASLEEP);
	port_forget(a->port);
	port_reset(a->port, ATTACHMENT_RESET_ID);
}

/* Whether or not it could be reset: enumeration finds out. */
void attachment_was_reset(struct attachment *a, int status)
{
	if (status)
		log_debug(LOG_TAG_PORT, "reset: %s", strerror(-status));
	if (a->state == ATTACHMENT_ASLEEP)
		attachment_set_timer(a->again, 0);
}

static void plug_again(struct attachment *a)
{
	struct failure f;
	int r = attachment_plug(a, &f);

	if (r == -EAGAIN)
		attachment_set_timer(a->again, PLUG_AGAIN_MS);
	else if (r)
		attachment_lose(a, &f);
}

/* ---- following ----------------------------------------------------------- */

/* For how long; 0: not at all. */
static unsigned int follow_ms(const struct attachment *a, usbip_stat why)
{
	if (!a->told || a->state >= ATTACHMENT_WAITING)
		return 0;
	switch (why) {
	case USBIP_GONE:
		if (a->reset_id || a->slept)
			return a->config.follow_ms > RESET_FOLLOW_MS ?
			       a->config.follow_ms : RESET_FOLLOW_MS;
		return a->config.follow_ms;
	case USBIP_EXPIRED:
	case USBIP_NO_SESSION:
		return a->slept && a->config.follow_ms < SLEEP_FOLLOW_MS ?
		       SLEEP_FOLLOW_MS : a->config.follow_ms;
	default:	/* somebody wanted it to end */
		return 0;
	}
}

bool attachment_follow(struct attachment *a, usbip_stat why, const char *text)
{
	unsigned int ms = follow_ms(a, why);

	if (!ms)
		return false;
	if (why == USBIP_GONE && a->reset_id)
		text = "it did not come back from a reset as what it was";
	log_info("port %u: %s from %s has left: %s; it is waited for, %u s",
		 ctl_port(a->ctl), a->config.device, a->config.host, text,
		 ms / 1000);
	failure_set(&a->why, FAILURE_OTHER, "%s from %s is gone: %s",
		    a->config.device, a->config.host, text);
	a->refusal.text[0] = '\0';
	a->attempts = 0;
	a->waits_since = deadline_in(0);
	a->reset_id = 0;
	event_del(a->retry);
	port_down(a->port);
	attachment_unplug(a);
	attachment_set_state(a, ATTACHMENT_WAITING);
	attachment_set_timer(a->deadline, ms);
	attachment_set_timer(a->again, CLAIM_AGAIN_MS);
	return true;
}

static void claim_again(struct attachment *a)
{
	struct failure f;

	a->attempts++;
	a->next = session_free(a->next);
	if (!attachment_claim(a, &a->next, CLAIM_TIMEOUT_MS))
		return;
	failure_set(&f, FAILURE_OTHER, "out of memory");
	attachment_lose(a, &f);
}

void attachment_not_yet(struct attachment *a, const struct failure *f)
{
	log_debug(LOG_TAG_PORT, "%s", f->text);
	a->refusal = *f;
	if (f->code == FAILURE_PERMISSION || f->code == FAILURE_VERSION)
		attachment_lose(a, f);	/* that does not change by waiting */
	else
		attachment_set_timer(a->again, CLAIM_AGAIN_MS);
}

void attachment_take_next(struct attachment *a)
{
	event_del(a->again);
	a->reconnects += session_contact(a->session)->returns;
	/* the connection first, as in attachment_free() */
	session_free(a->session);
	a->session = a->next;
	a->next = NULL;
	a->calls = calls_free(a->calls);
	a->port = port_free(a->port);
}

void attachment_again(struct attachment *a)
{
	if (a->state == ATTACHMENT_ASLEEP)
		plug_again(a);
	else if (a->state == ATTACHMENT_WAITING)
		claim_again(a);
}
