/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vhci.h - what the files of usbip-rpc-vhci share
 *
 *   main.c  parameters, init and exit, system sleep
 *   cdev.c  the char device: open, ioctl, read, write, poll
 *   port.c  ports: numbering, plugging, unplugging, what the hub shows
 *   urb.c   the life of an URB
 *   streams.c the requests of drivers for bulk streams
 *   queue.c the port's queue, as read() and write() see it
 *   msg.c   messages to and from user memory
 *   frame.c frames, and the schedule of isochronous URBs
 *   hcd.c   the controllers: two root hubs each, USB 2 and USB 3
 *   hub.c   requests to the root hubs
 *
 * Locks, outer to inner: urpc_file.lock, add_lock (hcd.c), plug_lock (port.c),
 * urpc_port.lock, then file->wait.lock or file->handlers_lock. A port's lock
 * guards all that belongs to the port and to the URBs of its device; there is
 * no other lock on the data path.
 */
#ifndef URPC_VHCI_H
#define URPC_VHCI_H

#include <linux/completion.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/usb.h>
#include <linux/usb/hcd.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/usbip_rpc.h>

#define URPC_NAME		"usbip-rpc-vhci"
#define URPC_CONTROLLERS_MAX	8
#define URPC_PORTS_MAX		USB_MAXCHILDREN		/* of an USB 2 hub */
#define URPC_SS_PORTS_MAX	USB_SS_MAXPORTS

/* Limits of an URB: those of the wire (USBIP_DATA_MAX, USBIP_PACKETS_MAX). */
#define URPC_DATA_MAX		(16U << 20)
#define URPC_PACKETS_MAX	1024U
#define URPC_SG_MAX		4096	/* DATA_MAX in pages */

#define URPC_UNLINK_TIMEOUT	(2 * HZ)	/* from unlink to giveback */
#define URPC_RESET_TIMEOUT	(5 * HZ)	/* URBs wait for RESET, RESUME ... */
#define URPC_STREAMS_TIMEOUT	(5 * HZ)	/* drivers wait for streams */
#define URPC_HANDLERS_MS	20		/* write() for handlers */

struct urpc_port;

/**
 * struct urpc_file - an open file, so one device at most
 * @lock:	one ioctl() at a time
 * @read_lock:	one copying reader at a time: messages keep their order
 * @version:	of the ABI; 0 before HELLO. Written once, under @lock
 * @port:	where the device is plugged in, or NULL. Written under plug_lock
 * @power:	it wants to be told SUSPEND and RESUME. As @port
 * @lost:	the device was unplugged for system sleep, and there was no
 *		ATTACH or DETACH since. As @port
 * @wait:	readers and pollers
 * @handlers_lock: guards @n_handlers; taken inside of the port's lock
 * @n_handlers:	URBs that are watched: given back, the handler not returned
 * @handled:	who waits for that to be none
 * @last_id:	the id given last; it and what follows: under the port's lock
 * @submitted..@dropped: as in struct usbip_rpc_status
 */
struct urpc_file {
	struct mutex lock;
	struct mutex read_lock;
	u32 version;
	struct urpc_port *port;
	bool power;
	bool lost;
	wait_queue_head_t wait;
	spinlock_t handlers_lock;
	unsigned int n_handlers;
	wait_queue_head_t handled;

	u64 last_id;
	u64 submitted;
	u64 completed;
	u64 unlinked;
	u64 timed_out;
	u64 dropped;
};

/**
 * struct urpc_port - a port of a root hub
 * @hub, @index: which; @index counts from 0. Constant
 * @lock:	for all that follows; taken with interrupts off
 * @status:	wPortStatus, and wPortChange << 16, as the hub shows them
 * @file:	whose device is plugged in, or NULL
 * @speed:	of that device, enum usbip_rpc_speed
 * @udev:	what the core has made of it; compared, never looked into. Goes
 *		when the core is done with it, so may outlive @file
 * @devnum:	its address, as of its last URB
 * @in_use:	it has been sent more than what enumeration asks
 * @reset_wanted: a driver reset it; to be told before the next URB in use
 * @told_suspended: the helper has been told that the port is suspended
 * @reset_id:	of the RESET to be answered; 0: none, URBs may go
 * @power_id:	of the SUSPEND or RESUME, likewise; one of the two at a time
 * @reset_deadline: jiffies when to go on without the answer
 * @pending:	URBs in state PENDING, in order of submission
 * @sent:	URBs in state COPYOUT, SENT and COPYIN
 * @unlinks:	URBs whose UNLINK waits for read()
 * @doomed:	URBs unlinked while SENT, in order of their deadlines
 * @ids:	URBs in state SENT and COPYIN, by id
 * @isoc_end:	where the schedule of each isochronous endpoint ends, OUT and IN:
 *		microframes since boot
 * @requests:	of drivers for streams, not answered yet, in their order
 * @unlink_work: gives back what of @doomed is overdue
 * @reset_work:	gives up on an overdue RESET, SUSPEND or RESUME
 *
 * Both works find out for themselves whether something is overdue: they may
 * run late, early or for nothing, and are only cancelled before the port is
 * freed.
 */
