// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attachment_again - the device has left, and is plugged in again: into the
 * same port, by the same helper. Or it has not come yet.
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
 *
 * Persisting, where that is asked for, is following without an end, whatever
 * the session was over by, and also where there was none yet. Whoever asked is
 * there only until it is attached or waited for: to them, what somebody has to
 * do something about (failure.lasting) is an error. Later it is one more reason
 * to wait, and the target is asked less often. What fails here, and not at the
 * target or on the way, is an error at all times.
 */
#include "client/attachment_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "client/calls.h"
#include "client/ctl.h"
#include "client/deadline.h"
#include "common/log.h"

/* A device that starts new firmware is back in some seconds. */
#define RESET_FOLLOW_MS		10000
/* A network that was asleep, too, may take a while. */
#define SLEEP_FOLLOW_MS		60000
#define FOREVER			UINT_MAX
/* Between attempts. Where it may be for ever it is twice as long each time, up
 * to the longest; or what an answer is worth that somebody has to change. */
#define CLAIM_AGAIN_MS		250
#define CLAIM_AGAIN_MAX_MS	10000
#define CLAIM_REFUSED_MS	60000
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

/* ---- waiting ------------------------------------------------------------- */

/* For how long; 0: not at all. */
static unsigned int follow_ms(const struct attachment *a, usbip_stat why)
{
	if (!a->told || a->state >= ATTACHMENT_WAITING)
		return 0;
	if (a->config.persist)
		return FOREVER;
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

static void begin_waiting(struct attachment *a, unsigned int ms)
{
	/* What comes and goes is taken more and more slowly. */
	if (!a->pause_ms || time(NULL) - a->since > CLAIM_AGAIN_MAX_MS / 1000)
		a->pause_ms = CLAIM_AGAIN_MS;
	if (!a->waits_since)
		a->waits_since = deadline_in(0);
	a->attempts = 0;
	a->reset_id = 0;
	event_del(a->again);
	event_del(a->retry);
	if (a->calls)
		calls_down(a->calls);
	if (a->port)
		port_down(a->port);
	attachment_unplug(a);
	attachment_set_state(a, ATTACHMENT_WAITING);
	if (ms == FOREVER)
		event_del(a->deadline);
	else
		attachment_set_timer(a->deadline, ms);
}

bool attachment_follow(struct attachment *a, usbip_stat why, const char *text)
{
	unsigned int ms = follow_ms(a, why);
	char span[32] = "";

	if (!ms)
		return false;
	if (why == USBIP_GONE && a->reset_id)
		text = "it did not come back from a reset as what it was";
	if (ms != FOREVER)
		snprintf(span, sizeof(span), ", %u s", ms / 1000);
	log_info("port %u: %s from %s has left: %s; it is waited for%s",
		 ctl_port(a->ctl), a->config.device, a->config.host, text, span);
	failure_set(&a->why, FAILURE_OTHER, "%s from %s is gone: %s",
		    a->config.device, a->config.host, text);
	a->refusal.text[0] = '\0';
	begin_waiting(a, ms);
	if (why == USBIP_REVOKED || why == USBIP_RELEASED)
		a->pause_ms = CLAIM_AGAIN_MAX_MS;	/* not at once */
	attachment_claim_later(a);
	return true;
}

static void say_waiting(struct attachment *a, const struct failure *why)
{
	char text[sizeof(why->text) + 320];

	if (a->told) {
		log_info("port %u: %s; it is waited for", ctl_port(a->ctl),
			 why->text);
		return;
	}
	snprintf(text, sizeof(text), "waiting for %s from %s as port %u: %s",
		 a->config.device, a->config.host, ctl_port(a->ctl), why->text);
	a->config.waits(text, a->config.user);
	a->told = true;
}

/* One line for each reason, not for each attempt. How long somebody else has
 * had the device is no other reason. */
static void note_refusal(struct attachment *a, const struct failure *f)
{
	bool known = f->code == a->refusal.code && a->refusal.text[0] &&
		     (f->code == FAILURE_BUSY ||
		      !strcmp(f->text, a->refusal.text));

	if (known)
		log_debug(LOG_TAG_PORT, "%s", f->text);
	else
		log_info("port %u: still waiting: %s", ctl_port(a->ctl),
			 f->text);
	a->refusal = *f;
}

bool attachment_wait(struct attachment *a, const struct failure *why)
{
	if (!a->config.persist || a->state >= ATTACHMENT_DETACHING)
		return false;
	if (a->state == ATTACHMENT_WAITING) {
		note_refusal(a, why);
	} else {
		say_waiting(a, why);
		a->refusal = *why;
		begin_waiting(a, FOREVER);
	}
	/* Ours must not stand in the way of ours. */
	session_release(a->session, attachment_released);
	return true;
}

/* Many may wait for the same target: they must not come all at once. */
static unsigned int spread(unsigned int ms)
{
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		log_debug(LOG_TAG_PORT, "getrandom: %m");
	return ms - ms / 4 + random % (ms / 2);
}

void attachment_claim_later(struct attachment *a)
{
	if (!a->config.persist) {
		attachment_set_timer(a->again, CLAIM_AGAIN_MS);
		return;
	}
	attachment_set_timer(a->again, spread(a->refusal.lasting ?
					      CLAIM_REFUSED_MS : a->pause_ms));
	a->pause_ms *= 2;
	if (a->pause_ms > CLAIM_AGAIN_MAX_MS)
		a->pause_ms = CLAIM_AGAIN_MAX_MS;
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
	note_refusal(a, f);
	if (f->lasting && !a->config.persist)
		attachment_lose(a, f);
	else
		attachment_claim_later(a);
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
