// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * driver - the kernel of the controller, and a driver that is never content.
 *
 * What it wants waits in `messages` until the helper receives it, as in the
 * module. Answers are kept until flush(), in which completion handlers run: the
 * unlinks that they ask for are in the queue when it returns.
 *
 * The device can tell URBs apart: OUT data begins with the id, the length of an
 * IN URB is one that no other of its row has, and a control transfer has the id
 * in its setup.
 */
#include "tests/sim/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "tests/sim/device.h"
#include "tests/sim/loop.h"
#include "tests/sim/oracle.h"
#include "tests/sim/packets.h"
#include "tests/sim/sim.h"

#define DEPTH		24		/* of an endpoint's queue */
#define LONG		8192		/* more than an URB's own struct has */

enum message_type { SUBMIT, UNLINK, RESET, STREAMS };

struct message {
	STAILQ_ENTRY(message) link;
	enum message_type type;
	struct vhci_submit submit;
	struct vhci_streams streams;
	struct vhci_buf *buf;
};

struct answer {
	STAILQ_ENTRY(answer) link;
	struct oracle_urb *urb;
	int status;
	uint32_t actual;
	uint32_t n_packets;
	struct vhci_packet packets[PACKETS_MAX];
	const uint8_t *data;
	void (*unkeep)(void *kept);	/* NULL: data is a copy */
	void *kept;
};

struct driver {
	struct vhci v;
	STAILQ_HEAD(, message) messages;
	STAILQ_HEAD(, answer) answers;
	struct oracle_urb *out[6][DEPTH];	/* outstanding, by endpoint */
	struct oracle_urb *state;		/* the state call that runs */
	struct sim_timer act, wake;
	uint64_t pause;
	bool plugged, configured, finishing;
	bool wants_streams;
	uint16_t streams;			/* that it has been granted */
	bool allocates, keeps_streams;		/* the state call that runs */
};

static const uint8_t endpoints[] = { 0x00, DEVICE_BULK_OUT, DEVICE_BULK_IN,
				     DEVICE_INTERRUPT, DEVICE_ISOC_IN,
				     DEVICE_ISOC_OUT };
/* The last two in some worlds alone. */
#define N_ENDPOINTS	(sim_weather.isochronous ? 6 : 4)
#define FIRST_ISOC	4

static struct driver d;

/* ---- to the helper ------------------------------------------------------ */

static void wake(void *arg)
{
	loop_readable();
}

static struct message *put(enum message_type type,
			   const struct vhci_submit *s, struct vhci_buf *buf)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->type = type;
	m->submit = *s;
	m->buf = buf;
	STAILQ_INSERT_TAIL(&d.messages, m, link);
	if (!d.wake.pending)
		sim_timer_set(&d.wake, sim_chance(50) ? 0 : sim_delay(2 * MS));
	return m;
}

static bool remember(int which, struct oracle_urb *u)
{
	for (int i = 0; i < DEPTH; i++)
		if (!d.out[which][i]) {
			d.out[which][i] = u;
			return true;
		}
	return false;
}

static bool has_room(int which)
{
	for (int i = 0; i < DEPTH; i++)
		if (!d.out[which][i])
			return true;
	return false;
}

static void forget(const struct oracle_urb *u)
{
	for (int which = 0; which < N_ENDPOINTS; which++)
		for (int i = 0; i < DEPTH; i++)
			if (d.out[which][i] == u)
				d.out[which][i] = NULL;
	if (d.state == u)
		d.state = NULL;
}

static void fill(const struct oracle_urb *u, uint8_t *data)
{
	if (u->kind == ORACLE_ISOC) {
		for (uint32_t i = 0; i < u->length; i += PACKETS_LENGTH)
			packets_make(false, data + i);
		return;
	}
	for (uint32_t i = 0; i < u->length; i++)
		data[i] = oracle_byte(u, i);
	for (int i = 0; i < 4; i++)
		data[i] = (uint8_t)(u->id >> 8 * i);
}

static void send_submit(struct oracle_urb *u, struct vhci_submit *s)
{
	struct vhci_buf *buf = NULL;

	s->id = u->id;
	s->length = u->length;
	s->flags |= u->short_not_ok ? VHCI_SHORT_NOT_OK : 0;
	if (!u->in && u->length) {
		buf = vhci_buf_new(u->length);
		fill(u, buf->bytes);
		s->data = buf->bytes;
		s->buf = buf;
	}
	sim_note("driver: submits URB %u, %02x.%u, %u bytes%s",
		 (unsigned int)u->id, s->endpoint, u->seq, u->length,
		 u->short_not_ok ? ", may not be short" : "");
	put(SUBMIT, s, buf);
}

