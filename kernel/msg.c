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

/* The length of the SUBMIT of an URB. */
size_t urpc_msg_submit_len(struct urb *urb)
{
	size_t len = sizeof(struct usbip_rpc_submit);

	if (usb_urb_dir_out(urb))
		len += urb->transfer_buffer_length;
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
	s->length = urb->transfer_buffer_length;
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
		if (s->transfer == USBIP_RPC_INTERRUPT)
			s->interval = ep->bInterval;
	}
}

static int put_data(struct iov_iter *to, struct urb *urb)
{
	static const u8 zeros[8];
	u32 len = urb->transfer_buffer_length;
	int ret;

	if (!len)
		return 0;
	if (urb->num_sgs)
		ret = copy_sg(to, urb, len, false);
	else
		ret = put(to, urb->transfer_buffer, len);
	if (!ret && pad(len))
		ret = put(to, zeros, pad(len));
	return ret;
}

/* Put an URB's SUBMIT, with its data. 0 or -EFAULT. */
int urpc_msg_put_submit(struct iov_iter *to, const struct urpc_urb *u)
{
	struct iov_iter start = *to;
	struct usbip_rpc_submit s;
	int ret;

	fill_submit(&s, u);
	pagefault_disable();
	ret = put(to, &s, sizeof(s));
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

	/* isochronous URBs are not taken, so there are no packets */
	if (c->npackets || c->error_count || c->start_frame)
		return -EINVAL;
	if (c->actual > (urb ? urb->transfer_buffer_length : 0))
		return -EINVAL;
	if (urb && usb_urb_dir_in(urb))
		len += c->actual;
	return c->msg.len == ALIGN(len, 8) ? 0 : -EINVAL;
}

/*
 * Get the data of a COMPLETE, checked before, into the URB's buffer. 0,
 * -EFAULT or -EINVAL (padding that is not zero).
 */
int urpc_msg_get_data(struct iov_iter *from, struct urb *urb, u32 actual)
{
	struct iov_iter start = *from;
	u64 padding = 0;
	int ret;

	pagefault_disable();
	if (urb->num_sgs)
		ret = copy_sg(from, urb, actual, true);
	else
		ret = get(from, urb->transfer_buffer, actual);
	if (!ret && pad(actual))
		ret = get(from, &padding, pad(actual));
	pagefault_enable();
	if (!ret && padding)
		ret = -EINVAL;
	if (ret)
		*from = start;
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
