// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * urb - one request of the kernel on its way to the target and back.
 */
#include "client/urb.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/port.h"
#include "common/log.h"
#include "common/pool.h"

static enum urb_kind kind_of(enum usb_transfer transfer)
{
	switch (transfer) {
	case USB_TRANSFER_CONTROL:
		return URB_CONTROL;
	case USB_TRANSFER_INTERRUPT:
		return URB_INTERRUPT;
	case USB_TRANSFER_ISOC:
		return URB_ISOC;
	case USB_TRANSFER_BULK:
		break;
	}
	return URB_BULK;
}

/* With `copied` bytes behind it, unset. */
static struct urb *alloc_urb(struct pool *pool, size_t copied)
{
	struct urb *urb;

	if (sizeof(*urb) + copied > URB_POOLED)
		pool = NULL;
	urb = pool ? pool_take(pool) : malloc(sizeof(*urb) + copied);
	if (!urb)
		return NULL;
	memset(urb, 0, sizeof(*urb));
	urb->pool = pool;
	return urb;
}

struct urb *urb_new(struct port *port, struct pool *pool,
		    const struct vhci_submit *s)
{
	bool in = s->endpoint & USB_DIR_IN;
	size_t copied = !in && s->length < URB_SMALL ? s->length : 0;
	size_t lengths = s->n_packets * sizeof(uint32_t);
	struct urb *urb = alloc_urb(pool, lengths + copied);

	if (!urb)
		return NULL;
	urb->port = port;
	urb->kind = kind_of(s->transfer);
	urb->id = s->id;
	urb->in = in;
	urb->endpoint = s->endpoint;
	/* A control endpoint has one address for both directions. */
	if (urb->kind == URB_CONTROL)
		urb->endpoint &= USB_ENDPOINT_NUMBER;
	urb->stream = s->stream;
	urb->flags = s->flags;
	urb->length = s->length;
	urb->interval = s->interval;
	memcpy(urb->setup, s->setup, sizeof(urb->setup));
	urb->start_frame = s->start_frame;
	urb->n_packets = s->n_packets;
	urb->lengths = (uint32_t *)urb->small;
	for (uint32_t i = 0; i < s->n_packets; i++)
		urb->lengths[i] = s->packets[i].length;
	if (copied) {
		memcpy(urb->small + lengths, s->data, copied);
		urb->data = urb->small + lengths;
	} else if (!in && s->length) {
		urb->data = s->data;
		urb->buf = vhci_buf_ref(s->buf);
	}
	return urb;
}

struct urb *urb_new_reader(struct pool *pool, const struct urb *urb)
{
	size_t lengths = urb->n_packets * sizeof(uint32_t);
	struct urb *reader = alloc_urb(pool, lengths);

	if (!reader)
		return NULL;
	reader->port = urb->port;
	reader->kind = urb->kind;
	reader->reads = true;
	reader->in = true;
	reader->endpoint = urb->endpoint;
	reader->flags = urb->flags;
	reader->length = urb->length;
	reader->interval = urb->interval;
	reader->n_packets = urb->n_packets;
	reader->lengths = (uint32_t *)reader->small;
	memcpy(reader->lengths, urb->lengths, lengths);
	return reader;
}

struct urb *urb_new_call(struct port *port, enum urb_kind kind, uint64_t id)
{
	struct urb *urb = alloc_urb(NULL, 0);

	if (!urb)
		return NULL;
	urb->port = port;
	urb->kind = kind;
	urb->id = id;
	return urb;
}

struct urb *urb_new_streams(struct port *port, const struct vhci_streams *s)
{
	struct urb *urb = urb_new_call(port, s->streams ? URB_ALLOC_STREAMS :
				   URB_FREE_STREAMS, s->id);

	if (!urb)
		return NULL;
	urb->endpoints = s->endpoints;
	urb->value = (uint16_t)(s->streams < UINT16_MAX ? s->streams :
							  UINT16_MAX);
	return urb;
}

void urb_drop_data(struct urb *urb)
{
	urb->buf = vhci_buf_unref(urb->buf);
	urb->data = NULL;
}

bool urb_hold(struct urb *urb, const struct port_answer *answer)
{
	bool data = urb->in && answer->data;
	size_t packets = answer->n_packets * sizeof(*answer->packets);
	struct port_answer *held = malloc(sizeof(*held) + packets);

	if (!held)
		return false;
	*held = *answer;
	if (packets)
		held->packets = memcpy(held + 1, answer->packets, packets);
	held->keep = NULL;	/* what it would keep later is another record */
	if (data && answer->keep) {
		urb->kept = answer->keep(answer->keep_arg);
		urb->unkeep = answer->unkeep;
	} else if (data) {
		urb->kept = malloc(answer->actual + 1);
		if (!urb->kept) {
			free(held);
			return false;
		}
		memcpy(urb->kept, answer->data, answer->actual);
		held->data = urb->kept;
		urb->unkeep = free;
	}
	urb->held = held;
	urb_set_state(urb, URB_HELD);
	return true;
}

