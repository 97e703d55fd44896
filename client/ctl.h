/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl - the control socket (common/control.h) of a helper, DIR/PORT.sock. Who
 * has the socket has the port's number: that is how numbers from 0 up are given
 * out.
 *
 *	{"request":"status"}	-> {"port":0, ...}: see attachment_status()
 *	{"request":"detach"}	-> {"ok":true,"released":true}, when it is done;
 *				   false: the target has not confirmed it
 *	anything else		-> {"error":"..."}
 */
#ifndef USBIP_CLIENT_CTL_H
#define USBIP_CLIENT_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "client/failure.h"

#define CTL_DIR		"/run/usbip-rpc"

struct event_base;
struct ctl;

struct ctl_config {
	struct event_base *base;
	const char *dir;
	int port;			/* wanted; -1: the lowest that is free */
	/* A new object, or NULL: out of memory. */
	json_t *(*status)(void *user);
	/* Begin to detach; ctl_detached() follows. */
	void (*detach)(void *user);
	void *user;
};

/* -EBUSY: the wanted port is taken; other -errno: there can be no socket. */
int ctl_new(struct ctl **ctlp, const struct ctl_config *config);
unsigned int ctl_port(const struct ctl *ctl);
/* Answers those who asked for the detach, and removes the socket. */
void ctl_detached(struct ctl *ctl, bool released);
struct ctl *ctl_free(struct ctl *ctl);

/*
 * The asking side; waits. *replyp is an object that the caller owns. -ENOENT
 * or -ECONNREFUSED: no helper has that port. -EPROTO: it answered nonsense.
 */
int ctl_ask(const char *dir, unsigned int port, const char *request,
	    unsigned int timeout_ms, json_t **replyp);
/* What is to be told of a helper that ctl_ask() had this error from. */
void ctl_silent(struct failure *f, const char *dir, unsigned int port,
		int error);
/* The ports that have a socket, ascending; frees with free(). -errno. */
int ctl_ports(const char *dir, unsigned int **portsp, size_t *np);

#endif
