/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session - one claim of one device, from CLAIM to RELEASE. It outlives
 * connections: when one is lost it makes another and renews the claim there,
 * for as long as the lease may last.
 */
#ifndef USBIP_CLIENT_SESSION_H
#define USBIP_CLIENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "client/claim.h"
#include "client/contact.h"
#include "client/failure.h"
#include "client/port.h"
#include "rpc/usbip.h"

struct event_base;
struct pool;
struct rpcclnt;
struct session;

enum session_state {
	SESSION_NEW,
	SESSION_CONNECTING,	/* for the first time */
	SESSION_CLAIMING,
	SESSION_UP,
	SESSION_LOST,		/* no connection, waits to try again */
	SESSION_RETURNING,	/* connects again, and renews */
	SESSION_RELEASING,
	SESSION_ENDED,		/* released, failed, or ended by the target */
};

struct session_config {
	struct event_base *base;
	struct pool *records;		/* as of rpcclnt.h */
	const char *host;		/* both must live as long */
	const char *device;
	bool udp;			/* else TCP */
	uint16_t tcp_port;		/* or UDP's; 0: by rpcbind */
	unsigned int timeout_ms;	/* of connecting and claiming */
	/* The claim succeeded; or it did not, and the session is ENDED. */
	void (*claimed)(void *user);
	void (*failed)(const struct failure *f, void *user);
	/* After claimed: no connection; it is back (and RENEW was sent). */
	void (*lost)(void *user);
	void (*restored)(void *user);
	/* Fill in what is to be acknowledged now (see port_acks()). */
	size_t (*acks)(struct port_ack *acks, bool all, void *user);
	/* After claimed: ended, not by session_release(). */
	void (*ended)(usbip_stat why, const char *text, void *user);
	void *user;
};

/* Begin to connect. -errno: out of memory. */
int session_new(struct session **sp, const struct session_config *config);
struct session *session_free(struct session *s);

/* Give the device back; `done` runs when the target has answered, or has not
 * for 8 s, or at once where it can not be asked. given_back: it has said so, or
 * there was nothing to give back; else it waits for the end of the lease. */
void session_release(struct session *s,
		     void (*done)(bool given_back, void *user));
/* Send RENEW with the acknowledgements of now. */
void session_renew(struct session *s);
/* A reply came by the connection that is there. */
void session_heard(struct session *s);
/* The target has said, in a call of this session, that it is over. */
void session_end(struct session *s, usbip_stat why);

enum session_state session_state(const struct session *s);
const char *session_state_str(enum session_state state);
bool session_may_go(enum session_state from, enum session_state to);
/* Valid from `claimed` on. */
const struct claim_device *session_device(const struct session *s);
const struct contact *session_contact(const struct session *s);

/* For calls of this session: NULL unless UP. */
struct rpcclnt *session_clnt(const struct session *s);
usbip_session session_handle(const struct session *s);

#endif
