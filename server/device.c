// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device - a USB device of this machine. Owns who has it and what is active
 * in it; knows no session and no numbers.
 *
 *	IDLE -> CLAIMING -> CLAIMED <-> OPERATING
 *	  |________|           |
 *	  |_____ RETURNING ____|
 *
 * The worker thread touches `bdev`, and of this struct only what is constant
 * while it works: the state is left and entered in the loop's thread.
 */
#include "server/device.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/frame.h"
#include "server/urb.h"
#include "server/worker.h"

static const char *state_name(enum device_state state)
{
	switch (state) {
	case DEVICE_STATE_IDLE:
		return "idle";
	case DEVICE_STATE_CLAIMING:
		return "claiming";
	case DEVICE_STATE_CLAIMED:
		return "claimed";
	case DEVICE_STATE_OPERATING:
		return "operating";
	case DEVICE_STATE_RETURNING:
		return "returning";
	}
	return "?";
}

static bool may_go(enum device_state from, enum device_state to)
{
	switch (from) {
	case DEVICE_STATE_IDLE:
		return to == DEVICE_STATE_CLAIMING;
	case DEVICE_STATE_CLAIMING:
		return to == DEVICE_STATE_CLAIMED || to == DEVICE_STATE_IDLE;
	case DEVICE_STATE_CLAIMED:
		return to == DEVICE_STATE_OPERATING ||
		       to == DEVICE_STATE_RETURNING;
	case DEVICE_STATE_OPERATING:
		return to == DEVICE_STATE_CLAIMED;
	case DEVICE_STATE_RETURNING:
		return to == DEVICE_STATE_IDLE;
	}
	return false;
}

/* The only writer of dev->state. */
static void device_set_state(struct device *dev, enum device_state next)
{
	log_debug(LOG_TAG_DEVICE, "%s: %s -> %s", dev->info->busid,
		  state_name(dev->state), state_name(next));
	assert(may_go(dev->state, next));
	dev->state = next;
}

int device_new(struct device **devp, const struct backend_info *info,
	       const struct backend_ops *ops, void *bdev,
	       struct event_base *base)
{
	struct device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return -ENOMEM;
	dev->info = info;
	dev->ops = ops;
	dev->bdev = bdev;
	dev->base = base;
	dev->state = DEVICE_STATE_IDLE;
	*devp = dev;
	return 0;
}

struct device *device_free(struct device *dev)
{
	if (!dev)
		return NULL;
	assert(dev->state == DEVICE_STATE_IDLE && !dev->worker);
	free(dev);
	return NULL;
}

/* Which endpoints there are, after configuration or alternates changed. */
static void find_endpoints(struct device *dev)
{
	const struct descriptor_blob *config;
	struct descriptor_endpoint ep;
	struct descriptor_walk walk = { 0 };
	int row;

	dev->exists = 0;
	config = descriptors_config(&dev->info->descriptors,
				    dev->configuration);
	if (!dev->configuration || !config)
		return;
	while (descriptor_next_endpoint(config, &walk, &ep)) {
		if (ep.alternate != dev->alternates[ep.interface])
			continue;
		row = endpoint_row(ep.address);
		if (row < 0)
			continue;	/* never: descriptor.c looked */
		dev->endpoints[row] = ep;
		dev->exists |= 1u << row;
	}
}

static void set_active(struct device *dev, unsigned int configuration)
{
	dev->configuration = configuration;
	memset(dev->alternates, 0, sizeof(dev->alternates));
	memset(dev->streams, 0, sizeof(dev->streams));
	find_endpoints(dev);
}

/* The rows of an interface's endpoints. */
static uint32_t rows_of(const struct device *dev, unsigned int interface)
{
	uint32_t rows = 0;

	for (int row = 1; row < ENDPOINT_ROWS; row++)
		if (dev->exists & (1u << row) &&
		    dev->endpoints[row].interface == interface)
			rows |= 1u << row;
	return rows;
}