struct urpc_port {
	struct urpc_hub *hub;
	unsigned int index;

	spinlock_t lock;
	u32 status;
	struct urpc_file *file;
	u32 speed;
	const struct usb_device *udev;
	u32 devnum;
	bool in_use;
	bool reset_wanted;
	bool told_suspended;
	u64 reset_id;
	u64 power_id;
	unsigned long reset_deadline;
	struct list_head pending;
	struct list_head sent;
	struct list_head unlinks;
	struct list_head doomed;
	DECLARE_HASHTABLE(ids, 7);
	u64 isoc_end[2][16];
	struct list_head requests;
	struct delayed_work unlink_work;
	struct delayed_work reset_work;
};

/**
 * struct urpc_hub - the private part of an usb_hcd: one root hub
 * @hcd:	whose it is
 * @super:	USB 3; else USB 2
 * @base:	number of the first port, over all hubs of the module
 * @n_ports:	how many
 * @ports:	they
 * @link:	in the list of port.c
 */
struct urpc_hub {
	struct usb_hcd *hcd;
	bool super;
	unsigned int base;
	unsigned int n_ports;
	struct urpc_port *ports;
	struct list_head link;
};

static inline struct urpc_hub *urpc_hub_of(struct usb_hcd *hcd)
{
	return (struct urpc_hub *)hcd->hcd_priv;
}

static inline struct device *urpc_port_dev(const struct urpc_port *port)
{
	return port->hub->hcd->self.controller;
}

static inline unsigned int urpc_port_number(const struct urpc_port *port)
{
	return port->hub->base + port->index;
}

/**
 * enum urpc_urb_state - the life of an URB; changed by urpc_urb_set_state() alone
 */
enum urpc_urb_state {
	URPC_URB_PENDING,	/* waits for read() */
	URPC_URB_COPYOUT,	/* a reader copies it, the lock dropped */
	URPC_URB_SENT,		/* read; to be answered */
	URPC_URB_COPYIN,	/* a writer copies its answer, the lock dropped */
	URPC_URB_DONE,		/* given back. Terminal */
};

/**
 * struct urpc_urb - our record of an URB, urb->hcpriv
 * @urb:	it
 * @id:		its id in messages
 * @state:	where it is
 * @enumerates:	it is a request of the kind that enumeration makes
 * @gone:	COPYOUT, COPYIN: the device was unplugged; who copies gives back
 * @link:	in the port's @pending or @sent
 * @unlink:	in the port's @unlinks, or empty
 * @doom:	in the port's @doomed, or empty
 * @deadline:	doomed: jiffies when to give back without an answer
 * @hash:	in the port's @ids
 * @watcher:	the file that counts it until its handler has returned, or NULL
 * @complete, @context: of the driver, while it is watched
 */
struct urpc_urb {
	struct urb *urb;
	u64 id;
	enum urpc_urb_state state;
	bool enumerates;
	bool gone;
	struct list_head link;
	struct list_head unlink;
	struct list_head doom;
	unsigned long deadline;
	struct hlist_node hash;
	struct urpc_file *watcher;
	usb_complete_t complete;
	void *context;
};

/**
 * struct urpc_request - ALLOC_STREAMS or FREE_STREAMS
 * @link:	in the port's @requests
 * @id:		its id in messages; 0: not told yet
 * @type, @endpoints, @streams: as in struct usbip_rpc_streams
 * @orphan:	nobody waits for it: it is freed when it is answered
 * @answered:	@result is set
 * @result:	streams granted, or 0, or an error
 * @done:	the driver waits here
 */
struct urpc_request {
	struct list_head link;
	u64 id;
	u16 type;
	u32 endpoints;
	u32 streams;
	bool orphan;
	bool answered;
	int result;
	struct completion done;
};

/* main.c */
extern struct workqueue_struct *urpc_wq;	/* may be needed to write out memory */

/* cdev.c */
int urpc_cdev_add(void);
void urpc_cdev_remove(void);

