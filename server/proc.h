/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc - the procedures of usbip.x. proc_*.c validate what came over the
 * wire, have the target act, and answer; the service routines themselves are
 * declared in rpc/usbip.h.
 */
#ifndef USBIP_SERVER_PROC_H
#define USBIP_SERVER_PROC_H

#include <stdbool.h>

#include "common/rpcsrv.h"
#include "rpc/usbip.h"
#include "server/peer.h"
#include "server/target.h"

/* How the target answers kept calls. */
extern const struct target_ops proc_target_ops;

/* The target that a call is for; set as rpcsrv_config.user. */
struct target *proc_target(struct svc_req *rq);

/* A connection has ended: what waits there, waits for nothing. */
void proc_conn_closed(struct rpcsrv_conn *conn, void *user);

/*
 * Go on with a kept call when the peer's name is known, if the exports need
 * it for this device (NULL: for any); perhaps from in here.
 */
void proc_named(struct target *t, struct rpcsrv_call *call, const char *device,
		peer_done_fn go, void *user);

/* Who calls. host: at least PROC_HOST bytes, filled in by this. said: what the
 * caller calls itself. name: of proc_named(). */
#define PROC_HOST (USBIP_HOST_MAX + 1)
void proc_peer(struct rpcsrv_call *call, const char *said,
	       const struct peer_name *name, char *host, struct target_peer *peer);

/*
 * conn has claimed or renewed s and is its home from now on: it is trusted,
 * and a large call on it keeps the lease. A session has one: the one before
 * is closed, unless another session is at home there.
 */
void proc_come_home(struct session *s, struct rpcsrv_conn *conn);

/*
 * By datagram, a session is called from its home alone: who has not the place
 * that its owner has last said to be at is not answered, whatever he knows. On
 * a stream it is called from anywhere.
 */
bool proc_is_at_home(struct svc_req *rq, const struct session *s);

/*
 * The session with this handle, if it is ACTIVE; its lease is renewed. Else
 * NULL, and *stat is the answer; which goes nowhere if the call does not come
 * from its home.
 */
struct session *proc_session(struct svc_req *rq, usbip_session handle,
			     usbip_stat *stat);

/* The same, wherever the call comes from. */
struct session *proc_session_anywhere(struct svc_req *rq, usbip_session handle,
				      usbip_stat *stat);

/* Bytes of a reply in front of its result. */
#define PROC_REPLY_HEADER 24
/* May this be the result of call: does the reply pass in one piece? */
bool proc_fits(const struct rpcsrv_call *call, xdrproc_t xdr, void *res);

/* Answer with a status only: every result of usbip.x but EVENTS' begins with
 * one, and has nothing else where it is not OK, BUSY or AMBIGUOUS. */
void proc_reply_stat(struct rpcsrv_call *call, usbip_stat stat);

/* Defer, number and submit; the answer comes. From a service routine. urb may
 * be NULL: no memory. */
void proc_submit(struct svc_req *rq, struct session *s,
		 const usbip_submit *submit, int row, struct urb *urb);

/* Answers of the target, see target_ops. */
void proc_session_claimed(void *call, struct session *s, int r);
void proc_session_released(void *call);
void proc_list_events(struct events *ev, struct events_wait *wait);
void proc_urb_ended(void *call, struct urb *urb);

#endif