static void set_streams(struct device *dev, uint32_t rows, uint16_t n)
{
	for (; rows; rows &= rows - 1)
		dev->streams[__builtin_ctz(rows)] = n;
}

/* ---- claim and return --------------------------------------------------- */

static void end_work(struct device *dev, int r)
{
	device_done_fn done = dev->done;

	dev->done = NULL;
	if (dev->state == DEVICE_STATE_IDLE)
		dev->worker = worker_free(dev->worker);
	done(r, dev->done_user);
}

static int claim_in_worker(void *arg)
{
	struct device *dev = arg;

	return dev->ops->claim(dev->bdev);
}

static void claim_done(int r, void *arg)
{
	struct device *dev = arg;

	device_set_state(dev, r ? DEVICE_STATE_IDLE : DEVICE_STATE_CLAIMED);
	if (!r)
		set_active(dev, dev->info->configuration);
	end_work(dev, r);
}

static int release_in_worker(void *arg)
{
	struct device *dev = arg;

	return dev->ops->release(dev->bdev, dev->reset_at_return);
}

static void return_done(int r, void *arg)
{
	struct device *dev = arg;

	device_set_state(dev, DEVICE_STATE_IDLE);
	end_work(dev, r);
}

int device_claim(struct device *dev, device_done_fn done, void *user)
{
	int r;

	assert(dev->state == DEVICE_STATE_IDLE);
	r = worker_new(&dev->worker, dev->base);
	if (r)
		return r;
	r = worker_run(dev->worker, claim_in_worker, claim_done, dev);
	if (r) {
		dev->worker = worker_free(dev->worker);
		return r;
	}
	dev->done = done;
	dev->done_user = user;
	device_set_state(dev, DEVICE_STATE_CLAIMING);
	return 0;
}

int device_return(struct device *dev, bool reset, device_done_fn done,
		  void *user)
{
	int r;

	assert(dev->state == DEVICE_STATE_CLAIMED);
	dev->reset_at_return = reset && !dev->gone;
	r = worker_run(dev->worker, release_in_worker, return_done, dev);
	if (r)
		return r;
	dev->done = done;
	dev->done_user = user;
	device_set_state(dev, DEVICE_STATE_RETURNING);
	return 0;
}

/* ---- state calls -------------------------------------------------------- */

/* A configuration that is set again does away with them, its call may not. */
static void free_all_streams(struct device *dev)
{
	uint32_t rows;

	for (int i = 0; i < DESCRIPTOR_INTERFACES_MAX; i++) {
		rows = rows_of(dev, i);
		for (int row = 1; row < ENDPOINT_ROWS; row++)
			if (!dev->streams[row])
				rows &= ~(1u << row);
		if (rows)
			dev->ops->free_streams(dev->bdev, rows);
	}
}

static int call_in_worker(void *arg)
{
	struct device *dev = arg;
	const struct urb *urb = dev->call;

	switch (urb->type) {
	case URB_TYPE_SET_CONFIGURATION:
		free_all_streams(dev);
		return dev->ops->set_configuration(dev->bdev, urb->value);
	case URB_TYPE_SET_INTERFACE:
		return dev->ops->set_interface(dev->bdev, urb->index,
					       urb->value);
	case URB_TYPE_CLEAR_HALT:
		return dev->ops->clear_halt(dev->bdev, urb->value);
	case URB_TYPE_RESET:
		return dev->ops->reset(dev->bdev);
	case URB_TYPE_ALLOC_STREAMS:
		return dev->ops->alloc_streams(dev->bdev, urb->value,
					       urb->rows);
	case URB_TYPE_FREE_STREAMS:
		return dev->ops->free_streams(dev->bdev, urb->rows);
	case URB_TYPE_SUSPEND:
		return dev->ops->suspend(dev->bdev);
	case URB_TYPE_RESUME:
		return dev->ops->resume(dev->bdev);
	case URB_TYPE_CONTROL:
	case URB_TYPE_BULK:
	case URB_TYPE_INTERRUPT:
	case URB_TYPE_ISOC:
		break;
	}
	return -EINVAL;
}

