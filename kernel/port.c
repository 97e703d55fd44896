// SPDX-License-Identifier: GPL-2.0
/*
 * port.c - ports: numbering, plugging, unplugging, what the hub shows
 *
 * A port belongs to the file whose device is in it. The rules of a hub port
 * (what a reset, a suspend, a power switch does to wPortStatus) are here;
 * hub.c translates requests into calls to this. What a real port does after
 * some milliseconds, this one does at once: the core waits for the time that
 * the bus needs before it looks, so nothing here needs a timer, and a request
 * to one port can never disturb another.
 *
 * A port is free again when the core has disconnected the device that was in
 * it. Otherwise a new device could be taken for the old one: an USB 3 port
 * that is enabled, with the same descriptors, is "resuscitated" with the
 * drivers bound and the device not configured.
 */
#include <linux/delay.h>
#include <linux/poll.h>
#include "vhci.h"

#define REUSE_WAIT	(2 * HZ)	/* for a wanted port to be free again */

/* Guards plugging and unplugging, and the following. */
static DEFINE_MUTEX(plug_lock);
static LIST_HEAD(hubs);		/* in order of their ports' numbers */
static bool sleeping;		/* the system is about to sleep */

/* Does the hub show it as suspended? Locked. */
bool urpc_port_is_suspended(const struct urpc_port *port)
{
	if (port->hub->super)
		return (port->status & USB_PORT_STAT_LINK_STATE) ==
		       USB_SS_PORT_LS_U3;
	return port->status & USB_PORT_STAT_SUSPEND;
}

static void set_status(struct urpc_port *port, u32 clear, u32 set)
{
	u32 next = (port->status & ~clear) | set;
	bool was_suspended = urpc_port_is_suspended(port);

	lockdep_assert_held(&port->lock);
	dev_dbg(urpc_port_dev(port), "port %u: status %08x -> %08x\n",
		urpc_port_number(port), port->status, next);
	WRITE_ONCE(port->status, next);
	if (urpc_port_is_suspended(port) != was_suspended)
		urpc_queue_wake(port);
}

static u32 power_bit(const struct urpc_port *port)
{
	return port->hub->super ? USB_SS_PORT_STAT_POWER : USB_PORT_STAT_POWER;
}

/* All of wPortStatus that a device makes. */
static u32 device_bits(const struct urpc_port *port)
{
	u32 bits = USB_PORT_STAT_CONNECTION | USB_PORT_STAT_ENABLE |
		   USB_PORT_STAT_RESET;

	if (port->hub->super)
		return bits | USB_PORT_STAT_LINK_STATE;
	return bits | USB_PORT_STAT_SUSPEND | USB_PORT_STAT_LOW_SPEED |
	       USB_PORT_STAT_HIGH_SPEED;
}

/* What an empty port shows of these. */
static u32 empty_bits(const struct urpc_port *port)
{
	return port->hub->super ? USB_SS_PORT_LS_RX_DETECT : 0;
}

static u32 speed_bits(const struct urpc_port *port)
{
	if (port->speed == USBIP_RPC_SPEED_LOW)
		return USB_PORT_STAT_LOW_SPEED;
	if (port->speed == USBIP_RPC_SPEED_HIGH)
		return USB_PORT_STAT_HIGH_SPEED;
	return 0;
}

static u32 change(u32 bits)
{
	return bits << 16;
}

/* A device is there and has power: show it. */
static void show_device(struct urpc_port *port)
{
	u32 bits = USB_PORT_STAT_CONNECTION;

	if (port->hub->super) /* the links train on their own */
		bits |= USB_PORT_STAT_ENABLE | USB_SS_PORT_LS_U0;
	else if (port->speed == USBIP_RPC_SPEED_LOW)
		bits |= USB_PORT_STAT_LOW_SPEED;
	set_status(port, device_bits(port),
		   bits | change(USB_PORT_STAT_C_CONNECTION));
}

static void hide_device(struct urpc_port *port)
{
	u32 bits = empty_bits(port);

	if (port->status & USB_PORT_STAT_CONNECTION)
		bits |= change(USB_PORT_STAT_C_CONNECTION);
	set_status(port, device_bits(port), bits);
}

