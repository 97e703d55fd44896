// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cdev - the module's char device as a struct vhci.
 *
 * Reading: many messages come at once into a buffer that is counted, as OUT
 * data is used from where it lies until its URB has ended. A buffer is filled
 * up from `used` on; a new one begins when too little is left.
 *
 * Writing: answers are queued in `batch` and go by one writev() when the loop
 * has nothing else to do. Small ones are copied together into the batch's own
 * bytes, large ones are referred to where the reply holds them. The batch's
 * bytes may move while it grows: so its pieces are offsets, until it is sent.
 */
#include "client/cdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usbip_rpc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"

#define READ_SIZE	(1U << 20)
#define READ_LEFT_MIN	(64U << 10)
/* From here on data is not copied: what the RPC engine takes for large, too. */
#define REFER_MIN	4096
/* Pieces of one writev(). */
#define FLUSH_IOV	96

/* One message of the batch: bytes [off, off + len), then data and padding. */
struct out {
	uint64_t id;
	size_t off, len;	/* in bytes; header, and small data with it */
	const uint8_t *data;	/* large data, else NULL */
	size_t data_len, pad;
	void (*unkeep)(void *kept);
	void *kept;
};

struct batch {
	uint8_t *bytes;
	size_t len, room;
	struct out *outs;
	size_t n, n_room;
};

struct cdev {
	struct vhci v;
	struct vhci_buf *buf;
	size_t used;
	struct batch batch;
	bool plugged;
	bool power;			/* the module tells of suspend */
};

static struct cdev *cdev_of(struct vhci *v)
{
	return (struct cdev *)((char *)v - offsetof(struct cdev, v));
}

/* ---- control ------------------------------------------------------------ */

static int plug(struct vhci *v, enum usb_speed speed, int before,
		struct vhci_place *place)
{
	struct usbip_rpc_attach a = {
		.speed = speed,
		.flags = cdev_of(v)->power ? USBIP_RPC_ATTACH_POWER : 0,
		.port = (uint32_t)(before + 1),
	};

	if (ioctl(v->fd, USBIP_RPC_IOC_ATTACH, &a))
		return -errno;
	cdev_of(v)->plugged = true;
	place->port = a.port;
	place->busnum = a.busnum;
	place->hubport = a.hubport;
	return 0;
}

static void drop_batch(struct cdev *c)
{
	struct batch *b = &c->batch;

	for (size_t i = 0; i < b->n; i++)
		if (b->outs[i].kept)
			b->outs[i].unkeep(b->outs[i].kept);
	b->n = 0;
	b->len = 0;
}

static int unplug(struct vhci *v)
{
	struct cdev *c = cdev_of(v);

	drop_batch(c);
	if (!c->plugged)
		return 0;
	c->plugged = false;
	return ioctl(v->fd, USBIP_RPC_IOC_DETACH) ? -errno : 0;
}

static unsigned int devnum(struct vhci *v)
{
	struct usbip_rpc_status s;

	return ioctl(v->fd, USBIP_RPC_IOC_STATUS, &s) ? 0 : s.devnum;
}

static void free_cdev(struct vhci *v)
{
	struct cdev *c = cdev_of(v);

	drop_batch(c);
	free(c->batch.bytes);
	free(c->batch.outs);
	vhci_buf_unref(c->buf);
	close(v->fd);
	free(c);
}

/* ---- requests ----------------------------------------------------------- */

/*
 * The kernel is not a stranger, but a wrong length in here would be a wrong
 * length on the wire.
 */
static bool submit_is_sound(const struct usbip_rpc_submit *s,
			    const struct vhci_packet *packets, size_t len)
{
	uint64_t sum = 0;
	size_t data = s->endpoint & USB_DIR_IN ? 0 : s->length;

	if (len < sizeof(*s) || s->transfer > USBIP_RPC_INTERRUPT)
		return false;
	if (s->npackets > (len - sizeof(*s)) / sizeof(struct usbip_rpc_packet))
		return false;
	for (uint32_t i = 0; i < s->npackets; i++)
		sum += packets[i].length;
	if (s->npackets && sum != s->length)
		return false;
	len -= sizeof(*s) + s->npackets * sizeof(struct usbip_rpc_packet);
	return data <= len;
}

