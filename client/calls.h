/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls - URBs of a port as RPC calls of a session, and the answers back.
 */
#ifndef USBIP_CLIENT_CALLS_H
#define USBIP_CLIENT_CALLS_H

#include <stdint.h>

struct calls;
struct event_base;
struct session;
struct urb;

/* NULL: out of memory. The session must live as long. */
struct calls *calls_new(struct session *session, struct event_base *base);
/* Only after the session: its connection may hold calls. NULL is fine. */
struct calls *calls_free(struct calls *calls);

/*
 * Call. urb's data must stay until port_answered(), or until the session's
 * connection is lost. -ENOTCONN: nothing was sent, and the session will say
 * that its connection is lost. Other -errno: nothing was sent.
 */
int calls_submit(struct calls *calls, struct urb *urb, uint32_t acked);
void calls_unlink(struct calls *calls, struct urb *urb);
/* The session's connection is lost: what is under way on it will not end. */
void calls_down(struct calls *calls);

#endif
