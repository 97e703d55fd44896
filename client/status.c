// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status - what the wire says, in the terms of this side.
 */
#include "client/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

int status_errno(usbip_xfer xfer)
{
	switch (xfer) {
	case USBIP_XFER_OK:
		return 0;
	case USBIP_XFER_STALL:
		return -EPIPE;
	case USBIP_XFER_OVERFLOW:
		return -EOVERFLOW;
	case USBIP_XFER_IO:
		return -EPROTO;
	case USBIP_XFER_CANCELLED:
		return -ECONNRESET;
	case USBIP_XFER_SHUTDOWN:
		return -ESHUTDOWN;
	case USBIP_XFER_NO_MEMORY:
		return -ENOMEM;
	case USBIP_XFER_LATE:
		return -ETIME;
	case USBIP_XFER_MISSED:
		return -EILSEQ;
	}
	return -EPROTO;
}

int status_packet_errno(usbip_xfer xfer)
{
	/* nothing was moved in its frame; EXDEV is what drivers expect then */
	if (xfer == USBIP_XFER_LATE || xfer == USBIP_XFER_MISSED)
		return -EXDEV;
	return status_errno(xfer);
}

enum port_verdict status_verdict(usbip_stat stat, int *errnop)
{
	*errnop = 0;
	switch (stat) {
	case USBIP_OK:
	case USBIP_OK_DATA:
		return PORT_DONE;
	case USBIP_INVAL:
	case USBIP_NOT_SUPPORTED:
		*errnop = -EINVAL;
		return PORT_DONE;
	case USBIP_DELAY:
		return PORT_DELAY;
	case USBIP_HOST_ERROR:
		return PORT_NOT_TAKEN;
	case USBIP_NO_DEVICE:
	case USBIP_AMBIGUOUS:
	case USBIP_BUSY:
	case USBIP_NO_PERMISSION:
	case USBIP_NO_SESSION:
	case USBIP_EXPIRED:
	case USBIP_GONE:
	case USBIP_REVOKED:
	case USBIP_RELEASED:
	case USBIP_IN_PROGRESS:
	case USBIP_STALE:
		break;
	}
	return PORT_BROKEN;
}

bool status_ends_session(usbip_stat stat)
{
	return stat == USBIP_NO_SESSION || stat == USBIP_EXPIRED ||
	       stat == USBIP_GONE || stat == USBIP_REVOKED ||
	       stat == USBIP_RELEASED || stat == USBIP_NO_PERMISSION;
}

const char *status_text(usbip_stat stat)
{
	switch (stat) {
	case USBIP_OK:
	case USBIP_OK_DATA:
		return "success";
	case USBIP_INVAL:
		return "the target takes the request for invalid";
	case USBIP_NOT_SUPPORTED:
		return "the target can not do that";
	case USBIP_NO_DEVICE:
		return "no such device at the target";
	case USBIP_AMBIGUOUS:
		return "several devices have that name";
	case USBIP_BUSY:
		return "somebody else has the device";
	case USBIP_NO_PERMISSION:
		return "the device is not exported to this host";
	case USBIP_NO_SESSION:
		return "the target knows nothing of the session "
		       "(was its service restarted?)";
	case USBIP_EXPIRED:
		return "the session's lease ran out";
	case USBIP_GONE:
		return "the device was unplugged at the target";
	case USBIP_REVOKED:
		return "the target's administrator ended the session";
	case USBIP_RELEASED:
		return "the session was released";
	case USBIP_IN_PROGRESS:
		return "a duplicate of a call that still runs";
	case USBIP_STALE:
		return "a duplicate of a call that was acknowledged";
	case USBIP_DELAY:
		return "the target has no room at present: see its log";
	case USBIP_HOST_ERROR:
		return "the target's system failed: see its log";
	}
	return "unknown status";
}

/* Each result begins with its status. */
bool status_is_interim(const uint8_t *results, size_t len)
{
	uint32_t stat;

	if (len < sizeof(stat))
		return false;
	memcpy(&stat, results, sizeof(stat));
	return ntohl(stat) == USBIP_IN_PROGRESS;
}

void status_rpc_failure(struct failure *f, const struct rpc_err *err,
			const char *host)
{
	switch (err->re_status) {
	case RPC_PROGVERSMISMATCH:
		failure_set(f, FAILURE_VERSION,
			    "%s speaks versions %lu to %lu of the protocol, "
			    "this is version %d: install matching releases",
			    host, (unsigned long)err->re_vers.low,
			    (unsigned long)err->re_vers.high, USBIP_V1);
		return;
	case RPC_PROGUNAVAIL:
		failure_set(f, FAILURE_VERSION,
			    "the RPC service at that port of %s is another one, "
			    "not usbip-rpcd", host);
		return;
	case RPC_TIMEDOUT:
		failure_set(f, FAILURE_UNREACHABLE,
			    "usbip-rpcd at %s was reached and does not answer",
			    host);
		return;
	case RPC_CANTRECV:
	case RPC_CANTSEND:
		failure_set(f, FAILURE_UNREACHABLE,
			    "%s closed the connection before it answered%s%s",
			    host, err->re_errno ? ": " : "",
			    err->re_errno ? strerror(err->re_errno) : "");
		return;
	case RPC_AUTHERROR:
		failure_set(f, FAILURE_PERMISSION,
			    "%s does not accept our credentials", host);
		return;
	default:
		failure_set(f, FAILURE_OTHER, "%s: %s", host,
			    clnt_sperrno(err->re_status));
	}
}
