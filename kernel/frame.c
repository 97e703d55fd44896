// SPDX-License-Identifier: GPL-2.0
/*
 * frame.c - frames: the clock of the virtual buses, and the schedule of
 * isochronous URBs
 *
 * No bus here has frames, and those of the target's bus cannot be known. But
 * drivers reckon with the number of the current frame and with the frames that
 * their URBs are given, so both are counted, by one clock: a frame is a
 * millisecond, a microframe an eighth of it.
 *
 * An URB is scheduled when it is submitted, as host controllers do. It begins
 * where the last one of its endpoint ends. If that is over, the schedule has
 * run out: it begins anew if the endpoint is idle or URB_ISO_ASAP says so; else
 * the URB keeps its place, however late, since its driver counts on it.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include "vhci.h"

#define FRAME_BITS	11	/* of a frame number: USB 2.0, 8.4.3 */
#define UFRAME_SHIFT	3	/* microframes per frame */
#define AHEAD		8	/* microframes from now that can be scheduled */

static u64 now_uframes(void)
{
	return div_u64(ktime_get_ns(), NSEC_PER_MSEC >> UFRAME_SHIFT);
}

/* hc_driver.get_frame_number. */
int urpc_frame_number(struct usb_hcd *hcd)
{
	return (now_uframes() >> UFRAME_SHIFT) & (BIT(FRAME_BITS) - 1);
}

/*
 * Set an isochronous URB's start_frame: in frames at full speed, else in
 * microframes. @idle: its endpoint had nothing to do. Locked.
 */
void urpc_frame_schedule(struct urpc_port *port, struct urb *urb, bool idle)
{
	bool micro = port->speed >= USBIP_RPC_SPEED_HIGH;
	unsigned int shift = micro ? 0 : UFRAME_SHIFT;
	unsigned int bits = FRAME_BITS + UFRAME_SHIFT - shift;
	/* a power of two: usb_submit_urb() rounds it down to one */
	u64 period = (u64)urb->interval << shift;
	u64 first = now_uframes() + AHEAD;
	u64 *end;

	lockdep_assert_held(&port->lock);
	end = &port->isoc_end[usb_pipein(urb->pipe) ? 1 : 0]
			     [usb_pipeendpoint(urb->pipe)];
	if (*end < first && (idle || urb->transfer_flags & URB_ISO_ASAP))
		*end = round_up(first, period);
	urb->start_frame = (*end >> shift) & (BIT(bits) - 1);
	*end += urb->number_of_packets * period;
}
