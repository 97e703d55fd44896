/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhci - the virtual host controller as the rest of the helper sees it:
 * requests of the kernel come out, answers go in, many at a time.
 *
 * A table of operations, so that what stands there can be exchanged: the
 * module's char device (cdev.c), or a stand-in of a test.
 */
#ifndef USBIP_CLIENT_VHCI_H
#define USBIP_CLIENT_VHCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/usb.h"

/* What was read at once; lives as long as somebody needs a piece of it. */
struct vhci_buf {
	unsigned int refs;
	size_t size;
	uint8_t bytes[] __attribute__((aligned(8)));
};

struct vhci_buf *vhci_buf_new(size_t size);	/* NULL: out of memory */
struct vhci_buf *vhci_buf_ref(struct vhci_buf *buf);
struct vhci_buf *vhci_buf_unref(struct vhci_buf *buf);	/* NULL is fine */

#define VHCI_SHORT_NOT_OK	(1U << 0)
#define VHCI_ZERO_PACKET	(1U << 1)
#define VHCI_ISO_ASAP		(1U << 2)

#define VHCI_PACKETS_MAX	1024	/* of an isochronous URB */

/* One of them: bytes asked for; at its end bytes moved, 0 or -errno. */
struct vhci_packet {
	uint32_t length;
	int32_t status;
};

/* An URB of the kernel. */
struct vhci_submit {
	uint64_t id;
	uint8_t endpoint;		/* direction in bit 7, control too */
	enum usb_transfer transfer;
	uint16_t stream;
	uint32_t flags;			/* VHCI_... */
	uint32_t length;
	uint32_t interval;
	uint8_t setup[8];
	uint32_t start_frame;		/* isochronous, as the next two */
	uint32_t n_packets;
	const struct vhci_packet *packets;	/* `length` is their sum */
	const uint8_t *data;		/* OUT: `length` bytes in buf */
	struct vhci_buf *buf;		/* ref it to keep data */
};

/* Streams are wanted of some endpoints, or (0) no longer. */
struct vhci_streams {
	uint64_t id;
	uint32_t endpoints;		/* a bit each: OUT from 1, IN from 17 */
	uint32_t streams;
};

/*
 * Its end. IN: `actual` bytes at `data`. Of streams that were wanted: `actual`
 * were granted.
 */
struct vhci_complete {
	uint64_t id;
	int status;			/* 0 or -errno as the ABI lists them */
	uint32_t actual;
	const uint8_t *data;		/* IN, else NULL */
	uint32_t n_packets;		/* isochronous; 0: none was moved */
	const struct vhci_packet *packets;
	/* How to keep `data` beyond the call; NULL: it has to be copied. */
	void *(*keep)(void *arg);
	void (*unkeep)(void *kept);
	void *keep_arg;
};

/* Where the device was plugged in. */
struct vhci_place {
	unsigned int port;		/* as the controller counts */
	unsigned int busnum;
	unsigned int hubport;		/* of the root hub, from 1 up */
};

/* What the kernel wants; called from vhci_receive(). */
struct vhci_events {
	void (*submit)(const struct vhci_submit *s, void *user);
	void (*unlink)(uint64_t id, void *user);
	void (*reset)(uint64_t id, void *user);
	void (*streams)(const struct vhci_streams *s, void *user);
	/* Suspended, or resumed. */
	void (*suspend)(uint64_t id, bool suspend, void *user);
	void *user;
};

struct vhci;

struct vhci_ops {
	/* Plug a device of that speed in: where it was before (a port of the
	 * controller), or -1: where there is room. -ENOSPC; -EAGAIN: the
	 * system is about to sleep. */
	int (*plug)(struct vhci *v, enum usb_speed speed, int before,
		    struct vhci_place *place);
	/* All its URBs are given back; nothing more comes. */
	int (*unplug)(struct vhci *v);
	/* One read. 1: there may be more; 0: there is nothing; -ENOTCONN, also
	 * of flush(): the kernel itself has unplugged the device. -errno. */
	int (*receive)(struct vhci *v);
	/* Queue an answer. -errno: out of memory, nothing was queued. */
	int (*complete)(struct vhci *v, const struct vhci_complete *c);
	/* Write what is queued. 0, or -errno where the device fails. */
	int (*flush)(struct vhci *v);
	/* The device's address on its bus, 0: none yet. */
	unsigned int (*devnum)(struct vhci *v);
	void (*free)(struct vhci *v);
};

struct vhci {
	const struct vhci_ops *ops;
	struct vhci_events events;
	int fd;				/* readable: there is something to receive */
};

#endif