static void hand_out_submit(struct cdev *c, const uint8_t *bytes, size_t len)
{
	struct vhci_submit s = {
		.buf = c->buf,
		/* messages are multiples of 8 long, and buffers aligned so */
		.packets = (const void *)(bytes + sizeof(struct usbip_rpc_submit)),
	};
	struct usbip_rpc_submit m;

	memset(&m, 0, sizeof(m));
	memcpy(&m, bytes, len < sizeof(m) ? len : sizeof(m));
	if (!submit_is_sound(&m, s.packets, len)) {
		struct vhci_complete bad = { .id = m.msg.id, .status = -EINVAL };

		log_warning("malformed URB from the kernel, refused");
		c->v.ops->complete(&c->v, &bad);
		return;
	}
	s.id = m.msg.id;
	s.endpoint = m.endpoint;
	s.transfer = m.transfer;
	s.stream = m.stream;
	s.flags = m.flags & (m.transfer == USBIP_RPC_ISOC ? VHCI_ISO_ASAP :
			     VHCI_SHORT_NOT_OK | VHCI_ZERO_PACKET);
	s.length = m.length;
	s.interval = m.interval;
	s.start_frame = m.start_frame;
	s.n_packets = m.npackets;
	memcpy(s.setup, m.setup, sizeof(s.setup));
	if (!(m.endpoint & USB_DIR_IN))
		s.data = bytes + sizeof(m) +
			 m.npackets * sizeof(struct usbip_rpc_packet);
	c->v.events.submit(&s, c->v.events.user);
}

static void hand_out_streams(struct cdev *c, const uint8_t *bytes, size_t len)
{
	struct usbip_rpc_streams m;
	struct vhci_streams s;

	memset(&m, 0, sizeof(m));
	memcpy(&m, bytes, len < sizeof(m) ? len : sizeof(m));
	s.id = m.msg.id;
	s.endpoints = m.endpoints;
	s.streams = m.msg.type == USBIP_RPC_ALLOC_STREAMS ? m.streams : 0;
	c->v.events.streams(&s, c->v.events.user);
}

_Static_assert(VHCI_SHORT_NOT_OK == USBIP_RPC_SHORT_NOT_OK &&
	       VHCI_ZERO_PACKET == USBIP_RPC_ZERO_PACKET &&
	       VHCI_ISO_ASAP == USBIP_RPC_ISO_ASAP, "flags are passed on");
_Static_assert(sizeof(struct vhci_packet) == sizeof(struct usbip_rpc_packet) &&
	       offsetof(struct vhci_packet, length) ==
	       offsetof(struct usbip_rpc_packet, length), "packets are passed on");

static void hand_out(struct cdev *c, const uint8_t *bytes,
		     const struct usbip_rpc_msg *msg)
{
	switch (msg->type) {
	case USBIP_RPC_SUBMIT:
		hand_out_submit(c, bytes, msg->len);
		return;
	case USBIP_RPC_UNLINK:
		c->v.events.unlink(msg->id, c->v.events.user);
		return;
	case USBIP_RPC_RESET:
		c->v.events.reset(msg->id, c->v.events.user);
		return;
	case USBIP_RPC_ALLOC_STREAMS:
	case USBIP_RPC_FREE_STREAMS:
		hand_out_streams(c, bytes, msg->len);
		return;
	case USBIP_RPC_SUSPEND:
	case USBIP_RPC_RESUME:
		c->v.events.suspend(msg->id, msg->type == USBIP_RPC_SUSPEND,
				    c->v.events.user);
		return;
	default:
		/* A later module: features that were not agreed on. */
		log_warning("message of type %u from the kernel, not known",
			    msg->type);
	}
}

/* 0, or -EBADMSG: the stream of messages can not be followed any more. */
static int hand_out_all(struct cdev *c, const uint8_t *bytes, size_t len)
{
	while (len) {
		struct usbip_rpc_msg msg;

		if (len < sizeof(msg))
			return -EBADMSG;
		memcpy(&msg, bytes, sizeof(msg));
		if (msg.len < sizeof(msg) || msg.len % 8 || msg.len > len)
			return -EBADMSG;
		hand_out(c, bytes, &msg);
		bytes += msg.len;
		len -= msg.len;
	}
	return 0;
}

/* Room for `size` bytes at least. */
static int make_room(struct cdev *c, size_t size)
{
	struct vhci_buf *buf;

	if (c->buf && c->buf->refs == 1)
		c->used = 0;	/* nobody needs what was read before */
	if (c->buf && c->buf->size - c->used >= size)
		return 0;
	buf = vhci_buf_new(size > READ_SIZE ? size : READ_SIZE);
	if (!buf)
		return -ENOMEM;
	vhci_buf_unref(c->buf);
	c->buf = buf;
	c->used = 0;
	return 0;
}

