/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment - one device of a target in one port of this controller, from
 * the claim to the release: ties session, port, controller and control
 * socket together.
 */
#ifndef USBIP_CLIENT_ATTACHMENT_H
#define USBIP_CLIENT_ATTACHMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/failure.h"
#include "client/vhci.h"

struct event_base;
struct attachment;

enum attachment_state {
	ATTACHMENT_CLAIMING,	/* the way to the target, and CLAIM */
	ATTACHMENT_ENUMERATING,	/* plugged in; the kernel looks at it */
	ATTACHMENT_ATTACHED,	/* in use */
	ATTACHMENT_HELD,	/* in use, but the connection is lost */
	ATTACHMENT_ASLEEP,	/* unplugged while the system sleeps */
	ATTACHMENT_WAITING,	/* not plugged in; is it coming? */
	ATTACHMENT_DETACHING,	/* unplugged; the target takes it back */
	ATTACHMENT_ENDED,
};

struct attachment_config {
	struct event_base *base;
	const char *host, *device;	/* must live as long */
	bool udp;			/* else TCP */
	uint16_t tcp_port;		/* of the target, or UDP's; 0: by
					 * rpcbind */
	int port;			/* its number here; -1: the lowest free */
	unsigned int isoc_ms;		/* isochronous OUT kept ahead: isoc.c */
	unsigned int timeout_ms;	/* until it is attached */
	unsigned int follow_ms;		/* waited for when it has left; 0: not */
	bool persist;			/* waited for whenever it is not there */
	const char *ctl_dir;		/* CTL_DIR */
	const char *sysfs_dir;		/* SYSFS_USB */
	/* cdev_open(), or what stands in for it. */
	int (*open)(struct vhci **vp, const struct vhci_events *events,
		    struct failure *f);
	/* Once: it can be used. `text` is for whoever asked. That it is back
	 * after it had left is only logged. */
	void (*attached)(const char *text, void *user);
	/* Instead, where it is to persist and is not there: it is waited for.
	 * That it is attached then is only logged, too. */
	void (*waits)(const char *text, void *user);
	/* Once, last: never attached, or not any more. FAILURE_NONE: it was,
	 * or was waited for, and was detached as asked. */
	void (*ended)(const struct failure *why, void *user);
	void *user;
};

/* Begin. 0; -errno: *f says why, and `ended` is not called. */
int attachment_new(struct attachment **ap,
		   const struct attachment_config *config, struct failure *f);
/* Unplugs if need be, and closes everything. Not from a callback of its own. */
struct attachment *attachment_free(struct attachment *a);

/* Unplug and release; `ended` follows. */
void attachment_detach(struct attachment *a, const char *why);

/* For the control socket; a new object. */
json_t *attachment_status(const struct attachment *a);

#endif
