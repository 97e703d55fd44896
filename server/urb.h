/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * urb - one numbered submission of a session: a transfer, or a call that
 * changes the device's state. It lives from the submit until its reply was
 * acknowledged, and longer while a reply that points into it is being sent.
 */
#ifndef USBIP_SERVER_URB_H
#define USBIP_SERVER_URB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct endpoint;
struct pieces;
struct pool;

enum urb_type {
	URB_TYPE_CONTROL,
	URB_TYPE_BULK,
	URB_TYPE_INTERRUPT,
	URB_TYPE_ISOC,			/* packets */
	URB_TYPE_SET_CONFIGURATION,	/* value */
	URB_TYPE_SET_INTERFACE,		/* index, value */
	URB_TYPE_CLEAR_HALT,		/* value: the endpoint's address */
	URB_TYPE_RESET,
	URB_TYPE_ALLOC_STREAMS,		/* value: streams; rows */
	URB_TYPE_FREE_STREAMS,		/* rows */
	URB_TYPE_SUSPEND,
	URB_TYPE_RESUME,
};

/* What became of a transfer; usbip_xfer is the same on the wire. */
enum urb_xfer {
	URB_XFER_OK,
	URB_XFER_STALL,
	URB_XFER_OVERFLOW,
	URB_XFER_IO,
	URB_XFER_CANCELLED,
	URB_XFER_SHUTDOWN,
	URB_XFER_NO_MEMORY,
	URB_XFER_LATE,		/* of packets: not sent, it was too late */
	URB_XFER_MISSED,	/* of packets: nothing came, or damaged */
};

/* One packet of an isochronous transfer; in the data, one behind the other. */
struct urb_packet {
	uint32_t length;		/* asked for */
	uint32_t actual;
	enum urb_xfer xfer;
};

/* Was it taken at all? Either way its number is used up. */
enum urb_verdict {
	URB_VERDICT_TAKEN,		/* xfer has the rest */
	URB_VERDICT_INVAL,
	URB_VERDICT_NOT_SUPPORTED,
};

enum urb_state {
	URB_STATE_NEW,		/* made; in no row yet */
	URB_STATE_FORBIDDEN,	/* only an UNLINK of this number has come */
	URB_STATE_STAGED,	/* only pieces of its data have come; `length`
				 * is where the last of them ends */
	URB_STATE_QUEUED,	/* waits for its turn */
	URB_STATE_RUNNING,	/* the device has it */
	URB_STATE_CANCELLING,	/* the device has it still, told to stop */
	URB_STATE_DONE,		/* ended; the reply is kept until acked */
};

/* Room in front of the data, which a control transfer's setup goes to. */
#define URB_HEADROOM 8
/* Bytes with it that need no memory of their own: one packet. */
#define URB_SMALL (URB_HEADROOM + 512)

struct urb {
	TAILQ_ENTRY(urb) link;		/* its endpoint's row, by number */
	struct endpoint *endpoint;
	uint32_t number;
	unsigned int refs;

	/* what was asked for: constant from the submit on */
	enum urb_type type;
	enum urb_verdict verdict;
	uint8_t address;	/* bit 7: direction, also where it is 0 */
	uint16_t stream;		/* BULK, 0: none */
	bool short_not_ok, zero_packet;
	uint8_t setup[8];		/* CONTROL */
	unsigned int value, index;	/* see urb_type */
	uint32_t rows;			/* endpoints, a bit each by endpoint_row() */
	uint32_t length;		/* of the data, both directions */
	const uint8_t *out;		/* OUT: the data, in a call's record */
	bool staged;			/* OUT: the data comes by pieces */
	struct pieces *pieces;		/* what has come of it; NULL once it is
					 * in `buffer` */
	unsigned int n_packets;		/* ISOC */

	enum urb_state state;
	bool unlinked;			/* UNLINK has come */
	bool drained;			/* cancelled for a state call */
	bool again;			/* cancelled to be executed later */
	bool fetched;			/* IN: the reply is without the data, as
				 * who asked for it last wants it */
	enum urb_xfer xfer;		/* once DONE */
	uint32_t actual;		/* bytes that went over the bus; of
					 * ALLOC_STREAMS: streams granted */
	struct urb_packet *packets;	/* ISOC; MISSED until it ended */
	uint32_t start_frame;		/* ISOC, once started: frame.h */
	bool first;			/* when started, nothing else ran */
	uint8_t *buffer;	/* URB_HEADROOM bytes and the data, or NULL */

	void *waiter;		/* the call that gets the reply, or NULL */
	void *lender;		/* the call that `out` is in, where it is
				 * not the waiter any more */
	void *backend;			/* the backend's own, while running */
	struct pool *pool;		/* that it is of, or NULL */
	uint8_t small[URB_SMALL];	/* what buffer points to, if that fits */
};

/* A new URB with one reference, or NULL: no memory. */
struct urb *urb_new(void);
/* The same, out of a pool of such structs (pool.h). */
struct urb *urb_new_in(struct pool *pool);
struct urb *urb_ref(struct urb *urb);
struct urb *urb_unref(struct urb *urb);
/* The only writer of urb->state. */
void urb_set_state(struct urb *urb, enum urb_state next);

/* ISOC: n packets of these lengths. -ENOMEM. */
int urb_set_packets(struct urb *urb, const uint32_t *lengths, unsigned int n);
/* What became of all of them, with no byte. */
void urb_end_packets(struct urb *urb, enum urb_xfer xfer);

/* Is it all here that goes with it? Not a staged one with gaps. */
bool urb_is_whole(const struct urb *urb);
/* What came of it by pieces is not needed. */
void urb_drop_pieces(struct urb *urb);
/* INVAL: it holds nothing, and is answered in its turn. */
void urb_refuse(struct urb *urb);

/*
 * The memory that the transfer goes to or comes from; with the setup in front
 * of it for CONTROL. Of a whole one. -ENOMEM.
 */
int urb_alloc(struct urb *urb);
/* Where the data is, in both directions; after urb_alloc(). */
uint8_t *urb_data(const struct urb *urb);

static inline bool urb_is_in(const struct urb *urb)
{
	return urb->address & 0x80;
}

static inline bool urb_is_state_call(const struct urb *urb)
{
	return urb->type >= URB_TYPE_SET_CONFIGURATION;
}

static inline bool urb_at_device(const struct urb *urb)
{
	return urb->state == URB_STATE_RUNNING ||
	       urb->state == URB_STATE_CANCELLING;
}

/* RFC 1982: is number a later than b? */
static inline bool urb_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

#endif