static int receive(struct vhci *v)
{
	struct cdev *c = cdev_of(v);
	size_t want = READ_LEFT_MIN;

	for (;;) {
		struct usbip_rpc_status s;
		const uint8_t *bytes;
		ssize_t n;
		int r = make_room(c, want);

		if (r)
			return r;
		bytes = c->buf->bytes + c->used;
		n = read(v->fd, c->buf->bytes + c->used,
			 c->buf->size - c->used);
		if (n > 0) {
			c->used += (size_t)n;
			r = hand_out_all(c, bytes, (size_t)n);
			return r ? r : 1;
		}
		if (!n)
			return -ENODEV;
		if (errno == EAGAIN)
			return 0;
		if (errno != EMSGSIZE)
			return errno == EINTR ? 1 : -errno;
		if (ioctl(v->fd, USBIP_RPC_IOC_STATUS, &s))
			return -errno;
		if (s.next_len <= want)
			return -EMSGSIZE;
		want = s.next_len;
	}
}

/* ---- answers ------------------------------------------------------------ */

static int grow(void **p, size_t *room, size_t need, size_t item)
{
	size_t n = *room ? *room : 64;
	void *q;

	if (need <= *room)
		return 0;
	while (n < need)
		n *= 2;
	q = realloc(*p, n * item);
	if (!q)
		return -ENOMEM;
	*p = q;
	*room = n;
	return 0;
}

static size_t padding(size_t len)
{
	return -len & 7;
}

static uint32_t count_errors(const struct vhci_complete *done)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < done->n_packets; i++)
		n += !!done->packets[i].status;
	return n;
}

static int complete(struct vhci *v, const struct vhci_complete *done)
{
	struct batch *b = &cdev_of(v)->batch;
	size_t data = done->data ? done->actual : 0;
	size_t packets = done->n_packets * sizeof(*done->packets);
	bool refer = data >= REFER_MIN && done->keep;
	struct usbip_rpc_complete m = {
		.msg = {
			.len = (uint32_t)(sizeof(m) + packets + data +
					  padding(data)),
			.type = USBIP_RPC_COMPLETE,
			.id = done->id,
		},
		.status = done->status,
		.actual = done->actual,
		.npackets = done->n_packets,
		.error_count = count_errors(done),
	};
	size_t len = sizeof(m) + packets + (refer ? 0 : data + padding(data));
	struct out *out;
	uint8_t *at;

	if (grow((void **)&b->bytes, &b->room, b->len + len, 1) ||
	    grow((void **)&b->outs, &b->n_room, b->n + 1, sizeof(*out)))
		return -ENOMEM;
	out = &b->outs[b->n++];
	*out = (struct out){ .id = done->id, .off = b->len, .len = len };
	at = b->bytes + b->len;
	memcpy(at, &m, sizeof(m));
	if (packets)
		memcpy(at + sizeof(m), done->packets, packets);
	at += sizeof(m) + packets;
	if (refer) {
		out->data = done->data;
		out->data_len = data;
		out->pad = padding(data);
		out->kept = done->keep(done->keep_arg);
		out->unkeep = done->unkeep;
	} else if (data) {
		memcpy(at, done->data, data);
		memset(at + data, 0, padding(data));
	}
	b->len += len;
	return 0;
}

/*
 * An iovec for as many messages from `first` on as fit into one call.
 * Returns how many, and the bytes that they have.
 */
static size_t gather(const struct batch *b, size_t first, struct iovec *iov,
		     int *n_iovp, size_t *bytesp)
{
	static const uint8_t zero[8];
	int n = 0;
	size_t i;

	*bytesp = 0;
	for (i = first; i < b->n && n + 3 <= FLUSH_IOV; i++) {
		const struct out *out = &b->outs[i];
		uint8_t *head = b->bytes + out->off;

		/* Small ones lie one behind the other: one piece. */
		if (n && (uint8_t *)iov[n - 1].iov_base + iov[n - 1].iov_len == head)
			iov[n - 1].iov_len += out->len;
		else
			iov[n++] = (struct iovec){ head, out->len };
		if (out->data)
			iov[n++] = (struct iovec){ (void *)(uintptr_t)out->data,
						   out->data_len };
		if (out->pad)
			iov[n++] = (struct iovec){ (void *)(uintptr_t)zero,
						   out->pad };
		*bytesp += out->len + out->data_len + out->pad;
	}
	*n_iovp = n;
	return i - first;
}

