// SPDX-License-Identifier: GPL-2.0
/*
 * hcd.c - the controllers: two root hubs each, USB 2 and USB 3
 *
 * A controller is a platform device with a primary usb_hcd, the USB 2 root
 * hub, and a shared one, the USB 3 root hub. All they have of their own is
 * the hubs' ports; everything else is done per port.
 *
 * Controllers are added when no port is free, and stay until the module goes:
 * so the numbers of buses and ports mean the same for as long, and nobody has
 * to find out whether a hub that is empty is about to be wanted.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include "compat.h"
#include "vhci.h"

/* Adds a controller, one after the other. Outside of all other locks. */
static DEFINE_MUTEX(add_lock);
static struct platform_device *controllers[URPC_CONTROLLERS_MAX];
static unsigned int n_controllers;	/* written under add_lock */
static unsigned int n_max, n_ports;	/* constant once registered */

/* platform_data: */
struct setup {
	unsigned int id;
	unsigned int n_ports;		/* of the USB 2 hub */
	unsigned int n_ss_ports;	/* of the USB 3 hub */
};

static int setup_hub(struct usb_hcd *hcd)
{
	const struct setup *setup = dev_get_platdata(hcd->self.controller);
	struct urpc_hub *hub = urpc_hub_of(hcd);

	hub->hcd = hcd;
	hub->super = !usb_hcd_is_primary_hcd(hcd);
	hub->base = setup->id * (setup->n_ports + setup->n_ss_ports);
	hub->n_ports = setup->n_ports;
	if (hub->super) {
		hub->base += setup->n_ports;
		hub->n_ports = setup->n_ss_ports;
	}
	return urpc_port_add_hub(hub);
}

/* hc_driver.reset: called once, before the root hub is registered. */
static int reset_hcd(struct usb_hcd *hcd)
{
	struct usb_device *root = hcd->self.root_hub;

	if (urpc_hub_of(hcd)->super) {
		hcd->speed = HCD_USB31;
		root->speed = USB_SPEED_SUPER_PLUS;
		hcd->can_do_streams = 1;
	} else {
		hcd->speed = HCD_USB2;
		root->speed = USB_SPEED_HIGH;
		hcd->has_tt = 1; /* low and full speed without a companion */
	}
	/* long URBs in one piece, whatever the pieces are that they lie in */
	hcd->self.sg_tablesize = URPC_SG_MAX;
	hcd->self.no_sg_constraint = 1;
	/* the hub says itself when there is something to look at */
	hcd->uses_new_polling = 1;
	/*
	 * The target can not tell that a device woke itself, so the core must
	 * not put one to sleep whose driver relies on that (a keyboard).
	 */
	hcd->cant_recv_wakeups = 1;
	return 0;
}

static int start_hcd(struct usb_hcd *hcd)
{
	hcd->state = HC_STATE_RUNNING;
	return 0;
}

static void stop_hcd(struct usb_hcd *hcd)
{
	hcd->state = HC_STATE_HALT;
}

static int suspend_bus(struct usb_hcd *hcd)
{
	hcd->state = HC_STATE_SUSPENDED;
	return 0;
}

static int resume_bus(struct usb_hcd *hcd)
{
	hcd->state = HC_STATE_RUNNING;
	return 0;
}

static const struct hc_driver hc_driver = {
	.description = URPC_NAME,
	.product_desc = "usbip-rpc virtual host controller",
	.hcd_priv_size = sizeof(struct urpc_hub),
	.flags = HCD_USB3 | HCD_SHARED | HCD_BH,
	.reset = reset_hcd,
	.start = start_hcd,
	.stop = stop_hcd,
	.get_frame_number = urpc_frame_number,
	.urb_enqueue = urpc_urb_enqueue,
	.urb_dequeue = urpc_urb_dequeue,
	.alloc_streams = urpc_streams_alloc,
	.free_streams = urpc_streams_free,
	.free_dev = urpc_port_free_dev,
	.hub_status_data = urpc_hub_status_data,
	.hub_control = urpc_hub_control,
	.bus_suspend = suspend_bus,
	.bus_resume = resume_bus,
};

/* From an usb_hcd, new, to a running root hub. */
static int start_hub(struct usb_hcd *hcd)
{
	int ret;

	ret = setup_hub(hcd);
	if (ret)
		return ret;
	ret = usb_add_hcd(hcd, 0, 0);
	if (ret)
		urpc_port_remove_hub(urpc_hub_of(hcd));
	return ret;
}

