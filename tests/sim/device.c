// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device - a device with five endpoints beside 0, as a backend.
 *
 * Each endpoint has a queue, of which the first transfer is carried out. It
 * takes its time, and some never end. How it ends is chance: in full, short,
 * with an error, with some of its bytes. One that is cancelled may end as it
 * would have all the same. What stands behind a failed one mostly does nothing
 * until that has been heard of: then it was cancelled.
 */
#include "tests/sim/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend.h"
#include "server/endpoint.h"
#include "server/urb.h"
#include "tests/sim/helper.h"
#include "tests/sim/oracle.h"
#include "tests/sim/packets.h"
#include "tests/sim/sim.h"

#define PLUG_AGAIN	(2 * S)
#define QUEUES		(ENDPOINT_ROWS + 2 * ORACLE_STREAMS)

struct transfer {
	TAILQ_ENTRY(transfer) link;
	struct sim_timer timer;
	struct urb *urb;
	struct oracle_urb *is;		/* NULL: isochronous, it may be the
					 * helper's own */
	bool begun, cancelled;
};

struct queue {
	TAILQ_HEAD(, transfer) transfers;
	bool halted;
};

struct bdev {
	struct backend_info info;
	struct queue queues[QUEUES];
	void *handle;			/* the target's */
	bool claimed, gone;
	unsigned int n_transfers;
};

/* One interface with two settings alike: 02 bulk, 81 bulk, 83 interrupt, 84 and
 * 05 isochronous. */
#define SETTING(n) 9, 4, 0, n, 5, 255, 0, 0, 0, \
	7, 5, 0x02, 2, 0, 2, 0, 7, 5, 0x81, 2, 0, 2, 0, 7, 5, 0x83, 3, 0, 2, 4, \
	7, 5, 0x84, 1, 64, 0, 4, 7, 5, 0x05, 1, 64, 0, 4
static const uint8_t descriptors[] = {
	18, 1, 0, 2, 0, 0, 0, 64, 0xcd, 0xab, 1, 0, 0, 1, 0, 0, 0, 1,
	9, 2, 97, 0, 1, 1, 0, 0x80, 50, SETTING(0), SETTING(1),
};

static const struct backend_sink *sink;
static void *sink_user;
static struct bdev *bdev;		/* that is plugged in */
static struct sim_timer plugging;
static unsigned int n_bdevs;

static void plug_in(void *arg)
{
	bdev = calloc(1, sizeof(*bdev));
	if (!bdev || descriptors_parse(&bdev->info.descriptors, descriptors,
				       sizeof(descriptors)))
		abort();
	n_bdevs++;
	strcpy(bdev->info.busid, DEVICE_BUSID);
	bdev->info.speed = BACKEND_SPEED_HIGH;
	bdev->info.configuration = 1;
	bdev->info.usable = true;
	for (int i = 0; i < QUEUES; i++)
		TAILQ_INIT(&bdev->queues[i].transfers);
	sim_note("               device: plugged in");
	bdev->handle = sink->arrived(&bdev->info, bdev, sink_user);
}

/* ---- transfers ---------------------------------------------------------- */

static struct queue *queue_of(struct bdev *b, const struct urb *urb)
{
	if (urb->stream)
		return &b->queues[ENDPOINT_ROWS + urb->stream - 1 +
				  (urb_is_in(urb) ? ORACLE_STREAMS : 0)];
	/* endpoint 0 has one for both directions */
	return &b->queues[urb->type == URB_TYPE_CONTROL ? 0 :
			  endpoint_row(urb->address)];
}

static int errno_of(enum urb_xfer xfer)
{
	switch (xfer) {
	case URB_XFER_OK:
		return 0;
	case URB_XFER_STALL:
		return -EPIPE;
	case URB_XFER_OVERFLOW:
		return -EOVERFLOW;
	case URB_XFER_CANCELLED:
		return -ECONNRESET;
	case URB_XFER_SHUTDOWN:
		return -ESHUTDOWN;
	case URB_XFER_IO:
	case URB_XFER_NO_MEMORY:
	case URB_XFER_LATE:
	case URB_XFER_MISSED:
		break;
	}
	return -EPROTO;
}

