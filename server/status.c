// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status - our enums to the wire's. Each switch is complete and has no
 * default, so that the compiler finds what is missing.
 */
#include "server/status.h"

usbip_stat status_of_why(enum session_why why)
{
	switch (why) {
	case SESSION_WHY_NONE:
		return USBIP_OK;
	case SESSION_WHY_FAILED:
		return USBIP_NO_SESSION;
	case SESSION_WHY_EXPIRED:
		return USBIP_EXPIRED;
	case SESSION_WHY_GONE:
		return USBIP_GONE;
	case SESSION_WHY_REVOKED:
		return USBIP_REVOKED;
	case SESSION_WHY_RELEASED:
		return USBIP_RELEASED;
	}
	return USBIP_HOST_ERROR;
}

usbip_stat status_of_taken(enum endpoint_taken taken)
{
	switch (taken) {
	case ENDPOINT_TAKEN:
		return USBIP_OK;
	case ENDPOINT_STALE:
		return USBIP_STALE;
	case ENDPOINT_DELAY:
		return USBIP_DELAY;
	case ENDPOINT_INVAL:
		return USBIP_INVAL;
	case ENDPOINT_IN_PROGRESS:
		return USBIP_IN_PROGRESS;
	}
	return USBIP_HOST_ERROR;
}

usbip_stat status_of_verdict(enum urb_verdict verdict)
{
	switch (verdict) {
	case URB_VERDICT_TAKEN:
		return USBIP_OK;
	case URB_VERDICT_INVAL:
		return USBIP_INVAL;
	case URB_VERDICT_NOT_SUPPORTED:
		return USBIP_NOT_SUPPORTED;
	}
	return USBIP_HOST_ERROR;
}

usbip_xfer status_of_xfer(enum urb_xfer xfer)
{
	switch (xfer) {
	case URB_XFER_OK:
		return USBIP_XFER_OK;
	case URB_XFER_STALL:
		return USBIP_XFER_STALL;
	case URB_XFER_OVERFLOW:
		return USBIP_XFER_OVERFLOW;
	case URB_XFER_IO:
		return USBIP_XFER_IO;
	case URB_XFER_CANCELLED:
		return USBIP_XFER_CANCELLED;
	case URB_XFER_SHUTDOWN:
		return USBIP_XFER_SHUTDOWN;
	case URB_XFER_NO_MEMORY:
		return USBIP_XFER_NO_MEMORY;
	case URB_XFER_LATE:
		return USBIP_XFER_LATE;
	case URB_XFER_MISSED:
		return USBIP_XFER_MISSED;
	}
	return USBIP_XFER_IO;
}

usbip_speed status_of_speed(enum backend_speed speed)
{
	switch (speed) {
	case BACKEND_SPEED_UNKNOWN:
		return USBIP_SPEED_UNKNOWN;
	case BACKEND_SPEED_LOW:
		return USBIP_SPEED_LOW;
	case BACKEND_SPEED_FULL:
		return USBIP_SPEED_FULL;
	case BACKEND_SPEED_HIGH:
		return USBIP_SPEED_HIGH;
	case BACKEND_SPEED_SUPER:
		return USBIP_SPEED_SUPER;
	case BACKEND_SPEED_SUPER_PLUS:
		return USBIP_SPEED_SUPER_PLUS;
	}
	return USBIP_SPEED_UNKNOWN;
}

usbip_event_type status_of_event(enum events_type type)
{
	switch (type) {
	case EVENTS_TYPE_ARRIVED:
		return USBIP_EVENT_ARRIVED;
	case EVENTS_TYPE_LEFT:
		return USBIP_EVENT_LEFT;
	case EVENTS_TYPE_CHANGED:
		return USBIP_EVENT_CHANGED;
	case EVENTS_TYPE_REENUMERATED:
		return USBIP_EVENT_REENUMERATED;
	case EVENTS_TYPE_LOST:
		return USBIP_EVENT_LOST;
	case EVENTS_TYPE_SESSION:
		return USBIP_EVENT_SESSION;
	}
	return USBIP_EVENT_LOST;
}
