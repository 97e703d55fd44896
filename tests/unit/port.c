// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The URBs of a port against a scripted kernel and target: numbers, window,
 * acknowledgements, the stop after errors, unlinks, lost connections.
 */
#include "client/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"

#define MAX 4096

/* What the port did, in order. */
enum deed { SENT, UNLINKED, RENEWED, COMPLETED, RETRY, BROKEN };

struct event {
	enum deed deed;
	struct urb *urb;	/* SENT; may be gone by now */
	uint64_t id;
	uint8_t endpoint;
	uint16_t stream;
	uint32_t number, acked;
	int status;
	uint32_t actual;
	enum urb_kind kind;
	uint8_t first;		/* byte of the data */
};

static struct event events[MAX];
static size_t n_events, seen;
static int submit_error;
static bool renew_waits;	/* for one that is outstanding */
static struct port *port;
static struct port_ack acks[PORT_ACKS];
static size_t n_acks;
static struct answer_descriptors descriptors;
static uint64_t next_id;

static struct event *note(enum deed deed)
{
	struct event *e = &events[n_events++];

	if (n_events == MAX)
		abort();
	memset(e, 0, sizeof(*e));
	e->deed = deed;
	return e;
}

static int on_submit(struct urb *urb, uint32_t acked, void *user)
{
	struct event *e;

	if (submit_error)
		return submit_error;
	e = note(SENT);
	e->urb = urb;
	e->id = urb->id;
	e->endpoint = urb->endpoint;
	e->stream = urb->stream;
	e->number = urb->number;
	e->acked = acked;
	e->kind = urb->kind;
	e->first = urb->data && urb->length ? urb->data[0] : 0;
	return 0;
}

static void on_unlink(struct urb *urb, void *user)
{
	struct event *e = note(UNLINKED);

	e->id = urb->id;
	e->endpoint = urb->endpoint;
	e->stream = urb->stream;
	e->number = urb->number;
}

static void on_renew(void *user)
{
	note(RENEWED);
	n_acks = renew_waits ? 0 : port_acks(port, acks, false);
}

static void on_complete(const struct vhci_complete *done, void *user)
{
	struct event *e = note(COMPLETED);

	e->id = done->id;
	e->status = done->status;
	e->actual = done->actual;
	e->first = done->data && done->actual ? done->data[0] : 0;
}

static void on_retry_in(unsigned int ms, void *user)
{
	note(RETRY)->number = ms;
}

static void on_heard(const uint8_t setup[8], const uint8_t *data, size_t len,
		     void *user)
{
}

static void on_broken(const char *why, void *user)
{
	note(BROKEN);
}

static void begin(uint32_t urbs, uint32_t bytes)
{
	static const struct port_ops ops = {
		.submit = on_submit,
		.unlink = on_unlink,
		.renew = on_renew,
		.complete = on_complete,
		.retry_in = on_retry_in,
		.heard = on_heard,
		.broken = on_broken,
	};
	const struct port_window window = { urbs, bytes, 1 << 20 };

	n_events = seen = 0;
	n_acks = 0;
	submit_error = 0;
	renew_waits = false;
	next_id = 1;
	port = port_new(&window, &descriptors, &ops);
	port_up(port);
}

static void end(void)
{
	port = port_free(port);
}

static uint8_t zeros[1 << 20];

static uint64_t submit(uint8_t endpoint, enum usb_transfer transfer,
		       uint32_t length, uint32_t flags)
{
	struct vhci_buf *buf = vhci_buf_new(length ? length : 1);
	struct vhci_submit s = {
		.id = next_id++,
		.endpoint = endpoint,
		.transfer = transfer,
		.flags = flags,
		.length = length,
		.buf = buf,
		.data = endpoint & USB_DIR_IN ? NULL : buf->bytes,
	};

	memset(buf->bytes, (int)s.id, length);
	port_submit(port, &s);
	vhci_buf_unref(buf);
	return s.id;
}

static uint64_t on_stream(uint16_t stream)
{
	struct vhci_submit s = {
		.id = next_id++,
		.endpoint = 0x81,
		.transfer = USB_TRANSFER_BULK,
		.stream = stream,
		.length = 512,
	};

	port_submit(port, &s);
	return s.id;
}

static uint64_t bulk_in(uint32_t length)
{
	return submit(0x81, USB_TRANSFER_BULK, length, 0);
}

