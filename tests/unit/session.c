// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sessions with a clock and a device that are the test's own: leases, what
 * is remembered, the barrier of device-state calls, the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/session.h"
#include "tests/tap.h"

/* ---- a device that does what it is told --------------------------------- */

static struct {
	struct urb *running[16];
	unsigned int n_running, n_cancelled, n_returning, n_expired;
	bool heard;
	uint32_t affects;
	char answers[256];
} dev;

static int start(struct session *s, struct urb *urb)
{
	dev.running[dev.n_running++] = urb;
	return 0;
}

static void cancel(struct session *s, struct urb *urb)
{
	dev.n_cancelled++;
}

static void answer(struct session *s, struct urb *urb)
{
	static const char *const names[] = {
		[URB_XFER_OK] = "ok", [URB_XFER_IO] = "io",
		[URB_XFER_CANCELLED] = "cancelled",
		[URB_XFER_SHUTDOWN] = "shutdown",
	};

	sprintf(dev.answers + strlen(dev.answers), " %02x/%u=%s", urb->address,
		urb->number, names[urb->xfer]);
}

static void superseded(struct session *s, void *waiter)
{
}

static uint32_t affects(struct session *s, const struct urb *urb)
{
	return dev.affects;
}

static void returning(struct session *s)
{
	dev.n_returning++;
}

static const struct session_ops ops = {
	start, cancel, answer, superseded, affects, returning,
};

static bool expired(struct session *s)
{
	if (dev.heard)
		return false;
	dev.n_expired++;
	return true;
}

/* The URB of this address and number comes back; false: it is not there. */
static bool done(struct session *s, uint8_t address, uint32_t number,
		 enum urb_xfer xfer)
{
	for (unsigned int i = 0; i < dev.n_running; i++) {
		struct urb *urb = dev.running[i];

		if (urb->address != address || urb->number != number)
			continue;
		dev.running[i] = dev.running[--dev.n_running];
		urb->xfer = xfer;
		urb->actual = xfer == URB_XFER_OK ? urb->length : 0;
		session_done(s, urb);
		return true;
	}
	return false;
}

static bool is_running(uint8_t address, uint32_t number)
{
	for (unsigned int i = 0; i < dev.n_running; i++)
		if (dev.running[i]->address == address &&
		    dev.running[i]->number == number)
			return true;
	return false;
}

static int waiter;

static enum endpoint_taken submit_on(struct session *s, enum urb_type type,
				     uint8_t address, unsigned int stream,
				     uint32_t number)
{
	struct urb *urb = urb_new();

	urb->type = type;
	urb->address = address;
	urb->stream = stream;
	urb->number = number;
	urb->length = type == URB_TYPE_BULK ? 64 : 0;
	urb->waiter = &waiter;
	urb->rows = type == URB_TYPE_ALLOC_STREAMS ? 1u << endpoint_row(0x81) : 0;
	return session_submit(s, endpoint_row(address), urb, 0);
}

static void submit_staged(struct session *s, uint8_t address, uint32_t number)
{
	struct urb *urb = urb_new();

	urb->type = URB_TYPE_BULK;
	urb->address = address;
	urb->number = number;
	urb->length = 64;
	urb->staged = true;
	urb->waiter = &waiter;
	session_submit(s, endpoint_row(address), urb, 0);
}

static void submit(struct session *s, enum urb_type type, uint8_t address,
		   uint32_t number)
{
	submit_on(s, type, address, 0, number);
}

/* What was answered since the last time. */
static bool answered(const char *want)
{
	bool same = !strcmp(dev.answers, want);

	if (!same)
		printf("# want '%s', got '%s'\n", want, dev.answers);
	*dev.answers = 0;
	return same;
}

static struct session *new_session(struct sessions *ss, uint8_t instance,
				   uint64_t now)
{
	uint8_t id[SESSION_INSTANCE];
	struct session *s;

	memset(&dev, 0, sizeof(dev));
	memset(id, instance, sizeof(id));
	if (session_new(&s, ss, id, "test", now))
		abort();
	session_activate(s, now);
	return s;
}

/* ---- tests -------------------------------------------------------------- */

