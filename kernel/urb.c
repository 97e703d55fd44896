// SPDX-License-Identifier: GPL-2.0
/*
 * urb.c - the life of an URB, and the queue between drivers and helper
 *
 *            enqueue          read()             write()
 *   driver ──────────> PENDING ───> COPYOUT ───> SENT ───> COPYIN ───> DONE
 *                         │         (no lock)     │ ^     (no lock)     ^
 *                         │                       │ └── bad data ──┘    │
 *                         └── dequeue, unplug ────┴── overdue, unplug ──┘
 *
 * An URB is given back exactly once, by urpc_urb_give_back(), the only place that sets
 * DONE. Who holds the port's lock may do so in the states PENDING and SENT;
 * in COPYOUT and COPYIN the URB belongs to the thread that copies, and what
 * happens meanwhile is left for it to find: an unlink in urb->unlinked, an
 * unplug in @gone. It copies without waiting for anything (msg.c), so this
 * takes as long as a memcpy.
 *
 * An unlinked URB that the helper knows of waits for its answer, as that may
 * carry data that has arrived, but not for longer than URPC_UNLINK_TIMEOUT:
 * usb_kill_urb() and with it every disconnect wait here, without a signal
 * being able to end it. The UNLINK is a list node in the record, so telling it
 * needs no memory and cannot fail; it is queued when the SUBMIT was copied
 * out, so it cannot overtake it.
 */
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include "vhci.h"

static struct kmem_cache *urb_cache;

static const char *state_str(enum urpc_urb_state state)
{
	switch (state) {
	case URPC_URB_PENDING:
		return "PENDING";
	case URPC_URB_COPYOUT:
		return "COPYOUT";
	case URPC_URB_SENT:
		return "SENT";
	case URPC_URB_COPYIN:
		return "COPYIN";
	case URPC_URB_DONE:
		return "DONE";
	}
	return "?";
}

static bool may_go(enum urpc_urb_state from, enum urpc_urb_state to)
{
	static const u8 next[] = {
		[URPC_URB_PENDING] = BIT(URPC_URB_COPYOUT) | BIT(URPC_URB_DONE),
		[URPC_URB_COPYOUT] = BIT(URPC_URB_PENDING) |
			BIT(URPC_URB_SENT) | BIT(URPC_URB_DONE),
		[URPC_URB_SENT] = BIT(URPC_URB_COPYIN) | BIT(URPC_URB_DONE),
		[URPC_URB_COPYIN] = BIT(URPC_URB_SENT) | BIT(URPC_URB_DONE),
		[URPC_URB_DONE] = 0,
	};

	return next[from] & BIT(to);
}

/* The only writer of u->state, but for the first. Locked. */
void urpc_urb_set_state(struct urpc_port *port, struct urpc_urb *u,
			enum urpc_urb_state state)
{
	lockdep_assert_held(&port->lock);
	dev_dbg(urpc_port_dev(port), "port %u urb %llu: %s -> %s\n",
		urpc_port_number(port), u->id, state_str(u->state),
		state_str(state));
	WARN_ON_ONCE(!may_go(u->state, state));
	u->state = state;
}

/*
 * Give an URB back. The lock is dropped meanwhile, so whatever the caller
 * knew of the port is to be looked at anew. Interrupts stay off without
 * PREEMPT_RT and on with it, as usb_hcd_giveback_urb() wants both.
 */
void urpc_urb_give_back(struct urpc_port *port, struct urpc_urb *u, int status)
	__must_hold(&port->lock)
{
	struct usb_hcd *hcd = port->hub->hcd;
	struct urb *urb = u->urb;

	urpc_urb_set_state(port, u, URPC_URB_DONE);
	list_del(&u->link);
	list_del(&u->unlink);
	list_del(&u->doom);
	hash_del(&u->hash);
	kmem_cache_free(urb_cache, u);
	usb_hcd_unlink_urb_from_ep(hcd, urb);
	WRITE_ONCE(urb->hcpriv, NULL);

	spin_unlock(&port->lock);
	usb_hcd_giveback_urb(hcd, urb, status);
	spin_lock(&port->lock);
}

/*
 * An unlinked URB that the helper has: tell it, and set the deadline. All
 * have the same time, so the list stays in order.
 */