static uint64_t control(const uint8_t setup[8])
{
	struct vhci_submit s = {
		.id = next_id++,
		.endpoint = setup[0] & USB_DIR_IN,
		.transfer = USB_TRANSFER_CONTROL,
		.length = usb_get16(setup + 6),
		.data = zeros,
	};

	memcpy(s.setup, setup, 8);
	port_submit(port, &s);
	return s.id;
}

/* The next thing that happened, or NULL. */
static const struct event *next(void)
{
	return seen < n_events ? &events[seen++] : NULL;
}

static bool is(enum deed deed, uint64_t id)
{
	const struct event *e = next();

	return e && e->deed == deed && (!id || e->id == id);
}

static bool is_sent(uint8_t endpoint, uint32_t number, uint32_t acked)
{
	const struct event *e = next();

	return e && e->deed == SENT && e->endpoint == endpoint &&
	       e->number == number && e->acked == acked;
}

static bool is_sent_on(uint16_t stream, uint32_t number, uint32_t acked)
{
	const struct event *e = next();

	return e && e->deed == SENT && e->endpoint == 0x81 &&
	       e->stream == stream && e->number == number && e->acked == acked;
}

static bool is_completed(uint64_t id, int status, uint32_t actual)
{
	const struct event *e = next();

	return e && e->deed == COMPLETED && e->id == id &&
	       e->status == status && e->actual == actual;
}

static bool nothing(void)
{
	return seen == n_events;
}

static struct urb *sent_urb(uint64_t id)
{
	for (size_t i = n_events; i; i--)
		if (events[i - 1].deed == SENT && events[i - 1].id == id)
			return events[i - 1].urb;
	return NULL;
}

static void answer(uint64_t id, int status, uint32_t actual)
{
	struct port_answer a = {
		.verdict = PORT_DONE,
		.status = status,
		.actual = actual,
	};
	struct urb *urb = sent_urb(id);

	if (urb->in)
		a.data = zeros;
	port_answered(urb, &a);
}

/* Its UNLINK was answered. */
static void heard(uint64_t id, bool taken)
{
	const struct urb *urb = sent_urb(id);
	const struct port_number of = {
		urb->endpoint, urb->stream, urb->number,
	};

	port_unlinked(port, &of, taken);
}

static void verdict(uint64_t id, enum port_verdict v)
{
	port_answered(sent_urb(id), &(struct port_answer){ .verdict = v });
}

/* ---- */

static void test_numbers(void)
{
	uint64_t a, b, c, d;

	begin(100, 1 << 20);
	a = bulk_in(512);
	b = bulk_in(512);
	c = submit(0x02, USB_TRANSFER_BULK, 31, 0);
	ok(is_sent(0x81, 1, 0) && is_sent(0x81, 2, 0) && is_sent(0x02, 1, 0),
	   "each endpoint counts for itself");
	ok(events[2].first == c, "OUT data is there");
	answer(a, 0, 512);
	ok(is_completed(a, 0, 512), "answered");
	d = bulk_in(512);
	ok(is_sent(0x81, 3, 1), "the next submit acknowledges");
	answer(d, 0, 512);
	ok(nothing(), "one that overtook another is held");
	bulk_in(512);
	ok(is_sent(0x81, 4, 1), "what is behind a gap is not acknowledged");
	answer(b, 0, 0);
	ok(is_completed(b, 0, 0) && is_completed(d, 0, 512),
	   "and follows it");
	bulk_in(512);
	ok(is_sent(0x81, 5, 3), "the gap is closed");
	answer(c, 0, 31);
	ok(is_completed(c, 0, 31) && nothing(), "OUT ends");
	ok(port_stats(port)->bytes_in == 1024 && port_stats(port)->bytes_out == 31 &&
	   port_outstanding(port) == 2, "counted");
	end();
}

/* The acknowledgement that makes room has to wait for a RENEW before it. */
static void test_late_renew(void)
{
	uint64_t id;

	begin(2, 1 << 20);
	renew_waits = true;
	id = bulk_in(512);
	submit(0x02, USB_TRANSFER_BULK, 31, 0);
	submit(0x02, USB_TRANSFER_BULK, 31, 0);
	seen = n_events;
	answer(id, 0, 512);
	ok(is_completed(id, 0, 512) && is(RENEWED, 0) && nothing(),
	   "no room before it was sent");
	ok(port_acks(port, acks, false) == 1 && is(RETRY, 0) && nothing(),
	   "it is sent");
	port_retry(port);
	ok(is_sent(0x02, 2, 0) && nothing(), "what waited follows");
	end();
}