static void test_rows(void)
{
	static const struct {
		unsigned int address;
		int row;
	} rows[] = {
		{ 0x00, 0 }, { 0x01, 1 }, { 0x0f, 15 }, { 0x81, 17 },
		{ 0x8f, 31 }, { 0x80, -1 }, { 0x10, -1 }, { 0x71, -1 },
		{ 0x90, -1 }, { 0x101, -1 }, { 0x80000001, -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(endpoint_row(rows[i].address) == rows[i].row,
		   "address %#x is row %d", rows[i].address, rows[i].row);
	ok(endpoint_row_address(17) == 0x81 && endpoint_row_address(15) == 0x0f,
	   "and back");
}

static void test_lease(void)
{
	struct sessions ss;
	struct session *s;
	uint64_t handle;

	sessions_init(&ss, &ops, 30);
	s = new_session(&ss, 1, 1000);
	handle = s->handle;
	ok(handle && sessions_tick(&ss, 1000, expired) == 31000,
	   "the lease ends 30 s after the claim");
	ok(sessions_find(&ss, handle, 20000) == s &&
	   sessions_tick(&ss, 31000, expired) == 50000, "any call renews it");
	dev.heard = true;
	ok(sessions_tick(&ss, 50000, expired) == 80000 && !dev.n_expired,
	   "so does half a call, when the time is over");
	dev.heard = false;
	sessions_find(&ss, handle, 20000);
	ok(sessions_tick(&ss, 49999, expired) == 50000 && !dev.n_expired,
	   "not a millisecond early");
	submit(s, URB_TYPE_BULK, 0x81, 1);
	sessions_tick(&ss, 50000, expired);
	ok(dev.n_expired == 1 && s->state == SESSION_STATE_ENDING &&
	   s->why == SESSION_WHY_EXPIRED && dev.n_cancelled == 1 &&
	   !dev.n_returning, "then it expires, and what runs is cancelled");
	ok(sessions_find(&ss, handle, 50001) == s && s->why == SESSION_WHY_EXPIRED,
	   "it can not be renewed any more");
	done(s, 0x81, 1, URB_XFER_CANCELLED);
	ok(dev.n_returning == 1 && answered(" 81/1=cancelled"),
	   "the device is given back when nothing runs");
	session_returned(s, 51000);
	ok(sessions_find(&ss, handle, 60000) == s, "it is remembered");
	ok(sessions_tick(&ss, 51000 + 600000 - 1, expired) == 651000,
	   "for ten minutes");
	sessions_tick(&ss, 651000, expired);
	ok(!sessions_find(&ss, handle, 651000), "and forgotten");
	sessions_deinit(&ss);
}

static void test_instance(void)
{
	uint8_t one[SESSION_INSTANCE], two[SESSION_INSTANCE];
	struct sessions ss;
	struct session *s;

	memset(one, 1, sizeof(one));
	memset(two, 2, sizeof(two));
	sessions_init(&ss, &ops, 30);
	s = new_session(&ss, 1, 0);
	ok(session_is_of(s, one), "it is its instance's");
	ok(!session_is_of(s, two), "and no other's");
	session_end(s, SESSION_WHY_RELEASED);
	ok(!session_is_of(s, one), "not once it has ended");
	ok(s->state == SESSION_STATE_RETURNING && dev.n_returning == 1,
	   "with nothing running it is given back at once");
	session_end(s, SESSION_WHY_GONE);
	ok(s->why == SESSION_WHY_RELEASED, "the first reason stays");
	session_returned(s, 0);
	sessions_deinit(&ss);
}

static void test_barrier(void)
{
	struct sessions ss;
	struct session *s;

	sessions_init(&ss, &ops, 30);
	s = new_session(&ss, 1, 0);
	dev.affects = 1u << endpoint_row(0x81);
	submit(s, URB_TYPE_BULK, 0x81, 1);
	submit(s, URB_TYPE_BULK, 0x02, 1);
	submit(s, URB_TYPE_SET_INTERFACE, 0, 1);
	ok(dev.n_cancelled == 1 && !is_running(0, 1),
	   "a state call waits for what it affects, which is cancelled");
	submit(s, URB_TYPE_BULK, 0x81, 2);
	submit(s, URB_TYPE_BULK, 0x02, 2);
	ok(!is_running(0x81, 2) && is_running(0x02, 2),
	   "what it affects starts nothing, the rest goes on");
	submit(s, URB_TYPE_CONTROL, 0, 2);
	ok(!is_running(0, 2), "nor does endpoint 0");
	done(s, 0x81, 1, URB_XFER_CANCELLED);
	ok(is_running(0, 1), "drained: it begins");
	ok(!is_running(0x81, 2), "and still holds the rest");
	done(s, 0, 1, URB_XFER_OK);
	ok(is_running(0, 2), "endpoint 0 goes on behind it");
	ok(!is_running(0x81, 2),
	   "what was cancelled stops its endpoint like any failure");
	session_ack(s, endpoint_row(0x81), 0, 1);
	ok(is_running(0x81, 2), "until it is acknowledged");
	done(s, 0x81, 2, URB_XFER_OK);
	ok(answered(" 81/1=cancelled 00/1=ok 81/2=ok"), "all in that order");
	session_end(s, SESSION_WHY_RELEASED);
	done(s, 0x02, 1, URB_XFER_CANCELLED);
	done(s, 0x02, 2, URB_XFER_CANCELLED);
	ok(!dev.n_returning, "a control transfer still runs");
	done(s, 0, 2, URB_XFER_CANCELLED);
	ok(dev.n_returning == 1, "then it is over");
	session_returned(s, 0);
	sessions_deinit(&ss);
}

/* ALLOC_STREAMS comes back with so many. */
static void grant(struct session *s, uint32_t number, unsigned int n)
{
	struct urb *urb;

	submit(s, URB_TYPE_ALLOC_STREAMS, 0, number);
	urb = dev.running[--dev.n_running];
	urb->xfer = URB_XFER_OK;
	urb->actual = n;
	session_done(s, urb);
	*dev.answers = 0;
}

static void test_streams(void)
{
	int row = endpoint_row(0x81);
	struct sessions ss;
	struct session *s;

	sessions_init(&ss, &ops, 30);
	s = new_session(&ss, 1, 0);
	ok(submit_on(s, URB_TYPE_BULK, 0x81, 1, 1) == ENDPOINT_INVAL &&
	   session_unlink(s, row, 1, 1) == ENDPOINT_INVAL,
	   "no streams, no rows of theirs");
	grant(s, 1, 2);
	ok(submit_on(s, URB_TYPE_BULK, 0x81, 3, 1) == ENDPOINT_INVAL &&
	   submit_on(s, URB_TYPE_BULK, 0x02, 1, 1) == ENDPOINT_INVAL,
	   "none but those that were granted");
	submit_on(s, URB_TYPE_BULK, 0x81, 1, 2);
	submit_on(s, URB_TYPE_BULK, 0x81, 2, 1);
	submit_on(s, URB_TYPE_BULK, 0x81, 2, 2);
	ok(dev.n_running == 2,
	   "a number that is missing holds up its own stream");
	done(s, 0x81, 1, URB_XFER_IO);
	ok(answered(" 81/1=io") && dev.n_cancelled == 1, "one fails");
	submit_on(s, URB_TYPE_BULK, 0x81, 1, 1);
	ok(dev.n_running == 3, "what stops is its stream, not the others");
	session_ack(s, row, 2, 1);
	session_ack(s, row, 3, 1);
	dev.affects = 1u << row;
	submit(s, URB_TYPE_SET_INTERFACE, 0, 2);
	ok(dev.n_cancelled == 3 && !is_running(0, 2),
	   "the barrier drains all of them");
	submit_on(s, URB_TYPE_BULK, 0x81, 1, 3);
	sessions_tick(&ss, 40000, expired);
	ok(dev.n_cancelled == 3 && s->state == SESSION_STATE_ENDING,
	   "so does the end");
	for (int i = 0; i < 16 && dev.n_running; i++)
		done(s, 0x81, dev.running[0]->number, URB_XFER_CANCELLED);
	ok(dev.n_returning == 1, "which waits for all of them");
	session_returned(s, 0);
	ok(!s->window.urbs && !s->window.bytes, "and leaves nothing");
	sessions_deinit(&ss);
}

static void test_pieces(void)
{
	int row = endpoint_row(0x02);
	const uint8_t data[64] = { 0 };
	const struct urb *urb;
	struct sessions ss;
	struct session *s;

	sessions_init(&ss, &ops, 30);
	s = new_session(&ss, 1, 0);
	ok(session_stage(s, row, 1, 1, 0, data, 8) == ENDPOINT_INVAL &&
	   session_fetch(s, endpoint_row(0x81), 1, 1, &urb) == ENDPOINT_INVAL,
	   "no pieces of a stream that is not there");
	grant(s, 1, 2);
	ok(session_stage(s, row, 1, 1, 0, data, 8) == ENDPOINT_INVAL &&
	   session_stage(s, endpoint_row(0x81), 2, 1, 0, data, 8) ==
	   ENDPOINT_TAKEN, "of one that is, they are kept");
	ok(session_stage(s, row, 0, 1, 0, data, 64) == ENDPOINT_TAKEN &&
	   session_stage(s, row, 0, 2, 32, data, 32) == ENDPOINT_TAKEN &&
	   s->window.urbs == 4 && s->window.bytes == 8 + 64 + 64,
	   "and count in the window");
	submit_staged(s, 0x02, 1);
	submit_staged(s, 0x02, 2);
	ok(dev.n_running == 1 && is_running(0x02, 1), "with all it runs");
	dev.affects = 1u << row;
	submit(s, URB_TYPE_SET_INTERFACE, 0, 2);
	ok(answered(" 02/2=cancelled"),
	   "a state call does not wait for what is missing");
	done(s, 0x02, 1, URB_XFER_OK);
	done(s, 0, 2, URB_XFER_OK);
	submit_staged(s, 0x02, 3);
	ok(answered(" 02/1=ok 00/2=ok") && !dev.n_running, "it waits again");
	session_end(s, SESSION_WHY_RELEASED);
	ok(answered(" 02/3=cancelled") && dev.n_returning == 1,
	   "nor does the end");
	session_returned(s, 0);
	ok(!s->window.urbs && !s->window.bytes, "which leaves nothing");
	sessions_deinit(&ss);
}

/* The end comes while a state call waits for its rows, and while it runs. */
static void test_end_in_barrier(void)
{
	struct sessions ss;
	struct session *s;

	sessions_init(&ss, &ops, 30);
	s = new_session(&ss, 1, 0);
	dev.affects = ~0u;
	submit(s, URB_TYPE_BULK, 0x81, 1);
	submit(s, URB_TYPE_RESET, 0, 1);
	session_end(s, SESSION_WHY_REVOKED);
	done(s, 0x81, 1, URB_XFER_CANCELLED);
	ok(!is_running(0, 1) && dev.n_returning == 1 &&
	   answered(" 81/1=cancelled 00/1=cancelled"),
	   "an end before the call begins: it never does");
	session_returned(s, 0);

	s = new_session(&ss, 2, 0);
	submit(s, URB_TYPE_RESET, 0, 1);
	ok(is_running(0, 1), "nothing to drain: it begins at once");
	session_end(s, SESSION_WHY_GONE);
	ok(!dev.n_returning && !dev.n_cancelled, "an end while it runs waits");
	done(s, 0, 1, URB_XFER_OK);
	ok(dev.n_returning == 1 && answered(" 00/1=ok"), "until it is done");
	session_returned(s, 0);
	sessions_deinit(&ss);
}

static void test_gone(void)
{
	struct sessions ss;
	struct session *s;

	sessions_init(&ss, &ops, 30);
	s = new_session(&ss, 1, 0);
	submit(s, URB_TYPE_BULK, 0x81, 1);
	submit(s, URB_TYPE_BULK, 0x81, 2);
	submit(s, URB_TYPE_BULK, 0x81, 4);
	session_end(s, SESSION_WHY_GONE);
	done(s, 0x81, 1, URB_XFER_IO);
	done(s, 0x81, 2, URB_XFER_OK);
	ok(answered(" 81/4=shutdown 81/1=shutdown 81/2=ok"),
	   "unplugged: SHUTDOWN, but for what was done");
	session_returned(s, 0);
	sessions_deinit(&ss);
}

static void test_many(void)
{
	uint8_t id[SESSION_INSTANCE] = { 9 };
	struct sessions ss;
	struct session *s;
	int r = 0, n;

	sessions_init(&ss, &ops, 30);
	for (n = 0; n < 5000; n++) {
		s = new_session(&ss, 3, 0);
		session_end(s, SESSION_WHY_RELEASED);
		session_returned(s, 0);
	}
	ok(ss.n <= 1024, "what is remembered is bounded");
	sessions_deinit(&ss);
	for (n = 0; !r && n < 5000; n++)
		r = session_new(&s, &ss, id, "test", 0);
	ok(r == -ENOMEM && n == 1025, "and so are sessions");
	sessions_deinit(&ss);
}

int main(void)
{
	test_rows();
	test_lease();
	test_instance();
	test_barrier();
	test_streams();
	test_pieces();
	test_end_in_barrier();
	test_gone();
	test_many();
	return tap_done();
}
