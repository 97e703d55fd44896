/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * haul - the data of one URB, brought to the target or from it in pieces, as
 * one message does not hold it: STAGE and FETCH.
 */
#ifndef USBIP_CLIENT_HAUL_H
#define USBIP_CLIENT_HAUL_H

#include <stdint.h>

#include "rpc/usbip.h"

struct event_base;
struct haul;
struct session;
struct vhci_buf;

enum haul_end {
	HAUL_DONE,		/* all of it is there */
	HAUL_REFUSED,		/* it is not to be had, or not taken */
	HAUL_TOO_LARGE,		/* a piece does not fit any more: begin anew */
};

struct haul_config {
	struct event_base *base;
	struct session *session;
	usbip_urb urb;
	const uint8_t *out;		/* stays until haul_leave(); NULL: IN */
	uint32_t length;
	uint32_t size;			/* of a piece, at most */
	/* Once, from the loop; not where the connection ends before. */
	void (*ended)(enum haul_end end, void *user);
	void *user;
};

/* Nothing is sent yet. NULL: out of memory. */
struct haul *haul_new(const struct haul_config *config);
void haul_begin(struct haul *h);
/* Nobody waits for it any more: it frees itself when the calls that are
 * outstanding have ended. NULL is fine; returns NULL. */
struct haul *haul_leave(struct haul *h);

/* IN: what has come. It is the haul's: take a reference to keep it. */
struct vhci_buf *haul_data(const struct haul *h);

#endif