static void test_window(void)
{
	uint64_t id[8];

	begin(3, 1 << 20);
	for (int i = 0; i < 5; i++)
		id[i] = bulk_in(512);
	ok(is_sent(0x81, 1, 0) && is_sent(0x81, 2, 0) && is_sent(0x81, 3, 0) &&
	   nothing(), "no more than the window's URBs");
	answer(id[0], 0, 512);
	ok(is_completed(id[0], 0, 512) && is_sent(0x81, 4, 1) && nothing(),
	   "one ends, one goes");
	answer(id[1], 0, 512);
	ok(is_completed(id[1], 0, 512) && is_sent(0x81, 5, 2) && nothing(),
	   "and so on");
	end();

	begin(100, 1000);
	id[0] = bulk_in(5000);
	id[1] = submit(0x02, USB_TRANSFER_BULK, 600, 0);
	id[2] = submit(0x02, USB_TRANSFER_BULK, 300, 0);
	ok(is_sent(0x81, 1, 0) && is_sent(0x02, 1, 0) && nothing(),
	   "the first of each endpoint is always let in");
	answer(id[0], 0, 5000);
	ok(is_completed(id[0], 0, 5000) && is(RENEWED, 0) && n_acks == 1 &&
	   acks[0].endpoint == 0x81 && acks[0].acked == 1,
	   "what blocks another endpoint is acknowledged");
	ok(is_sent(0x02, 2, 0) && nothing(), "then that goes which fits");
	end();

	begin(8, 1 << 20);
	for (int i = 0; i < 5; i++) {
		id[i] = submit((uint8_t)(0x81 + i), USB_TRANSFER_BULK, 512, 0);
		answer(id[i], 0, 512);
	}
	ok(n_events == 11 && events[10].deed == RENEWED && n_acks == 5,
	   "more than half of the window is not left unacknowledged");
	end();
}

static void test_unlink(void)
{
	uint64_t a, b, c;

	begin(2, 1 << 20);
	a = bulk_in(512);
	b = bulk_in(512);
	c = bulk_in(512);
	seen = n_events;
	port_unlink(port, c);
	ok(is_completed(c, -ECONNRESET, 0) && nothing(),
	   "one that was not sent is cancelled here");
	port_unlink(port, a);
	ok(is(UNLINKED, a) && nothing(), "one that was is cancelled there");
	port_unlink(port, a);
	ok(nothing(), "once");
	answer(a, -ECONNRESET, 100);
	ok(is_completed(a, -ECONNRESET, 100) && nothing(),
	   "what was moved until then arrives");
	port_unlink(port, a);
	port_unlink(port, 4711);
	ok(nothing(), "an unlink that comes too late, or of nothing, is nothing");
	c = bulk_in(512);
	ok(nothing(), "a number that was cancelled before is not used up");
	answer(b, -ECONNRESET, 0);
	port_written(port);
	port_settled(port);
	ok(is_completed(b, -ECONNRESET, 0) && is_sent(0x81, 3, 2),
	   "the next one has the next number");
	ok(port_stats(port)->unlinked == 2 && port_stats(port)->failed == 1,
	   "counted");
	end();
}