static void submit_data(int which)
{
	uint8_t endpoint = endpoints[which];
	bool in = endpoint & USB_DIR_IN;
	struct vhci_submit s = {
		.endpoint = endpoint,
		.transfer = endpoint == DEVICE_INTERRUPT ?
			    USB_TRANSFER_INTERRUPT : USB_TRANSFER_BULK,
		.interval = 4,
	};
	struct oracle_urb *u;

	if (!has_room(which))
		return;
	if (d.streams && endpoint != DEVICE_INTERRUPT)
		s.stream = (uint16_t)(1 + sim_random(d.streams));
	u = oracle_submit(ORACLE_DATA, endpoint, s.stream, 0);
	if (!u)
		return;
	u->length = DEVICE_LENGTH(u->seq) + (sim_chance(10) ? LONG : 0);
	u->in = in;
	u->short_not_ok = in && sim_chance(15);
	remember(which, u);
	send_submit(u, &s);
}

static void submit_isoc(int which)
{
	static struct vhci_packet packets[PACKETS_MAX];
	struct vhci_submit s = {
		.endpoint = endpoints[which],
		.transfer = USB_TRANSFER_ISOC,
		.flags = VHCI_ISO_ASAP,
		.interval = 8,
		.n_packets = sim_chance(95) ? 4 : 1 + sim_random(PACKETS_MAX),
		.packets = packets,
	};
	struct oracle_urb *u;

	if (!has_room(which))
		return;
	u = oracle_submit(ORACLE_ISOC, s.endpoint, 0,
			  s.n_packets * PACKETS_LENGTH);
	if (!u)
		return;
	u->in = s.endpoint & USB_DIR_IN;
	for (int i = 0; i < PACKETS_MAX; i++)
		packets[i].length = PACKETS_LENGTH;
	remember(which, u);
	send_submit(u, &s);
}

/* A request of the device's own; its id is in wValue and wIndex. */
static void submit_control(void)
{
	bool in = sim_chance(50);
	uint32_t length = sim_chance(20) ? 0 : 4 + sim_random(60);
	struct vhci_submit s = {
		.endpoint = in ? USB_DIR_IN : 0,
		.transfer = USB_TRANSFER_CONTROL,
	};
	struct oracle_urb *u;

	if (!has_room(0))
		return;
	u = oracle_submit(ORACLE_CONTROL, 0, 0, length);
	if (!u)
		return;
	u->in = in;
	s.setup[0] = in ? 0xc0 : 0x40;
	s.setup[1] = 1;
	for (int i = 0; i < 4; i++)
		s.setup[2 + i] = (uint8_t)(u->id >> 8 * i);
	s.setup[6] = (uint8_t)length;
	remember(0, u);
	send_submit(u, &s);
}

static void submit_request(enum oracle_kind kind, const uint8_t setup[8])
{
	struct vhci_submit s = {
		.endpoint = setup[0] & USB_DIR_IN,
		.transfer = USB_TRANSFER_CONTROL,
	};
	struct oracle_urb *u = oracle_submit(kind, 0, 0, usb_get16(setup + 6));

	if (!u)
		return;
	u->in = setup[0] & USB_DIR_IN;
	memcpy(s.setup, setup, 8);
	if (kind == ORACLE_STATE) {
		d.state = u;
		d.keeps_streams = setup[1] == USB_REQ_CLEAR_FEATURE;
		d.allocates = false;
	}
	send_submit(u, &s);
}

static void submit_reset(void)
{
	struct oracle_urb *u = oracle_submit(ORACLE_STATE, 0, 0, 0);
	struct vhci_submit s = { .id = u ? u->id : 0 };

	if (!u)
		return;
	d.state = u;
	d.allocates = d.keeps_streams = false;
	sim_note("driver: resets the port, URB %u", (unsigned int)u->id);
	put(RESET, &s, NULL);
}

/* Of both bulk endpoints; 0: none any more. */
static void submit_streams(uint32_t streams)
{
	struct oracle_urb *u = oracle_submit(ORACLE_STATE, 0, 0, 0);
	struct vhci_submit s = { .id = u ? u->id : 0 };

	if (!u)
		return;
	d.state = u;
	d.allocates = streams;
	d.keeps_streams = false;
	sim_note("driver: wants %u streams, URB %u", streams,
		 (unsigned int)u->id);
	put(STREAMS, &s, NULL)->streams = (struct vhci_streams){
		.id = u->id,
		.endpoints = 1u << DEVICE_BULK_OUT |
			     1u << (16 + (DEVICE_BULK_IN & 15)),
		.streams = streams,
	};
}

