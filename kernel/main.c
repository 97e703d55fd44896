// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - usbip-rpc-vhci: virtual USB host controllers, whose devices are
 * answered for by a process. Parameters, init and exit, system sleep.
 *
 * The interface to that process is described in uapi/linux/usbip_rpc.h.
 */
#include <linux/module.h>
#include <linux/suspend.h>
#include "vhci.h"

static unsigned int controllers = 1;
module_param(controllers, uint, 0444);
MODULE_PARM_DESC(controllers, "virtual controllers at the beginning (default 1)");

static unsigned int max_controllers = URPC_CONTROLLERS_MAX;
module_param(max_controllers, uint, 0444);
MODULE_PARM_DESC(max_controllers, "as many are added when no port is free, 1 to 8 (default 8)");

static unsigned int ports = 8;
module_param(ports, uint, 0444);
MODULE_PARM_DESC(ports, "ports of each root hub, up to 31 (USB 3: 15) (default 8)");

static bool detach_on_sleep;
module_param(detach_on_sleep, bool, 0644);
MODULE_PARM_DESC(detach_on_sleep, "system sleep detaches all devices, instead of being refused while there are any");

struct workqueue_struct *urpc_wq;

/*
 * A device cannot go through system sleep: the process that answers for it is
 * frozen before the devices are suspended and thawed after they are resumed,
 * and every URB between would wait for its timeout.
 */
static int notify_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	unsigned int n;

	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		n = urpc_port_sleep(detach_on_sleep);
		if (!n)
			break;
		pr_info("no system sleep with %u device(s) attached: detach them, or set the parameter detach_on_sleep\n",
			n);
		return notifier_from_errno(-EBUSY);
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		urpc_port_wake();
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block pm_notifier = {
	.notifier_call = notify_pm,
};

/* urpc_hcd_unregister() removes them. */
static int add_controllers(void)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < controllers; i++)
		ret = urpc_hcd_add(i);
	return ret;
}

static int __init urpc_init(void)
{
	int ret;

	if (!controllers || controllers > max_controllers ||
	    max_controllers > URPC_CONTROLLERS_MAX ||
	    !ports || ports > URPC_PORTS_MAX) {
		pr_err("controllers has to be 1 to max_controllers, which has to be at most %u, ports 1 to %u\n",
		       URPC_CONTROLLERS_MAX, URPC_PORTS_MAX);
		return -EINVAL;
	}
	if (usb_disabled())
		return -ENODEV;
	ret = urpc_urb_init();
	if (ret)
		return ret;
	urpc_wq = alloc_workqueue(URPC_NAME, WQ_MEM_RECLAIM, 0);
	if (!urpc_wq) {
		ret = -ENOMEM;
		goto exit_urb;
	}
	ret = urpc_hcd_register(max_controllers, ports);
	if (ret)
		goto destroy_wq;
	ret = add_controllers();
	if (ret)
		goto unregister_hcd;
	ret = register_pm_notifier(&pm_notifier);
	if (ret)
		goto unregister_hcd;
	ret = urpc_cdev_add();
	if (ret)
		goto unregister_pm_notifier;
	pr_info("%u to %u controllers, %u USB 2 and %u USB 3 ports each\n",
		controllers, max_controllers, ports,
		min_t(unsigned int, ports, URPC_SS_PORTS_MAX));
	return 0;

unregister_pm_notifier:
	unregister_pm_notifier(&pm_notifier);
unregister_hcd:
	urpc_hcd_unregister();
destroy_wq:
	destroy_workqueue(urpc_wq);
exit_urb:
	urpc_urb_exit();
	return ret;
}

static void __exit urpc_exit(void)
{
	urpc_cdev_remove();
	unregister_pm_notifier(&pm_notifier);
	urpc_hcd_unregister();
	destroy_workqueue(urpc_wq);
	urpc_urb_exit();
}

module_init(urpc_init);
module_exit(urpc_exit);

MODULE_DESCRIPTION("Virtual USB host controllers for usbip-rpc");
MODULE_AUTHOR("The usbip-rpc authors");
MODULE_LICENSE("GPL");