static void stop_hub(struct usb_hcd *hcd)
{
	usb_remove_hcd(hcd);
	urpc_port_remove_hub(urpc_hub_of(hcd));
}

/*
 * There is no DMA, but there are drivers that ask what it can do. With the 32
 * bits that are the default a large machine would need bounce buffers, and
 * usb-storage make its requests 256 KiB, as they hold no more. And where DMA
 * passes by the caches, uvcvideo has them forget what is in its buffers: write()
 * puts that there as any program does.
 */
static void set_dma(struct device *dev)
{
	if (dma_set_mask(dev, DMA_BIT_MASK(64)))
		dev_dbg(dev, "no 64-bit DMA mask\n");
#if defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
	dev->dma_coherent = true;
#endif
}

static int probe_controller(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct usb_hcd *hcd, *ss_hcd;
	int ret;

	set_dma(dev);
	hcd = usb_create_hcd(&hc_driver, dev, dev_name(dev));
	if (!hcd)
		return -ENOMEM;
	ret = start_hub(hcd);
	if (ret)
		goto put_hcd;
	ss_hcd = usb_create_shared_hcd(&hc_driver, dev, dev_name(dev), hcd);
	if (!ss_hcd) {
		ret = -ENOMEM;
		goto stop_hub;
	}
	ret = start_hub(ss_hcd);
	if (ret)
		goto put_ss_hcd;
	platform_set_drvdata(pdev, hcd);
	urpc_port_open_hub(urpc_hub_of(hcd));
	urpc_port_open_hub(urpc_hub_of(ss_hcd));
	return 0;

put_ss_hcd:
	usb_put_hcd(ss_hcd);
stop_hub:
	stop_hub(hcd);
put_hcd:
	usb_put_hcd(hcd);
	return ret;
}

static URPC_REMOVE_TYPE remove_controller(struct platform_device *pdev)
{
	struct usb_hcd *hcd = platform_get_drvdata(pdev);
	struct usb_hcd *ss_hcd = hcd->shared_hcd;

	stop_hub(ss_hcd);
	usb_put_hcd(ss_hcd);
	stop_hub(hcd);
	usb_put_hcd(hcd);
	URPC_REMOVE_RETURN;
}

/* Open files rely on the controllers to be there: no unbinding by hand. */
static struct platform_driver controller_driver = {
	.probe = probe_controller,
	.remove = remove_controller,
	.driver = {
		.name = URPC_NAME,
		.suppress_bind_attrs = true,
	},
};

/* There may be up to @max controllers, each with @ports ports of each kind or
 * as many as can be. 0 or an error. */
int urpc_hcd_register(unsigned int max, unsigned int ports)
{
	n_max = max;
	n_ports = ports;
	return platform_driver_register(&controller_driver);
}

void urpc_hcd_unregister(void)
{
	while (n_controllers)
		platform_device_unregister(controllers[--n_controllers]);
	platform_driver_unregister(&controller_driver);
}

unsigned int urpc_hcd_count(void)
{
	return READ_ONCE(n_controllers);
}

static int add_controller(void)
{
	struct setup setup = {
		.id = n_controllers,
		.n_ports = min_t(unsigned int, n_ports, URPC_PORTS_MAX),
		.n_ss_ports = min_t(unsigned int, n_ports, URPC_SS_PORTS_MAX),
	};
	struct platform_device *pdev;

	pdev = platform_device_register_data(NULL, URPC_NAME, setup.id, &setup,
					     sizeof(setup));
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	/* a failed probe is no error of the registration */
	if (!platform_get_drvdata(pdev)) {
		platform_device_unregister(pdev);
		return -ENODEV;
	}
	controllers[setup.id] = pdev;
	WRITE_ONCE(n_controllers, setup.id + 1);
	return 0;
}

/*
 * Add one more controller to the @count that there were; if somebody else has
 * done so meanwhile, that will do. 0, -ENOSPC: there may be no more, -EINTR,
 * or as the registration fails.
 */
int urpc_hcd_add(unsigned int count)
{
	int ret = 0;

	if (mutex_lock_interruptible(&add_lock))
		return -EINTR;
	if (n_controllers == count)
		ret = count < n_max ? add_controller() : -ENOSPC;
	mutex_unlock(&add_lock);
	return ret;
}
