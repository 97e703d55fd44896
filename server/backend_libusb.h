/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend_libusb - real devices: see backend_libusb.c. What its files share;
 * nothing else includes this.
 */
#ifndef USBIP_SERVER_BACKEND_LIBUSB_H
#define USBIP_SERVER_BACKEND_LIBUSB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/backend.h"

struct event;
struct event_base;
struct libusb_context;
struct libusb_device_handle;
struct libusb_transfer;
struct urb;
struct worker;

struct lusb_device {
	TAILQ_ENTRY(lusb_device) link;	/* while plugged in */
	struct lusb *lusb;
	void *device;			/* what arrived() gave; NULL: a hub, or
					 * not told yet */
	struct backend_info info;
	unsigned int busnum, devnum;	/* /dev/bus/usb/BUSNUM/DEVNUM */
	bool seen;			/* by the scan that runs */
	bool reading;			/* the worker has it */

	/* while claimed */
	int fd;				/* usbfs, or -1 */
	struct libusb_device_handle *handle;
	unsigned int configuration;	/* the active one */
	unsigned int configuration_before;
	uint32_t interfaces;		/* claimed, a bit each */
	int raw_fd;			/* of backend_libusb_raw.c, or -1 */
	unsigned int n_raw;		/* its transfers; the loop's */
	TAILQ_ENTRY(lusb_device) raw_link;	/* while there are any */
};

/* A transfer of libusb's, running or kept for the next one. */
struct lusb_transfer {
	SLIST_ENTRY(lusb_transfer) link;
	struct libusb_transfer *transfer;
	struct lusb_device *dev;
	struct urb *urb;
};

struct lusb {
	struct event_base *base;
	const struct backend_sink *sink;
	void *user;
	struct libusb_context *ctx;
	int epoll;			/* over libusb's descriptors */
	struct event *event;		/* epoll is readable */
	int uevents;			/* netlink, or -1 */
	struct event *uevent;
	struct event *scan;		/* look again, soon */
	struct worker *reader;		/* of new devices */
	bool started;			/* the first scan is over */
	bool blind;			/* and the last one could see nothing */
	bool starved;			/* a submit() gave -EAGAIN */
	unsigned int n_running;		/* transfers of all devices */
	SLIST_HEAD(, lusb_transfer) spare;
	TAILQ_HEAD(, lusb_device) devices, raws;
};

/* backend_libusb.c: a transfer has ended, and given its memory back. */
void lusb_tell_room(struct lusb *lusb);
/* It said that there is no device: is that so? */
void lusb_look_soon(struct lusb *lusb);

/* backend_libusb_scan.c: what is plugged in, by sysfs and kernel events. */
int lusb_scan_open(struct lusb *lusb);
void lusb_scan_close(struct lusb *lusb);
void lusb_scan(struct lusb *lusb);
/* The active configuration of a device now, 0: none. */
unsigned int lusb_scan_configuration(const struct lusb_device *dev);
void lusb_device_free(struct lusb_device *dev);

/* backend_libusb.c: usbfs had no memory for a transfer: what submit() is to
 * return. */
int lusb_no_memory(struct lusb *lusb);

/* backend_libusb_raw.c: large control transfers, as in backend_ops. */
int lusb_raw_submit(struct lusb_device *dev, struct urb *urb);
void lusb_raw_cancel(struct lusb_device *dev, struct urb *urb);
/* Ends those that are done, of all devices. */
void lusb_raw_reap(struct lusb *lusb);
/* worker: no transfer runs. */
void lusb_raw_close(struct lusb_device *dev);

/* backend_libusb_use.c: worker: has this system a disk of it in use? */
bool lusb_is_in_use(struct lusb_device *dev);

/* backend_libusb_marks.c: what is claimed is marked, for who comes after a
 * service that was killed. */
void lusb_mark(const struct lusb_device *dev);
void lusb_unmark(const char *busid);
/* At the start: give back what is marked. Blocks for a moment. */
void lusb_give_back_left(struct lusb *lusb);

/* backend_libusb_claim.c: the blocking operations, as in backend_ops. */
int lusb_claim(void *bdev);
int lusb_release(void *bdev, bool reset);
int lusb_set_configuration(void *bdev, unsigned int value);
int lusb_set_interface(void *bdev, unsigned int interface,
		       unsigned int alternate);
int lusb_clear_halt(void *bdev, uint8_t address);
int lusb_reset(void *bdev);
int lusb_alloc_streams(void *bdev, unsigned int streams, uint32_t rows);
int lusb_free_streams(void *bdev, uint32_t rows);
int lusb_suspend(void *bdev);
int lusb_resume(void *bdev);

#endif
