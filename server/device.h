/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device - a USB device of this machine: who has it, its configuration, and
 * its blocking operations, which run in a worker thread of its own.
 */
#ifndef USBIP_SERVER_DEVICE_H
#define USBIP_SERVER_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/backend.h"
#include "server/descriptor.h"
#include "server/endpoint.h"

struct event_base;
struct urb;
struct worker;

enum device_state {
	DEVICE_STATE_IDLE,	/* its own system has it */
	DEVICE_STATE_CLAIMING,
	DEVICE_STATE_CLAIMED,	/* transfers may run */
	DEVICE_STATE_OPERATING,	/* as CLAIMED, and a state call runs */
	DEVICE_STATE_RETURNING,
};

/* The end of device_claim() and device_return(). */
typedef void (*device_done_fn)(int r, void *user);
/* The end of a state call: as backend_sink.done. */
typedef void (*device_call_fn)(struct urb *urb);

struct device {
	TAILQ_ENTRY(device) link;	/* the owner's */
	uint64_t id;			/* the owner's: in order of arrival */
	void *user, *holder;	/* the owner's: itself, and who has it */
	const struct backend_info *info;
	const struct backend_ops *ops;
	void *bdev;
	struct event_base *base;
	enum device_state state;
	bool gone;			/* unplugged */
	struct worker *worker;		/* while not IDLE */

	/* what is active, while claimed */
	unsigned int configuration;
	uint8_t alternates[DESCRIPTOR_INTERFACES_MAX];
	uint32_t exists;		/* a bit per row of endpoints[] */
	struct descriptor_endpoint endpoints[ENDPOINT_ROWS];
	uint64_t isoc_end[ENDPOINT_ROWS];	/* see frame_place() */
	uint16_t streams[ENDPOINT_ROWS];	/* allocated */

	/* what the worker is at */
	bool reset_at_return;
	int r_return;
	struct urb *call;
	device_call_fn call_done;
	device_done_fn done;
	void *done_user;
};

int device_new(struct device **devp, const struct backend_info *info,
	       const struct backend_ops *ops, void *bdev,
	       struct event_base *base);
/* IDLE only; the backend's device is left alone. NULL is fine. */
struct device *device_free(struct device *dev);

/* IDLE only. done(0): CLAIMED; done(-errno): IDLE again. -errno: not begun. */
int device_claim(struct device *dev, device_done_fn done, void *user);
/* CLAIMED, and nothing runs. done: IDLE. -errno: not begun. */
int device_return(struct device *dev, bool reset, device_done_fn done,
		  void *user);

/* As endpoint_ops.start. State calls end with done(). */
int device_start(struct device *dev, struct urb *urb, device_call_fn done);
void device_cancel(struct device *dev, struct urb *urb);
/* The rows whose transfers must have ended before state call urb begins. */
uint32_t device_affects(const struct device *dev, const struct urb *urb);

#endif
