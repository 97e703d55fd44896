// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc - what all procedures need: whose call it is, for which session, and
 * how it is answered without data. And the one that does nothing.
 */
#include "server/proc.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "server/status.h"

static void supersede_call(void *call)
{
	proc_reply_stat(call, USBIP_IN_PROGRESS);
}

/* A call of s is on its way, and is so large that it takes longer than the
 * lease on that line. */
static bool is_heard(struct session *s)
{
	uint64_t received = s->conn ? rpcsrv_conn_received(s->conn) : 0;

	if (!s->conn || received == s->received ||
	    !rpcsrv_conn_is_receiving(s->conn))
		return false;
	s->received = received;
	return true;
}

/* s has ended: its connection is a stranger's again. */
static void leave_home(struct session *s)
{
	if (s->conn)
		rpcsrv_conn_distrust(s->conn);
	s->conn = NULL;
}

void proc_come_home(struct session *s, struct rpcsrv_conn *conn)
{
	struct rpcsrv_conn *before = s->conn;

	if (before == conn)
		return;
	rpcsrv_conn_trust(conn);
	s->conn = conn;
	s->received = rpcsrv_conn_received(conn);
	if (before && !rpcsrv_conn_distrust(before))
		rpcsrv_conn_close(before);
}

const struct target_ops proc_target_ops = {
	.claimed = proc_session_claimed,
	.released = proc_session_released,
	.ended = proc_urb_ended,
	.left = leave_home,
	.superseded = supersede_call,
	.is_heard = is_heard,
	.events = proc_list_events,
};

struct target *proc_target(struct svc_req *rq)
{
	return rpcsrv_user(rq);
}

static bool is_call_of(void *call, void *conn)
{
	if (rpcsrv_call_conn(call) != conn)
		return false;
	rpcsrv_drop(call);
	return true;
}

void proc_conn_closed(struct rpcsrv_conn *conn, void *user)
{
	struct target *t = user;
	struct session *s;

	peer_forget(t->names, conn);
	events_forget(&t->events, is_call_of, conn);
	TAILQ_FOREACH(s, &t->sessions.list, link)
		if (s->conn == conn)
			s->conn = NULL;
}

void proc_named(struct target *t, struct rpcsrv_call *call, const char *device,
		peer_done_fn go, void *user)
{
	struct rpcsrv_conn *conn = rpcsrv_call_conn(call);
	const struct sockaddr *addr = rpcsrv_conn_peer(conn);

	if (t->stopped)
		go(-ECANCELED, NULL, user);
	else if (target_needs_name(t, addr, device))
		peer_name(t->names, addr, conn, go, user);
	else
		go(0, NULL, user);
}

void proc_peer(struct rpcsrv_call *call, const char *said,
	       const struct peer_name *name, char *host, struct target_peer *peer)
{
	const struct sockaddr *addr = rpcsrv_conn_peer(rpcsrv_call_conn(call));
	char itself[128], from[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];

	/* Others are shown it. */
	text_clean(said, itself, sizeof(itself));
	if (getnameinfo(addr, sizeof(struct sockaddr_storage), from,
			sizeof(from), NULL, 0, NI_NUMERICHOST))
		strcpy(from, "local");
	snprintf(host, PROC_HOST, *itself ? "%s (%s)" : "%s%s", itself, from);
	peer->addr = addr;
	peer->name = name;
	peer->host = host;
}

bool proc_is_at_home(struct svc_req *rq, const struct session *s)
{
	struct rpcsrv_conn *conn = rpcsrv_conn(rq);

	return !rpcsrv_conn_is_dgram(conn) || s->conn == conn;
}

struct session *proc_session_anywhere(struct svc_req *rq, usbip_session handle,
				      usbip_stat *stat)
{
	struct session *s = handle ? target_session(proc_target(rq), handle) :
				     NULL;

	if (!s) {
		*stat = USBIP_NO_SESSION;
		return NULL;
	}
	if (s->state == SESSION_STATE_ACTIVE)
		return s;
	*stat = status_of_why(s->why);
	return NULL;
}

struct session *proc_session(struct svc_req *rq, usbip_session handle,
			     usbip_stat *stat)
{
	struct session *s = proc_session_anywhere(rq, handle, stat);

	if (!s || proc_is_at_home(rq, s))
		return s;
	rpcsrv_mute(rq);
	*stat = USBIP_NO_SESSION;
	return NULL;
}

bool proc_fits(const struct rpcsrv_call *call, xdrproc_t xdr, void *res)
{
	size_t room = rpcsrv_call_room(call);

	return room == SIZE_MAX || PROC_REPLY_HEADER + xdr_sizeof(xdr, res) <=
				   room;
}

void proc_reply_stat(struct rpcsrv_call *call, usbip_stat stat)
{
	usbip_stat_res res = { .status = stat };

	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_stat_res, &res, NULL, NULL);
}

/* ---- service routines --------------------------------------------------- */

bool_t usbip_null_1_svc(void *args, void *res, struct svc_req *rq)
{
	return TRUE;
}

/* Results that were answered at once, by the dispatcher. */
int usbip_program_1_freeresult(SVCXPRT *xprt, xdrproc_t xdr, caddr_t res)
{
	xdr_free(xdr, res);
	return TRUE;
}