static void test_stop(void)
{
	uint64_t a, b, c;

	begin(100, 1 << 20);
	a = bulk_in(512);
	b = bulk_in(512);
	seen = n_events;
	answer(a, -EPIPE, 0);
	ok(is_completed(a, -EPIPE, 0) && nothing(), "a stall is told");
	c = bulk_in(512);
	ok(is_sent(0x81, 3, 0), "not acknowledged before the driver has seen it");
	port_settled(port);
	bulk_in(512);
	ok(is_sent(0x81, 4, 0), "not before it was written either");
	ok(port_written(port), "after the write the kernel is to be read");
	port_unlink(port, b);
	port_unlink(port, c);
	ok(is(UNLINKED, b) && is(UNLINKED, c), "the driver's unlinks go first");
	port_settled(port);
	bulk_in(512);
	heard(b, true);
	heard(b, true);
	ok(is_sent(0x81, 5, 0) && nothing(),
	   "not before the target has heard of them either");
	heard(c, false);
	ok(is(RETRY, 0) && nothing(), "one that it could not keep");
	port_retry(port);
	ok(is(UNLINKED, c) && nothing(), "goes again");
	heard(c, true);
	ok(is(RENEWED, 0) && n_acks == 1 && acks[0].endpoint == 0x81 &&
	   acks[0].acked == 1 && nothing(),
	   "then it is acknowledged, as others fly behind it");
	ok(!port_written(port), "and nothing is to be settled");
	end();

	begin(100, 1 << 20);
	a = submit(0x81, USB_TRANSFER_BULK, 512, VHCI_SHORT_NOT_OK);
	answer(a, 0, 100);
	ok(port_written(port), "short where it must not be stops");
	port_settled(port);
	seen = n_events;
	bulk_in(512);
	ok(is_sent(0x81, 2, 1) && nothing(),
	   "nothing flies: the next submit acknowledges");
	a = bulk_in(512);
	answer(a, 0, 100);
	ok(!port_written(port), "short where it may be does not stop");
	a = submit(0x82, USB_TRANSFER_INTERRUPT, 8, 0);
	answer(a, -EPROTO, 0);
	ok(port_written(port), "interrupt endpoints stop, too");
	port_settled(port);
	a = control((const uint8_t[8]){ 0xc0, 1, 0, 0, 0, 0, 4, 0 });
	answer(a, -EPIPE, 0);
	ok(!port_written(port), "endpoint 0 does not");
	end();
}

static void test_stop_while_settling(void)
{
	uint64_t a, b;

	begin(100, 1 << 20);
	a = bulk_in(512);
	b = submit(0x82, USB_TRANSFER_BULK, 512, 0);
	answer(a, -EPIPE, 0);
	port_written(port);
	answer(b, -EPIPE, 0);
	port_settled(port);
	seen = n_events;
	bulk_in(512);
	submit(0x82, USB_TRANSFER_BULK, 512, 0);
	ok(is_sent(0x81, 2, 1) && is_sent(0x82, 2, 0),
	   "one answered meanwhile waits for the next round");
	ok(port_written(port), "which comes");
	port_settled(port);
	ok(is(RENEWED, 0) && acks[0].endpoint == 0x82 && acks[0].acked == 1,
	   "and settles it");
	end();
}

static void test_translation(void)
{
	static const struct {
		uint8_t setup[8];
		enum urb_kind kind;
		uint16_t value, index;
	} cases[] = {
		{ { 0, 9, 1, 0, 0, 0, 0, 0 }, URB_SET_CONFIGURATION, 1, 0 },
		{ { 1, 11, 2, 0, 3, 0, 0, 0 }, URB_SET_INTERFACE, 2, 3 },
		{ { 2, 1, 0, 0, 0x81, 0, 0, 0 }, URB_CLEAR_HALT, 0, 0x81 },
		{ { 0x21, 0xff, 0, 0, 0, 0, 0, 0 }, URB_CONTROL, 0, 0 },
	};
	uint64_t a, b;

	begin(100, 1 << 20);
	for (size_t i = 0; i < 4; i++) {
		a = control(cases[i].setup);
		ok(events[n_events - 1].kind == cases[i].kind &&
		   events[n_events - 1].number == i + 1 &&
		   events[n_events - 1].endpoint == 0 &&
		   sent_urb(a)->value == cases[i].value &&
		   sent_urb(a)->index == cases[i].index,
		   "request %zu, in endpoint 0's row", i);
	}
	port_reset(port, next_id++);
	ok(events[n_events - 1].kind == URB_RESET &&
	   events[n_events - 1].number == 5, "reset, in the same row");
	port_suspend(port, next_id++, true);
	port_suspend(port, next_id++, false);
	ok(events[n_events - 2].kind == URB_SUSPEND &&
	   events[n_events - 1].kind == URB_RESUME &&
	   events[n_events - 1].number == 7, "suspend and resume, too");
	seen = n_events;
	b = control((const uint8_t[8]){ 0x80, 6, 0, 1, 0, 0, 18, 0 });
	ok(nothing(), "an answer from here waits for those before it");
	for (uint64_t id = 1; id <= 7; id++)
		answer(id, 0, 0);
	seen += 7;
	ok(is_completed(b, 0, 18), "and comes behind them");
	a = control((const uint8_t[8]){ 0, 48, 0, 0, 0, 0, 6, 0 });
	ok(is_completed(a, 0, 6), "SEL is taken here");
	a = control((const uint8_t[8]){ 0, 3, 2, 0, 0, 1, 0, 0 });
	ok(is_completed(a, -EPIPE, 0) && nothing(), "test mode is refused here");
	b = control((const uint8_t[8]){ 0xc0, 1, 0, 0, 0, 0, 4, 0 });
	a = control((const uint8_t[8]){ 0x80, 6, 0, 1, 0, 0, 18, 0 });
	port_unlink(port, a);
	ok(is(SENT, b) && is_completed(a, -ECONNRESET, 0),
	   "an answer that waits can be unlinked");
	end();
}

