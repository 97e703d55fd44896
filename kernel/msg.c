// SPDX-License-Identifier: GPL-2.0
/*
 * msg.c - messages to and from user memory
 *
 * Nothing here takes a lock or changes an URB's state. An iterator is moved
 * when a function succeeds and is where it was when it fails.
 *
 * Nothing here may wait for a page either: who copies holds an URB, and an
 * URB must never be held for as long as user space likes (a page can be a
 * userfaultfd). So a page that is not there is -EFAULT here, and the caller,
 * who holds nothing, faults it in and tries again.
 *
 * URB buffers are copied with _copy_to_iter() and _copy_from_iter(): drivers
 * hand in memory from all kinds of caches, which the checks of hardened
 * usercopy in the plain ones take for a leak.
 */
#include <linux/scatterlist.h>
#include <linux/uaccess.h>
#include "vhci.h"

static size_t pad(size_t len)
{
	return ALIGN(len, 8) - len;
}

static int put(struct iov_iter *to, const void *data, size_t len)
{
	return _copy_to_iter(data, len, to) == len ? 0 : -EFAULT;
}

static int get(struct iov_iter *from, void *data, size_t len)
{
	return _copy_from_iter(data, len, from) == len ? 0 : -EFAULT;
}

/* Copy between an URB's scatterlist and the iterator. */
static int copy_sg(struct iov_iter *iter, struct urb *urb, size_t len,
		   bool in)
{
	struct sg_mapping_iter m;
	int ret = 0;

	/* page by page: the block layer merges pages into elements */
	sg_miter_start(&m, urb->sg, urb->num_sgs, SG_MITER_ATOMIC |
		       (in ? SG_MITER_TO_SG : SG_MITER_FROM_SG));
	while (len && !ret && sg_miter_next(&m)) {
		size_t n = min(len, m.length);

		ret = in ? get(iter, m.addr, n) : put(iter, m.addr, n);
		len -= n;
	}
	sg_miter_stop(&m);
	return ret;
}

static bool is_isoc(const struct urb *urb)
{
	return usb_endpoint_xfer_isoc(&urb->ep->desc);
}

/* The bytes of an URB's data, as messages have it: without gaps. */
u32 urpc_msg_data_len(const struct urb *urb)
{
	u32 len = 0;
	int i;

	if (!is_isoc(urb))
		return urb->transfer_buffer_length;
	for (i = 0; i < urb->number_of_packets; i++)
		len += urb->iso_frame_desc[i].length;
	return len;
}

static size_t packets_len(const struct urb *urb)
{
	return is_isoc(urb) ?
		urb->number_of_packets * sizeof(struct usbip_rpc_packet) : 0;
}

/* The length of the SUBMIT of an URB. */
size_t urpc_msg_submit_len(struct urb *urb)
{
	size_t len = sizeof(struct usbip_rpc_submit) + packets_len(urb);

	if (usb_urb_dir_out(urb))
		len += urpc_msg_data_len(urb);
	return ALIGN(len, 8);
}

/* Put a message that is all there: 0 or -EFAULT. */
static int put_whole(struct iov_iter *to, const void *msg, size_t len)
{
	struct iov_iter start = *to;
	int ret;

	pagefault_disable();
	ret = put(to, msg, len);
	pagefault_enable();
	if (ret)
		*to = start;
	return ret;
}

/* Put a message that is no more than a header: 0 or -EFAULT. */
int urpc_msg_put(struct iov_iter *to, u16 type, u64 id)
{
	struct usbip_rpc_msg msg = { .len = sizeof(msg), .type = type, .id = id };

	return put_whole(to, &msg, sizeof(msg));
}

/* Put an ALLOC_STREAMS or FREE_STREAMS: 0 or -EFAULT. */
int urpc_msg_put_streams(struct iov_iter *to, const struct usbip_rpc_streams *s)
{
	return put_whole(to, s, sizeof(*s));
}

