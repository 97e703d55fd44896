// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb - real devices, by libusb-1.0. Owns the context and the
 * transfers. One thread submits, reaps and cancels: the loop's.
 *
 * libusb's descriptors change while worker threads open and close devices,
 * and libevent takes no event from another thread; so they are watched by an
 * epoll of their own, which any thread may change, and the loop watches that
 * one descriptor.
 *
 * What a transfer's end means where libusb leaves it open: ERROR and
 * NO_DEVICE say that the transfer failed, not that the device has gone; only
 * sysfs says that. CANCELLED may have moved data, and it is told. All of
 * usbfs shares one limit of memory: NO_MEM means "later" as long as anything
 * runs that will give some back.
 */
#include "server/backend_libusb.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libusb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/urb.h"

/* libusb takes no more data than this in a control transfer; what has more
 * goes to usbfs itself. */
#define CONTROL_MAX 4096
/* MiB of usbfs memory for all transfers; the kernel's 16 is one deep queue. */
#define USBFS_MEMORY 256
#define USBFS_MEMORY_FILE "/sys/module/usbcore/parameters/usbfs_memory_mb"

/* ---- transfers ---------------------------------------------------------- */

static enum urb_xfer to_xfer(enum libusb_transfer_status status)
{
	switch (status) {
	case LIBUSB_TRANSFER_COMPLETED:
		return URB_XFER_OK;
	case LIBUSB_TRANSFER_CANCELLED:
		return URB_XFER_CANCELLED;
	case LIBUSB_TRANSFER_STALL:
		return URB_XFER_STALL;
	case LIBUSB_TRANSFER_OVERFLOW:
		return URB_XFER_OVERFLOW;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return URB_XFER_SHUTDOWN;
	case LIBUSB_TRANSFER_TIMED_OUT:
	case LIBUSB_TRANSFER_ERROR:
		return URB_XFER_IO;
	}
	return URB_XFER_IO;
}

void lusb_look_soon(struct lusb *lusb)
{
	const struct timeval soon = { 0, 50000 };

	if (!event_pending(lusb->scan, EV_TIMEOUT, NULL))
		event_add(lusb->scan, &soon);
}

static void free_transfer(struct lusb_transfer *t)
{
	libusb_free_transfer(t->transfer);
	free(t);
}

/* The packets of an isochronous transfer are part of libusb's own. */
static struct lusb_transfer *take_spare(struct lusb *lusb, unsigned int packets)
{
	struct lusb_transfer *t = SLIST_FIRST(&lusb->spare);

