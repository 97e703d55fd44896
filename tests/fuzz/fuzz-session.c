// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session under any order of submits, acknowledgements, unlinks, state
 * calls, completions and ends. What must hold whatever comes:
 *
 *   - each call is answered once: by a reply, as overtaken, STALE or DELAY
 *   - no number is carried out twice
 *   - a state call runs alone with what it affects, and alone in its row
 *   - the end comes once, and only when nothing runs
 *   - what was staged goes out when all of it is there, and as it came
 *
 * Three bytes of input are one step.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/session.h"
#include "tests/fuzz/fuzz.h"

#define CALLS 4096
#define NUMBERS 256		/* above the base, of one row */
#define STREAMS 2

#define ISOC 0x83		/* its type; the others are bulk */

static const uint8_t addresses[] = { 0x00, 0x81, 0x02, ISOC };

struct world {
	struct sessions ss;
	struct session *s;
	unsigned char answers[CALLS];	/* of each call */
	unsigned int n_calls;
	struct urb *running[512];
	unsigned int n_running, n_returning;
	unsigned char done[4][1 + STREAMS][NUMBERS];
	uint32_t base;
	bool full;
};

static const uint8_t no_data[64];
static struct world *w;

#define must(cond) do { if (!(cond)) abort(); } while (0)

static int index_of(const struct urb *urb)
{
	for (int i = 1; i < 4; i++)
		if (addresses[i] == urb->endpoint->address)
			return i;
	return 0;
}

/* Streams' rows begin with 1. */
static uint32_t base_of(unsigned int stream)
{
	return stream ? 0 : w->base;
}

static uint32_t affects(struct session *s, const struct urb *urb)
{
	return urb->type == URB_TYPE_RESET ? ~0u :
					     1u << endpoint_row(urb->value);
}

/* What a piece has at this place. */
static uint8_t byte_at(uint32_t number, uint32_t offset)
{
	return number * 31 + offset;
}

static void check_data(struct urb *urb)
{
	must(!urb_alloc(urb) && !urb->pieces);
	if (urb->out)
		return;		/* a duplicate brought all of it */
	for (uint32_t i = 0; i < urb->length; i++)
		must(urb_data(urb)[i] == byte_at(urb->number, i));
}

static int start(struct session *s, struct urb *urb)
{
	uint32_t held = urb_is_state_call(urb) ? affects(s, urb) | 1 : 0;

	must(s->state == SESSION_STATE_ACTIVE);
	if (urb->staged)
		check_data(urb);
	if (w->full) {
		w->full = false;
		/* a state call has no such answer */
		if (!urb_is_state_call(urb))
			return -EAGAIN;
	}
	for (unsigned int i = 0; i < w->n_running; i++) {
		struct urb *u = w->running[i];

		must(!(held & (1u << endpoint_row(u->endpoint->address))));
		must(!urb_is_state_call(u) || !(affects(s, u) & 1u <<
		     endpoint_row(urb->endpoint->address)));
	}
	must(w->n_running < 512);
	w->running[w->n_running++] = urb;
	return 0;
}

static void cancel(struct session *s, struct urb *urb)
{
	must(urb_at_device(urb) && !urb_is_state_call(urb));
}

static void count_answer(void *waiter)
{
	must(!(*(unsigned char *)waiter)++);
}

static void answer(struct session *s, struct urb *urb)
{
	count_answer(urb->waiter);
}

static void superseded(struct session *s, void *waiter)
{
	count_answer(waiter);
}

static void returning(struct session *s)
{
	must(!w->n_running && !w->n_returning++);
}

static const struct session_ops ops = {
	start, cancel, answer, superseded, affects, returning,
};

/* What only the device can say: what it did is done, and once. */
static void complete(unsigned int which, unsigned int how)
{
	static const enum urb_xfer ends[] = {
		URB_XFER_OK, URB_XFER_OK, URB_XFER_STALL, URB_XFER_IO,
	};
	struct urb *urb;
	int row;

	if (!w->n_running)
		return;
	which %= w->n_running;
	urb = w->running[which];
	row = index_of(urb);
	w->running[which] = w->running[--w->n_running];
	urb->xfer = ends[how & 3];
	if (urb->state == URB_STATE_CANCELLING && how & 4)
		urb->xfer = URB_XFER_CANCELLED;
	urb->actual = urb->xfer == URB_XFER_OK ? urb->length :
		      how & 8 ? urb->length / 2 : 0;
	if (urb->xfer == URB_XFER_OK || urb->actual)
		must(!w->done[row][urb->stream][(urb->number -
				base_of(urb->stream)) % NUMBERS]++);
	session_done(w->s, urb);
}

