/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status - what the wire says, in the terms of this side: errno for the
 * kernel, sentences for people. The only file that maps them.
 */
#ifndef USBIP_CLIENT_STATUS_H
#define USBIP_CLIENT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rpc/rpc.h>

#include "client/failure.h"
#include "client/port.h"
#include "rpc/usbip.h"

/* A transfer's end as the kernel's -errno; -EPROTO for what is not known. */
int status_errno(usbip_xfer xfer);
/* The same for one packet of an isochronous transfer. */
int status_packet_errno(usbip_xfer xfer);
/* What a numbered call's status means; DONE's status is set where the call
 * was refused for good, else 0. */
enum port_verdict status_verdict(usbip_stat stat, int *errnop);
/* Does it end the session? */
bool status_ends_session(usbip_stat stat);
/* "the device was unplugged at the target" */
const char *status_text(usbip_stat stat);

/* Of the results of a reply: does it say that the call runs yet? As
 * rpcclnt_config wants it. */
bool status_is_interim(const uint8_t *results, size_t len);

/* Why a call at `host` got no answer of the service. */
void status_rpc_failure(struct failure *f, const struct rpc_err *err,
			const char *host);

#endif
