/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * driver - the kernel of the controller with a driver in it that does whatever
 * a driver may: a struct vhci for the helper.
 */
#ifndef USBIP_TESTS_SIM_DRIVER_H
#define USBIP_TESTS_SIM_DRIVER_H

#include <stdbool.h>

#include "client/failure.h"
#include "client/vhci.h"

/* attachment_config.open */
int driver_open(struct vhci **vp, const struct vhci_events *events,
		struct failure *f);
/* No more submits; what is outstanding is unlinked some time. */
void driver_finish(void);
/* It has nothing outstanding, and all that it said was heard. */
bool driver_is_done(void);

#endif