static void stage(int row, unsigned int stream, unsigned int n,
		  unsigned int how)
{
	uint32_t number = base_of(stream) + n;
	uint8_t piece[16];

	for (unsigned int i = 0; i < sizeof(piece); i++)
		piece[i] = byte_at(number, (how & 7) * 12 + i);
	session_stage(w->s, endpoint_row(addresses[row]), stream, number,
		      (how & 7) * 12, piece, 4 + (how >> 2 & 12));
}

static void fetch(int row, unsigned int stream, unsigned int n)
{
	const struct urb *urb;

	if (session_fetch(w->s, endpoint_row(addresses[row]), stream,
			  base_of(stream) + n, &urb) == ENDPOINT_TAKEN)
		must(urb->state == URB_STATE_DONE && urb_is_in(urb));
}

static void submit(int row, unsigned int stream, unsigned int n,
		   unsigned int how)
{
	struct urb *urb = urb_new();
	void *waiter;

	if (w->n_calls == CALLS) {
		urb_unref(urb);
		return;
	}
	urb->address = addresses[row];
	urb->stream = stream;
	urb->type = row ? URB_TYPE_BULK : URB_TYPE_CONTROL;
	urb->length = row ? 64 : 8;
	if (!row && how & 1) {
		urb->type = how & 2 ? URB_TYPE_RESET : URB_TYPE_CLEAR_HALT;
		urb->value = addresses[1 + (how >> 2) % 3];
		urb->length = 0;
	}
	if (addresses[row] == ISOC) {
		urb->type = URB_TYPE_ISOC;
		must(!urb_set_packets(urb, &urb->length, 1));
	}
	urb->short_not_ok = row && how & 1;
	if (how & 0x80)
		urb->verdict = URB_VERDICT_INVAL;
	if (row && !(addresses[row] & 0x80)) {
		urb->staged = how & 4;
		urb->out = urb->staged ? NULL : no_data;
	}
	urb->number = base_of(stream) + n;
	urb->waiter = waiter = &w->answers[w->n_calls++];
	if (session_submit(w->s, endpoint_row(addresses[row]), urb,
			   base_of(stream) + (how >> 4 & 7)) != ENDPOINT_TAKEN)
		count_answer(waiter);
}

static void step(const uint8_t *in)
{
	int row = in[1] & 3, ep_row = endpoint_row(addresses[row]);
	/* one more than there are, too */
	unsigned int stream = row && in[0] & 8 ? 1 + (in[0] >> 4) % 3 : 0;
	unsigned int n = in[1] >> 2;

	switch (in[0] & 7) {
	case 0:
	case 1:
		submit(row, stream, n, in[2]);
		break;
	case 2:
		session_ack(w->s, ep_row, stream, base_of(stream) + n);
		break;
	case 3:
		session_unlink(w->s, ep_row, stream, base_of(stream) + n);
		break;
	case 4:
	case 5:
		complete(in[1], in[2]);
		break;
	case 6:
		if (in[2] & 0x40)
			stage(row, stream, n, in[2]);
		else if (in[2] & 0x80)
			fetch(row, stream, n);
		else
			w->full = true;
		break;
	case 7:
		session_run(w->s);
		if (in[2] == 0xff)
			session_end(w->s, SESSION_WHY_EXPIRED);
		break;
	}
}

/* Near the wrap where the first byte says so. */
static void begin(uint8_t how)
{
	const uint8_t instance[SESSION_INSTANCE] = { 1 };

	w = calloc(1, sizeof(*w));
	sessions_init(&w->ss, &ops, 30);
	w->ss.max_urbs = how & 0x40 ? 8 : 100;
	must(!session_new(&w->s, &w->ss, instance, "fuzz", 0));
	session_activate(w->s, 0);
	w->base = how & 0x80 ? UINT32_MAX - 7 : 0;
	for (int i = 0; i < ENDPOINT_ROWS; i++) {
		w->s->rows[i].acked = w->base;
		w->s->rows[i].next = w->base + 1;
		w->s->n_streams[i] = i ? STREAMS : 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	begin(data[0]);
	for (size_t at = 1; at + 3 <= size; at += 3)
		if (w->s->state == SESSION_STATE_ACTIVE)
			step(data + at);
		else
			complete(data[at], data[at + 1]);
	session_end(w->s, SESSION_WHY_RELEASED);
	while (w->n_running)
		complete(0, 4);
	must(w->s->state == SESSION_STATE_RETURNING && w->n_returning == 1);
	for (unsigned int i = 0; i < w->n_calls; i++)
		must(w->answers[i] == 1);
	session_returned(w->s, 0);
	must(!w->s->window.urbs && !w->s->window.bytes);
	sessions_deinit(&w->ss);
	free(w);
	return 0;
}