static void begin_next(struct queue *q)
{
	struct transfer *t = TAILQ_FIRST(&q->transfers);

	if (!t || t->begun || t->cancelled)
		return;
	t->begun = true;
	/* the bus itself ends isochronous ones */
	if (t->is && sim_chance(5))
		return;			/* until it is cancelled */
	sim_timer_set(&t->timer, sim_delay(sim_chance(90) ? 5 * MS : 300 * MS));
}

/* The first of them go over the bus, and of those not all arrive. */
static void move_packets(struct urb *urb, unsigned int n)
{
	uint8_t *data = urb_data(urb);

	urb->actual = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct urb_packet *p = &urb->packets[i];

		if (sim_chance(95)) {
			p->xfer = URB_XFER_OK;
			p->actual = p->length;
			if (urb_is_in(urb))
				packets_make(true, data);
			else
				packets_came(false, data);
		}
		data += urb_is_in(urb) ? p->actual : p->length;
		urb->actual += p->actual;
	}
}

static void end(struct bdev *b, struct transfer *t, enum urb_xfer xfer,
		uint32_t actual)
{
	struct urb *urb = t->urb;
	struct queue *q = queue_of(b, urb);

	sim_timer_stop(&t->timer);
	TAILQ_REMOVE(&q->transfers, t, link);
	b->n_transfers--;
	urb->xfer = xfer;
	urb->backend = NULL;
	if (t->is) {
		for (uint32_t i = 0; urb_is_in(urb) && i < actual; i++)
			urb_data(urb)[i] = oracle_byte(t->is, i);
		if (xfer == URB_XFER_STALL && urb->type != URB_TYPE_CONTROL)
			q->halted = true;
		urb->actual = actual;
		oracle_ended(t->is, errno_of(xfer), actual);
	} else {
		move_packets(urb, actual / PACKETS_LENGTH);
	}
	free(t);
	/* a host controller that goes on until it is told */
	if (sim_chance(10))
		begin_next(q);
	sink->done(urb);
	begin_next(q);
}

/* OUT is all or, with an error, some. */
static uint32_t some_of(const struct urb *urb)
{
	return sim_chance(50) ? 0 : sim_random(urb->length + 1);
}

static void carry_out(struct bdev *b, struct transfer *t)
{
	struct urb *urb = t->urb;
	uint32_t how = sim_random(100);

	if (!t->is)
		end(b, t, URB_XFER_OK, urb->length);
	else if (queue_of(b, urb)->halted)
		end(b, t, URB_XFER_STALL, 0);
	else if (how < 78)
		end(b, t, URB_XFER_OK, urb->length);
	else if (how < 88)
		end(b, t, URB_XFER_OK, urb_is_in(urb) ? some_of(urb) :
							urb->length);
	else if (how < 93)
		end(b, t, URB_XFER_STALL, some_of(urb));
	else if (how < 98 || !urb_is_in(urb))
		end(b, t, URB_XFER_IO, some_of(urb));
	else
		end(b, t, URB_XFER_OVERFLOW, urb->length);
}

static void end_cancelled(struct bdev *b, struct transfer *t)
{
	if (t->begun && sim_chance(30))
		carry_out(b, t);
	else
		end(b, t, URB_XFER_CANCELLED, t->begun ? some_of(t->urb) : 0);
}

static void due(void *arg)
{
	struct transfer *t = arg;
	struct bdev *b = t->urb->backend;

	if (b->gone)
		end(b, t, URB_XFER_IO, t->begun ? some_of(t->urb) : 0);
	else if (t->cancelled)
		end_cancelled(b, t);
	else
		carry_out(b, t);
}

