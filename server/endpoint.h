/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * endpoint - the row of numbered URBs of one endpoint address, or of one of
 * its streams, and the rules of usbip.x for it: order, duplicates,
 * acknowledgement, stop, unlink, pieces. Does no I/O: what is to be done is
 * told through endpoint_ops.
 */
#ifndef USBIP_SERVER_ENDPOINT_H
#define USBIP_SERVER_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/urb.h"

/* A row for each address: endpoint 0, 15 OUT; 15 IN from 0x11 on. */
#define ENDPOINT_ROWS 32

/* The row of an endpoint address, or -1: there can be no such endpoint. */
static inline int endpoint_row(unsigned int address)
{
	if (address & ~0x8fu || address == 0x80)
		return -1;
	return (address & 0x0f) | (address & 0x80 ? 0x10 : 0);
}

static inline uint8_t endpoint_row_address(unsigned int row)
{
	return (row & 0x0f) | (row & 0x10 ? 0x80 : 0);
}

/* What all rows of a session have together; see usbip_claim_ok. */
struct endpoint_window {
	unsigned int max_urbs, urbs;
	unsigned int unlinks;		/* early ones, as many again at most */
	size_t max_bytes, bytes;
};

struct endpoint_ops {
	/*
	 * Begin with urb, which is RUNNING. 0: endpoint_done() will be called,
	 * from the loop. 1: it has ended already, verdict, xfer and actual are
	 * set. -EAGAIN: no room, try with endpoint_run() later.
	 */
	int (*start)(struct urb *urb, void *user);
	/* Stop urb, which is at the device; endpoint_done() comes anyway. */
	void (*cancel)(struct urb *urb, void *user);
	/* Send what became of urb to urb->waiter. */
	void (*answer)(struct urb *urb, void *user);
	/* This call was overtaken by a duplicate: IN_PROGRESS. */
	void (*superseded)(void *waiter, void *user);
};

struct endpoint {
	STAILQ_ENTRY(endpoint) link;	/* these two are the owner's */
	SLIST_ENTRY(endpoint) by_stream;
	uint8_t address;
	uint16_t stream;		/* 0: the endpoint's own row */
	TAILQ_HEAD(endpoint_row, urb) row;	/* by number, all after acked */
	uint32_t next;		/* the number that is to be executed next */
	uint32_t acked;		/* replies up to here have arrived */
	bool isochronous;	/* such URBs have come */
	uint32_t given_up;	/* then: so much the caller has acknowledged */
	bool stopped;		/* by URB `stop`: nothing after it is started */
	uint32_t stop;
	unsigned int n_running;	/* at the device */
	unsigned int n_alone;	/* of them, those that nothing may follow yet */
	unsigned int n_again;	/* and those that are being taken back */
	bool held;		/* a state call is on: nothing is started */
	bool starved;		/* the device had no room */
	bool ended;		/* for good */
	struct endpoint_window *window;
	const struct endpoint_ops *ops;
	void *user;
};

enum endpoint_taken {
	ENDPOINT_TAKEN,		/* the answer comes, or has been given */
	ENDPOINT_STALE,
	ENDPOINT_DELAY,
	ENDPOINT_INVAL,		/* there is no such row, or can be no such number */
	ENDPOINT_IN_PROGRESS,	/* of a fetch: it has not ended */
};

void endpoint_init(struct endpoint *ep, uint8_t address,
		   struct endpoint_window *window,
		   const struct endpoint_ops *ops, void *user);
/* Forgets all URBs; none may be at the device. */
void endpoint_deinit(struct endpoint *ep);

/*
 * A submit of number urb->number, with its waiter, has come. urb is consumed
 * in every case; where the result is not TAKEN, nothing was answered. The
 * waiter of a duplicate takes over.
 */
enum endpoint_taken endpoint_submit(struct endpoint *ep, struct urb *urb);
/* Replies up to `acked` have arrived, as far as they were sent. */
void endpoint_ack(struct endpoint *ep, uint32_t acked);
/* ENDPOINT_DELAY: an early UNLINK that there is no room to remember.
 * ENDPOINT_INVAL: it is so early that its submit could not come yet. */
enum endpoint_taken endpoint_unlink(struct endpoint *ep, uint32_t number);
/*
 * A piece of the data of a staged submit, which may come later, has come.
 * DELAY: there is no room to keep it; INVAL: it lies outside of the data.
 * TAKEN is also what nobody waits for.
 */
enum endpoint_taken endpoint_stage(struct endpoint *ep, uint32_t number,
				   uint32_t offset, const uint8_t *data,
				   uint32_t length);
/* TAKEN: *found is an IN transfer that has ended, with what it brought.
 * INVAL: no such was submitted. */
enum endpoint_taken endpoint_fetch(struct endpoint *ep, uint32_t number,
				   const struct urb **found);
/* The device is done with urb: xfer, actual and perhaps verdict are set. */
void endpoint_done(struct urb *urb);

/* Start what may be started. */
void endpoint_run(struct endpoint *ep);
/* Start nothing until endpoint_release(), and cancel what is running. */
void endpoint_hold(struct endpoint *ep);
void endpoint_release(struct endpoint *ep);
/* The session is over: what is queued ends with xfer, what runs is
 * cancelled. */
void endpoint_end(struct endpoint *ep, enum urb_xfer xfer);

#endif
