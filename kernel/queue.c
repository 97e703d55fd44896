// SPDX-License-Identifier: GPL-2.0
/*
 * queue.c - the port's queue, as read() and write() see it
 *
 * What can be read is decided here and nowhere else: UNLINKs first, then
 * requests for streams, then the URBs in the order of their submission; before
 * both of these a SUSPEND or RESUME, if the port is not in the state that was
 * told last, and a RESET, if a driver has reset the device since; and none
 * while such a one is not answered. States of URBs are changed by the functions
 * of urb.c.
 *
 * A message that meets a page which is not there is put back, the page is
 * faulted in with nothing held, and the message is tried again.
 */
#include <linux/pagemap.h>
#include <linux/poll.h>
#include "vhci.h"

#define FAULTS_MAX	16		/* times that a message is tried */
#define BATCH_BYTES	(64 << 10)	/* of answers with softirqs off */

/* URBs wait until a RESET, SUSPEND or RESUME is answered. */
static bool is_held(const struct urpc_port *port)
{
	return port->reset_id || port->power_id;
}

/* A SUSPEND or RESUME is to be told before anything else. */
static bool power_is_next(const struct urpc_port *port)
{
	return port->file && port->file->power &&
	       urpc_port_is_suspended(port) != port->told_suspended;
}

/* Is there something for read()? Under the lock. */
bool urpc_queue_readable(const struct urpc_port *port)
{
	return !list_empty(&port->unlinks) ||
	       (!is_held(port) &&
		(power_is_next(port) || urpc_streams_readable(port) ||
		 !list_empty(&port->pending)));
}

/*
 * Somebody may wait for what has been made readable. Under the lock, as
 * without it the file may be gone.
 */
void urpc_queue_wake(struct urpc_port *port)
{
	if (port->file)
		wake_up_interruptible_poll(&port->file->wait,
					   EPOLLIN | EPOLLRDNORM);
}

/* A RESET is to be told before the next request or URB. */
static bool reset_is_next(const struct urpc_port *port)
{
	const struct urpc_urb *u;

	if (!port->reset_wanted || urpc_streams_readable(port))
		return port->reset_wanted;
	u = list_first_entry(&port->pending, struct urpc_urb, link);
	return !u->enumerates;
}

/* The length of the message that read() gives next, 0: none. Locked. */
size_t urpc_queue_next_len(const struct urpc_port *port)
{
	const struct urpc_urb *u;

	if (!urpc_queue_readable(port))
		return 0;
	if (!list_empty(&port->unlinks) || power_is_next(port) ||
	    reset_is_next(port))
		return sizeof(struct usbip_rpc_msg);
	if (urpc_streams_readable(port))
		return sizeof(struct usbip_rpc_streams);
	u = list_first_entry(&port->pending, struct urpc_urb, link);
	return urpc_msg_submit_len(u->urb);
}

/* A RESET, SUSPEND or RESUME has been read: URBs wait for its answer. */
static void hold(struct urpc_port *port, u64 *which, u64 id)
{
	port->file->last_id = id;
	*which = id;
	port->reset_deadline = jiffies + URPC_RESET_TIMEOUT;
	mod_delayed_work(urpc_wq, &port->reset_work, URPC_RESET_TIMEOUT);
}

/* The URBs held by it may go. */
static void end_hold(struct urpc_port *port)
{
	port->reset_id = 0;
	port->power_id = 0;
	if (urpc_queue_readable(port))
		urpc_queue_wake(port);
}

void urpc_queue_reset_work(struct work_struct *work)
{
	struct urpc_port *port = container_of(to_delayed_work(work),
					      struct urpc_port, reset_work);

	spin_lock_irq(&port->lock);
	if (is_held(port) && time_after_eq(jiffies, port->reset_deadline)) {
		dev_dbg(urpc_port_dev(port), "port %u: %s not answered\n",
			urpc_port_number(port),
			port->reset_id ? "reset" : "suspend or resume");
		end_hold(port);
	}
	spin_unlock_irq(&port->lock);
}

static int read_unlink(struct urpc_port *port, struct iov_iter *to)
{
	struct urpc_urb *u;
	int ret;

	u = list_first_entry(&port->unlinks, struct urpc_urb, unlink);
	ret = urpc_msg_put(to, USBIP_RPC_UNLINK, u->id);
	if (!ret)
		list_del_init(&u->unlink);
	return ret;
}

static int read_reset(struct urpc_port *port, struct iov_iter *to)
{
	u64 id = port->file->last_id + 1;
	int ret;

	ret = urpc_msg_put(to, USBIP_RPC_RESET, id);
	if (ret)
		return ret;
	port->reset_wanted = false;
	hold(port, &port->reset_id, id);
	return 0;
}