static size_t out_size(const struct out *out)
{
	return out->len + out->data_len + out->pad;
}

/*
 * The module took `taken` bytes and then met a message that it can not read.
 * That is a fault of ours; its URB must still be answered. Returns the index
 * of the message to go on with.
 */
static size_t answer_refused(struct cdev *c, size_t first, size_t taken)
{
	struct batch *b = &c->batch;
	struct out *out;
	struct usbip_rpc_complete m;

	while (first < b->n && taken >= out_size(&b->outs[first]))
		taken -= out_size(&b->outs[first++]);
	if (first == b->n)
		return first;
	out = &b->outs[first];
	log_error("the module refused an answer, URB %llu fails",
		  (unsigned long long)out->id);
	m = (struct usbip_rpc_complete){
		.msg = {
			.len = sizeof(m),
			.type = USBIP_RPC_COMPLETE,
			.id = out->id,
		},
		.status = -EPROTO,
	};
	if (write(c->v.fd, &m, sizeof(m)) != (ssize_t)sizeof(m))
		log_error("the module refused that, too: %m");
	return first + 1;
}

static int flush(struct vhci *v)
{
	struct cdev *c = cdev_of(v);
	struct batch *b = &c->batch;
	struct iovec iov[FLUSH_IOV];
	size_t i = 0;
	int r = 0;

	while (i < b->n && !r) {
		size_t bytes;
		ssize_t n;
		int n_iov;
		size_t count = gather(b, i, iov, &n_iov, &bytes);

		n = n_iov == 1 ? write(v->fd, iov->iov_base, iov->iov_len) :
				 writev(v->fd, iov, n_iov);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EINVAL && errno != EFAULT)
			r = -errno;
		else if (n < 0 || (size_t)n < bytes)
			i = answer_refused(c, i, n < 0 ? 0 : (size_t)n);
		else
			i += count;
	}
	drop_batch(c);
	return r;
}

/* ---- life --------------------------------------------------------------- */

static const struct vhci_ops cdev_ops = {
	.plug = plug,
	.unplug = unplug,
	.receive = receive,
	.complete = complete,
	.flush = flush,
	.devnum = devnum,
	.free = free_cdev,
};

int cdev_adopt(struct vhci **vp, int fd, const struct vhci_events *events)
{
	struct cdev *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->v.ops = &cdev_ops;
	c->v.events = *events;
	c->v.fd = fd;
	*vp = &c->v;
	return 0;
}

static void explain_open(struct failure *f, int error)
{
	static const char path[] = "/dev/" USBIP_RPC_DEVICE;

	if (error == ENOENT || error == ENXIO || error == ENODEV)
		failure_set(f, FAILURE_MODULE,
			    "%s is not there: the kernel module is not loaded "
			    "(modprobe usbip-rpc-vhci)", path);
	else if (error == EACCES || error == EPERM)
		failure_set(f, FAILURE_PERMISSION,
			    "%s: %s: attaching a device takes root", path,
			    strerror(error));
	else
		failure_set(f, FAILURE_OTHER, "%s: %s", path, strerror(error));
}

int cdev_open(struct vhci **vp, const struct vhci_events *events,
	      struct failure *f)
{
	struct usbip_rpc_hello hello = { .version = USBIP_RPC_ABI_VERSION };
	_cleanup_(cleanup_close) int fd = -1;
	int r;

	fd = open("/dev/" USBIP_RPC_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		explain_open(f, -r);
		return r;
	}
	if (ioctl(fd, USBIP_RPC_IOC_HELLO, &hello) || !hello.version) {
		r = -errno;
		failure_set(f, FAILURE_VERSION,
			    "the module does not speak ABI version %d: %s",
			    USBIP_RPC_ABI_VERSION, strerror(-r));
		return r ? r : -EPROTO;
	}
	r = cdev_adopt(vp, fd, events);
	if (r) {
		failure_set(f, FAILURE_OTHER, "%s", strerror(-r));
		return r;
	}
	cdev_of(*vp)->power = hello.features & USBIP_RPC_FEATURE_POWER;
	steal_fd(&fd); /* consumed */
	return 0;
}
