// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_claim - taking a device from its system and giving it back,
 * and the calls that change its state. All of it blocks, and runs in the
 * worker thread of its device.
 *
 * Never in here: libusb's synchronous transfers. They handle events, and with
 * that end the transfers of other devices in the wrong thread. What the
 * claim has to ask the device, it asks usbfs itself; and where libusb makes
 * one error out of several (a refused SET_INTERFACE, say), usbfs is asked, too.
 */
#include "server/backend_libusb.h"

#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/endpoint.h"

#define CONTROL_MS 1000

static int to_errno(int r)
{
	switch (r) {
	case LIBUSB_SUCCESS:
		return 0;
	case LIBUSB_ERROR_NO_DEVICE:
		return -ENODEV;
	case LIBUSB_ERROR_ACCESS:
		return -EACCES;
	case LIBUSB_ERROR_BUSY:
		return -EBUSY;
	case LIBUSB_ERROR_NO_MEM:
		return -ENOMEM;
	case LIBUSB_ERROR_PIPE:
		return -EPIPE;
	case LIBUSB_ERROR_NOT_FOUND:
	case LIBUSB_ERROR_INVALID_PARAM:
	case LIBUSB_ERROR_NOT_SUPPORTED:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/* ---- interfaces --------------------------------------------------------- */

/* All interfaces of the active configuration, a bit each. */
static uint32_t all_interfaces(const struct lusb_device *dev)
{
	const struct descriptor_blob *config;
	struct descriptor_interface i;
	uint32_t mask = 0;
	struct descriptor_walk walk = { 0 };

	config = descriptors_config(&dev->info.descriptors, dev->configuration);
	while (dev->configuration && config &&
	       descriptor_next_interface(config, &walk, &i))
		mask |= 1u << i.number;
	return mask;
}

static void release_interfaces(struct lusb_device *dev)
{
	libusb_set_auto_detach_kernel_driver(dev->handle, 0);
	for (int i = 0; i < 32; i++)
		if (dev->interfaces & (1u << i))
			libusb_release_interface(dev->handle, i);
	dev->interfaces = 0;
}

/* From the kernel's drivers, if they have them: one ioctl does both. */
static int claim_interfaces(struct lusb_device *dev)
{
	uint32_t all = all_interfaces(dev);
	int r;

	libusb_set_auto_detach_kernel_driver(dev->handle, 1);
	for (int i = 0; i < 32; i++) {
		if (!(all & (1u << i)))
			continue;
		r = libusb_claim_interface(dev->handle, i);
		if (r) {
			log_warning("%s: interface %d can not be claimed: %s%s",
				    dev->info.busid, i, libusb_error_name(r),
				    r == LIBUSB_ERROR_BUSY ?
				    "; another program on this machine has it" : "");
			release_interfaces(dev);
			return to_errno(r);
		}
		dev->interfaces |= 1u << i;
	}
	return 0;
}

/* Back to the kernel's drivers. Those that have an interface already say so;
 * many an interface has no driver. */
static void attach_drivers(struct lusb_device *dev)
{
	uint32_t all = all_interfaces(dev);

	for (int i = 0; i < 32; i++)
		if (all & (1u << i))
			libusb_attach_kernel_driver(dev->handle, i);
}

/* ---- power -------------------------------------------------------------- */

/* What usbfs of this kernel does not know (Linux 5.3 does), or what libusb
 * does not say. */
static int call_power(const struct lusb_device *dev, unsigned long request)
{
	if (!ioctl(dev->fd, request))
		return 0;
	return errno == ENOTTY ? -EOPNOTSUPP : -errno;
}

/*
 * An open descriptor keeps its device awake unless it says otherwise. With
 * that, the kernel does with it what its power/control says, as if nobody had
 * it open. The second descriptor would keep it awake all the same.
 */
int lusb_suspend(void *bdev)
{
	struct lusb_device *dev = bdev;

	lusb_raw_close(dev);
	return call_power(dev, USBDEVFS_ALLOW_SUSPEND);
}

int lusb_resume(void *bdev)
{
	struct lusb_device *dev = bdev;

	return call_power(dev, USBDEVFS_FORBID_SUSPEND);
}

/* ---- claim and release -------------------------------------------------- */

static int get_descriptor(const struct lusb_device *dev, uint8_t type,
			  void *data, uint16_t length)
{
	struct usbdevfs_ctrltransfer c = {
		.bRequestType = 0x80,
		.bRequest = 6,
		.wValue = type << 8,
		.wLength = length,
		.timeout = CONTROL_MS,
		.data = data,
	};
	int r = ioctl(dev->fd, USBDEVFS_CONTROL, &c);

	return r < 0 ? -errno : r;
}

/* Devices from 2.01 on have one; a device that has none after all may. */
static void read_bos(struct lusb_device *dev)
{
	struct descriptors *d = &dev->info.descriptors;
	_cleanup_(cleanup_free) uint8_t *data = NULL;
	unsigned int version = d->device[2] | d->device[3] << 8, total;
	uint8_t head[5];
	int n;

	if (d->bos.len || version < 0x0201)
		return;
	n = get_descriptor(dev, 15, head, sizeof(head));
	if (n < (int)sizeof(head) || head[1] != 15)
		return;
	total = head[2] | head[3] << 8;
	data = malloc(total ? total : 1);
	if (!data || total < sizeof(head))
		return;
	n = get_descriptor(dev, 15, data, total);
	if (n >= (int)sizeof(head))
		descriptors_set_bos(d, data, n);
}

static int open_device(struct lusb_device *dev)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", dev->busnum,
		 dev->devnum);
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0) {
		r = -errno;
		log_warning("%s: %s: %s%s", dev->info.busid, path, strerror(-r),
			    r == -EACCES || r == -EPERM ?
			    "; be root, or let udev give this user the device" : "");
		return r == -ENOENT ? -ENODEV : r;
	}
	r = libusb_wrap_sys_device(dev->lusb->ctx, dev->fd, &dev->handle);
	if (r)
		log_warning("%s: %s: %s", dev->info.busid, path,
			    libusb_error_name(r));
	return to_errno(r);
}

