// SPDX-License-Identifier: GPL-2.0
/*
 * cdev.c - the char device: open, ioctl, read, write, poll
 *
 * What a call may do and in which order is decided here; the work is done in
 * port.c and queue.c.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "vhci.h"

/*
 * Of the minors for local use, so that the node can be there before the
 * module: opening it loads the module. Where it is taken, any will do.
 */
#define MINOR_WANTED	248

static int open_file(struct inode *inode, struct file *filp)
{
	struct urpc_file *file;

	/* what is attached decides which drivers run */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	mutex_init(&file->read_lock);
	init_waitqueue_head(&file->wait);
	spin_lock_init(&file->handlers_lock);
	init_waitqueue_head(&file->handled);
	filp->private_data = file;
	return stream_open(inode, filp);
}

/* The last close: no other call is in progress, and none comes. */
static int release_file(struct inode *inode, struct file *filp)
{
	struct urpc_file *file = filp->private_data;

	urpc_port_unplug(file);
	urpc_urb_wait_for_handlers(file, MAX_SCHEDULE_TIMEOUT);
	kfree(file);
	return 0;
}

static long hello(struct urpc_file *file, struct usbip_rpc_hello __user *arg)
{
	struct usbip_rpc_hello h;

	if (copy_from_user(&h, arg, sizeof(h)))
		return -EFAULT;
	if (!h.version || h.flags)
		return -EINVAL;
	if (file->version)
		return -EBUSY;
	h.version = min_t(u32, h.version, USBIP_RPC_ABI_VERSION);
	h.features = USBIP_RPC_FEATURE_ISOC | USBIP_RPC_FEATURE_STREAMS |
		     USBIP_RPC_FEATURE_POWER;
	if (copy_to_user(arg, &h, sizeof(h)))
		return -EFAULT;
	WRITE_ONCE(file->version, h.version);
	return 0;
}

static bool is_attach_valid(const struct usbip_rpc_attach *a)
{
	return a->speed >= USBIP_RPC_SPEED_LOW &&
	       a->speed <= USBIP_RPC_SPEED_SUPER_PLUS &&
	       !(a->flags & ~USBIP_RPC_ATTACH_POWER) && !a->reserved[0] && !a->reserved[1];
}

static long attach(struct urpc_file *file, struct usbip_rpc_attach __user *arg)
{
	const struct urpc_port *port;
	struct usbip_rpc_attach a;
	int ret;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!is_attach_valid(&a))
		return -EINVAL;
	if (READ_ONCE(file->port))
		return -EBUSY;
	ret = urpc_port_plug(file, &a, &port);
	if (ret)
		return ret;
	a.port = urpc_port_number(port);
	a.busnum = port->hub->hcd->self.busnum;
	a.hubport = port->index + 1;
	a.message_max = sizeof(struct usbip_rpc_submit) + URPC_DATA_MAX +
		URPC_PACKETS_MAX * sizeof(struct usbip_rpc_packet);
	if (copy_to_user(arg, &a, sizeof(a))) {
		urpc_port_unplug(file);
		return -EFAULT;
	}
	return 0;
}

static u32 count(const struct list_head *list)
{
	const struct list_head *pos;
	u32 n = 0;

	list_for_each(pos, list)
		n++;
	return n;
}

static long status(struct urpc_file *file, struct usbip_rpc_status __user *arg)
{
	struct urpc_port *port = READ_ONCE(file->port);
	struct usbip_rpc_status s = {};

	if (port) {
		spin_lock_irq(&port->lock);
		if (port->file == file) {
			s.attached = 1;
			s.port = urpc_port_number(port);
			s.busnum = port->hub->hcd->self.busnum;
			s.hubport = port->index + 1;
			s.speed = port->speed;
			s.devnum = port->devnum;
			s.next_len = urpc_queue_next_len(port);
			s.queued = count(&port->pending);
			s.sent = count(&port->sent);
		}
		spin_unlock_irq(&port->lock);
	}
	s.submitted = READ_ONCE(file->submitted);
	s.completed = READ_ONCE(file->completed);
	s.unlinked = READ_ONCE(file->unlinked);
	s.timed_out = READ_ONCE(file->timed_out);
	s.dropped = READ_ONCE(file->dropped);
	return copy_to_user(arg, &s, sizeof(s)) ? -EFAULT : 0;
}

