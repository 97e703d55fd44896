// SPDX-License-Identifier: GPL-2.0
/*
 * urpc-isoc - for the tests: a driver that does with isochronous URBs what
 * drivers may do with theirs, and usbfs does not
 *
 *   - The handler of an URB submits it again, without URB_ISO_ASAP.
 *   - The first handler that runs gives all URBs another one, those in flight,
 *     too, as snd-usb-usx2y does when its stream begins.
 *
 * It binds to the alternate setting 1 of hcd-dev's device, reads from its
 * endpoint 0x85, and says in its parameters what its handlers have seen.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/usb.h>

#define ENDPOINT	0x85
#define URBS		4
#define PACKETS		8
#define PACKET_SIZE	64

static struct {
	struct usb_device *udev;
	struct urb *urbs[URBS];
} stream;

static uint first, later, strange;
module_param(first, uint, 0444);
MODULE_PARM_DESC(first, "times that the first handler was called");
module_param(later, uint, 0444);
MODULE_PARM_DESC(later, "times that the one that took its place was");
module_param(strange, uint, 0444);
MODULE_PARM_DESC(strange, "handlers called with what is not their URB's");

/* Of an URB; @count of how its handler is called. */
static void handle(struct urb *urb, uint *count)
{
	++*count;
	if (urb->context != &stream)
		strange++;
	if (!urb->status)
		usb_submit_urb(urb, GFP_ATOMIC);
}

static void later_handler(struct urb *urb)
{
	handle(urb, &later);
}

static void first_handler(struct urb *urb)
{
	int i;

	for (i = 0; i < URBS; i++)
		WRITE_ONCE(stream.urbs[i]->complete, later_handler);
	handle(urb, &first);
}

static struct urb *new_urb(struct usb_device *udev)
{
	struct urb *urb = usb_alloc_urb(PACKETS, GFP_KERNEL);
	int i;

	if (!urb)
		return NULL;
	urb->transfer_buffer = kzalloc(PACKETS * PACKET_SIZE, GFP_KERNEL);
	if (!urb->transfer_buffer) {
		usb_free_urb(urb);
		return NULL;
	}
	urb->dev = udev;
	urb->pipe = usb_rcvisocpipe(udev, ENDPOINT);
	urb->transfer_flags = URB_FREE_BUFFER;
	urb->transfer_buffer_length = PACKETS * PACKET_SIZE;
	urb->number_of_packets = PACKETS;
	urb->interval = 1;
	urb->complete = first_handler;
	urb->context = &stream;
	for (i = 0; i < PACKETS; i++) {
		urb->iso_frame_desc[i].offset = i * PACKET_SIZE;
		urb->iso_frame_desc[i].length = PACKET_SIZE;
	}
	return urb;
}

static void end(struct usb_interface *intf)
{
	int i;

	for (i = 0; i < URBS; i++)
		usb_poison_urb(stream.urbs[i]);
	for (i = 0; i < URBS; i++) {
		usb_free_urb(stream.urbs[i]);
		stream.urbs[i] = NULL;
	}
	stream.udev = NULL;
}

static int begin(struct usb_interface *intf, const struct usb_device_id *id)
{
	struct usb_device *udev = interface_to_usbdev(intf);
	int ret, i;

	if (stream.udev)
		return -EBUSY;
	ret = usb_set_interface(udev, 0, 1);
	if (ret)
		return ret;
	stream.udev = udev;
	for (i = 0; !ret && i < URBS; i++) {
		stream.urbs[i] = new_urb(udev);
		ret = stream.urbs[i] ? 0 : -ENOMEM;
	}
	for (i = 0; !ret && i < URBS; i++)
		ret = usb_submit_urb(stream.urbs[i], GFP_KERNEL);
	if (ret)
		end(intf);
	return ret;
}

static const struct usb_device_id ids[] = {
	{ USB_DEVICE(0x0525, 0xa4a0) },
	{ }
};

static struct usb_driver isoc_driver = {
	.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = begin,
	.disconnect = end,
};
module_usb_driver(isoc_driver);

MODULE_DESCRIPTION("test of usbip-rpc-vhci: isochronous URBs of a driver");
MODULE_LICENSE("GPL");
