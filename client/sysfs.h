/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysfs - what the kernel has made of a device that was plugged in.
 *
 * Only what can be had without the device's lock is looked at (see names.h):
 * not bConfigurationValue, not the strings.
 */
#ifndef USBIP_CLIENT_SYSFS_H
#define USBIP_CLIENT_SYSFS_H

#include <stdbool.h>

#include "client/answer.h"
#include "client/vhci.h"

#define SYSFS_USB	"/sys/bus/usb/devices"

/* `dir` is SYSFS_USB, or what a test has instead. */

/* A configuration was set, and all of its interfaces are there. */
bool sysfs_is_configured(const char *dir, const struct vhci_place *place,
			 const struct answer_descriptors *descriptors);
/* What is missing until then, and what to look at. */
const char *sysfs_missing(const char *dir, const struct vhci_place *place);

#endif
