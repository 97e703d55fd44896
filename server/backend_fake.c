// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake - devices made of script, for tests, fuzzing, benchmarks and a
 * look without hardware. Owns the devices, the queues of their endpoints and
 * the faults; what a device does with a transfer is its model's.
 *
 * Each endpoint has a queue. The head of a queue is carried out when its
 * delay is over and the model is ready; so is the first of each stream. What
 * was cancelled ends at once, wherever it stands. All of it happens in
 * run_device(), which the loop calls after anything changed, so a transfer
 * never ends from within submit() or cancel().
 *
 * Every transfer that is carried out is noted with its number, so that a test
 * can ask the device which ones it saw (backend_fake_control.c).
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/pool.h"

#define EXECUTIONS_MAX 65536
#define RESET_MS 20

struct urb_entry {
	TAILQ_ENTRY(urb_entry) link;
	struct urb *urb;
	int row;
	uint64_t due;			/* ms */
	bool cancelled;
	bool hangs;			/* until it is cancelled */
};

struct fake {
	struct event_base *base;
	const struct backend_sink *sink;
	void *user;
	TAILQ_HEAD(, fake_device) devices;
	struct pool entries;
};

uint64_t fake_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/* ---- transfers ---------------------------------------------------------- */

static void note_execution(struct fake_device *dev, const struct urb *urb)
{
	struct fake_execution *e;

	if (!dev->noted || dev->n_executions >= EXECUTIONS_MAX)
		return;
	e = &dev->executions[dev->n_executions++];
	e->number = urb->number;
	e->address = urb->endpoint ? urb->endpoint->address : urb->address;
	e->stream = urb->stream;
}

static void end_entry(struct fake_device *dev, struct fake_endpoint *ep,
		      struct urb_entry *entry)
{
	struct urb *urb = entry->urb;

	TAILQ_REMOVE(&ep->queue, entry, link);
	if (TAILQ_EMPTY(&ep->queue)) {
		dev->queued &= ~(1u << entry->row);
		ep->busy = 0;	/* what was cancelled takes no time */
	}
	ep->n_cancelled -= entry->cancelled;
	urb->backend = NULL;
	pool_give(&dev->fake->entries, entry);
	dev->fake->sink->done(urb);
}

/* The fault that strikes this transfer, if it is its turn. */
static enum fake_fault_kind take_fault(struct fake_endpoint *ep)
{
	enum fake_fault_kind kind = ep->fault;

	if (kind == FAKE_FAULT_NONE)
		return kind;
	if (ep->fault_after) {
		ep->fault_after--;
		return FAKE_FAULT_NONE;
	}
	ep->fault = FAKE_FAULT_NONE;
	return kind;
}

/* So much of the data goes. */
static void move(struct urb *urb, uint32_t n)
{
	urb->actual = n;
	if (urb_is_in(urb) && n)
		memset(urb_data(urb), 0xfa, n);
}

static void fail_transfer(struct fake_device *dev, int row, struct urb *urb,
			  enum fake_fault_kind kind)
{
	urb->actual = 0;
	switch (kind) {
	case FAKE_FAULT_STALL:
		urb->xfer = URB_XFER_STALL;
		if (row)
			dev->halted |= 1u << row;
		break;
	case FAKE_FAULT_SHORT:
		urb->xfer = URB_XFER_OK;
		move(urb, urb->length / 2);
		break;
	case FAKE_FAULT_OVERFLOW:
		urb->xfer = URB_XFER_OVERFLOW;
		move(urb, urb->length);
		break;
	case FAKE_FAULT_PARTIAL:
		urb->xfer = URB_XFER_IO;
		move(urb, urb->length / 2);
		break;
	case FAKE_FAULT_SHUTDOWN:
		urb->xfer = URB_XFER_SHUTDOWN;
		break;
	case FAKE_FAULT_UNPLUG:
		fake_unplug(dev);
		urb->xfer = URB_XFER_IO;
		break;
	case FAKE_FAULT_NONE:
	case FAKE_FAULT_HANG:
	case FAKE_FAULT_CUT:
	case FAKE_FAULT_NO_ROOM:
	case FAKE_FAULT_NO_MEMORY:
	case FAKE_FAULT_INVAL:
	case FAKE_FAULT_IO:
		urb->xfer = URB_XFER_IO;
		break;
	}
}

