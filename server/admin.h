/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin - what root may see and do on this machine while the service runs: who
 * has which device, and to take it back. By a control socket
 * (common/control.h):
 *
 *	{"request":"sessions"}
 *		-> {"sessions":[{"busid":"1-4", ...}, ...]}
 *	{"request":"revoke","device":"1-4"}	as CLAIM takes it, or "all"
 *		-> {"revoked":[{"busid":"1-4","host":"..."}, ...]}, when all
 *		   of them have been given back; [] where nobody has it
 *		-> {"candidates":["1-2", ...]}: it names several
 *	anything else	-> {"error":"..."}
 */
#ifndef USBIP_SERVER_ADMIN_H
#define USBIP_SERVER_ADMIN_H

#include <stdbool.h>

#define ADMIN_SOCKET	"/run/usbip-rpc/rpcd.sock"

struct admin;
struct event_base;
struct target;

/* -EBUSY: another service has the socket; other -errno: there can be none. */
int admin_new(struct admin **adminp, struct event_base *base,
	      struct target *target, const char *path);
/* NULL is fine, in both. */
struct admin *admin_free(struct admin *admin);
/* A session has ended, and its device has been given back. */
void admin_returned(struct admin *admin);

/* ---- the asking side; each waits, and prints --------------------------- */

enum {
	ADMIN_E_NO_SESSION = 1,	/* nobody has it, or it names several */
	ADMIN_E_NOT_RETURNED,	/* not in time */
};

/* -errno: the service can not be asked; logged. */
int admin_show(const char *path, bool json);
/* Positive: one of the above, and it was said. */
int admin_revoke(const char *path, const char *device);

#endif
