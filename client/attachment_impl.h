/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment - what its files share; nothing else includes this.
 */
#ifndef USBIP_CLIENT_ATTACHMENT_IMPL_H
#define USBIP_CLIENT_ATTACHMENT_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "client/attachment.h"
#include "client/names.h"
#include "client/port.h"
#include "client/session.h"
#include "common/pool.h"

struct calls;
struct ctl;
struct event;

/* The id of a RESET that is ours: the kernel gives no 0. */
#define ATTACHMENT_RESET_ID	0

struct attachment {
	struct attachment_config config;
	enum attachment_state state;
	struct pool records;		/* replies, of which URBs keep some */
	struct vhci *vhci;
	struct session *session;
	struct calls *calls;
	struct port *port;
	struct session *next;		/* WAITING: the one that is claimed */
	struct ctl *ctl;
	struct event *readable;		/* the kernel wants something */
	struct event *flush;		/* answers are queued */
	struct event *retry;		/* port_retry() */
	struct event *look;		/* at sysfs, while ENUMERATING */
	struct event *deadline;
	struct event *again;		/* ASLEEP, WAITING: the next attempt */
	struct vhci_place place;
	struct names names;
	time_t since;
	bool queued;
	bool configured;		/* by the kernel, and not to 0 */
	bool told;			/* config.attached() or .waits() was called */
	bool placed;			/* it was plugged in once: see place */
	bool slept;			/* since it was ATTACHED */
	uint64_t reset_id;		/* of the kernel's that runs; 0: none */
	struct failure why;		/* of the end */
	/* Since it was WAITING, until it is ATTACHED again. */
	uint64_t waits_since;		/* deadline.h; 0: it is not waited for */
	unsigned int attempts;
	unsigned int pause_ms;		/* to the next one */
	struct failure refusal;		/* of the last one, or "" */
	unsigned int reconnects;	/* of the sessions before this one */
};

/* The only writer of a->state. */
void attachment_set_state(struct attachment *a, enum attachment_state next);
void attachment_set_timer(struct event *ev, unsigned int ms);
/* 0; -ENOMEM */
int attachment_claim(struct attachment *a, struct session **sp,
		     unsigned int timeout_ms);
void attachment_unplug(struct attachment *a);
/* It is over: it is said in the log, too, where nobody else says it. Or where
 * it is to persist, it is waited for. */
void attachment_lose(struct attachment *a, const struct failure *why);
/* The same for what ends it in any case. */
void attachment_fail(struct attachment *a, const struct failure *why);
/* Of session_release(). */
void attachment_released(bool given_back, void *user);

/* attachment_plug.c */
/* The control socket, if there is none yet. 0; -1: *f says why. */
int attachment_take_number(struct attachment *a, struct failure *f);
/* With the session that there is: ENUMERATING. 0; -EAGAIN: the system sleeps;
 * other -errno: *f says why. */
int attachment_plug(struct attachment *a, struct failure *f);
/* The timers: is it configured? It is not, and should be. */
void attachment_look(struct attachment *a);
void attachment_late(struct attachment *a);

/* attachment_again.c */
/* The kernel has unplugged the device, as the system goes to sleep. */
void attachment_sleep(struct attachment *a);
/* ATTACHMENT_RESET_ID was answered. */
void attachment_was_reset(struct attachment *a, int status);
/* The session has ended. True: the device is waited for. */
bool attachment_follow(struct attachment *a, usbip_stat why, const char *text);
/* It can not be attached now, or any longer. True: it is to persist, and is
 * waited for. */
bool attachment_wait(struct attachment *a, const struct failure *why);
/* WAITING: nobody has it here any more; a->next has failed; has claimed it. */
void attachment_claim_later(struct attachment *a);
void attachment_not_yet(struct attachment *a, const struct failure *f);
void attachment_take_next(struct attachment *a);
/* The timer. */
void attachment_again(struct attachment *a);

#endif