void urb_drop_held(struct urb *urb)
{
	if (urb->unkeep)
		urb->unkeep(urb->kept);
	urb->unkeep = NULL;
	free(urb->held);
	urb->held = NULL;
}

struct urb *urb_free(struct urb *urb)
{
	if (!urb)
		return NULL;
	urb_drop_held(urb);
	urb_drop_data(urb);
	if (urb->pool)
		pool_give(urb->pool, urb);
	else
		free(urb);
	return NULL;
}

/* Matches the rules of usbip.x for each call. */
int urb_check(const struct vhci_submit *s, uint32_t data_max)
{
	if (s->stream && s->transfer != USB_TRANSFER_BULK)
		return -EINVAL;
	if (s->transfer == USB_TRANSFER_ISOC ?
	    !s->n_packets || s->n_packets > VHCI_PACKETS_MAX : s->n_packets)
		return -EINVAL;
	if (s->transfer != USB_TRANSFER_CONTROL)
		return s->length > data_max ? -ENOMEM : 0;
	/* The length goes over the wire in the setup packet alone. */
	if (s->length != usb_get16(s->setup + 6))
		return -EINVAL;
	if (s->length && (s->setup[0] ^ s->endpoint) & USB_DIR_IN)
		return -EINVAL;
	return 0;
}

/* An answer that is known here waits for its turn in row 0. */
static void make_local(struct urb *urb, int status, const uint8_t *data,
		       size_t len)
{
	urb->kind = URB_LOCAL;
	urb->status = status;
	urb_drop_data(urb);
	if (data) {
		urb->data = data;
		urb->actual = (uint32_t)len;
	} else if (!status && !urb->in) {
		urb->actual = urb->length;
	}
}

void urb_translate(struct urb *urb, const struct answer_descriptors *d)
{
	struct answer a = answer_request(d, urb->setup);

	urb->value = a.value;
	urb->index = a.index;
	switch (a.kind) {
	case ANSWER_FORWARD:
		return;
	case ANSWER_DATA:
		make_local(urb, 0, a.data, a.len);
		return;
	case ANSWER_DONE:
		make_local(urb, 0, NULL, 0);
		return;
	case ANSWER_STALL:
		make_local(urb, -EPIPE, NULL, 0);
		return;
	case ANSWER_SET_CONFIGURATION:
		urb->kind = URB_SET_CONFIGURATION;
		return;
	case ANSWER_SET_INTERFACE:
		urb->kind = URB_SET_INTERFACE;
		return;
	case ANSWER_CLEAR_HALT:
		urb->kind = URB_CLEAR_HALT;
		return;
	}
}

bool urb_stops(const struct urb *urb, int status, uint32_t actual)
{
	if (urb->kind != URB_BULK && urb->kind != URB_INTERRUPT)
		return false;
	if (status)
		return true;
	return urb->in && (urb->flags & VHCI_SHORT_NOT_OK) &&
	       actual < urb->length;
}

const char *urb_state_str(enum urb_state state)
{
	switch (state) {
	case URB_WAITING:
		return "waiting";
	case URB_FLYING:
		return "flying";
	case URB_DELAYED:
		return "delayed";
	case URB_HELD:
		return "held";
	case URB_ANSWERED:
		return "answered";
	case URB_WRITTEN:
		return "written";
	case URB_SETTLED:
		return "settled";
	}
	return "?";
}

static bool may_go(enum urb_state from, enum urb_state to)
{
	switch (from) {
	case URB_WAITING:
		return to == URB_FLYING;
	case URB_FLYING:
		return to == URB_DELAYED || to == URB_HELD ||
		       to == URB_ANSWERED || to == URB_SETTLED;
	case URB_DELAYED:
		return to == URB_FLYING;
	case URB_HELD:
		return to == URB_ANSWERED || to == URB_SETTLED;
	case URB_ANSWERED:
		return to == URB_WRITTEN;
	case URB_WRITTEN:
		return to == URB_SETTLED;
	case URB_SETTLED:
		break;
	}
	return false;
}

void urb_set_state(struct urb *urb, enum urb_state next)
{
	log_debug(LOG_TAG_URB, "%02x.%u #%u (id %llu): %s -> %s", urb->endpoint,
		  urb->stream, urb->number, (unsigned long long)urb->id,
		  urb_state_str(urb->state), urb_state_str(next));
	assert(may_go(urb->state, next));
	urb->state = next;
}
