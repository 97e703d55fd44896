// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * urb - one numbered submission. Owns its memory and its state; what the
 * state should be is the endpoint's to know.
 */
#include "server/urb.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/pool.h"
#include "server/pieces.h"

static const char *state_name(enum urb_state state)
{
	switch (state) {
	case URB_STATE_NEW:
		return "new";
	case URB_STATE_FORBIDDEN:
		return "forbidden";
	case URB_STATE_STAGED:
		return "staged";
	case URB_STATE_QUEUED:
		return "queued";
	case URB_STATE_RUNNING:
		return "running";
	case URB_STATE_CANCELLING:
		return "cancelling";
	case URB_STATE_DONE:
		return "done";
	}
	return "?";
}

static bool may_go(enum urb_state from, enum urb_state to)
{
	switch (from) {
	case URB_STATE_NEW:
		return to == URB_STATE_FORBIDDEN || to == URB_STATE_STAGED ||
		       to == URB_STATE_QUEUED || to == URB_STATE_DONE;
	case URB_STATE_FORBIDDEN:
		return false;	/* its submit replaces it */
	case URB_STATE_STAGED:
		return to == URB_STATE_FORBIDDEN;	/* the same */
	case URB_STATE_QUEUED:
		return to == URB_STATE_RUNNING || to == URB_STATE_DONE;
	case URB_STATE_RUNNING:
		return to == URB_STATE_CANCELLING || to == URB_STATE_DONE ||
		       to == URB_STATE_QUEUED;
	case URB_STATE_CANCELLING:
		return to == URB_STATE_DONE || to == URB_STATE_QUEUED;
	case URB_STATE_DONE:
		return false;
	}
	return false;
}

struct urb *urb_new(void)
{
	return urb_new_in(NULL);
}

struct urb *urb_new_in(struct pool *pool)
{
	struct urb *urb = pool ? pool_take(pool) : malloc(sizeof(*urb));

	if (!urb)
		return NULL;
	memset(urb, 0, offsetof(struct urb, small));
	urb->pool = pool;
	urb->refs = 1;
	return urb;
}

struct urb *urb_ref(struct urb *urb)
{
	urb->refs++;
	return urb;
}

struct urb *urb_unref(struct urb *urb)
{
	if (!urb || --urb->refs)
		return NULL;
	assert(!urb_at_device(urb));
	free(urb->packets);
	pieces_free(urb->pieces);
	if (urb->buffer != urb->small)
		free(urb->buffer);
	if (urb->pool)
		pool_give(urb->pool, urb);
	else
		free(urb);
	return NULL;
}

void urb_set_state(struct urb *urb, enum urb_state next)
{
	log_debug(LOG_TAG_URB, "urb %02x.%u/%u: %s -> %s", urb->address,
		  urb->stream, urb->number, state_name(urb->state),
		  state_name(next));
	assert(may_go(urb->state, next));
	urb->state = next;
}

int urb_set_packets(struct urb *urb, const uint32_t *lengths, unsigned int n)
{
	urb->packets = calloc(n, sizeof(*urb->packets));
	if (!urb->packets)
		return -ENOMEM;
	urb->n_packets = n;
	for (unsigned int i = 0; i < n; i++)
		urb->packets[i].length = lengths[i];
	urb_end_packets(urb, URB_XFER_MISSED);
	return 0;
}

void urb_end_packets(struct urb *urb, enum urb_xfer xfer)
{
	for (unsigned int i = 0; i < urb->n_packets; i++) {
		urb->packets[i].actual = 0;
		urb->packets[i].xfer = xfer;
	}
}

bool urb_is_whole(const struct urb *urb)
{
	return !urb->pieces || urb->pieces->n == urb->length;
}

void urb_drop_pieces(struct urb *urb)
{
	urb->pieces = pieces_free(urb->pieces);
}

void urb_refuse(struct urb *urb)
{
	urb->verdict = URB_VERDICT_INVAL;
	urb->length = 0;
	urb->out = NULL;
	urb->staged = false;
}

int urb_alloc(struct urb *urb)
{
	bool control = urb->type == URB_TYPE_CONTROL;
	size_t len = URB_HEADROOM + (size_t)urb->length;

	if (urb->buffer)
		return 0;
	if (urb->pieces) {
		urb->buffer = pieces_take(urb->pieces);
		urb->pieces = NULL;
	} else if (control || urb_is_in(urb)) {
		urb->buffer = len <= URB_SMALL ? urb->small : malloc(len);
	} else {
		return 0;	/* OUT goes from the record that it came in */
	}
	if (!urb->buffer)
		return -ENOMEM;
	if (control)
		memcpy(urb->buffer, urb->setup, sizeof(urb->setup));
	if (urb->out && urb->length)
		memcpy(urb->buffer + URB_HEADROOM, urb->out, urb->length);
	return 0;
}

uint8_t *urb_data(const struct urb *urb)
{
	if (urb->buffer)
		return urb->buffer + URB_HEADROOM;
	/* libusb takes no const; nothing writes to OUT data */
	return (uint8_t *)(uintptr_t)urb->out;
}