static void close_device(struct lusb_device *dev)
{
	lusb_raw_close(dev);
	if (dev->handle)
		libusb_close(dev->handle);
	dev->handle = NULL;
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

int lusb_claim(void *bdev)
{
	struct lusb_device *dev = bdev;
	int r;

	if (lusb_is_in_use(dev))
		return -EBUSY;
	r = open_device(dev);
	if (!r) {
		dev->configuration = lusb_scan_configuration(dev);
		dev->configuration_before = dev->configuration;
		dev->info.configuration = dev->configuration;
		read_bos(dev);
		r = claim_interfaces(dev);
		if (r)
			attach_drivers(dev);
		else
			lusb_mark(dev);
	}
	if (r)
		close_device(dev);
	return r;
}

static int change_configuration(struct lusb_device *dev, unsigned int value)
{
	int wanted = value ? (int)value : -1;	/* -1 is usbfs for none */

	release_interfaces(dev);
	if (ioctl(dev->fd, USBDEVFS_SETCONFIGURATION, &wanted) < 0)
		return -errno;
	dev->configuration = value;
	return 0;
}

int lusb_release(void *bdev, bool reset)
{
	struct lusb_device *dev = bdev;
	int r = 0;

	/* its own drivers get it awake: they may not find it otherwise */
	call_power(dev, USBDEVFS_FORBID_SUSPEND);
	release_interfaces(dev);
	if (reset)
		r = libusb_reset_device(dev->handle);
	if (r && r != LIBUSB_ERROR_NOT_FOUND && r != LIBUSB_ERROR_NO_DEVICE)
		log_warning("%s: reset: %s", dev->info.busid,
			    libusb_error_name(r));
	r = to_errno(r);
	if (!r && dev->configuration != dev->configuration_before) {
		r = change_configuration(dev, dev->configuration_before);
		if (r)
			log_warning("%s: configuration %u is not active again: %s",
				    dev->info.busid, dev->configuration_before,
				    strerror(-r));
	}
	attach_drivers(dev);
	lusb_unmark(dev->info.busid);
	close_device(dev);
	return r;
}

/* ---- state calls -------------------------------------------------------- */

int lusb_set_interface(void *bdev, unsigned int interface,
		       unsigned int alternate)
{
	struct usbdevfs_setinterface s = { interface, alternate };
	struct lusb_device *dev = bdev;

	return ioctl(dev->fd, USBDEVFS_SETINTERFACE, &s) < 0 ? -errno : 0;
}

/* All interfaces to their first setting, as SET_CONFIGURATION leaves them. */
static int reset_interfaces(struct lusb_device *dev)
{
	const struct descriptor_blob *config;
	struct descriptor_interface i;
	struct descriptor_walk walk = { 0 };
	int r = 0;

	config = descriptors_config(&dev->info.descriptors, dev->configuration);
	while (!r && config && descriptor_next_interface(config, &walk, &i))
		if (i.alternate == 1)
			r = lusb_set_interface(dev, i.number, 0);
	return r;
}

/*
 * A device with one configuration has it already: the kernel has set it. To
 * set it again would let the kernel's drivers in for a moment, and there are
 * devices that do not take it twice.
 */
int lusb_set_configuration(void *bdev, unsigned int value)
{
	struct lusb_device *dev = bdev;
	int r, claim;

	if (value == dev->configuration && dev->info.descriptors.n_configs == 1)
		return reset_interfaces(dev);
	r = change_configuration(dev, value);
	claim = claim_interfaces(dev);
	return r ? r : claim;
}

int lusb_clear_halt(void *bdev, uint8_t address)
{
	struct lusb_device *dev = bdev;
	unsigned int endpoint = address;

	return ioctl(dev->fd, USBDEVFS_CLEAR_HALT, &endpoint) < 0 ? -errno : 0;
}

/* What `rows` names, as libusb wants it; returns how many. */
static int name_endpoints(uint32_t rows, unsigned char *addresses)
{
	int n = 0;

	for (; rows; rows &= rows - 1)
		addresses[n++] = endpoint_row_address(__builtin_ctz(rows));
	return n;
}

int lusb_alloc_streams(void *bdev, unsigned int streams, uint32_t rows)
{
	unsigned char addresses[ENDPOINT_ROWS];
	struct lusb_device *dev = bdev;
	int n = name_endpoints(rows, addresses), r;

	r = libusb_alloc_streams(dev->handle, streams, addresses, n);
	return r > 0 ? r : to_errno(r ? r : LIBUSB_ERROR_OTHER);
}

int lusb_free_streams(void *bdev, uint32_t rows)
{
	unsigned char addresses[ENDPOINT_ROWS];
	struct lusb_device *dev = bdev;
	int n = name_endpoints(rows, addresses);

	return to_errno(libusb_free_streams(dev->handle, addresses, n));
}

/* libusb claims the interfaces again. NOT_FOUND: it is another device now. */
int lusb_reset(void *bdev)
{
	struct lusb_device *dev = bdev;
	int r;

	/* who resets it is about to use it */
	call_power(dev, USBDEVFS_FORBID_SUSPEND);
	r = libusb_reset_device(dev->handle);
	return r == LIBUSB_ERROR_NOT_FOUND ? -ENODEV : to_errno(r);
}