static void test_refusal(void)
{
	struct vhci_submit s = {
		.id = 77,
		.endpoint = 0x81,
		.transfer = USB_TRANSFER_ISOC,
	};

	begin(100, 1 << 20);
	port_submit(port, &s);
	ok(is_completed(77, -EINVAL, 0), "isochronous without packets");
	s.transfer = USB_TRANSFER_BULK;
	s.stream = 1;
	port_submit(port, &s);
	ok(is_completed(77, -EINVAL, 0), "a stream that was not granted");
	s.transfer = USB_TRANSFER_INTERRUPT;
	port_submit(port, &s);
	ok(is_completed(77, -EINVAL, 0), "a stream of what has none");
	s.transfer = USB_TRANSFER_BULK;
	s.stream = 0;
	s.length = (1 << 20) + 1;
	port_submit(port, &s);
	ok(is_completed(77, -ENOMEM, 0), "more than the target takes");
	s.transfer = USB_TRANSFER_CONTROL;
	s.length = 5;
	port_submit(port, &s);
	ok(is_completed(77, -EINVAL, 0), "a control length that is not wLength");
	ok(port_outstanding(port) == 0, "nothing is left of them");
	end();
}

static void test_delay(void)
{
	uint64_t a, b;

	begin(100, 1 << 20);
	a = bulk_in(512);
	seen = n_events;
	verdict(a, PORT_DELAY);
	ok(is(RETRY, 0), "delayed");
	b = bulk_in(512);
	ok(nothing(), "nothing is sent behind it");
	port_unlink(port, a);
	ok(is(UNLINKED, a), "its unlink goes at once");
	port_retry(port);
	ok(is_sent(0x81, 1, 0) && is_sent(0x81, 2, 0), "again, with its number");
	answer(a, -ECONNRESET, 0);
	answer(b, 0, 512);
	ok(is_completed(a, -ECONNRESET, 0) && is_completed(b, 0, 512), "done");
	a = control((const uint8_t[8]){ 0xc0, 1, 0, 0, 0, 0, 4, 0 });
	for (int i = 0; i < 8; i++) {
		verdict(a, PORT_NOT_TAKEN);
		port_retry(port);
	}
	ok(events[n_events - 1].deed == SENT, "a failing target is tried again");
	verdict(a, PORT_NOT_TAKEN);
	ok(events[n_events - 1].deed == BROKEN, "but not for ever");
	end();
}

static void test_lies(void)
{
	uint64_t a;

	begin(100, 1 << 20);
	a = bulk_in(512);
	seen = n_events;
	answer(a, 0, 513);
	ok(is_completed(a, -EPROTO, 0), "more than was asked for");
	a = bulk_in(512);
	port_answered(sent_urb(a), &(struct port_answer){ .actual = 12 });
	ok(is(SENT, a) && is_completed(a, -EPROTO, 0), "a count without data");
	a = submit(0x02, USB_TRANSFER_BULK, 10, 0);
	answer(a, 0, 11);
	ok(is(SENT, a) && is_completed(a, -EPROTO, 0), "more than was sent");
	a = bulk_in(512);
	verdict(a, PORT_BROKEN);
	ok(is(SENT, a) && is(BROKEN, 0), "nonsense ends it");
	end();
}

