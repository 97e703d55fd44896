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
 * An URB is given back exactly once, by urpc_urb_give_back(), the only place
 * that sets DONE. Who holds the port's lock may do so in the states PENDING
 * and SENT; in COPYOUT and COPYIN the URB belongs to the thread that copies,
 * and what happens meanwhile is left for it to find: an unlink in
 * urb->unlinked, an unplug in @gone. It copies without waiting for anything
 * (msg.c), so this takes as long as a memcpy.
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
	if (!u->watcher)
		kmem_cache_free(urb_cache, u);
	usb_hcd_unlink_urb_from_ep(hcd, urb);
	WRITE_ONCE(urb->hcpriv, NULL);

	spin_unlock(&port->lock);
	usb_hcd_giveback_urb(hcd, urb, status);
	spin_lock(&port->lock);
}

/* Stands for the handler of a driver, and knows when that has returned. */
static void run_handler(struct urb *urb)
{
	struct urpc_urb *u = urb->context;
	struct urpc_file *file = u->watcher;
	unsigned long flags;

	urb->complete = u->complete;
	urb->context = u->context;
	kmem_cache_free(urb_cache, u);
	urb->complete(urb);	/* the driver may have freed it behind this */

	spin_lock_irqsave(&file->handlers_lock, flags);
	if (!--file->n_handlers)
		wake_up(&file->handled);
	spin_unlock_irqrestore(&file->handlers_lock, flags);
}

/*
 * Count an URB in @file until its handler has returned; to be given back
 * right after. There is no other way to know: an URB must not be looked at
 * once it was given back, since its driver may free the memory that it is in
 * as soon as the handler is through, and not all do that by reference.
 */
void urpc_urb_watch(struct urpc_urb *u, struct urpc_file *file)
{
	u->watcher = file;
	u->complete = u->urb->complete;
	u->context = u->urb->context;
	u->urb->complete = run_handler;
	u->urb->context = u;
	spin_lock(&file->handlers_lock);
	file->n_handlers++;
	spin_unlock(&file->handlers_lock);
}

/* Has every handler that is counted returned? */
static bool have_run(struct urpc_file *file)
{
	bool ret;

	spin_lock_irq(&file->handlers_lock);
	ret = !file->n_handlers;
	spin_unlock_irq(&file->handlers_lock);
	return ret;
}

/*
 * Wait for the handlers of all URBs that are watched for a file, at most
 * @timeout jiffies.
 */
void urpc_urb_wait_for_handlers(struct urpc_file *file, unsigned long timeout)
{
	wait_event_timeout(file->handled, have_run(file), timeout);
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
		/* mod: one unlinked since this began has set it, for later */
		mod_delayed_work(urpc_wq, &port->unlink_work, max(left, 1L));
	}
	spin_unlock_irq(&port->lock);
}

/*
 * URBs that are being copied at this moment: who copies finds them marked,
 * and gives them back. All of them before the lock is dropped for the first
 * time, as behind it an URB that is not marked is taken for one of a port
 * that has a file.
 */
static void mark_copied(struct urpc_port *port)
{
	struct urpc_urb *u, *next;

	list_for_each_entry_safe(u, next, &port->sent, link) {
		if (u->state == URPC_URB_SENT)
			continue;
		u->gone = true;
		list_del_init(&u->link);
		list_del_init(&u->unlink);
		list_del_init(&u->doom);
	}
}

/*
 * Give back all URBs of a port that has been unplugged; in the second phase
 * of unplug(), with the lock held. There may be thousands: between two of
 * them others have their turn.
 */
void urpc_urb_flush(struct urpc_port *port)
	__must_hold(&port->lock)
{
	struct urpc_urb *u;

	mark_copied(port);
	while (!list_empty(&port->sent) || !list_empty(&port->pending)) {
		struct list_head *from = list_empty(&port->sent) ?
					 &port->pending : &port->sent;

		u = list_first_entry(from, struct urpc_urb, link);
		urpc_urb_give_back(port, u, -ESHUTDOWN);
		spin_unlock_irq(&port->lock);
		cond_resched();
		spin_lock_irq(&port->lock);
	}
	urpc_streams_flush(port);
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
	INIT_LIST_HEAD(&port->requests);
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

/* Every packet lies in the buffer. */
static int check_packets(const struct urb *urb)
{
	const struct usb_iso_packet_descriptor *p = urb->iso_frame_desc;
	u32 size = urb->transfer_buffer_length;
	u64 sum = 0;
	int i;

	if (urb->num_sgs || (size && !urb->transfer_buffer))
		return -EINVAL;
	if (urb->number_of_packets > URPC_PACKETS_MAX)
		return -EMSGSIZE;
	for (i = 0; i < urb->number_of_packets; i++, p++) {
		if (p->offset > size || p->length > size - p->offset)
			return -EINVAL;
		sum += p->length;
	}
	/* packets may overlap in the buffer, and do not in a message */
	return sum > URPC_DATA_MAX ? -EMSGSIZE : 0;
}

/* One that its endpoint has, where it has streams, and else none. */
static bool has_right_stream(const struct urb *urb)
{
	unsigned int n = max(urb->ep->streams, 0);

	return urb->stream_id ? urb->stream_id <= n : !n;
}

/* What the rest of the module relies on. 0 or an error for the driver. */
static int check_urb(const struct urb *urb)
{
	struct scatterlist *sg;
	size_t len = 0;
	int i;

	if (!has_right_stream(urb))
		return -EINVAL;
	if (urb->transfer_buffer_length > URPC_DATA_MAX)
		return -EMSGSIZE;
	if (usb_endpoint_xfer_isoc(&urb->ep->desc))
		return check_packets(urb);
	if (!urb->transfer_buffer_length)
		return 0;
	if (!urb->num_sgs)
		return urb->transfer_buffer ? 0 : -EINVAL;
	for_each_sg(urb->sg, sg, urb->num_sgs, i)
		len += sg->length;
	return len < urb->transfer_buffer_length ? -EINVAL : 0;
}

/*
 * Has its endpoint nothing to do, before @urb is linked? Handlers that run may
 * still submit what follows on their URBs.
 */
static bool is_idle(struct urpc_port *port, const struct urb *urb)
{
	return list_empty(&urb->ep->urb_list) &&
	       !hcd_periodic_completion_in_progress(port->hub->hcd, urb->ep);
}

/* An URB with its record: into the queue, or back at once. Locked. */
static int queue_urb(struct urpc_port *port, struct urpc_urb *u)
{
	bool readable = urpc_queue_readable(port);
	struct urb *urb = u->urb;
	bool idle = is_idle(port, urb);
	int ret;

	if (!port->file || !(port->status & USB_PORT_STAT_ENABLE))
		return -ENODEV;
	ret = usb_hcd_link_urb_to_ep(port->hub->hcd, urb);
	if (ret)
		return ret;
	WRITE_ONCE(urb->hcpriv, u);
	urb->actual_length = 0;
	if (usb_endpoint_xfer_isoc(&urb->ep->desc)) {
		/* as each packet's status says until an answer comes */
		urb->error_count = urb->number_of_packets;
		urpc_frame_schedule(port, urb, idle);
	}
	port->udev = urb->dev;
	if (urb->dev->state >= USB_STATE_ADDRESS)
		port->devnum = urb->dev->devnum;
	u->id = ++port->file->last_id;
	list_add_tail(&u->link, &port->pending);
	if (is_set_address(urb)) {
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
