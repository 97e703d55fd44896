// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_raw: what becomes of a control transfer that usbfs refuses,
 * and who hears of one that it takes. usbfs is a stand-in.
 */
#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "server/backend_libusb.h"
#include "server/urb.h"
#include "tests/tap.h"

static int refuse;			/* errno of SUBMITURB, or 0 */
static struct usbdevfs_urb *taken;
static unsigned int n_looks, n_rooms, n_done;

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == USBDEVFS_SUBMITURB) {
		taken = refuse ? NULL : arg;
		errno = refuse;
		return refuse ? -1 : 0;
	}
	if (request == USBDEVFS_REAPURBNDELAY && taken) {
		*(struct usbdevfs_urb **)arg = taken;
		taken = NULL;
		return 0;
	}
	errno = EAGAIN;
	return -1;
}

/* What backend_libusb.c has for it. */
int lusb_no_memory(struct lusb *lusb)
{
	return lusb->n_running ? -EAGAIN : -ENOMEM;
}

void lusb_tell_room(struct lusb *lusb)
{
	n_rooms++;
}

void lusb_look_soon(struct lusb *lusb)
{
	n_looks++;
}

static void done(struct urb *urb)
{
	n_done++;
}

static const struct {
	const char *what;
	int refuse;
	unsigned int n_running;		/* of other devices */
	int r;
	unsigned int n_looks;
} refused[] = {
	{ "no memory, and what runs will give some back", ENOMEM, 1, -EAGAIN, 0 },
	{ "no memory, and nothing runs", ENOMEM, 0, -ENOMEM, 0 },
	{ "the device is gone", ENODEV, 1, -ENODEV, 1 },
	{ "it is shut down", ESHUTDOWN, 0, -ENODEV, 1 },
	{ "it makes no sense", EINVAL, 0, -EINVAL, 0 },
	{ "anything else", EHOSTUNREACH, 0, -EIO, 0 },
};

static const struct {
	const char *what;
	int status;
	enum urb_xfer xfer;
	unsigned int n_looks;
} ended[] = {
	{ "well", 0, URB_XFER_OK, 0 },
	{ "with a stall", -EPIPE, URB_XFER_STALL, 0 },
	{ "cancelled", -ENOENT, URB_XFER_CANCELLED, 0 },
	{ "with too much", -EOVERFLOW, URB_XFER_OVERFLOW, 0 },
	{ "as the device goes", -ESHUTDOWN, URB_XFER_SHUTDOWN, 1 },
	{ "with an error of the bus", -EPROTO, URB_XFER_IO, 1 },
};

int main(void)
{
	static const struct backend_sink sink = { .done = done };
	struct lusb lusb = { .sink = &sink, .epoll = epoll_create1(0) };
	struct lusb_device dev = { .lusb = &lusb };
	struct urb urb = { .type = URB_TYPE_CONTROL, .length = 8192 };
	int fds[2], r;

	TAILQ_INIT(&lusb.raws);
	if (lusb.epoll < 0 || pipe(fds))
		return 1;
	dev.raw_fd = fds[1];
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		refuse = refused[i].refuse;
		lusb.n_running = refused[i].n_running;
		n_looks = 0;
		r = lusb_raw_submit(&dev, &urb);
		ok(r == refused[i].r, "%s: %s", refused[i].what, strerror(-r));
		ok(n_looks == refused[i].n_looks &&
		   lusb.n_running == refused[i].n_running &&
		   TAILQ_EMPTY(&lusb.raws), "and nothing is left of it");
	}
	refuse = 0;
	lusb.n_running = 0;
	for (size_t i = 0; i < sizeof(ended) / sizeof(*ended); i++) {
		n_looks = n_rooms = n_done = 0;
		ok(!lusb_raw_submit(&dev, &urb) && lusb.n_running == 1,
		   "one is submitted");
		taken->status = ended[i].status;
		taken->actual_length = 4097;
		lusb_raw_reap(&lusb);
		ok(n_done == 1 && n_rooms == 1 && !lusb.n_running &&
		   urb.xfer == ended[i].xfer && urb.actual == 4097 &&
		   n_looks == ended[i].n_looks, "and ends %s", ended[i].what);
	}
	lusb_raw_close(&dev);
	close(fds[0]);
	close(lusb.epoll);
	return tap_done();
}