/* Can it strike one packet, and leave the isochronous transfer as it is? */
static bool is_of_a_packet(enum fake_fault_kind kind)
{
	return kind == FAKE_FAULT_STALL || kind == FAKE_FAULT_SHORT ||
	       kind == FAKE_FAULT_IO || kind == FAKE_FAULT_OVERFLOW;
}

/* false: not ready. */
static bool execute(struct fake_device *dev, struct urb_entry *entry)
{
	struct fake_endpoint *ep = &dev->endpoints[entry->row];
	enum fake_fault_kind kind;
	struct urb *urb = entry->urb;
	int row = entry->row;

	if (!dev->plugged || dev->suspended) {
		urb->xfer = URB_XFER_IO;
		return true;
	}
	if (dev->halted & (1u << row)) {
		urb->xfer = URB_XFER_STALL;
		return true;
	}
	if (entry->hangs)
		return false;
	kind = take_fault(ep);
	ep->spoil = FAKE_FAULT_NONE;
	ep->ended = entry->due;
	if (urb->type == URB_TYPE_ISOC && is_of_a_packet(kind)) {
		ep->spoil = kind;
		kind = FAKE_FAULT_NONE;
	}
	if (kind == FAKE_FAULT_HANG || kind == FAKE_FAULT_CUT) {
		entry->hangs = true;
		if (kind == FAKE_FAULT_CUT)
			move(urb, urb->length / 2);
		return false;
	}
	if (kind != FAKE_FAULT_NONE)
		fail_transfer(dev, row, urb, kind);
	else if (urb->type == URB_TYPE_CONTROL)
		fake_control(dev, urb);
	else if (!dev->model->transfer(dev, urb))
		return false;
	ep->n_executed++;
	note_execution(dev, urb);
	return true;
}

/* The first that was cancelled, if there is one. */
static struct urb_entry *find_cancelled(const struct fake_endpoint *ep)
{
	struct urb_entry *entry;

	if (!ep->n_cancelled)
		return NULL;
	TAILQ_FOREACH(entry, &ep->queue, link)
		if (entry->cancelled)
			break;
	return entry;
}

/* Is its time over, and did it end? *due: when that will be, if not. */
static bool run_entry(struct fake_device *dev, struct urb_entry *entry,
		      uint64_t now, uint64_t *due)
{
	if (entry->due > now && dev->plugged) {
		if (entry->due < *due)
			*due = entry->due;
		return false;
	}
	return execute(dev, entry);
}

/* One step of this row; true: something ended. *due: the next one's. */
static bool run_row(struct fake_device *dev, int row, uint64_t now,
		    uint64_t *due)
{
	struct fake_endpoint *ep = &dev->endpoints[row];
	uint64_t tried = 0;		/* streams, a bit each */
	struct urb_entry *entry;

	entry = find_cancelled(ep);
	if (entry) {
		entry->urb->xfer = URB_XFER_CANCELLED;
		end_entry(dev, ep, entry);
		return true;
	}
	TAILQ_FOREACH(entry, &ep->queue, link) {
		uint64_t bit = UINT64_C(1) << entry->urb->stream;

		if (tried & bit)
			continue;
		tried |= bit;
		if (run_entry(dev, entry, now, due)) {
			end_entry(dev, ep, entry);
			return true;
		}
		if (!dev->streams[row])
			break;		/* one behind the other */
	}
	return false;
}

