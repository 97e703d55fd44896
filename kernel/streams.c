// SPDX-License-Identifier: GPL-2.0
/*
 * streams.c - bulk streams: what drivers ask for, ALLOC_STREAMS and FREE_STREAMS
 *
 *            request          read()           write()
 *   driver ──────────> asked ───────> told ───────────> answered
 *     └ ─ ─ ─ ─ ─ ─ ─ ─ waits ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘
 *
 * The driver waits for its answer, but for no longer than
 * URPC_STREAMS_TIMEOUT, and a signal or an unplug ends it at once. A request
 * that it leaves behind goes on by itself: to free is still told, and what may
 * have been allocated, for somebody who does not want it any more, is freed.
 *
 * How many streams an endpoint has, the core keeps in ep->streams; it also
 * knows that a reset and a SET_INTERFACE do away with them. So there is no
 * state of streams in here, only requests.
 */
#include <linux/slab.h>
#include "vhci.h"

#define STREAM_ID_MAX	65533	/* the two above mean something else */

static struct urpc_request *first_asked(const struct urpc_port *port)
{
	struct urpc_request *r;

	list_for_each_entry(r, &port->requests, link)
		if (!r->id)
			return r;
	return NULL;
}

/* Is there one for read()? Locked. */
bool urpc_streams_readable(const struct urpc_port *port)
{
	return first_asked(port);
}

/* Tell the next one. 0 or -EFAULT. Locked. */
int urpc_streams_read(struct urpc_port *port, struct iov_iter *to)
{
	struct urpc_request *r = first_asked(port);
	u64 id = port->file->last_id + 1;
	struct usbip_rpc_streams s = {
		.msg = { .len = sizeof(s), .type = r->type, .id = id },
		.endpoints = r->endpoints,
		.streams = r->streams,
	};
	int ret;

	ret = urpc_msg_put_streams(to, &s);
	if (ret)
		return ret;
	port->file->last_id = id;
	r->id = id;
	return 0;
}

/* The request that was told with this id, or NULL. Locked. */
struct urpc_request *urpc_streams_find(const struct urpc_port *port, u64 id)
{
	struct urpc_request *r;

	list_for_each_entry(r, &port->requests, link)
		if (r->id && r->id == id)
			return r;
	return NULL;
}

static void end_request(struct urpc_request *r, int result)
{
	list_del(&r->link);
	if (r->orphan) {
		kfree(r);
		return;
	}
	r->answered = true;
	r->result = result;
	complete(&r->done);
}

/* Take an answer: 0 or -EINVAL. Locked. */
int urpc_streams_answer(struct urpc_port *port, struct urpc_request *r,
			const struct usbip_rpc_complete *c)
{
	struct usbip_rpc_complete bare = *c;
	bool grants = r->type == USBIP_RPC_ALLOC_STREAMS && !c->status;

	bare.actual = 0; /* no bytes, but a number of streams */
	if (urpc_msg_check(&bare, NULL))
		return -EINVAL;
	if (grants ? !c->actual || c->actual > r->streams : c->actual)
		return -EINVAL;
	dev_dbg(urpc_port_dev(port), "port %u: streams of %08x: %d, %u\n",
		urpc_port_number(port), r->endpoints, c->status, c->actual);
	end_request(r, grants ? (int)c->actual : urpc_msg_status(c->status));
	return 0;
}

/* The device was unplugged. Locked. */
void urpc_streams_flush(struct urpc_port *port)
{
	struct urpc_request *r, *next;

	list_for_each_entry_safe(r, next, &port->requests, link)
		end_request(r, -ESHUTDOWN);
}

/* The driver does not wait any longer. Locked. */
static void leave(struct urpc_port *port, struct urpc_request *r)
{
	if (r->type == USBIP_RPC_ALLOC_STREAMS && !r->id) {
		list_del(&r->link);
		kfree(r);
		return;
	}
	r->orphan = true;
	if (r->type == USBIP_RPC_FREE_STREAMS)
		return;
	r->type = USBIP_RPC_FREE_STREAMS;
	r->streams = 0;
	r->id = 0;
	urpc_queue_wake(port);
}

/* @r is not the caller's any more. */
static int wait_for_answer(struct urpc_port *port, struct urpc_request *r)
{
	long left;
	int ret;

	left = wait_for_completion_interruptible_timeout(&r->done,
							 URPC_STREAMS_TIMEOUT);
	spin_lock_irq(&port->lock);
	if (r->answered) {
		ret = r->result;
		kfree(r);
	} else {
		ret = left ? -EINTR : -ETIMEDOUT;
		leave(port, r);
	}
	spin_unlock_irq(&port->lock);
	return ret;
}

static int request(struct urpc_port *port, const struct urpc_request *wanted,
		   gfp_t mem_flags)
{
	struct urpc_request *r;
	bool plugged;

	r = kmemdup(wanted, sizeof(*wanted), mem_flags);
	if (!r)
		return -ENOMEM;
	init_completion(&r->done);
	spin_lock_irq(&port->lock);
	plugged = port->file;
	if (plugged) {
		list_add_tail(&r->link, &port->requests);
		urpc_queue_wake(port);
	}
	spin_unlock_irq(&port->lock);
	if (!plugged) {
		kfree(r);
		return -ENODEV;
	}
	return wait_for_answer(port, r);
}

static u32 endpoint_bit(const struct usb_host_endpoint *ep)
{
	return BIT(usb_endpoint_num(&ep->desc) +
		   (usb_endpoint_dir_in(&ep->desc) ? 16 : 0));
}

/* hc_driver.alloc_streams. How many were granted, or an error. */
int urpc_streams_alloc(struct usb_hcd *hcd, struct usb_device *udev,
		       struct usb_host_endpoint **eps, unsigned int num_eps,
		       unsigned int num_streams, gfp_t mem_flags)
{
	struct urpc_port *port = urpc_port_of(hcd, udev);
	struct urpc_request r = {
		.type = USBIP_RPC_ALLOC_STREAMS,
		.streams = min_t(u32, num_streams, STREAM_ID_MAX),
	};
	unsigned int i;

	if (!port)
		return -ENODEV;
	for (i = 0; i < num_eps; i++) {
		r.endpoints |= endpoint_bit(eps[i]);
		r.streams = min_t(u32, r.streams,
				  usb_ss_max_streams(&eps[i]->ss_ep_comp));
	}
	if (!r.streams)
		return -EINVAL;
	return request(port, &r, mem_flags);
}

/*
 * hc_driver.free_streams. Whatever becomes of it, they are no more for the
 * core; and it is told, for which there is always memory.
 */
int urpc_streams_free(struct usb_hcd *hcd, struct usb_device *udev,
		      struct usb_host_endpoint **eps, unsigned int num_eps,
		      gfp_t mem_flags)
{
	struct urpc_port *port = urpc_port_of(hcd, udev);
	struct urpc_request r = { .type = USBIP_RPC_FREE_STREAMS };
	unsigned int i;

	if (!port)
		return 0;
	for (i = 0; i < num_eps; i++)
		r.endpoints |= endpoint_bit(eps[i]);
	request(port, &r, mem_flags | __GFP_NOFAIL);
	return 0;
}