static void doom(struct urpc_port *port, struct urpc_urb *u)
{
	u->deadline = jiffies + URPC_UNLINK_TIMEOUT;
	list_add_tail(&u->doom, &port->doomed);
	list_add_tail(&u->unlink, &port->unlinks);
	queue_delayed_work(urpc_wq, &port->unlink_work, URPC_UNLINK_TIMEOUT);
	urpc_queue_wake(port);
}

/* After copying: the helper has the URB (again). Locked. */
void urpc_urb_set_sent(struct urpc_port *port, struct urpc_urb *u)
{
	urpc_urb_set_state(port, u, URPC_URB_SENT);
	if (u->urb->unlinked && list_empty(&u->doom))
		doom(port, u);
}

static struct urpc_urb *find_overdue(struct urpc_port *port)
{
	struct urpc_urb *u;

	list_for_each_entry(u, &port->doomed, doom) {
		if (time_before(jiffies, u->deadline))
			return NULL;
		if (u->state == URPC_URB_SENT)
			return u;
	}
	return NULL;
}

static void end_overdue(struct work_struct *work)
{
	struct urpc_port *port = container_of(to_delayed_work(work),
					      struct urpc_port, unlink_work);
	struct urpc_urb *u;
	long left;

	spin_lock_irq(&port->lock);
	while ((u = find_overdue(port))) {
		if (port->file)
			port->file->timed_out++;
		urpc_urb_give_back(port, u, -ECONNRESET);
	}
	u = list_first_entry_or_null(&port->doomed, struct urpc_urb, doom);
	if (u) {
		left = u->deadline - jiffies;
		queue_delayed_work(urpc_wq, &port->unlink_work, max(left, 1L));
	}
	spin_unlock_irq(&port->lock);
}

/*
 * Give back all URBs of a port that has been unplugged; in the second phase
 * of unplug(), with the lock held, dropped between URBs.
 */
void urpc_urb_flush(struct urpc_port *port)
	__must_hold(&port->lock)
{
	struct urpc_urb *u;

	while (!list_empty(&port->sent) || !list_empty(&port->pending)) {
		struct list_head *from = list_empty(&port->sent) ?
					 &port->pending : &port->sent;

		u = list_first_entry(from, struct urpc_urb, link);
		if (u->state == URPC_URB_COPYOUT ||
		    u->state == URPC_URB_COPYIN) {
			u->gone = true;
			list_del_init(&u->link);
			list_del_init(&u->unlink);
			list_del_init(&u->doom);
		} else {
			urpc_urb_give_back(port, u, -ESHUTDOWN);
		}
	}
	port->reset_wanted = false;
	port->reset_id = 0;
	port->power_id = 0;
	port->in_use = false;
}

void urpc_urb_init_port(struct urpc_port *port)
{
	INIT_LIST_HEAD(&port->pending);
	INIT_LIST_HEAD(&port->sent);
	INIT_LIST_HEAD(&port->unlinks);
	INIT_LIST_HEAD(&port->doomed);
	hash_init(port->ids);
	INIT_DELAYED_WORK(&port->unlink_work, end_overdue);
	INIT_DELAYED_WORK(&port->reset_work, urpc_queue_reset_work);
}

static const struct usb_ctrlrequest *setup_of(const struct urb *urb)
{
	return (const struct usb_ctrlrequest *)urb->setup_packet;
}

static bool is_set_address(struct urb *urb)
{
	return usb_endpoint_xfer_control(&urb->ep->desc) &&
	       setup_of(urb)->bRequestType == USB_RECIP_DEVICE &&
	       setup_of(urb)->bRequest == USB_REQ_SET_ADDRESS;
}

/* A request of the kind that (re-)enumeration makes before it configures. */
static bool is_enumeration(struct urb *urb)
{
	const struct usb_ctrlrequest *setup = setup_of(urb);

	if (!usb_endpoint_xfer_control(&urb->ep->desc) ||
	    (setup->bRequestType & ~USB_DIR_IN) != USB_RECIP_DEVICE)
		return false;
	switch (setup->bRequest) {
	case USB_REQ_GET_STATUS:
	case USB_REQ_GET_DESCRIPTOR:
	case USB_REQ_SET_SEL:
	case USB_REQ_SET_ISOCH_DELAY:
		return true;
	default:
		return false;
	}
}