static void test_connection(void)
{
	uint64_t a, b, c, d;

	begin(100, 1 << 20);
	a = bulk_in(512);
	b = submit(0x02, USB_TRANSFER_BULK, 8000, 0);
	c = bulk_in(512);
	answer(a, 0, 512);
	port_unlink(port, c);
	seen = n_events;
	port_down(port);
	d = bulk_in(512);
	ok(nothing(), "nothing is sent without a connection");
	n_acks = port_acks(port, acks, true);
	ok(!n_acks, "RENEW acknowledges nothing, while an UNLINK may be lost");
	port_up(port);
	ok(is_sent(0x02, 1, 0) && events[seen - 1].first == b,
	   "what flew is sent again, with its number and data");
	ok(is_sent(0x81, 2, 0) && is(UNLINKED, c), "and its unlink behind it");
	ok(is_sent(0x81, 3, 0) && nothing(), "then what waited");
	ok(port_stats(port)->resent == 2, "counted");
	heard(c, true);
	ok(is(RENEWED, 0) && n_acks == 1 && acks[0].acked == 1 && nothing(),
	   "and when it was heard, what has arrived is acknowledged");
	answer(c, -ECONNRESET, 0);
	answer(b, 0, 8000);
	ok(is_completed(c, -ECONNRESET, 0) && is_completed(b, 0, 8000) &&
	   nothing(), "each ends once");
	port_written(port);
	port_settled(port);
	seen = n_events;
	submit_error = -ENOTCONN;
	a = bulk_in(512);
	ok(nothing(), "a connection that breaks at a submit");
	submit_error = 0;
	port_down(port);
	port_acks(port, acks, true);
	port_up(port);
	ok(is_sent(0x81, 3, 2) && is_sent(0x81, 4, 2) && nothing(),
	   "is the same as one that is lost otherwise");
	answer(d, 0, 512);
	answer(a, 0, 512);
	ok(is_completed(d, 0, 512) && is_completed(a, 0, 512),
	   "and nothing is lost");
	end();
}

#define IN_1	(1U << 17)

/* ALLOC_STREAMS of 0x81, granted. */
static void grant(uint32_t wanted, uint32_t granted)
{
	uint64_t id = next_id++;

	port_streams(port, &(struct vhci_streams){ id, IN_1, wanted });
	answer(id, 0, granted);
	seen = n_events;
}

static void test_streams(void)
{
	uint64_t a, b, c;

	begin(100, 1 << 20);
	a = next_id++;
	port_streams(port, &(struct vhci_streams){ a, IN_1, 32 });
	ok(events[0].kind == URB_ALLOC_STREAMS && is_sent(0, 1, 0) &&
	   sent_urb(a)->value == 32 && sent_urb(a)->endpoints == IN_1,
	   "ALLOC_STREAMS is in endpoint 0's row");
	answer(a, 0, 16);
	ok(is_completed(a, 0, 16), "and the kernel is told how many there are");
	a = on_stream(1);
	b = on_stream(2);
	c = on_stream(2);
	ok(is_sent_on(1, 1, 0) && is_sent_on(2, 1, 0) && is_sent_on(2, 2, 0),
	   "each stream counts for itself");
	answer(c, 0, 512);
	answer(b, 0, 512);
	seen += 2;
	on_stream(2);
	ok(is_sent_on(2, 3, 2), "and is acknowledged for itself");
	bulk_in(512);
	ok(is_sent_on(0, 1, 0), "so is the endpoint without one");
	port_unlink(port, a);
	ok(is(UNLINKED, a) && events[seen - 1].stream == 1, "unlinked");
	ok(on_stream(17) && events[n_events - 1].status == -EINVAL,
	   "there are no more than those");
	a = next_id++;
	seen = n_events;
	port_streams(port, &(struct vhci_streams){ a, IN_1, 0 });
	ok(events[seen].kind == URB_FREE_STREAMS && is_sent(0, 2, 1),
	   "FREE_STREAMS");
	answer(a, 0, 0);
	ok(is_completed(a, 0, 0) && !port_stats(port)->bytes_out,
	   "and nothing of it is bytes");
	grant(8, 4);
	on_stream(16);
	ok(is_sent_on(16, 1, 0), "what was granted before keeps its row");
	a = next_id++;
	port_streams(port, &(struct vhci_streams){ a, IN_1, 8 });
	answer(a, 0, 9);
	ok(is(SENT, a) && is_completed(a, -EPROTO, 0), "more than wanted is a lie");
	end();
}