static void fill_submit(struct usbip_rpc_submit *s, const struct urpc_urb *u)
{
	struct urb *urb = u->urb;
	const struct usb_endpoint_descriptor *ep = &urb->ep->desc;

	memset(s, 0, sizeof(*s));
	s->msg.len = urpc_msg_submit_len(urb);
	s->msg.type = USBIP_RPC_SUBMIT;
	s->msg.id = u->id;
	s->transfer = usb_endpoint_type(ep);
	s->length = urpc_msg_data_len(urb);
	s->stream = urb->stream_id;
	if (urb->transfer_flags & URB_SHORT_NOT_OK)
		s->flags |= USBIP_RPC_SHORT_NOT_OK;
	if (urb->transfer_flags & URB_ZERO_PACKET)
		s->flags |= USBIP_RPC_ZERO_PACKET;
	if (s->transfer == USBIP_RPC_CONTROL) {
		s->endpoint = usb_endpoint_num(ep) |
			(usb_urb_dir_in(urb) ? USB_DIR_IN : USB_DIR_OUT);
		memcpy(s->setup, urb->setup_packet, sizeof(s->setup));
	} else {
		s->endpoint = ep->bEndpointAddress;
		if (s->transfer != USBIP_RPC_BULK)
			s->interval = ep->bInterval;
	}
	if (s->transfer == USBIP_RPC_ISOC) {
		s->npackets = urb->number_of_packets;
		s->start_frame = urb->start_frame;
		if (urb->transfer_flags & URB_ISO_ASAP)
			s->flags |= USBIP_RPC_ISO_ASAP;
	}
}

static int put_packets(struct iov_iter *to, const struct urb *urb)
{
	int i, ret = 0;

	for (i = 0; !ret && is_isoc(urb) && i < urb->number_of_packets; i++) {
		struct usbip_rpc_packet p = {
			.length = urb->iso_frame_desc[i].length,
		};

		ret = put(to, &p, sizeof(p));
	}
	return ret;
}

static int put_packet_data(struct iov_iter *to, const struct urb *urb)
{
	int i, ret = 0;

	for (i = 0; !ret && i < urb->number_of_packets; i++) {
		const struct usb_iso_packet_descriptor *d;

		d = &urb->iso_frame_desc[i];
		ret = put(to, urb->transfer_buffer + d->offset, d->length);
	}
	return ret;
}

static int put_data(struct iov_iter *to, struct urb *urb)
{
	static const u8 zeros[8];
	u32 len = urpc_msg_data_len(urb);
	int ret;

	if (!len)
		return 0;
	if (is_isoc(urb))
		ret = put_packet_data(to, urb);
	else if (urb->num_sgs)
		ret = copy_sg(to, urb, len, false);
	else
		ret = put(to, urb->transfer_buffer, len);
	if (!ret && pad(len))
		ret = put(to, zeros, pad(len));
	return ret;
}

/* Put an URB's SUBMIT, with its packets and data. 0 or -EFAULT. */
int urpc_msg_put_submit(struct iov_iter *to, const struct urpc_urb *u)
{
	struct iov_iter start = *to;
	struct usbip_rpc_submit s;
	int ret;

	fill_submit(&s, u);
	pagefault_disable();
	ret = put(to, &s, sizeof(s));
	if (!ret)
		ret = put_packets(to, u->urb);
	if (!ret && usb_urb_dir_out(u->urb))
		ret = put_data(to, u->urb);
	pagefault_enable();
	if (ret)
		*to = start;
	return ret;
}

/*
 * Get a message's fixed part and check what can be checked without knowing
 * the URB; afterwards len is at least sizeof(*c) and is there. 0, -EFAULT or
 * -EINVAL.
 */
int urpc_msg_get(struct iov_iter *from, struct usbip_rpc_complete *c)
{
	struct iov_iter start = *from;
	size_t avail = iov_iter_count(from);
	int ret;

	if (avail < sizeof(*c))
		return -EINVAL;
	pagefault_disable();
	ret = get(from, c, sizeof(*c));
	pagefault_enable();
	if (!ret && (c->msg.type != USBIP_RPC_COMPLETE || c->msg.reserved ||
		     c->reserved || c->msg.len < sizeof(*c) ||
		     c->msg.len > avail || c->msg.len % 8))
		ret = -EINVAL;
	if (ret)
		*from = start;
	return ret;
}

/*
 * Does a COMPLETE fit the URB? @urb NULL: fit a request without data. 0 or
 * -EINVAL.
 */
