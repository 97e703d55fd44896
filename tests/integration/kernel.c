// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernel - a stand-in for the module and the drivers behind it.
 *
 * What is submitted waits in `messages` until it is received, as in the
 * module's queue. Answers become visible to the test when they are flushed,
 * and then the drivers' completion handlers run, so to speak: the unlinks that
 * they ask for are in the queue when flush() returns.
 */
#include "config.h"

#include "tests/integration/kernel.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define URBS_MAX	65536
#define KERNEL_PACKETS	64

enum message_type { SUBMIT, UNLINK, RESET, STREAMS };

struct message {
	TAILQ_ENTRY(message) link;
	enum message_type type;
	struct vhci_submit submit;
	struct vhci_streams streams;
	struct vhci_buf *buf;
	struct vhci_packet packets[KERNEL_PACKETS];
};

struct urb_state {
	struct kernel_answer answer;
	uint8_t endpoint;
	bool queued;			/* answered, not yet flushed */
	bool unlinked;
};

static struct kernel {
	struct vhci v;
	struct event_base *base;
	TAILQ_HEAD(messages, message) messages;
	struct urb_state *urbs;		/* by id */
	uint64_t next_id;
	uint64_t *flushing;		/* ids that are queued */
	size_t n_flushing;
	size_t n_answers, n_twice;
	bool plugged, unlink_on_error;
	bool asleep, full;
	int before;
	unsigned int n_plugs;
	enum usb_speed speed;
	char dir[64];
} k;