static void submit_state(void)
{
	uint8_t halt[8] = { 0x02, USB_REQ_CLEAR_FEATURE };
	uint8_t interface[8] = { 0x01, USB_REQ_SET_INTERFACE,
				 (uint8_t)sim_random(2) };
	uint32_t which = sim_random(10);

	if (d.state || oracle_is_full())
		return;
	halt[4] = endpoints[1 + sim_random(3)];
	if (d.wants_streams && which < 3)
		submit_streams(d.streams ? 0 : ORACLE_STREAMS);
	else if (which < 6)
		submit_request(ORACLE_STATE, halt);
	else if (which < 9)
		submit_request(ORACLE_STATE, interface);
	else
		submit_reset();
}

static void unlink_one(struct oracle_urb *u, struct oracle_urb *because)
{
	struct vhci_submit s = { .id = u->id };

	if (u->unlinked)
		return;
	oracle_unlink(u, because);
	put(UNLINK, &s, NULL);
}

static void unlink_all(int which, struct oracle_urb *because)
{
	for (int i = 0; i < DEPTH; i++)
		if (d.out[which][i])
			unlink_one(d.out[which][i], because);
}

/* ---- what it does ------------------------------------------------------- */

static void enumerate(void)
{
	static const uint8_t get_device[] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	static const uint8_t configure[] = { 0x00, 9, 1, 0, 0, 0, 0, 0 };

	if (sim_chance(50))
		submit_request(ORACLE_LOCAL, get_device);
	submit_request(ORACLE_STATE, configure);
}

static void submit_some(void)
{
	int which = (int)sim_random(N_ENDPOINTS);
	uint32_t n = 1 + sim_random(sim_chance(70) ? 3 : DEPTH);

	while (n--) {
		if (which >= FIRST_ISOC)
			submit_isoc(which);
		else if (which)
			submit_data(which);
		else
			submit_control();
	}
}

/* A state call ends what hangs in its way, but on endpoint 0, by itself. */
static void finish(void)
{
	for (int i = 0; i < (d.state ? 1 : N_ENDPOINTS); i++)
		unlink_all(i, NULL);
}

static void act(void *arg)
{
	int which = (int)sim_random(N_ENDPOINTS);
	uint32_t deed = sim_random(100);
	struct oracle_urb *u = d.out[which][sim_random(DEPTH)];

	sim_timer_set(&d.act, sim_delay(d.pause));
	if (d.finishing) {
		finish();
		return;
	}
	if (!d.configured)
		return;
	if (deed < 60)
		submit_some();
	else if (deed < 85 && u)
		unlink_one(u, NULL);
	else if (deed < 90)
		unlink_all(which, NULL);
	else if (deed < 95)
		submit_state();
}

/* What a state call has made of the streams. */
static void note_streams(const struct answer *a)
{
	if (d.allocates)
		d.streams = a->status ? d.streams : (uint16_t)a->actual;
	else if (!a->status && !d.keeps_streams)
		d.streams = 0;
}

/* What an unlink has cancelled may end before others. */
static void hear_packets(const struct answer *a)
{
	const uint8_t *data = a->data;

	if (!a->urb->in || a->urb->unlinked)
		return;
	for (uint32_t i = 0; i < a->n_packets; i++) {
		if (a->packets[i].length)
			packets_came(true, data);
		data += a->packets[i].length;
	}
}

/* A completion handler. */
static void handle(const struct answer *a)
{
	struct oracle_urb *u = a->urb;
	int which = 0;

	forget(u);
	oracle_handled(u);
	hear_packets(a);
	if (u->kind == ORACLE_STATE)
		note_streams(a);
	if (u->kind == ORACLE_STATE && !d.configured) {
		d.configured = !a->status;
		return;
	}
	for (int i = 1; i < N_ENDPOINTS; i++)
		if (endpoints[i] == u->endpoint)
			which = i;
	if (!which || d.finishing)
		return;
	if (which >= FIRST_ISOC) {
		if (sim_chance(80))
			submit_isoc(which);
		return;
	}
	if ((a->status || (u->short_not_ok && a->actual < u->length)) &&
	    sim_chance(60))
		/* a refusal stops nothing */
		unlink_all(which, a->status == -EINVAL ? NULL : u);
	if (sim_chance(30))
		submit_data(which);
	if (a->status == -EPIPE && sim_chance(60))
		submit_state();
}