/*
 * The functions from here to urpc_port_reset() are requests of the hub
 * driver. The port is locked; the caller lets the core look at the changes
 * afterwards.
 */

void urpc_port_set_power(struct urpc_port *port, bool on)
{
	u32 bit = power_bit(port);

	if (!on) {
		hide_device(port);
		set_status(port, bit, 0);
	} else if (!(port->status & bit)) {
		set_status(port, device_bits(port), bit | empty_bits(port));
		if (port->file)
			show_device(port);
	}
}

/* USB 2; the core disables an USB 3 port by its link state. */
void urpc_port_disable(struct urpc_port *port)
{
	set_status(port, USB_PORT_STAT_ENABLE | USB_PORT_STAT_SUSPEND, 0);
}

/* USB 3: set the link state (USB_SS_PORT_LS_*). */
void urpc_port_set_link(struct urpc_port *port, u16 state)
{
	u32 old = port->status & USB_PORT_STAT_LINK_STATE;

	switch (state) {
	case USB_SS_PORT_LS_SS_DISABLED:
		set_status(port, device_bits(port), state);
		break;
	case USB_SS_PORT_LS_RX_DETECT:
		if (old == USB_SS_PORT_LS_SS_DISABLED && port->file)
			show_device(port);
		break;
	case USB_SS_PORT_LS_U0:
		if (old == USB_SS_PORT_LS_U3)
			set_status(port, USB_PORT_STAT_LINK_STATE, state |
				   change(USB_PORT_STAT_C_LINK_STATE));
		break;
	case USB_SS_PORT_LS_U3:
		if (port->status & USB_PORT_STAT_ENABLE)
			set_status(port, USB_PORT_STAT_LINK_STATE, state);
		break;
	}
}

/*
 * USB 2: suspend, and resume. Both succeed at once: it is the target's own bus
 * that puts the device to sleep, or does not; the helper is told (queue.c), and
 * no URB reaches it before its answer to RESUME.
 */
void urpc_port_suspend(struct urpc_port *port)
{
	if (port->status & USB_PORT_STAT_ENABLE)
		set_status(port, 0, USB_PORT_STAT_SUSPEND);
}

void urpc_port_resume(struct urpc_port *port)
{
	if (port->status & USB_PORT_STAT_SUSPEND)
		set_status(port, USB_PORT_STAT_SUSPEND,
			   change(USB_PORT_STAT_C_SUSPEND));
}

/*
 * Reset the port; @warm (USB 3): as a warm reset. A device that is in use is
 * to be reset too: that is told with the next URB which is not part of
 * enumeration, so that the two or three resets of one usb_reset_device() are
 * told once.
 */
void urpc_port_reset(struct urpc_port *port, bool warm)
{
	u32 bits = USB_PORT_STAT_ENABLE | change(USB_PORT_STAT_C_RESET);

	if (!(port->status & USB_PORT_STAT_CONNECTION))
		return;
	if (port->hub->super)
		bits |= USB_SS_PORT_LS_U0;
	else
		bits |= speed_bits(port);
	if (warm)
		bits |= change(USB_PORT_STAT_C_BH_RESET);
	set_status(port, device_bits(port) & ~USB_PORT_STAT_CONNECTION, bits);
	if (port->in_use)
		port->reset_wanted = true;
}

/* Changes (bits of wPortChange) have been seen. */
void urpc_port_clear_change(struct urpc_port *port, u16 bits)
{
	set_status(port, change(bits), 0);
}

/* Let the core look at a hub's changes; not under a lock. */
static void kick_hub(struct urpc_hub *hub)
{
	usb_hcd_resume_root_hub(hub->hcd);
	usb_hcd_poll_rh_status(hub->hcd);
}

/* The port of a device, or NULL: none of ours, or behind a hub. */
struct urpc_port *urpc_port_of(struct usb_hcd *hcd, struct usb_device *udev)
{
	struct urpc_hub *hub = urpc_hub_of(hcd);

	if (udev->parent != hcd->self.root_hub || !udev->portnum ||
	    udev->portnum > hub->n_ports)
		return NULL;
	return &hub->ports[udev->portnum - 1];
}

