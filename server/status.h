/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status - what the target knows, in the words of the wire. The only place
 * that maps between the two.
 */
#ifndef USBIP_SERVER_STATUS_H
#define USBIP_SERVER_STATUS_H

#include "rpc/usbip.h"
#include "server/backend.h"
#include "server/events.h"
#include "server/session.h"
#include "server/urb.h"

/* Of a session that has ended. */
usbip_stat status_of_why(enum session_why why);
/* Of a submit that was not taken; not for ENDPOINT_TAKEN. */
usbip_stat status_of_taken(enum endpoint_taken taken);
usbip_stat status_of_verdict(enum urb_verdict verdict);
usbip_xfer status_of_xfer(enum urb_xfer xfer);
usbip_speed status_of_speed(enum backend_speed speed);
usbip_event_type status_of_event(enum events_type type);

#endif