	if (t && !packets) {
		SLIST_REMOVE_HEAD(&lusb->spare, link);
		return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->transfer = libusb_alloc_transfer(packets);
	if (!t->transfer) {
		free(t);
		return NULL;
	}
	return t;
}

static void put_spare(struct lusb *lusb, struct lusb_transfer *t)
{
	if (t->urb->n_packets) {
		free_transfer(t);
		return;
	}
	t->urb = NULL;
	SLIST_INSERT_HEAD(&lusb->spare, t, link);
}

void lusb_tell_room(struct lusb *lusb)
{
	if (lusb->starved)
		lusb->sink->room(lusb->user);
	lusb->starved = false;
}

/*
 * A packet that was killed says COMPLETED with no byte, as one does to which
 * the device had nothing to say; OUT, it is easily told from those that went.
 */
static enum urb_xfer to_packet_xfer(const struct libusb_transfer *transfer,
				    const struct libusb_iso_packet_descriptor *d)
{
	enum urb_xfer xfer = to_xfer(d->status);

	if (xfer == URB_XFER_IO)
		return URB_XFER_MISSED;
	if (xfer == URB_XFER_OK && !d->actual_length && d->length &&
	    transfer->status == LIBUSB_TRANSFER_CANCELLED)
		return URB_XFER_CANCELLED;
	return xfer;
}

/*
 * libusb tells the bytes by packet alone, and leaves IN data where each packet
 * would begin if all were full: the packets move together.
 */
static void end_packets(const struct libusb_transfer *transfer, struct urb *urb)
{
	uint8_t *from = transfer->buffer, *to = transfer->buffer;

	urb->actual = 0;
	for (unsigned int i = 0; i < urb->n_packets; i++) {
		const struct libusb_iso_packet_descriptor *d;
		struct urb_packet *p = &urb->packets[i];

		d = &transfer->iso_packet_desc[i];
		p->xfer = to_packet_xfer(transfer, d);
		p->actual = d->actual_length < p->length ? d->actual_length :
							   p->length;
		if (urb_is_in(urb) && p->actual && to != from)
			memmove(to, from, p->actual);
		urb->actual += p->actual;
		to += p->actual;
		from += p->length;
	}
}

static void LIBUSB_CALL end_transfer(struct libusb_transfer *transfer)
{
	struct lusb_transfer *t = transfer->user_data;
	struct lusb *lusb = t->dev->lusb;
	struct urb *urb = t->urb;

	urb->xfer = to_xfer(transfer->status);
	urb->actual = transfer->actual_length;
	if (urb->n_packets)
		end_packets(transfer, urb);
	urb->backend = NULL;
	put_spare(lusb, t);
	lusb->n_running--;
	if (urb->xfer == URB_XFER_SHUTDOWN || urb->xfer == URB_XFER_IO)
		lusb_look_soon(lusb);
	lusb_tell_room(lusb);
	lusb->sink->done(urb);
}

static void fill_packets(struct lusb_transfer *t)
{
	struct libusb_transfer *transfer = t->transfer;
	struct urb *urb = t->urb;

	libusb_fill_iso_transfer(transfer, t->dev->handle, urb->address,
				 urb_data(urb), urb->length, urb->n_packets,
				 end_transfer, t, 0);
	transfer->flags = 0;
	for (unsigned int i = 0; i < urb->n_packets; i++)
		transfer->iso_packet_desc[i].length = urb->packets[i].length;
}

static void fill_transfer(struct lusb_transfer *t)
{
	struct libusb_transfer *transfer = t->transfer;
	libusb_device_handle *handle = t->dev->handle;
	struct urb *urb = t->urb;

	if (urb->type == URB_TYPE_CONTROL) {
		libusb_fill_control_transfer(transfer, handle, urb->buffer,
					     end_transfer, t, 0);
		transfer->flags = 0;
		return;
	}
	if (urb->type == URB_TYPE_ISOC) {
		fill_packets(t);
		return;
	}
	libusb_fill_bulk_transfer(transfer, handle, urb->address, urb_data(urb),
				  urb->length, end_transfer, t, 0);
	if (urb->type == URB_TYPE_INTERRUPT)
		transfer->type = LIBUSB_TRANSFER_TYPE_INTERRUPT;
	if (urb->stream) {
		transfer->type = LIBUSB_TRANSFER_TYPE_BULK_STREAM;
		libusb_transfer_set_stream_id(transfer, urb->stream);
	}
	transfer->flags = 0;
	if (urb->zero_packet)
		transfer->flags = LIBUSB_TRANSFER_ADD_ZERO_PACKET;
}

/* Others give theirs back when they end, and then there is some. */
int lusb_no_memory(struct lusb *lusb)
{
	if (!lusb->n_running)
		return -ENOMEM;
	lusb->starved = true;
	return -EAGAIN;
}

/* libusb_submit_transfer() failed with r: what submit() is to return. */
static int submit_error(struct lusb *lusb, const struct lusb_device *dev, int r)
{
	switch (r) {
	case LIBUSB_ERROR_NO_DEVICE:
		lusb_look_soon(lusb);
		return -ENODEV;
	case LIBUSB_ERROR_NO_MEM:
		return lusb_no_memory(lusb);
	case LIBUSB_ERROR_INVALID_PARAM:
	case LIBUSB_ERROR_NOT_SUPPORTED:
		return -EINVAL;
	default:
		log_debug(LOG_TAG_DEVICE, "%s: submit: %s", dev->info.busid,
			  libusb_error_name(r));
		return -EIO;
	}
}

static bool is_raw(const struct urb *urb)
{
	return urb->type == URB_TYPE_CONTROL && urb->length > CONTROL_MAX;
}

static int submit_urb(void *bdev, struct urb *urb)
{
	struct lusb_device *dev = bdev;
	struct lusb *lusb = dev->lusb;
	struct lusb_transfer *t;
	int r;

	if (is_raw(urb))
		return lusb_raw_submit(dev, urb);
	t = take_spare(lusb, urb->n_packets);
	if (!t)
		return -ENOMEM;
	t->dev = dev;
	t->urb = urb;
	fill_transfer(t);
	r = libusb_submit_transfer(t->transfer);
	if (r) {
		put_spare(lusb, t);
		return submit_error(lusb, dev, r);
	}
	urb->backend = t;
	lusb->n_running++;
	return 0;
}

/* NOT_FOUND: it has ended by itself, and end_transfer() is on its way. */
static void cancel_urb(void *bdev, struct urb *urb)
{
	struct lusb_device *dev = bdev;
	struct lusb_transfer *t = urb->backend;
	int r;

	if (is_raw(urb)) {
		lusb_raw_cancel(dev, urb);
		return;
	}
	r = libusb_cancel_transfer(t->transfer);
	if (r && r != LIBUSB_ERROR_NOT_FOUND && r != LIBUSB_ERROR_NO_DEVICE)
		log_warning("%s: a transfer can not be cancelled: %s",
			    dev->info.busid, libusb_error_name(r));
}

/* ---- libusb's descriptors ----------------------------------------------- */

static void handle_events(evutil_socket_t fd, short what, void *arg)
{
	struct lusb *lusb = arg;
	struct timeval none = { 0, 0 };

	libusb_handle_events_timeout_completed(lusb->ctx, &none, NULL);
	lusb_raw_reap(lusb);
}

/* From any thread. */
static void LIBUSB_CALL add_fd(int fd, short events, void *user)
{
	struct lusb *lusb = user;
	struct epoll_event e = { .data.fd = fd };

	e.events = (events & POLLIN ? EPOLLIN : 0) |
		   (events & POLLOUT ? EPOLLOUT : 0);
	if (epoll_ctl(lusb->epoll, EPOLL_CTL_ADD, fd, &e))
		log_error("libusb's descriptor %d is not watched: %s", fd,
			  strerror(errno));
}

static void LIBUSB_CALL remove_fd(int fd, void *user)
{
	struct lusb *lusb = user;

	epoll_ctl(lusb->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static int watch_libusb(struct lusb *lusb)
{
	const struct libusb_pollfd **fds;

	lusb->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (lusb->epoll < 0)
		return -errno;
	libusb_set_pollfd_notifiers(lusb->ctx, add_fd, remove_fd, lusb);
	fds = libusb_get_pollfds(lusb->ctx);
	for (size_t i = 0; fds && fds[i]; i++)
		add_fd(fds[i]->fd, fds[i]->events, lusb);
	libusb_free_pollfds(fds);
	lusb->event = event_new(lusb->base, lusb->epoll, EV_READ | EV_PERSIST,
				handle_events, lusb);
	if (!lusb->event || event_add(lusb->event, NULL))
		return -ENOMEM;
	return 0;
}

/* ---- the backend -------------------------------------------------------- */

/* More memory for transfers, where this process may say so. */
static void raise_usbfs_memory(void)
{
	unsigned int now = 0;
	FILE *f = fopen(USBFS_MEMORY_FILE, "r+e");

	if (!f) {
		if (errno != ENOENT)
			log_info(USBFS_MEMORY_FILE ": %s; long queues will wait for memory",
				 strerror(errno));
		return;
	}
	if (fscanf(f, "%u", &now) == 1 && now && now < USBFS_MEMORY) {
		rewind(f);
		if (fprintf(f, "%d\n", USBFS_MEMORY) < 0 || fflush(f))
			log_info(USBFS_MEMORY_FILE ": %s", strerror(errno));
	}
	fclose(f);
}

static void close_libusb(void *backend)
{
	struct lusb *lusb = backend;
	struct lusb_transfer *t;

	if (!lusb)
		return;
	lusb_scan_close(lusb);
	while ((t = SLIST_FIRST(&lusb->spare))) {
		SLIST_REMOVE_HEAD(&lusb->spare, link);
		free_transfer(t);
	}
	if (lusb->event)
		event_free(lusb->event);
	if (lusb->ctx)
		libusb_exit(lusb->ctx);
	if (lusb->epoll >= 0)
		close(lusb->epoll);
	free(lusb);
}

CLEANUP_DEFINE(struct lusb, close_libusb);

static int open_libusb(void **backendp, struct event_base *base,
		       const char *argument, const struct backend_sink *sink,
		       void *user)
{
	_cleanup_(close_libusbp) struct lusb *lusb = calloc(1, sizeof(*lusb));
	int r;

	if (!lusb)
		return -ENOMEM;
	lusb->base = base;
	lusb->sink = sink;
	lusb->user = user;
	lusb->epoll = lusb->uevents = -1;
	TAILQ_INIT(&lusb->devices);
	TAILQ_INIT(&lusb->raws);
	SLIST_INIT(&lusb->spare);
	raise_usbfs_memory();
	/* the scan finds devices, and does not need udevd for it */
	libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
	r = libusb_init(&lusb->ctx);
	if (r) {
		lusb->ctx = NULL;
		log_error("libusb: %s", libusb_error_name(r));
		return -EIO;
	}
	r = watch_libusb(lusb);
	if (!r)
		r = lusb_scan_open(lusb);
	if (r)
		return r;
	lusb_give_back_left(lusb);
	*backendp = steal_ptr(lusb);
	return 0;
}

static void rescan(void *backend)
{
	lusb_scan(backend);
}

static void forget_device(void *bdev)
{
	lusb_device_free(bdev);
}

const struct backend_ops backend_libusb_ops = {
	.name = "libusb",
	.open = open_libusb,
	.close = close_libusb,
	.rescan = rescan,
	.forget = forget_device,
	.claim = lusb_claim,
	.release = lusb_release,
	.set_configuration = lusb_set_configuration,
	.set_interface = lusb_set_interface,
	.clear_halt = lusb_clear_halt,
	.reset = lusb_reset,
	.alloc_streams = lusb_alloc_streams,
	.free_streams = lusb_free_streams,
	.suspend = lusb_suspend,
	.resume = lusb_resume,
	.submit = submit_urb,
	.cancel = cancel_urb,
};
