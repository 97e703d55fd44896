/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend - what carries out USB: libusb, or devices made of script. A table
 * of operations, so that nothing above it knows which.
 *
 * Calls marked "worker" block and run in the worker thread of their device,
 * one at a time; all others run in the loop's thread and do not block.
 */
#ifndef USBIP_SERVER_BACKEND_H
#define USBIP_SERVER_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "server/descriptor.h"

struct event_base;
struct urb;

enum backend_speed {
	BACKEND_SPEED_UNKNOWN,
	BACKEND_SPEED_LOW,
	BACKEND_SPEED_FULL,
	BACKEND_SPEED_HIGH,
	BACKEND_SPEED_SUPER,
	BACKEND_SPEED_SUPER_PLUS,
};

/* A device as the backend found it. */
struct backend_info {
	char busid[32];			/* "3-1.4" */
	enum backend_speed speed;
	struct descriptors descriptors;
	unsigned int configuration;	/* the active one's value, 0: none */
	char manufacturer[379];		/* UTF-8, "" where there is none */
	char product[379];
	char serial[379];
	bool usable;			/* this process may use it */
};

/*
 * What a backend tells. `bdev` is the backend's own device, which is
 * `user`'s in left() and done() of what it was given as.
 */
struct backend_sink {
	/* Plugged in, or found at start. Returns a value for left(). info is
	 * the backend's until left(); it may change in rescan(). */
	void *(*arrived)(const struct backend_info *info, void *bdev,
			 void *user);
	/* Unplugged. Transfers still end one by one, with done(). bdev stays
	 * until forget(). */
	void (*left)(void *device);
	/* urb, given by submit(), has ended: xfer and actual are set. */
	void (*done)(struct urb *urb);
	/* There may be room again after a submit() that gave -EAGAIN. */
	void (*room)(void *user);
};

struct backend_ops {
	const char *name;

	/*
	 * Begin, and tell what is there. argument: what followed "NAME:" on
	 * the command line, or NULL. -errno, logged.
	 */
	int (*open)(void **backendp, struct event_base *base,
		    const char *argument, const struct backend_sink *sink,
		    void *user);
	/* Every device has been given back, or is given up. NULL is fine. */
	void (*close)(void *backend);
	/* Look again: arrived() and left() come from in here. */
	void (*rescan)(void *backend);
	/* left() was told, and no transfer runs: bdev is freed. */
	void (*forget)(void *bdev);

	/* worker: take the device from the system's drivers, all interfaces
	 * of its active configuration. -EBUSY, -EACCES, -ENODEV, other. */
	int (*claim)(void *bdev);
	/* worker: give it back as it was before claim(), after a reset if
	 * `reset`. No transfer runs. -errno: it could not, and the reason
	 * was logged; it is not claimed any more in any case. */
	int (*release)(void *bdev, bool reset);
	/*
	 * worker: as named. No transfer of what they affect runs. value 0 of
	 * set_configuration: none. -EPIPE: the device refused it. -EINVAL: it
	 * has no such thing. -ENODEV (reset): it came back as another one.
	 */
	int (*set_configuration)(void *bdev, unsigned int value);
	int (*set_interface)(void *bdev, unsigned int interface,
			     unsigned int alternate);
	int (*clear_halt)(void *bdev, uint8_t address);
	int (*reset)(void *bdev);
	/*
	 * worker: bulk streams of endpoints of one interface, a bit each by
	 * endpoint_row(). Returns how many were granted, perhaps fewer than
	 * asked for. -EINVAL: it has none, or this system can not.
	 */
	int (*alloc_streams)(void *bdev, unsigned int streams, uint32_t rows);
	int (*free_streams)(void *bdev, uint32_t rows);
	/* worker: the device may be put to sleep, and until it may not, and
	 * is awake, no transfer runs. -EOPNOTSUPP: this system can not. */
	int (*suspend)(void *bdev);
	int (*resume)(void *bdev);

	/*
	 * Begin a transfer whose memory urb_alloc() made. 0: done() comes,
	 * never from in here. -EAGAIN: no room now, room() is told. -ENOMEM:
	 * there will never be. -ENODEV, -EINVAL (this can not be carried out).
	 */
	int (*submit)(void *bdev, struct urb *urb);
	/* Stop it; done() comes regardless, and never from in here. */
	void (*cancel)(void *bdev, struct urb *urb);
};

extern const struct backend_ops backend_libusb_ops;
extern const struct backend_ops backend_fake_ops;

#endif