/* One that takes long on its stream keeps no other one from going. */
static void test_straggler(void)
{
	unsigned int sent = 0;
	uint64_t late, id;

	begin(8, 1 << 20);
	grant(4, 4);
	late = on_stream(1);
	for (int i = 0; i < 100; i++) {
		id = on_stream(2);
		if (sent_urb(id)) {
			sent++;
			answer(id, 0, 512);
		}
	}
	ok(sent == 100, "the window does not fill up behind it (%u)", sent);
	answer(late, 0, 512);
	end();
}

/* More rows than one RENEW takes, all to be told again after a loss. */
static void test_many_acks(void)
{
	unsigned int told[41] = { 0 };
	bool once = true;
	size_t n = 0;

	begin(200, 1 << 20);
	grant(40, 40);
	for (uint16_t s = 1; s <= 40; s++)
		answer(on_stream(s), 0, 512);
	for (int round = 0; round < 2; round++) {
		bool all = round;

		do {
			n_acks = port_acks(port, acks, all);
			for (size_t i = 0; i < n_acks; i++)
				told[acks[i].stream] += acks[i].endpoint == 0x81;
			n += n_acks;
			all = false;
		} while (n_acks == PORT_ACKS);
	}
	for (uint16_t s = 1; s <= 40; s++)
		once &= told[s] == 2;
	ok(once && n == 82, "each row is told, by turns (%zu)", n);
	end();
}

/* A stop is its stream's. */
static void test_stop_of_stream(void)
{
	uint64_t a;

	begin(100, 1 << 20);
	grant(4, 4);
	a = on_stream(1);
	on_stream(1);
	on_stream(2);
	seen = n_events;
	answer(a, -EPIPE, 0);
	ok(is_completed(a, -EPIPE, 0) && port_written(port), "a stream stops");
	port_settled(port);
	ok(is(RENEWED, 0) && n_acks == 2 && acks[1].endpoint == 0x81 &&
	   acks[1].stream == 1 && acks[1].acked == 1 && nothing(),
	   "and is acknowledged by its name");
	end();
}

static void test_descriptor_lives(void)
{
	struct vhci_buf *buf = vhci_buf_new(10000);
	struct vhci_submit s = {
		.id = 1,
		.endpoint = 0x02,
		.transfer = USB_TRANSFER_BULK,
		.length = 8000,
		.buf = buf,
		.data = buf->bytes,
	};

	begin(100, 1 << 20);
	port_submit(port, &s);
	ok(buf->refs == 2, "large OUT data is used where it lies");
	s.id = 2;
	s.length = 100;
	port_submit(port, &s);
	ok(buf->refs == 2, "small is copied");
	answer(1, 0, 8000);
	ok(buf->refs == 1, "and given back with its answer");
	s.id = 3;
	s.length = 8000;
	port_submit(port, &s);
	end();
	ok(buf->refs == 1, "or with the port");
	vhci_buf_unref(buf);
}

/* The kernel has unplugged the device, and has everything back. */
static void test_forget(void)
{
	uint64_t a, b;

	begin(2, 1 << 20);
	a = bulk_in(512);
	answer(a, -EPIPE, 0);
	b = bulk_in(512);
	bulk_in(512);	/* waits: a is not settled */
	ok(port_outstanding(port) == 2, "one flies, one waits, one settles");
	seen = n_events;
	port_forget(port);
	ok(is(UNLINKED, b) && nothing(), "forgotten: what flies is unlinked");
	heard(b, true);
	ok(is(RENEWED, 0) && n_acks == 1 && acks[0].acked == 1 && nothing(),
	   "what settled is acknowledged behind that");
	ok(!port_outstanding(port), "nobody waits for anything");
	port_unlink(port, b);
	answer(b, -ECONNRESET, 0);
	ok(nothing(), "an answer is for nobody");
	bulk_in(512);
	ok(is_sent(0x81, 3, 2), "the row goes on");
	end();
}

int main(void)
{
	test_numbers();
	test_window();
	test_late_renew();
	test_unlink();
	test_stop();
	test_stop_while_settling();
	test_translation();
	test_refusal();
	test_delay();
	test_lies();
	test_connection();
	test_streams();
	test_straggler();
	test_many_acks();
	test_stop_of_stream();
	test_descriptor_lives();
	test_forget();
	return tap_done();
}