/* ---- struct vhci --------------------------------------------------------- */

static void free_message(struct message *m)
{
	vhci_buf_unref(m->buf);
	free(m);
}

static void drop_answer(struct answer *a)
{
	if (a->unkeep)
		a->unkeep(a->kept);
	else
		free(a->kept);
	free(a);
}

static void drop_all(void)
{
	struct message *m;
	struct answer *a;

	while ((m = STAILQ_FIRST(&d.messages))) {
		STAILQ_REMOVE_HEAD(&d.messages, link);
		free_message(m);
	}
	while ((a = STAILQ_FIRST(&d.answers))) {
		STAILQ_REMOVE_HEAD(&d.answers, link);
		drop_answer(a);
	}
	memset(d.out, 0, sizeof(d.out));
	d.state = NULL;
	d.configured = false;
	d.streams = 0;
}

static int plug(struct vhci *v, enum usb_speed speed, int before,
		struct vhci_place *place)
{
	*place = (struct vhci_place){ .port = 0, .busnum = 1, .hubport = 1 };
	sim_note("driver: plugged in");
	d.plugged = true;
	enumerate();
	sim_timer_set(&d.act, sim_delay(d.pause));
	return 0;
}

static int unplug(struct vhci *v)
{
	if (!d.plugged)
		return -ENOTCONN;
	sim_note("driver: unplugged");
	d.plugged = false;
	sim_timer_stop(&d.act);
	sim_timer_stop(&d.wake);
	drop_all();
	oracle_unplugged();
	return 0;
}

static void give_message(struct message *m)
{
	const struct vhci_events *events = &d.v.events;

	switch (m->type) {
	case SUBMIT:
		events->submit(&m->submit, events->user);
		break;
	case UNLINK:
		events->unlink(m->submit.id, events->user);
		break;
	case RESET:
		events->reset(m->submit.id, events->user);
		break;
	case STREAMS:
		events->streams(&m->streams, events->user);
		break;
	}
}

static int receive(struct vhci *v)
{
	uint32_t n = 1 + sim_random(4);
	struct message *m;

	while (n-- && (m = STAILQ_FIRST(&d.messages))) {
		STAILQ_REMOVE_HEAD(&d.messages, link);
		give_message(m);
		free_message(m);
	}
	if (STAILQ_EMPTY(&d.messages))
		return 0;
	loop_readable();
	return 1;
}

static int complete(struct vhci *v, const struct vhci_complete *c)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->urb = oracle_find(c->id);
	a->status = c->status;
	a->actual = c->actual;
	a->n_packets = c->n_packets;
	if (c->n_packets)
		memcpy(a->packets, c->packets,
		       c->n_packets * sizeof(*c->packets));
	if (c->data && c->keep) {
		a->data = c->data;
		a->unkeep = c->unkeep;
		a->kept = c->keep(c->keep_arg);
	} else if (c->data) {
		a->data = a->kept = malloc(c->actual + 1);
		memcpy(a->kept, c->data, c->actual);
	}
	STAILQ_INSERT_TAIL(&d.answers, a, link);
	return 0;
}

static int flush(struct vhci *v)
{
	struct answer *a;

	while ((a = STAILQ_FIRST(&d.answers))) {
		STAILQ_REMOVE_HEAD(&d.answers, link);
		oracle_given_back(a->urb, a->status, a->actual, a->data);
		handle(a);
		drop_answer(a);
	}
	return 0;
}

static unsigned int devnum(struct vhci *v)
{
	return 1;
}

static void free_driver(struct vhci *v)
{
	unplug(v);
	drop_all();
}

static const struct vhci_ops ops = {
	plug, unplug, receive, complete, flush, devnum, free_driver,
};

int driver_open(struct vhci **vp, const struct vhci_events *events,
		struct failure *f)
{
	memset(&d, 0, sizeof(d));
	d.v.ops = &ops;
	d.v.events = *events;
	d.v.fd = 0;
	STAILQ_INIT(&d.messages);
	STAILQ_INIT(&d.answers);
	sim_timer_init(&d.act, act, NULL);
	sim_timer_init(&d.wake, wake, NULL);
	d.pause = 1 * MS << sim_random(8);
	d.wants_streams = sim_chance(30);
	*vp = &d.v;
	return 0;
}

void driver_finish(void)
{
	d.finishing = true;
}

bool driver_is_done(void)
{
	return !oracle_outstanding() && STAILQ_EMPTY(&d.messages);
}
