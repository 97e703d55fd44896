/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failure - why a command could not do what it was asked: the exit code of
 * usbip-rpc, and a sentence for the person who typed it.
 */
#ifndef USBIP_CLIENT_FAILURE_H
#define USBIP_CLIENT_FAILURE_H

#include <stdbool.h>

/* Exit codes, documented in usbip-rpc(1): they never change their meaning. */
enum failure_code {
	FAILURE_NONE = 0,
	FAILURE_OTHER = 1,		/* none of the below */
	FAILURE_USAGE = 2,		/* the command line makes no sense */
	FAILURE_UNREACHABLE = 3,	/* host, rpcbind or service not reached */
	FAILURE_PERMISSION = 4,		/* not root, or not exported to us */
	FAILURE_BUSY = 5,		/* somebody else has the device */
	FAILURE_NOT_FOUND = 6,		/* no such device or port, or ambiguous */
	FAILURE_MODULE = 7,		/* the kernel module is not there */
	FAILURE_ENUMERATION = 8,	/* the device was not configured in time */
	FAILURE_VERSION = 9,		/* the other side speaks other versions */
};

struct failure {
	enum failure_code code;
	/* Somebody has to do something about it: waiting does not help. */
	bool lasting;
	char text[480];			/* what, and what to do: one line, clean */
};

/* The text may have what a peer says: it is made clean in here (text.h).
 * `lasting` is as it is with that code, mostly. */
void failure_set(struct failure *f, enum failure_code code,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
