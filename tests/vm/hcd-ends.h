/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hcd-ends.h - both ends of a device in one process: the helper, by
 * /dev/usbip-rpc-vhci, and the driver, by usbfs, so that a test knows at every
 * moment which URBs there are. State and functions of a test program; include
 * it once.
 */
#ifndef USBIP_TESTS_HCD_ENDS_H
#define USBIP_TESTS_HCD_ENDS_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <linux/usb/ch9.h>
#include <linux/usbdevice_fs.h>
#include <linux/usbip_rpc.h>
#include "tests/tap.h"
#include "tests/vm/hcd-dev.h"

#define PAGE		4096
#define BULK_IN		0x81
#define BULK_OUT	0x02

static struct hcd_dev dev = { .speed = USBIP_RPC_SPEED_HIGH };
static struct usbip_rpc_attach port;
static int fd;			/* the helper's */
static int node;		/* the driver's */
static uint64_t last_id, last_reset;
static bool saw_set_address, ids_grow = true;

static union {
	uint8_t bytes[HCD_DEV_IN_MAX + PAGE];
	struct usbip_rpc_msg msg;
	struct usbip_rpc_submit submit;
} in, out;

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Does a call fail with this errno? */
static inline bool fails(long ret, int code)
{
	if (ret == -1 && errno == code)
		return true;
	printf("# returned %ld, errno %d\n", ret, ret == -1 ? errno : 0);
	return false;
}

static inline int open_port(void)
{
	struct usbip_rpc_hello hello = { .version = USBIP_RPC_ABI_VERSION };
	int f = open("/dev/" USBIP_RPC_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (f < 0 || ioctl(f, USBIP_RPC_IOC_HELLO, &hello))
		err(1, "/dev/" USBIP_RPC_DEVICE);
	return f;
}

static inline struct usbip_rpc_status status_of(int f)
{
	struct usbip_rpc_status s;

	if (ioctl(f, USBIP_RPC_IOC_STATUS, &s))
		err(1, "STATUS");
	return s;
}

static inline bool readable(int f, int ms)
{
	struct pollfd p = { .fd = f, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLIN);
}

/* The COMPLETE of an id, with @data from @out's place behind the header. */
static inline struct usbip_rpc_complete *complete(uint64_t id, int status,
					   uint32_t actual, uint32_t data)
{
	struct usbip_rpc_complete *c = (void *)out.bytes;

	memset(c, 0, sizeof(*c));
	c->msg.len = (sizeof(*c) + data + 7) & ~7U;
	memset(out.bytes + sizeof(*c) + data, 0, c->msg.len - sizeof(*c) - data);
	c->msg.type = USBIP_RPC_COMPLETE;
	c->msg.id = id;
	c->status = status;
	c->actual = actual;
	return c;
}

static inline bool send_complete(uint64_t id, int status, uint32_t actual,
			  uint32_t data)
{
	struct usbip_rpc_complete *c = complete(id, status, actual, data);

	return write(fd, c, c->msg.len) == (ssize_t)c->msg.len;
}

static inline void note_message(const struct usbip_rpc_msg *m)
{
	const struct usbip_rpc_submit *s = (const void *)m;

	if (m->type == USBIP_RPC_UNLINK)
		return;
	if (m->id == last_reset)
		ids_grow = false;
	if (m->type == USBIP_RPC_RESET) {
		last_reset = m->id; /* the SUBMIT behind it is older */
		return;
	}
	if (m->id <= last_id)
		ids_grow = false;
	last_id = m->id;
	if (m->type == USBIP_RPC_SUBMIT && s->transfer == USBIP_RPC_CONTROL &&
	    s->setup[0] == 0 && s->setup[1] == USB_REQ_SET_ADDRESS)
		saw_set_address = true;
}

/* Read exactly one message. False: there is none. */
static inline bool read_one(int ms)
{
	struct usbip_rpc_status s;

	if (!readable(fd, ms))
		return false;
	s = status_of(fd);
	if (read(fd, in.bytes, s.next_len) != (ssize_t)s.next_len ||
	    in.msg.len != s.next_len)
		return false;
	note_message(&in.msg);
	return true;
}

/* Answer the message just read as the device would. */
static inline void serve(void)
{
	struct usbip_rpc_complete *c = (void *)out.bytes;
	struct hcd_dev_end end = {};

	if (in.msg.type == USBIP_RPC_UNLINK)
		return;
	if (in.msg.type == USBIP_RPC_SUBMIT)
		end = hcd_dev_submit(&dev, &in.submit,
				     in.bytes + sizeof(in.submit),
				     out.bytes + sizeof(*c));
	complete(in.msg.id, end.status, end.actual, end.body);
	c->npackets = end.npackets;
	c->error_count = end.error_count;
	if (write(fd, c, c->msg.len) != (ssize_t)c->msg.len)
		printf("# an answer of the device was refused\n");
}

/* Answer until the device is configured and a driver has had its say. */
static inline bool enumerate(void)
{
	double end = now() + 10;

	while (now() < end) {
		while (read_one(50))
			serve();
		if (dev.config == 1)
			return true;
	}
	return false;
}

static inline void open_node(void)
{
	struct usbdevfs_disconnect_claim claim = {};
	char path[64];
	int i;

	snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", port.busnum,
		 status_of(fd).devnum);
	/* a driver may talk to the device while it is bound */
	for (i = 0; i < 50; i++) {
		enumerate();
		node = open(path, O_RDWR | O_CLOEXEC);
		if (node >= 0 && !ioctl(node, USBDEVFS_DISCONNECT_CLAIM, &claim))
			return;
		if (node >= 0)
			close(node);
		usleep(20000);
	}
	err(1, "%s", path);
}

static inline void plug(void)
{
	memset(&port, 0, sizeof(port));
	port.speed = dev.speed;
	dev.config = 0;
	if (ioctl(fd, USBIP_RPC_IOC_ATTACH, &port))
		err(1, "ATTACH");
}

static inline struct usbdevfs_urb *submit(uint8_t endpoint, void *data, int len,
				   unsigned int flags)
{
	struct usbdevfs_urb *urb = calloc(1, sizeof(*urb));

	if (!urb)
		err(1, "calloc");
	urb->type = USBDEVFS_URB_TYPE_BULK;
	urb->endpoint = endpoint;
	urb->flags = flags;
	urb->buffer = data;
	urb->buffer_length = len;
	if (ioctl(node, USBDEVFS_SUBMITURB, urb))
		err(1, "SUBMITURB");
	return urb;
}

/* The URB that is done, or NULL: none within @ms. */
static inline struct usbdevfs_urb *reap(int ms)
{
	struct pollfd p = { .fd = node, .events = POLLOUT };
	struct usbdevfs_urb *urb;

	poll(&p, 1, ms);
	return ioctl(node, USBDEVFS_REAPURBNDELAY, &urb) ? NULL : urb;
}

static inline bool reaped(struct usbdevfs_urb *want, int ms, int status, int actual)
{
	struct usbdevfs_urb *urb = reap(ms);

	if (urb && urb == want && urb->status == status &&
	    urb->actual_length == actual) {
		free(urb);
		return true;
	}
	printf("# urb %p status %d actual %d\n", (void *)urb,
	       urb ? urb->status : 0, urb ? urb->actual_length : 0);
	return false;
}

#endif