/* Set up a hub's ports; urpc_port_open_hub() makes them known. 0 or -ENOMEM. */
int urpc_port_add_hub(struct urpc_hub *hub)
{
	unsigned int i;

	hub->ports = kvcalloc(hub->n_ports, sizeof(*hub->ports), GFP_KERNEL);
	if (!hub->ports)
		return -ENOMEM;
	for (i = 0; i < hub->n_ports; i++) {
		struct urpc_port *port = &hub->ports[i];

		port->hub = hub;
		port->index = i;
		port->status = empty_bits(port);
		spin_lock_init(&port->lock);
		urpc_urb_init_port(port);
	}
	INIT_LIST_HEAD(&hub->link);
	return 0;
}

/*
 * From now on devices can be plugged in: the root hub is there, with the number
 * of its bus, and nothing of its controller can fail any more.
 */
void urpc_port_open_hub(struct urpc_hub *hub)
{
	mutex_lock(&plug_lock);
	list_add_tail(&hub->link, &hubs);
	mutex_unlock(&plug_lock);
}

/*
 * Undo urpc_port_add_hub() and, if there was one, urpc_port_open_hub(); after
 * usb_remove_hcd() if there was an usb_add_hcd(). A hub that was opened goes
 * with the module, so no file is open: no port has a file, none gets one, and
 * all URBs were given back. What may still be there is the work that was armed
 * for them.
 */
void urpc_port_remove_hub(struct urpc_hub *hub)
{
	unsigned int i;

	mutex_lock(&plug_lock);
	list_del(&hub->link);
	mutex_unlock(&plug_lock);
	for (i = 0; i < hub->n_ports; i++) {
		cancel_delayed_work_sync(&hub->ports[i].unlink_work);
		cancel_delayed_work_sync(&hub->ports[i].reset_work);
	}
	kvfree(hub->ports);
}

/* hc_driver.free_dev: the core is done with a device. */
void urpc_port_free_dev(struct usb_hcd *hcd, struct usb_device *udev)
{
	struct urpc_port *port = urpc_port_of(hcd, udev);

	if (!port)
		return;
	spin_lock_irq(&port->lock);
	if (port->udev == udev)
		port->udev = NULL;
	spin_unlock_irq(&port->lock);
}

/* Nothing is in the port, for the helper and for the core. */
static bool is_free(struct urpc_port *port)
{
	bool ret;

	spin_lock_irq(&port->lock);
	ret = !port->file && !port->udev;
	spin_unlock_irq(&port->lock);
	return ret;
}

/*
 * A port for that speed, @wanted or any. 0; -ENOSPC: there is none; -EBUSY:
 * @wanted is there, and another device has left it but for the core.
 */
static int find_free(u32 speed, u32 wanted, struct urpc_port **portp)
{
	bool super = speed >= USBIP_RPC_SPEED_SUPER;
	struct urpc_port *port;
	struct urpc_hub *hub;
	int ret = -ENOSPC;
	unsigned int i;

	list_for_each_entry(hub, &hubs, link) {
		for (i = 0; hub->super == super && i < hub->n_ports; i++) {
			port = &hub->ports[i];
			if (wanted && wanted != urpc_port_number(port) + 1)
				continue;
			if (is_free(port)) {
				*portp = port;
				return 0;
			}
			if (wanted && !port->file)
				ret = -EBUSY;
		}
	}
	return ret;
}

static void plug(struct urpc_port *port, struct urpc_file *file,
		 const struct usbip_rpc_attach *a)
{
	spin_lock_irq(&port->lock);
	port->file = file;
	port->speed = a->speed;
	port->devnum = 0;
	port->in_use = false;
	port->reset_wanted = false;
	port->told_suspended = false;
	port->reset_id = 0;
	memset(port->isoc_end, 0, sizeof(port->isoc_end));
	port->power_id = 0;
	file->power = a->flags & USBIP_RPC_ATTACH_POWER;
	WRITE_ONCE(file->port, port);
	file->lost = false;
	if (port->status & power_bit(port))
		show_device(port);
	spin_unlock_irq(&port->lock);
	kick_hub(port->hub);
	dev_info(urpc_port_dev(port), "port %u: device attached\n",
		 urpc_port_number(port));
}

