/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cdev - the module's char device as a struct vhci. The only user of
 * kernel/uapi/linux/usbip_rpc.h.
 */
#ifndef USBIP_CLIENT_CDEV_H
#define USBIP_CLIENT_CDEV_H

#include "client/failure.h"
#include "client/vhci.h"

/*
 * Open the char device and agree on the ABI. 0; or -errno with *f saying
 * what to do (module not loaded, not root, version).
 */
int cdev_open(struct vhci **vp, const struct vhci_events *events,
	      struct failure *f);

/*
 * A descriptor that speaks the ABI's messages already: one packet of a
 * SOCK_SEQPACKET socket is one read or write. Consumed on success. -errno.
 */
int cdev_adopt(struct vhci **vp, int fd, const struct vhci_events *events);

#endif