/* port.c */
int urpc_port_add_hub(struct urpc_hub *hub);
void urpc_port_open_hub(struct urpc_hub *hub);
void urpc_port_remove_hub(struct urpc_hub *hub);
struct urpc_port *urpc_port_of(struct usb_hcd *hcd, struct usb_device *udev);
void urpc_port_free_dev(struct usb_hcd *hcd, struct usb_device *udev);
int urpc_port_plug(struct urpc_file *file, const struct usbip_rpc_attach *a,
		   const struct urpc_port **portp);
int urpc_port_unplug(struct urpc_file *file);
int urpc_port_sleep(bool detach);
void urpc_port_wake(void);
void urpc_port_set_power(struct urpc_port *port, bool on);
void urpc_port_disable(struct urpc_port *port);
void urpc_port_set_link(struct urpc_port *port, u16 state);
bool urpc_port_is_suspended(const struct urpc_port *port);
void urpc_port_suspend(struct urpc_port *port);
void urpc_port_resume(struct urpc_port *port);
void urpc_port_reset(struct urpc_port *port, bool warm);
void urpc_port_clear_change(struct urpc_port *port, u16 bits);

/* urb.c */
int urpc_urb_init(void);
void urpc_urb_exit(void);
void urpc_urb_init_port(struct urpc_port *port);
int urpc_urb_enqueue(struct usb_hcd *hcd, struct urb *urb, gfp_t mem_flags);
int urpc_urb_dequeue(struct usb_hcd *hcd, struct urb *urb, int status);
void urpc_urb_flush(struct urpc_port *port);
void urpc_urb_set_state(struct urpc_port *port, struct urpc_urb *u,
			enum urpc_urb_state state);
void urpc_urb_set_sent(struct urpc_port *port, struct urpc_urb *u);
void urpc_urb_give_back(struct urpc_port *port, struct urpc_urb *u, int status);
void urpc_urb_watch(struct urpc_urb *u, struct urpc_file *file);
void urpc_urb_wait_for_handlers(struct urpc_file *file, unsigned long timeout);

/* streams.c */
bool urpc_streams_readable(const struct urpc_port *port);
int urpc_streams_read(struct urpc_port *port, struct iov_iter *to);
struct urpc_request *urpc_streams_find(const struct urpc_port *port, u64 id);
int urpc_streams_answer(struct urpc_port *port, struct urpc_request *r,
			const struct usbip_rpc_complete *c);
void urpc_streams_flush(struct urpc_port *port);
int urpc_streams_alloc(struct usb_hcd *hcd, struct usb_device *udev,
		       struct usb_host_endpoint **eps, unsigned int num_eps,
		       unsigned int num_streams, gfp_t mem_flags);
int urpc_streams_free(struct usb_hcd *hcd, struct usb_device *udev,
		      struct usb_host_endpoint **eps, unsigned int num_eps,
		      gfp_t mem_flags);

/* queue.c */
bool urpc_queue_readable(const struct urpc_port *port);
size_t urpc_queue_next_len(const struct urpc_port *port);
void urpc_queue_wake(struct urpc_port *port);
void urpc_queue_reset_work(struct work_struct *work);
ssize_t urpc_queue_read(struct urpc_file *file, struct iov_iter *to);
ssize_t urpc_queue_write(struct urpc_file *file, struct iov_iter *from);

/* msg.c */
u32 urpc_msg_data_len(const struct urb *urb);
size_t urpc_msg_submit_len(struct urb *urb);
int urpc_msg_put(struct iov_iter *to, u16 type, u64 id);
int urpc_msg_put_streams(struct iov_iter *to, const struct usbip_rpc_streams *s);
int urpc_msg_put_submit(struct iov_iter *to, const struct urpc_urb *u);
int urpc_msg_get(struct iov_iter *from, struct usbip_rpc_complete *c);
int urpc_msg_check(const struct usbip_rpc_complete *c, struct urb *urb);
int urpc_msg_get_data(struct iov_iter *from, struct urb *urb,
		      const struct usbip_rpc_complete *c);
int urpc_msg_status(s32 status);

/* frame.c */
int urpc_frame_number(struct usb_hcd *hcd);
void urpc_frame_schedule(struct urpc_port *port, struct urb *urb, bool idle);

/* hcd.c */
int urpc_hcd_register(unsigned int max, unsigned int ports);
void urpc_hcd_unregister(void);
unsigned int urpc_hcd_count(void);
int urpc_hcd_add(unsigned int count);

/* hub.c */
int urpc_hub_status_data(struct usb_hcd *hcd, char *buf);
int urpc_hub_control(struct usb_hcd *hcd, u16 request, u16 value, u16 index,
		     char *buf, u16 length);

#endif /* URPC_VHCI_H */