static int try_plug(struct urpc_file *file, const struct usbip_rpc_attach *a,
		    const struct urpc_port **portp)
{
	struct urpc_port *port = NULL;
	int ret = -EAGAIN;

	mutex_lock(&plug_lock);
	if (!sleeping)
		ret = find_free(a->speed, a->port, &port);
	if (!ret)
		plug(port, file, a);
	mutex_unlock(&plug_lock);
	*portp = port;
	return ret;
}

/* As urpc_port_plug(), with the controllers that there are. */
static int plug_here(struct urpc_file *file, const struct usbip_rpc_attach *a,
		     const struct urpc_port **portp)
{
	unsigned long end = jiffies + REUSE_WAIT;
	int ret;

	while ((ret = try_plug(file, a, portp)) == -EBUSY) {
		if (time_after(jiffies, end))
			return -ENOSPC;
		if (msleep_interruptible(10))
			return -EINTR;
	}
	return ret;
}

/*
 * Plug a file's device in as @a wants; its lock is held, it has none. A port
 * that is asked for by number and that another device has just left is waited
 * for. Where any will do and none is free, a controller is added. 0, and the
 * port in *portp; -ENOSPC, -EAGAIN (the system is about to sleep), -EINTR, or
 * as adding a controller fails.
 */
int urpc_port_plug(struct urpc_file *file, const struct usbip_rpc_attach *a,
		   const struct urpc_port **portp)
{
	unsigned int count;
	int ret;

	do {
		count = urpc_hcd_count();
		ret = plug_here(file, a, portp);
		if (ret != -ENOSPC || a->port)
			return ret;
		ret = urpc_hcd_add(count);
	} while (!ret);
	return ret;
}

/*
 * Two phases: first the port has no file, so that no URB comes in and none is
 * handed out or answered any more (all of that looks at port->file under the
 * lock); then all URBs are given back. Who copies one at this moment finds it
 * marked and gives it back.
 */
static void unplug(struct urpc_port *port)
{
	struct urpc_file *file = port->file;

	lockdep_assert_held(&plug_lock);
	spin_lock_irq(&port->lock);
	WRITE_ONCE(file->port, NULL);
	port->file = NULL;
	hide_device(port);
	urpc_urb_flush(port);
	spin_unlock_irq(&port->lock);
	wake_up_poll(&file->wait, EPOLLIN | EPOLLHUP);
	kick_hub(port->hub);
	dev_info(urpc_port_dev(port), "port %u: device detached\n",
		 urpc_port_number(port));
}

/* Unplug a file's device. 0 or -ENOTCONN. */
int urpc_port_unplug(struct urpc_file *file)
{
	int ret = 0;

	mutex_lock(&plug_lock);
	file->lost = false;
	if (file->port)
		unplug(file->port);
	else
		ret = -ENOTCONN;
	mutex_unlock(&plug_lock);
	return ret;
}

static void lose_all(void)
{
	struct urpc_hub *hub;
	unsigned int i;

	list_for_each_entry(hub, &hubs, link) {
		for (i = 0; i < hub->n_ports; i++) {
			struct urpc_port *port = &hub->ports[i];

			if (!port->file)
				continue;
			port->file->lost = true;
			unplug(port);
		}
	}
}

static unsigned int count_plugged(void)
{
	struct urpc_hub *hub;
	unsigned int i, n = 0;

	list_for_each_entry(hub, &hubs, link)
		for (i = 0; i < hub->n_ports; i++)
			n += !!hub->ports[i].file;
	return n;
}

/*
 * The system is about to sleep: with devices plugged in that is either
 * refused (the number of them is returned) or they are all unplugged (@detach;
 * 0 is returned). Nothing can be plugged in until urpc_port_wake().
 */
int urpc_port_sleep(bool detach)
{
	unsigned int n;

	mutex_lock(&plug_lock);
	n = count_plugged();
	if (n && detach) {
		lose_all();
		n = 0;
	}
	sleeping = !n;
	mutex_unlock(&plug_lock);
	return n;
}

void urpc_port_wake(void)
{
	mutex_lock(&plug_lock);
	sleeping = false;
	mutex_unlock(&plug_lock);
}