static void put_message(enum message_type type, const struct vhci_submit *s,
			const void *data)
{
	static const uint64_t one = 1;
	struct message *m = calloc(1, sizeof(*m));

	m->type = type;
	m->submit = *s;
	for (uint32_t i = 0; i < s->n_packets; i++)
		m->packets[i].length = s->length / s->n_packets;
	if (!(s->endpoint & USB_DIR_IN) && s->length) {
		m->buf = vhci_buf_new(s->length);
		if (data)
			memcpy(m->buf->bytes, data, s->length);
		else
			memset(m->buf->bytes, 0, s->length);
	}
	TAILQ_INSERT_TAIL(&k.messages, m, link);
	if (write(k.v.fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static uint64_t new_urb(uint8_t endpoint)
{
	if (k.next_id == URBS_MAX)
		abort();
	k.urbs[k.next_id].endpoint = endpoint;
	return k.next_id++;
}

uint64_t kernel_submit(uint8_t endpoint, enum usb_transfer transfer,
		       uint32_t flags, const void *data, uint32_t length)
{
	struct vhci_submit s = {
		.id = new_urb(endpoint),
		.endpoint = endpoint,
		.transfer = transfer,
		.flags = flags,
		.length = length,
		.interval = 4,
	};

	put_message(SUBMIT, &s, data);
	return s.id;
}

uint64_t kernel_submit_stream(uint8_t endpoint, uint16_t stream,
			      const void *data, uint32_t length)
{
	struct vhci_submit s = {
		.id = new_urb(endpoint),
		.endpoint = endpoint,
		.transfer = USB_TRANSFER_BULK,
		.stream = stream,
		.length = length,
	};

	put_message(SUBMIT, &s, data);
	return s.id;
}

uint64_t kernel_submit_isoc(uint8_t endpoint, const void *data, uint32_t packets,
			    uint32_t length)
{
	struct vhci_submit s = {
		.id = new_urb(endpoint),
		.endpoint = endpoint,
		.transfer = USB_TRANSFER_ISOC,
		.flags = VHCI_ISO_ASAP,
		.length = packets * length,
		.interval = 1,
		.n_packets = packets,
	};

	if (packets > KERNEL_PACKETS)
		abort();
	put_message(SUBMIT, &s, data);
	return s.id;
}

uint64_t kernel_control(const uint8_t *setup, const void *data)
{
	struct vhci_submit s = {
		.id = new_urb(0),
		.endpoint = setup[0] & USB_DIR_IN,
		.transfer = USB_TRANSFER_CONTROL,
		.length = usb_get16(setup + 6),
	};

	memcpy(s.setup, setup, 8);
	put_message(SUBMIT, &s, data);
	return s.id;
}

uint64_t kernel_reset(void)
{
	struct vhci_submit s = { .id = new_urb(0) };

	put_message(RESET, &s, NULL);
	return s.id;
}

uint64_t kernel_streams(uint32_t endpoints, uint32_t streams)
{
	struct vhci_submit s = { .id = new_urb(0) };
	struct message *m;

	put_message(STREAMS, &s, NULL);
	m = TAILQ_LAST(&k.messages, messages);
	m->streams = (struct vhci_streams){ s.id, endpoints, streams };
	return s.id;
}

void kernel_unlink(uint64_t id)
{
	struct vhci_submit s = { .id = id };

	if (k.urbs[id].answer.done || k.urbs[id].unlinked)
		return;
	k.urbs[id].unlinked = true;
	put_message(UNLINK, &s, NULL);
}

void kernel_full(bool yes)
{
	k.full = yes;
}

void kernel_unlink_on_error(bool yes)
{
	k.unlink_on_error = yes;
}

/* ---- struct vhci --------------------------------------------------------- */

static int plug(struct vhci *v, enum usb_speed speed, int before,
		struct vhci_place *place)
{
	if (k.asleep)
		return -EAGAIN;
	if (k.full)
		return -ENOSPC;
	k.before = before;
	k.n_plugs++;
	k.plugged = true;
	k.speed = speed;
	*place = (struct vhci_place){
		.port = 8,
		.busnum = 3,
		.hubport = 1,
	};
	return 0;
}

static void drop_messages(void)
{
	struct message *m;

	while ((m = TAILQ_FIRST(&k.messages))) {
		TAILQ_REMOVE(&k.messages, m, link);
		vhci_buf_unref(m->buf);
		free(m);
	}
}

static int unplug(struct vhci *v)
{
	uint64_t count;

	k.plugged = false;
	drop_messages();
	if (read(k.v.fd, &count, sizeof(count)) != sizeof(count) &&
	    errno != EAGAIN)
		abort();
	return 0;
}

static int receive(struct vhci *v)
{
	struct message *m = TAILQ_FIRST(&k.messages);
	uint64_t count;

	if (!k.plugged)
		return -ENOTCONN;
	if (!m)
		return 0;
	TAILQ_REMOVE(&k.messages, m, link);
	if (TAILQ_EMPTY(&k.messages) &&
	    read(k.v.fd, &count, sizeof(count)) != sizeof(count))
		abort();
	m->submit.buf = m->buf;
	m->submit.data = m->buf ? m->buf->bytes : NULL;
	m->submit.packets = m->packets;
	if (m->type == SUBMIT)
		v->events.submit(&m->submit, v->events.user);
	else if (m->type == UNLINK)
		v->events.unlink(m->submit.id, v->events.user);
	else if (m->type == RESET)
		v->events.reset(m->submit.id, v->events.user);
	else
		v->events.streams(&m->streams, v->events.user);
	vhci_buf_unref(m->buf);
	free(m);
	return 1;
}

static int complete(struct vhci *v, const struct vhci_complete *done)
{
	struct urb_state *urb = &k.urbs[done->id];

	k.n_answers++;
	if (urb->queued || urb->answer.done) {
		k.n_twice++;
		return 0;
	}
	urb->queued = true;
	urb->answer.status = done->status;
	urb->answer.actual = done->actual;
	if (done->data && done->actual) {
		urb->answer.data = malloc(done->actual);
		memcpy(urb->answer.data, done->data, done->actual);
	}
	urb->answer.n_packets = done->n_packets;
	if (done->n_packets) {
		size_t size = done->n_packets * sizeof(*done->packets);

		urb->answer.packets = malloc(size);
		memcpy(urb->answer.packets, done->packets, size);
	}
	k.flushing[k.n_flushing++] = done->id;
	return 0;
}

/* A driver's error handling: nothing of this endpoint is wanted any more. */
static void unlink_all(uint8_t endpoint)
{
	for (uint64_t id = 1; id < k.next_id; id++)
		if (k.urbs[id].endpoint == endpoint && !k.urbs[id].queued)
			kernel_unlink(id);
}

static int flush(struct vhci *v)
{
	if (!k.plugged)
		return -ENOTCONN;
	for (size_t i = 0; i < k.n_flushing; i++) {
		struct urb_state *urb = &k.urbs[k.flushing[i]];

		urb->queued = false;
		urb->answer.done = true;
	}
	for (size_t i = 0; k.unlink_on_error && i < k.n_flushing; i++)
		if (k.urbs[k.flushing[i]].answer.status)
			unlink_all(k.urbs[k.flushing[i]].endpoint);
	k.n_flushing = 0;
	return 0;
}

static unsigned int devnum(struct vhci *v)
{
	return 2;
}

static void free_vhci(struct vhci *v)
{
	k.plugged = false;
}

int kernel_open(struct vhci **vp, const struct vhci_events *events,
		struct failure *f)
{
	static const struct vhci_ops ops = {
		.plug = plug,
		.unplug = unplug,
		.receive = receive,
		.complete = complete,
		.flush = flush,
		.devnum = devnum,
		.free = free_vhci,
	};

	k.v.ops = &ops;
	k.v.events = *events;
	*vp = &k.v;
	return 0;
}

/* ---- the test's side ----------------------------------------------------- */

void kernel_begin(struct event_base *base)
{
	memset(&k, 0, sizeof(k));
	k.base = base;
	TAILQ_INIT(&k.messages);
	k.v.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	k.urbs = calloc(URBS_MAX, sizeof(*k.urbs));
	k.flushing = calloc(URBS_MAX, sizeof(*k.flushing));
	k.next_id = 1;
	strcpy(k.dir, "/tmp/usbip-kernel-XXXXXX");
	if (k.v.fd < 0 || !k.urbs || !k.flushing || !mkdtemp(k.dir))
		abort();
}

void kernel_end(void)
{
	char command[128];

	drop_messages();
	for (uint64_t id = 1; id < k.next_id; id++) {
		free(k.urbs[id].answer.data);
		free(k.urbs[id].answer.packets);
	}
	free(k.urbs);
	free(k.flushing);
	close(k.v.fd);
	snprintf(command, sizeof(command), "rm -rf %s", k.dir);
	if (system(command))
		abort();
}

const char *kernel_sysfs(void)
{
	return k.dir;
}

bool kernel_plugged(void)
{
	return k.plugged;
}

unsigned int kernel_plugs(void)
{
	return k.n_plugs;
}

int kernel_plugged_before(void)
{
	return k.before;
}

void kernel_sleep(void)
{
	static const uint64_t one = 1;

	k.plugged = false;
	k.asleep = true;
	drop_messages();
	k.n_flushing = 0;
	/* POLLHUP */
	if (write(k.v.fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

void kernel_wake(void)
{
	k.asleep = false;
}

enum usb_speed kernel_speed(void)
{
	return k.speed;
}

size_t kernel_answers(void)
{
	return k.n_answers;
}

size_t kernel_twice(void)
{
	return k.n_twice;
}

const struct kernel_answer *kernel_answer(uint64_t id)
{
	return k.urbs[id].answer.done ? &k.urbs[id].answer : NULL;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void kernel_run(unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(k.base, &tv);
	event_base_dispatch(k.base);
}

const struct kernel_answer *kernel_wait(uint64_t id, unsigned int ms)
{
	uint64_t end = now_ms() + ms;

	while (!k.urbs[id].answer.done && now_ms() < end)
		kernel_run(5);
	return kernel_answer(id);
}

/* ---- enumeration --------------------------------------------------------- */

static void show_in_sysfs(const uint8_t *config)
{
	char path[160];

	for (unsigned int i = 0; i < config[4]; i++) {
		snprintf(path, sizeof(path), "%s/3-1:%u.%u", k.dir, config[5], i);
		mkdir(path, 0700);
	}
}

/* Asked for as Linux does: 255 bytes, US English. */
static void get_string(uint8_t index)
{
	if (index)
		kernel_wait(kernel_control((const uint8_t[8]){
			0x80, 6, index, 3, 9, 4, 255, 0 }, NULL), 5000);
}

bool kernel_enumerate(void)
{
	const struct kernel_answer *device, *config, *set;

	device = kernel_wait(kernel_control((const uint8_t[8]){
		0x80, 6, 0, 1, 0, 0, 64, 0 }, NULL), 5000);
	if (!device || device->status || device->actual != 18)
		return false;
	get_string(device->data[15]);
	get_string(device->data[14]);
	config = kernel_wait(kernel_control((const uint8_t[8]){
		0x80, 6, 0, 2, 0, 0, 0xff, 0xff }, NULL), 5000);
	if (!config || config->status || config->actual < 9 ||
	    usb_get16(config->data + 2) != config->actual)
		return false;
	set = kernel_wait(kernel_control((const uint8_t[8]){
		0, 9, config->data[5], 0, 0, 0, 0, 0 }, NULL), 5000);
	if (!set || set->status)
		return false;
	show_in_sysfs(config->data);
	return true;
}
