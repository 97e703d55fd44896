/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rows - the rows of numbers of an attached device: one for each endpoint
 * address, and one for each stream that is used. Owned by port.c, which alone
 * looks into them.
 */
#ifndef USBIP_CLIENT_ROWS_H
#define USBIP_CLIENT_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/isoc.h"
#include "client/urb.h"

/* Endpoint addresses: 0, 15 OUT, and 16 IN (of which 0x80 is unused). */
#define ROWS_ENDPOINTS	32
#define ROWS_BUCKETS	64

struct row {
	STAILQ_ENTRY(row) link;			/* of all */
	SLIST_ENTRY(row) by_stream;
	uint8_t endpoint;
	uint16_t stream;			/* 0: the endpoint's own */
	uint16_t n_streams;			/* of it, that may have rows */
	bool held;			/* a number is DELAYED: nothing behind it */
	uint32_t n_unlinking;		/* of flying, those that are */
	bool untold;		/* whatever `told` says: a connection was lost */
	uint32_t next;			/* the next number */
	uint32_t acked, told;		/* may be, and was, acknowledged */
	struct urb_list waiting, flying;
	uint32_t ackable_urbs;		/* in the window until told */
	uint64_t ackable_bytes;
	struct isoc_row isoc;
};

struct rows {
	struct row endpoints[ROWS_ENDPOINTS];
	STAILQ_HEAD(, row) all;			/* they, and those of streams */
	SLIST_HEAD(, row) streams[ROWS_BUCKETS];
};

void rows_init(struct rows *rows);
/* Frees them, and the URBs that are in them. */
void rows_deinit(struct rows *rows);

/* NULL: there is none (yet). */
struct row *rows_find(struct rows *rows, uint8_t endpoint, uint16_t stream);
/* See that there is one. -EINVAL: that stream was never granted; -ENOMEM. */
int rows_make(struct rows *rows, uint8_t endpoint, uint16_t stream);
/* Each of these endpoints (a bit each) was granted so many streams. */
void rows_grant(struct rows *rows, uint32_t endpoints, uint16_t streams);

#endif