static void note_result(struct urb *urb, int r)
{
	switch (r) {
	case 0:
		urb->xfer = URB_XFER_OK;
		break;
	case -EPIPE:
		urb->xfer = URB_XFER_STALL;
		break;
	case -ENODEV:
		urb->xfer = URB_XFER_SHUTDOWN;
		break;
	case -ENOMEM:
		urb->xfer = URB_XFER_NO_MEMORY;
		break;
	case -EINVAL:
		urb->verdict = URB_VERDICT_INVAL;
		break;
	case -EOPNOTSUPP:
		urb->verdict = URB_VERDICT_NOT_SUPPORTED;
		break;
	default:
		urb->xfer = URB_XFER_IO;
	}
}

/* The state call succeeded: what is active now? */
static void note_active(struct device *dev, const struct urb *urb)
{
	if (urb->type == URB_TYPE_SET_CONFIGURATION)
		set_active(dev, urb->value);
	if (urb->type == URB_TYPE_RESET)
		set_active(dev, dev->configuration);
	if (urb->type == URB_TYPE_SET_INTERFACE) {
		set_streams(dev, rows_of(dev, urb->index), 0);
		dev->alternates[urb->index] = urb->value;
		find_endpoints(dev);
	}
	if (urb->type == URB_TYPE_ALLOC_STREAMS ||
	    urb->type == URB_TYPE_FREE_STREAMS)
		set_streams(dev, urb->rows, urb->actual);
}

static void call_done(int r, void *arg)
{
	struct device *dev = arg;
	struct urb *urb = dev->call;

	dev->call = NULL;
	device_set_state(dev, DEVICE_STATE_CLAIMED);
	if (r > 0)
		urb->actual = r;	/* streams granted */
	note_result(urb, r < 0 ? r : 0);
	if (r >= 0)
		note_active(dev, urb);
	dev->call_done(urb);
}

static bool has_alternate(const struct device *dev, const struct urb *urb)
{
	const struct descriptor_blob *config;
	struct descriptor_interface i;
	struct descriptor_walk walk = { 0 };

	config = descriptors_config(&dev->info->descriptors,
				    dev->configuration);
	if (!dev->configuration || !config)
		return false;
	while (descriptor_next_interface(config, &walk, &i))
		if (i.number == urb->index && i.alternate == urb->value)
			return true;
	return false;
}

/* Bulk endpoints of one interface; to be allocated: without streams yet. */
static bool can_stream(const struct device *dev, const struct urb *urb)
{
	uint32_t rows = urb->rows;
	int first = __builtin_ctz(rows);

	if (rows & ~dev->exists ||
	    rows & ~rows_of(dev, dev->endpoints[first].interface))
		return false;
	for (; rows; rows &= rows - 1) {
		int row = __builtin_ctz(rows);

		if ((dev->endpoints[row].attributes & 3) != DESCRIPTOR_TYPE_BULK)
			return false;
		if (urb->type == URB_TYPE_ALLOC_STREAMS && dev->streams[row])
			return false;
	}
	return true;
}

/* Is there such a configuration, setting or endpoint? */
static bool makes_sense(const struct device *dev, const struct urb *urb)
{
	int row;

	if (urb->type == URB_TYPE_SET_CONFIGURATION)
		return !urb->value ||
		       descriptors_config(&dev->info->descriptors, urb->value);
	if (urb->type == URB_TYPE_SET_INTERFACE)
		return has_alternate(dev, urb);
	if (urb->type == URB_TYPE_CLEAR_HALT) {
		row = endpoint_row(urb->value);
		return row > 0 && dev->exists & (1u << row);
	}
	if (urb->type == URB_TYPE_ALLOC_STREAMS ||
	    urb->type == URB_TYPE_FREE_STREAMS)
		return can_stream(dev, urb);
	return true;
}