static int read_power(struct urpc_port *port, struct iov_iter *to)
{
	bool suspended = urpc_port_is_suspended(port);
	u64 id = port->file->last_id + 1;
	int ret;

	ret = urpc_msg_put(to, suspended ? USBIP_RPC_SUSPEND : USBIP_RPC_RESUME,
			   id);
	if (ret)
		return ret;
	port->told_suspended = suspended;
	hold(port, &port->power_id, id);
	return 0;
}

static int read_submit(struct urpc_port *port, struct iov_iter *to)
	__must_hold(&port->lock)
{
	struct urpc_urb *u;
	int ret;

	u = list_first_entry(&port->pending, struct urpc_urb, link);
	urpc_urb_set_state(port, u, URPC_URB_COPYOUT);
	list_move_tail(&u->link, &port->sent);
	spin_unlock_irq(&port->lock);

	ret = urpc_msg_put_submit(to, u);

	spin_lock_irq(&port->lock);
	if (u->gone) {
		urpc_urb_give_back(port, u, -ESHUTDOWN);
	} else if (!ret) {
		if (!u->enumerates)
			port->in_use = true;
		hash_add(port->ids, &u->hash, u->id);
		urpc_urb_set_sent(port, u);
	} else if (u->urb->unlinked) {
		urpc_urb_give_back(port, u, -ECONNRESET);
	} else {
		urpc_urb_set_state(port, u, URPC_URB_PENDING);
		list_move(&u->link, &port->pending);
	}
	return ret;
}

/*
 * Read one message: its length, or 0: there is none. -EMSGSIZE: it does not
 * fit, -EFAULT: a page is not there; *lenp is its length then, and it stays.
 */
static ssize_t read_one(struct urpc_file *file, struct iov_iter *to,
			size_t *lenp)
{
	struct urpc_port *port = READ_ONCE(file->port);
	ssize_t ret;

	if (!port)
		return -ENOTCONN;
	spin_lock_irq(&port->lock);
	if (port->file != file) {
		ret = -ENOTCONN;
		goto unlock;
	}
	*lenp = urpc_queue_next_len(port);
	if (!*lenp)
		ret = 0;
	else if (*lenp > iov_iter_count(to))
		ret = -EMSGSIZE;
	else if (!list_empty(&port->unlinks))
		ret = read_unlink(port, to);
	else if (power_is_next(port))
		ret = read_power(port, to);
	else if (reset_is_next(port))
		ret = read_reset(port, to);
	else if (urpc_streams_readable(port))
		ret = urpc_streams_read(port, to);
	else
		ret = read_submit(port, to);
	if (!ret)
		ret = *lenp;
unlock:
	spin_unlock_irq(&port->lock);
	return ret;
}

/*
 * Read the messages that are there and fit: their bytes, 0: there are none,
 * -EMSGSIZE, -EFAULT, -ENOTCONN. One reader at a time.
 */
ssize_t urpc_queue_read(struct urpc_file *file, struct iov_iter *to)
{
	unsigned int faults = 0;
	size_t total = 0, len;
	ssize_t ret;

	do {
		ret = read_one(file, to, &len);
		if (ret > 0) {
			total += ret;
			faults = 0;
			cond_resched();
		} else if (ret == -EFAULT && faults++ < FAULTS_MAX &&
			   !fault_in_iov_iter_writeable(to, len)) {
			ret = 1; /* again */
		}
	} while (ret > 0);
	return total ?: ret;
}

static struct urpc_urb *find_sent(struct urpc_port *port, u64 id)
{
	struct urpc_urb *u;

	hash_for_each_possible(port->ids, u, hash, id)
		if (u->id == id)
			return u->state == URPC_URB_SENT ? u : NULL;
	return NULL;
}

/*
 * Copy what an answer brings: 0, 1: the URB is gone, or an error. Softirqs
 * are off in a batch, and go on while one large answer is copied.
 */
static int copy_in(struct urpc_port *port, struct urpc_urb *u,
		   struct iov_iter *from, const struct usbip_rpc_complete *c)
	__must_hold(&port->lock)
{
	int ret;

	urpc_urb_set_state(port, u, URPC_URB_COPYIN);
	spin_unlock_irq(&port->lock);
	if (c->actual > BATCH_BYTES)
		local_bh_enable();
	ret = urpc_msg_get_data(from, u->urb, c);
	if (c->actual > BATCH_BYTES)
		local_bh_disable();
	spin_lock_irq(&port->lock);
	if (u->gone) {
		urpc_urb_give_back(port, u, -ESHUTDOWN);
		return ret ?: 1;
	}
	if (ret)
		urpc_urb_set_sent(port, u);
	return ret;
}

