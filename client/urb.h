/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * urb - one request of the kernel on its way to the target and back: an URB,
 * or that a driver wants streams, or that the port was reset, suspended or
 * resumed.
 */
#ifndef USBIP_CLIENT_URB_H
#define USBIP_CLIENT_URB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/answer.h"
#include "client/vhci.h"

struct pool;
struct port_answer;

enum urb_kind {
	URB_CONTROL,
	URB_BULK,
	URB_INTERRUPT,
	URB_ISOC,
	URB_SET_CONFIGURATION,	/* a control URB, made a call of its own */
	URB_SET_INTERFACE,
	URB_CLEAR_HALT,
	URB_RESET,
	URB_ALLOC_STREAMS,
	URB_FREE_STREAMS,
	URB_SUSPEND,
	URB_RESUME,
	URB_LOCAL,		/* a control URB, answered here in its turn */
};

enum urb_state {
	URB_WAITING,	/* without a number: for the window, or a connection */
	URB_FLYING,	/* has a number; the target owes the answer */
	URB_DELAYED,	/* as flying, but to be sent again: no room there */
	URB_HELD,	/* the target has answered, but not one before it */
	URB_ANSWERED,	/* the kernel's answer is queued, not yet written */
	URB_WRITTEN,	/* written; unlinks that it causes may be unread */
	URB_SETTLED,	/* may be acknowledged. The end */
};

struct urb {
	TAILQ_ENTRY(urb) link;		/* of its row */
	LIST_ENTRY(urb) by_id;		/* while the kernel waits for it */
	TAILQ_ENTRY(urb) settling;	/* while ANSWERED or WRITTEN */
	struct port *port;
	enum urb_kind kind;
	enum urb_state state;
	uint64_t id;			/* the kernel's */
	uint8_t endpoint;		/* address; 0 for all of endpoint 0 */
	bool in;			/* data comes from the device */
	bool unlinked;
	bool unlinking;			/* and the target has not answered that */
	bool unlink_again;		/* it had no room for it */
	bool known;			/* is in the table by id */
	bool lent;			/* ISOC: the kernel was told that it is done */
	bool wanted;			/* ISOC: answered by what is read ahead */
	bool reads;			/* ISOC: reads ahead; no URB of the kernel */
	bool begins;			/* ISOC: its driver had not, or had stopped */
	uint16_t stream;
	uint16_t tries;			/* sent, and not taken */
	uint32_t flags;			/* VHCI_... */
	uint32_t length;
	uint32_t interval;
	uint32_t number;
	uint32_t start_frame;		/* ISOC, as the next three */
	uint32_t patience_ms;		/* when no answer comes any more */
	uint32_t n_packets;
	uint32_t *lengths;		/* of the packets; lies in small */
	uint8_t setup[8];
	uint16_t value, index;		/* of SET_... and CLEAR_HALT; value:
					 * streams of ALLOC_STREAMS */
	uint32_t endpoints;		/* of ..._STREAMS, a bit each */
	struct port_answer *held;	/* HELD: the answer */
	void *kept;			/* and its data: for unkeep() */
	void (*unkeep)(void *kept);
	int status;			/* LOCAL: what it will be answered */
	uint32_t actual;		/* LOCAL */
	const uint8_t *data;		/* OUT, and what LOCAL answers */
	struct vhci_buf *buf;		/* holds data, or NULL: data is below */
	struct pool *pool;		/* that it is of, or NULL */
	uint8_t small[] __attribute__((aligned(8)));
};

TAILQ_HEAD(urb_list, urb);
LIST_HEAD(urb_ids, urb);

/* OUT data below this is copied; above, the buffer that it is in is kept. */
#define URB_SMALL	4096

/* A block of the pool that urbs come from (pool.h): with OUT data of one packet. */
#define URB_POOLED	(sizeof(struct urb) + 512)

/* In state WAITING, kind CONTROL, BULK, INTERRUPT or ISOC. NULL: out of memory. */
struct urb *urb_new(struct port *port, struct pool *pool,
		    const struct vhci_submit *s);
/* Another one, of ours, that reads what `urb`, IN, reads. NULL: out of memory. */
struct urb *urb_new_reader(struct pool *pool, const struct urb *urb);
/* RESET, SUSPEND or RESUME */
struct urb *urb_new_call(struct port *port, enum urb_kind kind, uint64_t id);
struct urb *urb_new_streams(struct port *port, const struct vhci_streams *s);
/* Belongs to no list any more. */
struct urb *urb_free(struct urb *urb);
/* What it holds is not needed any more, only its place in the row. */
void urb_drop_data(struct urb *urb);
/* FLYING: keep its answer, and what that points to: HELD. False: no memory. */
bool urb_hold(struct urb *urb, const struct port_answer *answer);
/* That answer is not needed any more. */
void urb_drop_held(struct urb *urb);

/* 0, or the -errno that the kernel is answered: the wire can not carry it. */
int urb_check(const struct vhci_submit *s, uint32_t data_max);
/* A CONTROL urb of endpoint 0 becomes what answer_request() says. */
void urb_translate(struct urb *urb, const struct answer_descriptors *d);
/* Does it change the device's state? */
static inline bool urb_is_state_call(const struct urb *urb)
{
	return urb->kind >= URB_SET_CONFIGURATION && urb->kind <= URB_RESET;
}

/* Does this end stop its endpoint at the target? */
bool urb_stops(const struct urb *urb, int status, uint32_t actual);

/* The only writer of urb->state. */
void urb_set_state(struct urb *urb, enum urb_state next);
const char *urb_state_str(enum urb_state state);

#endif