static void run_device(evutil_socket_t fd, short what, void *arg)
{
	struct fake_device *dev = arg;
	uint64_t due = UINT64_MAX, now = fake_now_ms();
	unsigned int budget = 256;	/* others want a turn, too */
	bool any = true;

	while (any && budget) {
		any = false;
		due = dev->wake = UINT64_MAX;
		for (uint32_t rows = dev->queued; rows && budget;
		     rows &= rows - 1)
			while (budget && run_row(dev, __builtin_ctz(rows), now,
						 &due)) {
				any = true;
				budget--;
			}
	}
	if (dev->wake < due)
		due = dev->wake;
	if (!budget) {
		event_active(dev->run, EV_TIMEOUT, 1);
	} else if (due != UINT64_MAX) {
		uint64_t left = due > now ? due - now : 0;
		struct timeval tv = { left / 1000, left % 1000 * 1000 };

		event_add(dev->run, &tv);
	}
}

void fake_kick(struct fake_device *dev)
{
	event_active(dev->run, EV_TIMEOUT, 1);
}

void fake_wake_at(struct fake_device *dev, uint64_t ms)
{
	if (ms < dev->wake)
		dev->wake = ms;
}

/* When it will be done. Isochronous: one after the other, by the packet. */
static uint64_t due_of(struct fake_endpoint *ep, const struct urb *urb)
{
	uint64_t now = fake_now_ms();

	if (urb->type != URB_TYPE_ISOC)
		return ep->delay_ms ? now + ep->delay_ms : 0;
	if (TAILQ_EMPTY(&ep->queue) && ep->began)
		ep->n_dry++;
	ep->began = true;
	if (ep->busy < now)
		ep->busy = now;
	ep->busy += urb->n_packets * ep->delay_ms;
	return ep->busy;
}

/* The faults of submit() itself; 0: none of them. */
static int refuse(struct fake_device *dev, struct fake_endpoint *ep)
{
	int r;

	if (ep->fault == FAKE_FAULT_NO_ROOM)
		r = -EAGAIN;
	else if (ep->fault == FAKE_FAULT_NO_MEMORY)
		r = -ENOMEM;
	else if (ep->fault == FAKE_FAULT_INVAL)
		r = -EINVAL;
	else
		return 0;
	if (take_fault(ep) == FAKE_FAULT_NONE)
		return 0;
	fake_kick(dev);
	return r;
}

static int submit_urb(void *bdev, struct urb *urb)
{
	struct fake_device *dev = bdev;
	bool control = urb->type == URB_TYPE_CONTROL;
	int row = control ? 0 : endpoint_row(urb->address);
	struct fake_endpoint *ep = &dev->endpoints[row];
	struct urb_entry *entry;
	int r;

	if (!dev->plugged)
		return -ENODEV;
	r = refuse(dev, ep);
	if (r)
		return r;
	entry = pool_take(&dev->fake->entries);
	if (!entry)
		return -ENOMEM;
	memset(entry, 0, sizeof(*entry));
	entry->urb = urb;
	entry->row = row;
	entry->due = due_of(ep, urb);
	urb->backend = entry;
	TAILQ_INSERT_TAIL(&ep->queue, entry, link);
	dev->queued |= 1u << row;
	fake_kick(dev);
	return 0;
}

static void cancel_urb(void *bdev, struct urb *urb)
{
	struct urb_entry *entry = urb->backend;
	struct fake_device *dev = bdev;

	if (!entry->cancelled)
		dev->endpoints[entry->row].n_cancelled++;
	entry->cancelled = true;
	fake_kick(dev);
}

/* ---- blocking calls: in the worker thread ------------------------------- */

static int claim_device(void *bdev)
{
	struct fake_device *dev = bdev;

	return dev->plugged ? 0 : -ENODEV;
}

static void to_default(struct fake_device *dev)
{
	dev->halted = 0;
	dev->suspended = false;
	for (size_t i = 0; i < sizeof(dev->alternates); i++)
		dev->alternates[i] = 0;
	for (int row = 0; row < ENDPOINT_ROWS; row++)
		dev->streams[row] = 0;
	if (dev->model->reset)
		dev->model->reset(dev);
}

