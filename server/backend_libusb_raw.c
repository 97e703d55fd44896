// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_raw - control transfers of more than 4 KiB, which libusb
 * refuses and usbfs takes: firmware loaders and some cameras make them. They
 * go to usbfs itself, by a second descriptor of the same device, so that
 * libusb does not see them; endpoint 0 needs no claim.
 *
 * The descriptor is opened when it is first needed and watched, with
 * libusb's own, only while a transfer runs: so the loop's thread alone uses
 * it, and the worker may close it when nothing runs.
 */
#include "server/backend_libusb.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/log.h"
#include "server/urb.h"

struct raw {
	struct urb *urb;
	struct usbdevfs_urb usbfs;	/* ends in a flexible array */
};

static enum urb_xfer to_xfer(int status)
{
	switch (status) {
	case 0:
		return URB_XFER_OK;
	case -EPIPE:
		return URB_XFER_STALL;
	case -EOVERFLOW:
		return URB_XFER_OVERFLOW;
	case -ENOENT:
	case -ECONNRESET:
		return URB_XFER_CANCELLED;
	case -ENODEV:
	case -ESHUTDOWN:
		return URB_XFER_SHUTDOWN;
	default:
		return URB_XFER_IO;
	}
}

static int open_raw(struct lusb_device *dev)
{
	char path[64];

	if (dev->raw_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", dev->busnum,
		 dev->devnum);
	dev->raw_fd = open(path, O_RDWR | O_CLOEXEC);
	return dev->raw_fd < 0 ? -errno : 0;
}

static int watch(struct lusb_device *dev)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.fd = dev->raw_fd };

	if (epoll_ctl(dev->lusb->epoll, EPOLL_CTL_ADD, dev->raw_fd, &e))
		return -errno;
	TAILQ_INSERT_TAIL(&dev->lusb->raws, dev, raw_link);
	return 0;
}

static void unwatch(struct lusb_device *dev)
{
	epoll_ctl(dev->lusb->epoll, EPOLL_CTL_DEL, dev->raw_fd, NULL);
	TAILQ_REMOVE(&dev->lusb->raws, dev, raw_link);
}

/* usbfs refused with an errno: what submit() is to return. */
static int submit_error(struct lusb *lusb, int error)
{
	switch (error) {
	case ENODEV:
	case ESHUTDOWN:
		lusb_look_soon(lusb);
		return -ENODEV;
	case ENOMEM:
		return lusb_no_memory(lusb);
	case EINVAL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int lusb_raw_submit(struct lusb_device *dev, struct urb *urb)
{
	struct raw *raw;
	int r;

	r = open_raw(dev);
	if (r)
		return submit_error(dev->lusb, -r);
	raw = calloc(1, sizeof(*raw));
	if (!raw)
		return -ENOMEM;
	raw->urb = urb;
	raw->usbfs.type = USBDEVFS_URB_TYPE_CONTROL;
	raw->usbfs.endpoint = urb->address & 0x80;
	raw->usbfs.buffer = urb->buffer;	/* the setup is in front */
	raw->usbfs.buffer_length = URB_HEADROOM + urb->length;
	raw->usbfs.usercontext = raw;
	r = dev->n_raw ? 0 : watch(dev);
	if (r) {
		free(raw);
		return -EIO;
	}
	if (ioctl(dev->raw_fd, USBDEVFS_SUBMITURB, &raw->usbfs) < 0) {
		r = errno;
		if (!dev->n_raw)
			unwatch(dev);
		free(raw);
		return submit_error(dev->lusb, r);
	}
	dev->n_raw++;
	dev->lusb->n_running++;
	urb->backend = raw;
	return 0;
}

void lusb_raw_cancel(struct lusb_device *dev, struct urb *urb)
{
	struct raw *raw = urb->backend;

	/* EINVAL: it has ended, and is about to be reaped */
	if (ioctl(dev->raw_fd, USBDEVFS_DISCARDURB, &raw->usbfs) < 0 &&
	    errno != EINVAL && errno != ENODEV)
		log_warning("%s: a transfer can not be cancelled: %s",
			    dev->info.busid, strerror(errno));
}

static void reap(struct lusb_device *dev)
{
	struct usbdevfs_urb *usbfs;
	struct urb *urb;

	while (dev->n_raw &&
	       ioctl(dev->raw_fd, USBDEVFS_REAPURBNDELAY, &usbfs) == 0) {
		struct raw *raw = usbfs->usercontext;

		urb = raw->urb;
		urb->xfer = to_xfer(usbfs->status);
		urb->actual = usbfs->actual_length;
		urb->backend = NULL;
		free(raw);
		dev->lusb->n_running--;
		if (!--dev->n_raw)
			unwatch(dev);
		if (urb->xfer == URB_XFER_SHUTDOWN || urb->xfer == URB_XFER_IO)
			lusb_look_soon(dev->lusb);
		lusb_tell_room(dev->lusb);
		dev->lusb->sink->done(urb);
	}
}

void lusb_raw_reap(struct lusb *lusb)
{
	struct lusb_device *dev, *after;

	for (dev = TAILQ_FIRST(&lusb->raws); dev; dev = after) {
		after = TAILQ_NEXT(dev, raw_link);
		reap(dev);
	}
}

void lusb_raw_close(struct lusb_device *dev)
{
	if (dev->raw_fd >= 0)
		close(dev->raw_fd);
	dev->raw_fd = -1;
}