static int start_call(struct device *dev, struct urb *urb, device_call_fn done)
{
	int r;

	if (!makes_sense(dev, urb)) {
		urb->verdict = URB_VERDICT_INVAL;
		return 1;
	}
	dev->call = urb;
	dev->call_done = done;
	r = worker_run(dev->worker, call_in_worker, call_done, dev);
	if (r) {
		dev->call = NULL;
		note_result(urb, r);
		return 1;
	}
	device_set_state(dev, DEVICE_STATE_OPERATING);
	return 0;
}

uint32_t device_affects(const struct device *dev, const struct urb *urb)
{
	int row;

	switch (urb->type) {
	case URB_TYPE_SET_INTERFACE:
		return rows_of(dev, urb->index);
	case URB_TYPE_CLEAR_HALT:
		row = endpoint_row(urb->value);
		return row > 0 ? 1u << row : 0;
	case URB_TYPE_ALLOC_STREAMS:
	case URB_TYPE_FREE_STREAMS:
		/* usbfs ends all transfers of the interface */
		row = __builtin_ctz(urb->rows);
		return rows_of(dev, dev->endpoints[row].interface);
	case URB_TYPE_SET_CONFIGURATION:
	case URB_TYPE_RESET:
	case URB_TYPE_SUSPEND:
	case URB_TYPE_RESUME:
	case URB_TYPE_CONTROL:
	case URB_TYPE_BULK:
	case URB_TYPE_INTERRUPT:
	case URB_TYPE_ISOC:
		break;
	}
	return ~0u;
}

/* ---- transfers ---------------------------------------------------------- */

static enum descriptor_type descriptor_type(const struct urb *urb)
{
	if (urb->type == URB_TYPE_BULK)
		return DESCRIPTOR_TYPE_BULK;
	if (urb->type == URB_TYPE_ISOC)
		return DESCRIPTOR_TYPE_ISOCHRONOUS;
	return DESCRIPTOR_TYPE_INTERRUPT;
}

/* Is urb's endpoint there, of its kind, with its stream? */
static bool is_for_endpoint(const struct device *dev, struct urb *urb)
{
	int row = endpoint_row(urb->address);

	if (urb->type == URB_TYPE_CONTROL)
		return true;
	if (row < 0 || !(dev->exists & (1u << row))) {
		urb->xfer = URB_XFER_SHUTDOWN;
		return false;
	}
	if ((dev->endpoints[row].attributes & 3) != descriptor_type(urb) ||
	    urb->stream > dev->streams[row] ||
	    !urb->stream != !dev->streams[row]) {
		urb->verdict = URB_VERDICT_INVAL;
		return false;
	}
	return true;
}

/* An isochronous URB has been given to the host controller. */
static void note_frame(struct device *dev, struct urb *urb)
{
	int row = endpoint_row(urb->address);
	bool micro = dev->info->speed >= BACKEND_SPEED_HIGH;

	urb->start_frame = frame_place(&dev->isoc_end[row], frame_now(),
				       urb->first, micro,
				       dev->endpoints[row].interval,
				       urb->n_packets);
}

/* Does its session hold as much as urb wants? Replies that are acknowledged
 * make room then. */
static bool may_wait(const struct urb *urb)
{
	const struct endpoint_window *window = urb->endpoint->window;

	return window->bytes - urb->length >= urb->length;
}

int device_start(struct device *dev, struct urb *urb, device_call_fn done)
{
	int r;

	urb->actual = 0;
	if (dev->gone) {
		urb->xfer = URB_XFER_SHUTDOWN;
		return 1;
	}
	if (urb_is_state_call(urb))
		return start_call(dev, urb, done);
	if (!is_for_endpoint(dev, urb))
		return 1;
	r = urb_alloc(urb);
	if (r && may_wait(urb))
		return -EAGAIN;
	if (!r)
		r = dev->ops->submit(dev->bdev, urb);
	if (!r && urb->type == URB_TYPE_ISOC)
		note_frame(dev, urb);
	if (!r || r == -EAGAIN)
		return r;
	note_result(urb, r);
	return 1;
}

void device_cancel(struct device *dev, struct urb *urb)
{
	dev->ops->cancel(dev->bdev, urb);
}