int urpc_msg_check(const struct usbip_rpc_complete *c, struct urb *urb)
{
	size_t len = sizeof(*c);

	if (c->start_frame)
		return -EINVAL;
	if (c->npackets) {
		if (!urb || !is_isoc(urb) ||
		    c->npackets != urb->number_of_packets)
			return -EINVAL;
		len += packets_len(urb);
	} else if (c->error_count || (urb && is_isoc(urb) && c->actual)) {
		return -EINVAL;
	}
	if (c->actual > (urb ? urpc_msg_data_len(urb) : 0))
		return -EINVAL;
	if (urb && usb_urb_dir_in(urb))
		len += c->actual;
	return c->msg.len == ALIGN(len, 8) ? 0 : -EINVAL;
}

/* The status that a driver may see of a packet. */
static int packet_status(s32 status)
{
	return status == -EXDEV ? status : urpc_msg_status(status);
}

/*
 * Get the packets of a COMPLETE. From here on only the URB's own copy of them
 * is believed: what is in user memory may change. 0, -EFAULT or -EINVAL.
 */
static int get_packets(struct iov_iter *from, struct urb *urb,
		       const struct usbip_rpc_complete *c)
{
	u32 i, actual = 0, errors = 0;

	for (i = 0; i < c->npackets; i++) {
		struct usb_iso_packet_descriptor *d = &urb->iso_frame_desc[i];
		struct usbip_rpc_packet p;
		int ret = get(from, &p, sizeof(p));

		if (ret)
			return ret;
		if (p.length > d->length)
			return -EINVAL;
		d->actual_length = p.length;
		d->status = packet_status(p.status);
		actual += p.length;
		errors += !!d->status;
	}
	return actual == c->actual && errors == c->error_count ? 0 : -EINVAL;
}

/* The packets as usb_submit_urb() has set them. */
static void clear_packets(struct urb *urb)
{
	int i;

	for (i = 0; i < urb->number_of_packets; i++) {
		urb->iso_frame_desc[i].actual_length = 0;
		urb->iso_frame_desc[i].status = -EXDEV;
	}
}

/* The data of each packet to its place in the buffer. */
static int get_packet_data(struct iov_iter *from, struct urb *urb)
{
	int i, ret = 0;

	for (i = 0; !ret && i < urb->number_of_packets; i++) {
		struct usb_iso_packet_descriptor *d = &urb->iso_frame_desc[i];

		ret = get(from, urb->transfer_buffer + d->offset,
			  d->actual_length);
	}
	return ret;
}

static int get_data(struct iov_iter *from, struct urb *urb, u32 actual)
{
	u64 padding = 0;
	int ret;

	if (is_isoc(urb))
		ret = get_packet_data(from, urb);
	else if (urb->num_sgs)
		ret = copy_sg(from, urb, actual, true);
	else
		ret = get(from, urb->transfer_buffer, actual);
	if (!ret && pad(actual))
		ret = get(from, &padding, pad(actual));
	return !ret && padding ? -EINVAL : ret;
}

/*
 * Get what is behind a COMPLETE, checked before, into the URB: packets and IN
 * data. 0, -EFAULT or -EINVAL (packets that do not fit, padding that is not
 * zero).
 */
int urpc_msg_get_data(struct iov_iter *from, struct urb *urb,
		      const struct usbip_rpc_complete *c)
{
	struct iov_iter start = *from;
	int ret = 0;

	pagefault_disable();
	if (is_isoc(urb))
		ret = get_packets(from, urb, c);
	if (!ret && c->actual && usb_urb_dir_in(urb))
		ret = get_data(from, urb, c->actual);
	pagefault_enable();
	if (ret) {
		*from = start;
		if (is_isoc(urb))
			clear_packets(urb);
	}
	return ret;
}

/* The status that a driver may see, from one that user space gave. */
int urpc_msg_status(s32 status)
{
	switch (status) {
	case 0:
	case -EPIPE:
	case -EPROTO:
	case -EOVERFLOW:
	case -ECONNRESET:
	case -ESHUTDOWN:
	case -EILSEQ:
	case -ETIME:
	case -ENOMEM:
	case -EINVAL:
		return status;
	default:
		return -EPROTO;
	}
}