static long do_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct urpc_file *file = filp->private_data;
	void __user *p = (void __user *)arg;
	long ret;

	if (mutex_lock_interruptible(&file->lock))
		return -ERESTARTSYS;
	if (cmd == USBIP_RPC_IOC_HELLO)
		ret = hello(file, p);
	else if (!file->version)
		ret = -EPROTO;
	else if (cmd == USBIP_RPC_IOC_ATTACH)
		ret = attach(file, p);
	else if (cmd == USBIP_RPC_IOC_DETACH)
		ret = urpc_port_unplug(file);
	else if (cmd == USBIP_RPC_IOC_STATUS)
		ret = status(file, p);
	else
		ret = -ENOTTY;
	mutex_unlock(&file->lock);
	return ret;
}

/* Would read() return now? */
static bool is_ready(struct urpc_file *file)
{
	struct urpc_port *port = READ_ONCE(file->port);
	bool ready = true;

	if (port) {
		spin_lock_irq(&port->lock);
		if (port->file == file)
			ready = urpc_queue_readable(port);
		spin_unlock_irq(&port->lock);
	}
	return ready;
}

/*
 * One that waits is woken per message that finds the queue empty, so who
 * leaves messages behind wakes the next.
 */
static ssize_t read_messages(struct urpc_file *file, struct iov_iter *to)
{
	ssize_t ret;

	if (mutex_lock_interruptible(&file->read_lock))
		return -ERESTARTSYS;
	ret = urpc_queue_read(file, to);
	mutex_unlock(&file->read_lock);
	if (ret && wq_has_sleeper(&file->wait) && is_ready(file))
		wake_up_interruptible_poll(&file->wait, EPOLLIN | EPOLLRDNORM);
	return ret;
}

static ssize_t read_file(struct kiocb *iocb, struct iov_iter *to)
{
	struct urpc_file *file = iocb->ki_filp->private_data;
	ssize_t ret;

	if (!READ_ONCE(file->version))
		return -EPROTO;
	while (!(ret = read_messages(file, to))) {
		if ((iocb->ki_flags & IOCB_NOWAIT) ||
		    (iocb->ki_filp->f_flags & O_NONBLOCK))
			return -EAGAIN;
		ret = wait_event_interruptible_exclusive(file->wait,
							 is_ready(file));
		if (ret)
			return ret;
	}
	return ret;
}

static ssize_t write_file(struct kiocb *iocb, struct iov_iter *from)
{
	struct urpc_file *file = iocb->ki_filp->private_data;

	if (!READ_ONCE(file->version))
		return -EPROTO;
	return urpc_queue_write(file, from);
}

static __poll_t poll_file(struct file *filp, poll_table *wait)
{
	struct urpc_file *file = filp->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(filp, &file->wait, wait);
	if (READ_ONCE(file->port) && is_ready(file))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(file->lost))
		mask |= EPOLLHUP;
	return mask;
}

static const struct file_operations cdev_fops = {
	.owner = THIS_MODULE,
	.open = open_file,
	.release = release_file,
	.unlocked_ioctl = do_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read_iter = read_file,
	.write_iter = write_file,
	.poll = poll_file,
};

static struct miscdevice cdev = {
	.minor = MINOR_WANTED,
	.name = USBIP_RPC_DEVICE,
	.fops = &cdev_fops,
	.mode = 0600,
};

/* Make the device known. 0 or an error. */
int urpc_cdev_add(void)
{
	int ret;

	/* the layout of what user space sees, the same for 32 and 64 bit */
	BUILD_BUG_ON(sizeof(struct usbip_rpc_hello) != 16);
	BUILD_BUG_ON(sizeof(struct usbip_rpc_attach) != 40);
	BUILD_BUG_ON(sizeof(struct usbip_rpc_status) != 80);
	BUILD_BUG_ON(sizeof(struct usbip_rpc_msg) != 16);
	BUILD_BUG_ON(sizeof(struct usbip_rpc_submit) != 48);
	BUILD_BUG_ON(sizeof(struct usbip_rpc_streams) != 24);
	BUILD_BUG_ON(sizeof(struct usbip_rpc_complete) != 40);
	BUILD_BUG_ON(sizeof(struct usbip_rpc_packet) != 8);

	ret = misc_register(&cdev);
	if (ret == -EBUSY) {
		cdev.minor = MISC_DYNAMIC_MINOR;
		ret = misc_register(&cdev);
	}
	return ret;
}

void urpc_cdev_remove(void)
{
	misc_deregister(&cdev);
}

MODULE_ALIAS("devname:" USBIP_RPC_DEVICE);
MODULE_ALIAS_MISCDEV(MINOR_WANTED);