static int reset_device(void *bdev)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	sleep_ms(RESET_MS);
	if (dev->leaves_at_reset) {
		dev->leaves_at_reset = false;
		dev->has_left = true;
		return -ENODEV;
	}
	to_default(dev);
	return 0;
}

static int release_device(void *bdev, bool reset)
{
	struct fake_device *dev = bdev;

	if (reset && dev->plugged)
		reset_device(bdev);
	dev->configuration = dev->info.configuration;
	return 0;
}

static int set_configuration(void *bdev, unsigned int value)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	to_default(dev);
	dev->configuration = value;
	return 0;
}

static int set_interface(void *bdev, unsigned int interface,
			 unsigned int alternate)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	if (interface >= sizeof(dev->alternates))
		return -EPIPE;
	dev->alternates[interface] = alternate;
	dev->halted = 0;
	if (dev->model->set_interface)
		dev->model->set_interface(dev);
	for (int row = 0; row < ENDPOINT_ROWS; row++)
		dev->streams[row] = 0;	/* all have one interface */
	return 0;
}

static int clear_halt(void *bdev, uint8_t address)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	dev->halted &= ~(1u << endpoint_row(address));
	return 0;
}

static int alloc_streams(void *bdev, unsigned int streams, uint32_t rows)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	if (dev->info.speed < BACKEND_SPEED_SUPER || !dev->model->streams)
		return -EINVAL;
	if (streams > dev->model->streams)
		streams = dev->model->streams;
	for (; rows; rows &= rows - 1)
		dev->streams[__builtin_ctz(rows)] = streams;
	return streams;
}

static int free_streams(void *bdev, uint32_t rows)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	for (uint32_t r = rows; r; r &= r - 1)
		if (!dev->streams[__builtin_ctz(r)])
			return -EINVAL;
	for (; rows; rows &= rows - 1)
		dev->streams[__builtin_ctz(rows)] = 0;
	return 0;
}

static int suspend_device(void *bdev)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	dev->suspended = true;
	return 0;
}

static int resume_device(void *bdev)
{
	struct fake_device *dev = bdev;

	if (!dev->plugged)
		return -ENODEV;
	dev->suspended = false;
	return 0;
}

/* ---- devices ------------------------------------------------------------ */

void fake_plug(struct fake_device *dev)
{
	if (dev->plugged)
		return;
	if (dev->device) {
		dev->again = true;	/* when the old one is forgotten */
		return;
	}
	dev->plugged = true;
	if (dev->next_product) {
		dev->info.descriptors.device[10] = dev->next_product & 0xff;
		dev->info.descriptors.device[11] = dev->next_product >> 8;
	}
	dev->next_product = 0;
	dev->configuration = dev->info.configuration;
	to_default(dev);
	dev->device = dev->fake->sink->arrived(&dev->info, dev,
					       dev->fake->user);
	if (!dev->device)
		dev->plugged = false;
}

void fake_unplug(struct fake_device *dev)
{
	if (!dev->plugged)
		return;
	dev->plugged = false;
	fake_kick(dev);
	dev->fake->sink->left(dev->device);
}

static void forget_device(void *bdev)
{
	struct fake_device *dev = bdev;

	dev->device = NULL;
	if (dev->again) {
		dev->again = false;
		fake_plug(dev);
	}
}

struct fake_device *fake_find(struct fake *fake, const char *busid)
{
	struct fake_device *dev;

	TAILQ_FOREACH(dev, &fake->devices, link)
		if (!strcmp(dev->info.busid, busid))
			return dev;
	return NULL;
}

static void free_device(struct fake_device *dev)
{
	struct urb_entry *entry;

	for (int row = 0; row < ENDPOINT_ROWS; row++)
		while ((entry = TAILQ_FIRST(&dev->endpoints[row].queue))) {
			TAILQ_REMOVE(&dev->endpoints[row].queue, entry, link);
			pool_give(&dev->fake->entries, entry);
		}
	if (dev->model->deinit)
		dev->model->deinit(dev);
	if (dev->run)
		event_free(dev->run);
	if (dev->leave)
		event_free(dev->leave);
	descriptors_deinit(&dev->info.descriptors);
	free(dev->executions);
	free(dev);
}

