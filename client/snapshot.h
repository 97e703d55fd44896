/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot - an attachment at one moment, as JSON for the control socket.
 * usbip-rpc(1) documents the names.
 */
#ifndef USBIP_CLIENT_SNAPSHOT_H
#define USBIP_CLIENT_SNAPSHOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "client/claim.h"
#include "client/contact.h"
#include "client/names.h"
#include "client/port.h"
#include "client/vhci.h"

struct snapshot {
	unsigned int port;
	const struct vhci_place *place;
	unsigned int devnum;
	const struct names *names;
	const char *host, *asked;	/* as the user named them */
	const struct claim_device *device;	/* NULL: none was claimed yet */
	bool persist;
	time_t since;			/* 0: not attached yet */
	const char *state, *session;
	const char *transport;		/* tcp, udp */
	const struct contact *contact;
	unsigned int reconnects;
	uint64_t waits_since;		/* 0: it is not waited for */
	unsigned int attempts;		/* since then */
	const char *why;		/* it is not here yet */
	const struct port_stats *stats;		/* NULL, as the next: see device */
	const struct isoc *isoc;
	size_t outstanding;
};

/* A new object; NULL: out of memory. */
json_t *snapshot_json(const struct snapshot *s);

#endif
