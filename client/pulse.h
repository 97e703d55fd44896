/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pulse - whether the other end of a connection is still there, and when to
 * ask it. Asking is a RENEW, which the session sends.
 */
#ifndef USBIP_CLIENT_PULSE_H
#define USBIP_CLIENT_PULSE_H

#include <stdbool.h>
#include <stdint.h>

/* Ticks in a lease. RENEW goes at every third at the latest. */
#define PULSE_TICKS	9
/* A RENEW that is not answered in this time is looked into. */
#define PULSE_TIMEOUT_MS	3000

struct pulse {
	int fd;				/* of the connection; not owned */
	unsigned int ticks;		/* since the last RENEW */
	unsigned int silent;		/* ticks without a reply or data */
	uint64_t received, acked;	/* bytes, as TCP counts them */
	uint64_t heard;			/* replies */
	uint64_t at_tick, at_renew;	/* replies by then */
};

void pulse_begin(struct pulse *p, int fd);
/* A reply came, of whatever call. */
void pulse_heard(struct pulse *p);
/* A tick is over; `waiting`: answers of the device are outstanding. True: it
 * is time for a RENEW. */
bool pulse_tick(struct pulse *p, bool waiting);
void pulse_renews(struct pulse *p);
/* The RENEW was not answered in time: is the other end there all the same? */
bool pulse_is_there(struct pulse *p);

#endif