int fake_add(struct fake *fake, const struct fake_model *model,
	     const char *busid, struct fake_device **devp)
{
	struct fake_device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return -ENOMEM;
	dev->fake = fake;
	dev->model = model;
	snprintf(dev->info.busid, sizeof(dev->info.busid), "%s", busid);
	dev->info.usable = true;
	for (int row = 0; row < ENDPOINT_ROWS; row++)
		TAILQ_INIT(&dev->endpoints[row].queue);
	dev->run = event_new(fake->base, -1, 0, run_device, dev);
	dev->executions = calloc(EXECUTIONS_MAX, sizeof(*dev->executions));
	if (!dev->run || !dev->executions) {
		free_device(dev);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&fake->devices, dev, link);
	*devp = dev;
	return 0;
}

struct plugging {
	struct fake_device *dev;
	bool plug;
};

static void plug_or_unplug(evutil_socket_t fd, short what, void *arg)
{
	struct plugging *p = arg;

	if (p->plug)
		fake_plug(p->dev);
	else
		fake_unplug(p->dev);
	free(p);
}

int fake_at(struct fake_device *dev, unsigned int ms, bool plug)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct plugging *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->dev = dev;
	p->plug = plug;
	if (event_base_once(dev->fake->base, -1, EV_TIMEOUT, plug_or_unplug, p,
			    &tv)) {
		free(p);
		return -ENOMEM;
	}
	return 0;
}

/* The worker, in which a reset is, can not say so to the loop. */
static void look_whether_left(evutil_socket_t fd, short what, void *arg)
{
	struct fake_device *dev = arg;

	if (!dev->has_left)
		return;
	dev->has_left = false;
	event_del(dev->leave);
	fake_unplug(dev);
	fake_at(dev, dev->away_ms, true);
}

int fake_leave_at_reset(struct fake_device *dev, unsigned int ms)
{
	const struct timeval often = { 0, 5000 };

	if (!dev->leave)
		dev->leave = event_new(dev->fake->base, -1, EV_PERSIST,
				       look_whether_left, dev);
	if (!dev->leave || event_add(dev->leave, &often))
		return -ENOMEM;
	dev->away_ms = ms;
	dev->leaves_at_reset = true;
	return 0;
}

void fake_start(struct fake_device *dev, bool plugged)
{
	if (plugged)
		fake_plug(dev);
}

/* ---- the backend -------------------------------------------------------- */

static void close_fake(void *backend)
{
	struct fake *fake = backend;
	struct fake_device *dev;

	if (!fake)
		return;
	while ((dev = TAILQ_FIRST(&fake->devices))) {
		TAILQ_REMOVE(&fake->devices, dev, link);
		free_device(dev);
	}
	pool_deinit(&fake->entries);
	free(fake);
}

static int open_fake(void **backendp, struct event_base *base,
		     const char *argument, const struct backend_sink *sink,
		     void *user)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int r;

	if (!fake)
		return -ENOMEM;
	fake->base = base;
	fake->sink = sink;
	fake->user = user;
	TAILQ_INIT(&fake->devices);
	pool_init(&fake->entries, sizeof(struct urb_entry));
	r = fake_script_load(fake, argument);
	if (r) {
		close_fake(fake);
		return r;
	}
	*backendp = fake;
	return 0;
}

static void rescan(void *backend)
{
}

const struct backend_ops backend_fake_ops = {
	.name = "fake",
	.open = open_fake,
	.close = close_fake,
	.rescan = rescan,
	.forget = forget_device,
	.claim = claim_device,
	.release = release_device,
	.set_configuration = set_configuration,
	.set_interface = set_interface,
	.clear_halt = clear_halt,
	.reset = reset_device,
	.alloc_streams = alloc_streams,
	.free_streams = free_streams,
	.suspend = suspend_device,
	.resume = resume_device,
	.submit = submit_urb,
	.cancel = cancel_urb,
};
