/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame - the frames that isochronous URBs are told to have begun in. libusb
 * knows of none, so they are counted here; see frame.c.
 */
#ifndef USBIP_SERVER_FRAME_H
#define USBIP_SERVER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/* Microframes (125 us) of this system's clock. */
uint64_t frame_now(void);

/*
 * An URB of `packets` packets goes to its endpoint now; `first`: nothing was
 * there. *end: where the one before ends, 0 at first; then where this one does.
 * micro: the bus has microframes; interval: the endpoint's bInterval. Returns
 * the number of the frame (of the microframe) that it begins in.
 */
uint32_t frame_place(uint64_t *end, uint64_t now, bool first, bool micro,
		     unsigned int interval, unsigned int packets);

#endif
