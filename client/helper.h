/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper - the process that answers for one attached device.
 */
#ifndef USBIP_CLIENT_HELPER_H
#define USBIP_CLIENT_HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/failure.h"

struct helper_options {
	const char *host, *device;
	bool udp;			/* else TCP */
	uint16_t tcp_port;		/* of the target, or UDP's; 0: by
					 * rpcbind */
	int port;			/* its number here; -1: the lowest free */
	unsigned int isoc_ms;		/* as in attachment_config */
	unsigned int timeout_s;
	unsigned int follow_s;		/* see attachment_config.follow_ms */
	bool persist;			/* as there */
	bool foreground;
	/* Says what has been attached, or is waited for. May be NULL. */
	void (*attached)(const char *text);
};

/*
 * Attach. In the background: returns when the device is ready, or will not
 * be, or (persist) not yet; the helper goes on as a process of its own. In the foreground: returns
 * when the device is detached. 0 and FAILURE_NONE, or -1 and why.
 */
int helper_run(const struct helper_options *options, struct failure *f);

#endif