/* What the rest of the module relies on. 0 or an error for the driver. */
static int check_urb(const struct urb *urb)
{
	struct scatterlist *sg;
	size_t len = 0;
	int i;

	if (usb_endpoint_xfer_isoc(&urb->ep->desc) || urb->stream_id)
		return -EINVAL;
	if (urb->transfer_buffer_length > URPC_DATA_MAX)
		return -EMSGSIZE;
	if (!urb->transfer_buffer_length)
		return 0;
	if (!urb->num_sgs)
		return urb->transfer_buffer ? 0 : -EINVAL;
	for_each_sg(urb->sg, sg, urb->num_sgs, i)
		len += sg->length;
	return len < urb->transfer_buffer_length ? -EINVAL : 0;
}

/* An URB with its record: into the queue, or back at once. Locked. */
static int queue_urb(struct urpc_port *port, struct urpc_urb *u)
{
	bool readable = urpc_queue_readable(port);
	struct urb *urb = u->urb;
	int ret;

	if (!port->file || !(port->status & USB_PORT_STAT_ENABLE))
		return -ENODEV;
	ret = usb_hcd_link_urb_to_ep(port->hub->hcd, urb);
	if (ret)
		return ret;
	WRITE_ONCE(urb->hcpriv, u);
	urb->actual_length = 0;
	port->udev = urb->dev;
	u->id = ++port->file->last_id;
	list_add_tail(&u->link, &port->pending);
	if (is_set_address(urb)) {
		port->devnum = le16_to_cpu(setup_of(urb)->wValue);
		urpc_urb_give_back(port, u, 0);
		return 0;
	}
	port->file->submitted++;
	if (!readable && urpc_queue_readable(port))
		urpc_queue_wake(port);
	return 0;
}

/* hc_driver.urb_enqueue. */
int urpc_urb_enqueue(struct usb_hcd *hcd, struct urb *urb, gfp_t mem_flags)
{
	struct urpc_port *port = urpc_port_of(hcd, urb->dev);
	struct urpc_urb *u;
	unsigned long flags;
	int ret;

	if (!port)
		return -ENODEV;
	ret = check_urb(urb);
	if (ret)
		return ret;
	u = kmem_cache_zalloc(urb_cache, mem_flags);
	if (!u)
		return -ENOMEM;
	u->urb = urb;
	u->enumerates = is_enumeration(urb);
	INIT_LIST_HEAD(&u->unlink);
	INIT_LIST_HEAD(&u->doom);

	spin_lock_irqsave(&port->lock, flags);
	ret = queue_urb(port, u);
	spin_unlock_irqrestore(&port->lock, flags);
	if (ret)
		kmem_cache_free(urb_cache, u);
	return ret;
}

/* hc_driver.urb_dequeue. */
int urpc_urb_dequeue(struct usb_hcd *hcd, struct urb *urb, int status)
{
	struct urpc_port *port = urpc_port_of(hcd, urb->dev);
	struct urpc_urb *u;
	unsigned long flags;
	int ret;

	if (!port)
		return -EIDRM;
	spin_lock_irqsave(&port->lock, flags);
	ret = usb_hcd_check_unlink_urb(hcd, urb, status);
	if (ret)
		goto unlock;
	if (port->file)
		port->file->unlinked++;
	u = urb->hcpriv;
	switch (u->state) {
	case URPC_URB_PENDING:
		urpc_urb_give_back(port, u, status);
		break;
	case URPC_URB_SENT:
		doom(port, u);
		break;
	case URPC_URB_COPYOUT:
	case URPC_URB_COPYIN:
	case URPC_URB_DONE:
		break; /* who copies it finds urb->unlinked */
	}
unlock:
	spin_unlock_irqrestore(&port->lock, flags);
	return ret;
}

int urpc_urb_init(void)
{
	urb_cache = KMEM_CACHE(urpc_urb, 0);
	return urb_cache ? 0 : -ENOMEM;
}

void urpc_urb_exit(void)
{
	kmem_cache_destroy(urb_cache);
}