static void check_out(const struct urb *urb, const struct oracle_urb *u)
{
	const uint8_t *data = urb_data(urb);

	for (uint32_t i = 0; i < urb->length; i++)
		sim_check(data[i] == (i < 4 ? (uint8_t)(u->id >> 8 * i) :
				      oracle_byte(u, i)),
			  "OUT bytes at the device equal the driver's",
			  "URB %u, byte %u of %u", (unsigned int)u->id, i,
			  urb->length);
}

static uint64_t id_at(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

/* Which of the driver's URBs is it? */
static struct oracle_urb *recognize(const struct urb *urb)
{
	struct oracle_urb *u;
	uint32_t seq;

	if (urb->type == URB_TYPE_CONTROL)
		return oracle_find(id_at(urb->setup + 2));
	if (!urb_is_in(urb))
		return oracle_find(id_at(urb_data(urb)));
	for (uint32_t more = 0; more < 2; more++) {
		seq = urb->length - DEVICE_LENGTH(0) - more * 8192;
		u = oracle_find_seq(urb->address, urb->stream, seq);
		if (u && u->length == urb->length)
			return u;
	}
	return NULL;
}

static int submit(void *arg, struct urb *urb)
{
	struct bdev *b = arg;
	struct queue *q = queue_of(b, urb);
	struct transfer *t;

	sim_check(b->claimed, "nothing runs that is not claimed", "#%u",
		  urb->number);
	if (sim_chance(2) && !sim_calm)
		return -EAGAIN;
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->urb = urb;
	if (urb->type != URB_TYPE_ISOC) {
		t->is = recognize(urb);
		oracle_attempt(t->is, urb->number);
		if (!urb_is_in(urb))
			check_out(urb, t->is);
	}
	urb->backend = b;
	sim_timer_init(&t->timer, due, t);
	TAILQ_INSERT_TAIL(&q->transfers, t, link);
	b->n_transfers++;
	begin_next(q);
	return 0;
}

static void cancel(void *arg, struct urb *urb)
{
	struct transfer *t;

	TAILQ_FOREACH(t, &queue_of(arg, urb)->transfers, link)
		if (t->urb == urb)
			break;
	sim_check(t, "only what runs is cancelled", "#%u", urb->number);
	t->cancelled = true;
	sim_timer_set(&t->timer, sim_delay(2 * MS));
}

/* ---- operations, which a worker carries out ----------------------------- */

static void check_idle(const struct bdev *b, int row)
{
	sim_check(TAILQ_EMPTY(&b->queues[row].transfers),
		  "a state call runs alone with what it affects", "row %d",
		  row);
}

static void clear_halts(struct bdev *b)
{
	for (int i = 0; i < QUEUES; i++) {
		check_idle(b, i);
		b->queues[i].halted = false;
	}
}

/* A state call is what the driver waits for: one at a time. */
static int execute(const struct bdev *b, int r)
{
	struct oracle_urb *u = oracle_find_state();

	if (b->gone)
		return -ENODEV;
	oracle_attempt(u, UINT32_MAX);
	oracle_ended(u, r, 0);
	return r;
}

static int claim(void *arg)
{
	struct bdev *b = arg;

	sim_check(!b->claimed, "the device is claimed once", "twice");
	if (b->gone)
		return -ENODEV;
	sim_note("               device: claimed");
	b->claimed = true;
	oracle_claimed();
	return 0;
}

static int release(void *arg, bool reset)
{
	struct bdev *b = arg;

	sim_check(b->claimed, "the device is given back once", "twice");
	sim_check(!b->n_transfers, "it is given back when nothing runs",
		  "%u run", b->n_transfers);
	sim_check(reset || b->gone, "it is reset when it is given back",
		  "it is not");
	sim_note("               device: given back");
	b->claimed = false;
	for (int i = 0; i < QUEUES; i++)
		b->queues[i].halted = false;
	return 0;
}

static int set_configuration(void *arg, unsigned int value)
{
	clear_halts(arg);
	return execute(arg, 0);
}

static int set_interface(void *arg, unsigned int interface,
			 unsigned int alternate)
{
	clear_halts(arg);
	return execute(arg, sim_chance(10) ? -EPIPE : 0);
}

static int clear_halt(void *arg, uint8_t address)
{
	struct bdev *b = arg;
	int row = endpoint_row(address);

	check_idle(b, row);
	check_idle(b, 0);
	b->queues[row].halted = false;
	for (int i = 0; row < 16 + DEVICE_BULK_OUT && i < ORACLE_STREAMS; i++) {
		int queue = ENDPOINT_ROWS + i +
			    (address & 0x80 ? ORACLE_STREAMS : 0);

		check_idle(b, queue);
		b->queues[queue].halted = false;
	}
	return execute(arg, sim_chance(10) ? -EPIPE : 0);
}

static int reset_device(void *arg)
{
	struct bdev *b = arg;

	clear_halts(b);
	if (!sim_weather.unplugs || sim_calm || sim_chance(50))
		return execute(b, 0);
	sim_note("               device: is another one after the reset");
	helper_excuse();
	return -ENODEV;
}

static int alloc_streams(void *arg, unsigned int streams, uint32_t rows)
{
	struct oracle_urb *u = oracle_find_state();
	struct bdev *b = arg;

	clear_halts(b);
	if (b->gone)
		return -ENODEV;
	streams = 1 + sim_random(streams);
	oracle_attempt(u, UINT32_MAX);
	oracle_ended(u, 0, streams);
	return (int)streams;
}

static int free_streams(void *arg, uint32_t rows)
{
	clear_halts(arg);
	return execute(arg, 0);
}

static int refuse(void *arg)
{
	return -EOPNOTSUPP;
}

/* ---- the backend -------------------------------------------------------- */

static int open_backend(void **backendp, struct event_base *base,
			const char *argument, const struct backend_sink *to,
			void *user)
{
	sink = to;
	sink_user = user;
	*backendp = NULL;
	sim_timer_init(&plugging, plug_in, NULL);
	plug_in(NULL);
	return 0;
}

static void free_bdev(struct bdev *b)
{
	sim_check(!b->n_transfers, "nothing is left at the device", "%u run",
		  b->n_transfers);
	descriptors_deinit(&b->info.descriptors);
	free(b);
	n_bdevs--;
}

static void close_backend(void *backend)
{
	sim_timer_stop(&plugging);
	if (!bdev)
		return;
	sim_check(!bdev->claimed, "the device is given back once", "never");
	free_bdev(bdev);
	bdev = NULL;
}

static void rescan(void *backend)
{
}

static void forget(void *arg)
{
	free_bdev(arg);
}

const struct backend_ops device_backend = {
	.name = "sim",
	.open = open_backend,
	.close = close_backend,
	.rescan = rescan,
	.forget = forget,
	.claim = claim,
	.release = release,
	.set_configuration = set_configuration,
	.set_interface = set_interface,
	.clear_halt = clear_halt,
	.reset = reset_device,
	.alloc_streams = alloc_streams,
	.free_streams = free_streams,
	.suspend = refuse,
	.resume = refuse,
	.submit = submit,
	.cancel = cancel,
};

void device_unplug(void)
{
	struct bdev *b = bdev;
	struct transfer *t;

	if (!b)
		return;
	sim_note("               device: unplugged");
	b->gone = true;
	for (int i = 0; i < QUEUES; i++)
		TAILQ_FOREACH(t, &b->queues[i].transfers, link)
			sim_timer_set(&t->timer, sim_delay(2 * MS));
	bdev = NULL;
	sim_timer_set(&plugging, sim_delay(PLUG_AGAIN));
	sink->left(b->handle);
}

void device_end(void)
{
	sim_check(!n_bdevs, "nothing leaks", "%u devices", n_bdevs);
}
