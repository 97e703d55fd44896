/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listing - devices of a target as `list` shows them, on standard output.
 */
#ifndef USBIP_CLIENT_LISTING_H
#define USBIP_CLIENT_LISTING_H

#include "client/catalog.h"
#include "client/monitor.h"

/* All of them, as a table; as one JSON object. */
void listing_text(const char *host, const struct catalog *c);
void listing_json(const char *host, const struct catalog *c);

/* What happens, a line each, which is out when this returns. JSON: device and
 * why may be NULL. */
void listing_event_text(enum monitor_event event, const usbip_device *device);
void listing_event_json(enum monitor_event event, const usbip_device *device,
			const char *why);

#endif