/*
 * Does its endpoint stop behind an URB that ends like this? Then write() is
 * to return when its handler has. Isochronous ones never stop theirs, and must
 * not be watched: snd-usb-usx2y changes the handlers of those in flight.
 */
static bool is_stop(const struct urb *urb, int status, u32 actual)
{
	if (usb_endpoint_xfer_isoc(&urb->ep->desc))
		return false;
	return status || urb->unlinked ||
	       ((urb->transfer_flags & URB_SHORT_NOT_OK) &&
		actual < urb->transfer_buffer_length);
}

/*
 * The answer to an URB. 0, or an error, then the URB is still to be answered.
 */
static int complete_urb(struct urpc_port *port, struct urpc_urb *u,
			const struct usbip_rpc_complete *c,
			struct iov_iter *from)
	__must_hold(&port->lock)
{
	int status = urpc_msg_status(c->status);
	struct urb *urb = u->urb;
	int ret;

	ret = urpc_msg_check(c, urb);
	if (ret)
		return ret;
	if (c->npackets || (c->actual && usb_urb_dir_in(urb))) {
		ret = copy_in(port, u, from, c);
		if (ret)
			return min(ret, 0);
	}
	urb->actual_length = c->actual;
	if (c->npackets)
		urb->error_count = c->error_count;
	if (is_stop(urb, status, c->actual))
		urpc_urb_watch(u, port->file);
	port->file->completed++;
	urpc_urb_give_back(port, u, status);
	return 0;
}

/* The answer to a RESET, SUSPEND or RESUME. */
static int answer_held(struct urpc_port *port,
		       const struct usbip_rpc_complete *c)
{
	int ret = urpc_msg_check(c, NULL);

	if (ret)
		return ret;
	dev_dbg(urpc_port_dev(port), "port %u: %s answered: %d\n",
		urpc_port_number(port),
		port->reset_id ? "reset" : "suspend or resume", c->status);
	end_hold(port);
	return 0;
}

/*
 * Take one message: its length, or an error (-EINVAL, -EFAULT, -ENOTCONN),
 * then @from has not moved and *lenp is the length that must be there.
 */
static ssize_t write_one(struct urpc_port *port, struct urpc_file *file,
			 struct iov_iter *from, size_t *lenp)
{
	struct iov_iter start = *from;
	struct usbip_rpc_complete c;
	struct urpc_request *r;
	struct urpc_urb *u;
	int ret;

	*lenp = sizeof(c);
	ret = urpc_msg_get(from, &c);
	if (ret)
		return ret;
	*lenp = c.msg.len;

	spin_lock_irq(&port->lock);
	u = find_sent(port, c.msg.id);
	r = urpc_streams_find(port, c.msg.id);
	if (port->file != file)
		ret = -ENOTCONN;
	else if (u)
		ret = complete_urb(port, u, &c, from);
	else if (c.msg.id && (c.msg.id == port->reset_id ||
			      c.msg.id == port->power_id))
		ret = answer_held(port, &c);
	else if (r)
		ret = urpc_streams_answer(port, r, &c);
	else
		file->dropped++;
	spin_unlock_irq(&port->lock);

	*from = start;
	if (ret)
		return ret;
	iov_iter_advance(from, c.msg.len);
	return c.msg.len;
}

/* Take messages until it is time for a rest. As urpc_queue_write(). */
static ssize_t write_batch(struct urpc_file *file, struct iov_iter *from,
			   size_t *lenp)
{
	struct urpc_port *port = READ_ONCE(file->port);
	size_t total = 0;
	ssize_t ret;

	if (!port)
		return -ENOTCONN;
	/* the handlers of all run together, here, when this is enabled */
	local_bh_disable();
	do {
		ret = write_one(port, file, from, lenp);
		if (ret > 0)
			total += ret;
	} while (ret > 0 && iov_iter_count(from) && total < BATCH_BYTES);
	local_bh_enable();
	/* mostly they have, but not if another processor was at it; + 1 as
	 * only a part of the present jiffy is left */
	urpc_urb_wait_for_handlers(file,
				   msecs_to_jiffies(URPC_HANDLERS_MS) + 1);
	return total ?: ret;
}

/*
 * Take answers: the bytes of those taken, or if it is none, why: -EINVAL,
 * -EFAULT, -ENOTCONN.
 */
ssize_t urpc_queue_write(struct urpc_file *file, struct iov_iter *from)
{
	unsigned int faults = 0;
	size_t total = 0, len;
	ssize_t ret = 0;

	while (iov_iter_count(from)) {
		ret = write_batch(file, from, &len);
		if (ret > 0) {
			total += ret;
			faults = 0;
			cond_resched();
		} else if (ret != -EFAULT || faults++ >= FAULTS_MAX ||
			   fault_in_iov_iter_readable(from, len)) {
			break;
		}
	}
	return total ?: ret;
}

