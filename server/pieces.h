/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pieces - data that comes a piece at a time: in any order, and some of it
 * more than once. Who adds to it bounds it.
 */
#ifndef USBIP_SERVER_PIECES_H
#define USBIP_SERVER_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pieces {
	size_t headroom;	/* bytes in front of the data */
	uint8_t *memory;
	uint8_t *seen;		/* a bit for each byte of the data */
	uint32_t room;		/* bytes of data that both are for */
	uint32_t n;		/* that have come, each counted once */
};

/* NULL: no memory. */
struct pieces *pieces_new(size_t headroom);
struct pieces *pieces_free(struct pieces *p);
/* There is memory for so many bytes from now on; not more than twice of what
 * was asked for. -ENOMEM: it is as it was. */
int pieces_reserve(struct pieces *p, uint32_t bytes);
/* These bytes have come; there is room for them. */
void pieces_put(struct pieces *p, uint32_t offset, const uint8_t *data,
		uint32_t length);
/* The headroom and the data, for free(); p is consumed. */
uint8_t *pieces_take(struct pieces *p);

#endif
