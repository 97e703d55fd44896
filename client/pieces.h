/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pieces - some bytes that go in pieces: what is yet to be sent, and what has
 * arrived. No I/O and no data in here.
 */
#ifndef USBIP_CLIENT_PIECES_H
#define USBIP_CLIENT_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct urb;

struct piece {
	uint32_t offset, count;
};

/* As many may be on their way at once: what a long, fast network holds. */
#define PIECES_MAX	512

struct pieces {
	uint32_t total;
	uint32_t size;			/* of a piece, at most */
	uint32_t begun;			/* up to here each byte was sent once */
	uint32_t arrived;		/* bytes */
	unsigned int n_flying;
	unsigned int n_again;
	struct piece again[PIECES_MAX];	/* that failed */
};

void pieces_init(struct pieces *p, uint32_t total, uint32_t size);
/* The next one to be sent; it flies from then on. False: there is none, for
 * now. */
bool pieces_next(struct pieces *p, struct piece *piece);
/* One that flew has arrived, the first `count` bytes of it; what is left of it
 * is sent again. */
void pieces_arrived(struct pieces *p, const struct piece *piece,
		    uint32_t count);
bool pieces_complete(const struct pieces *p);

/* The largest piece where a message has `room` bytes, a multiple of 4; 0: that
 * is no room. */
uint32_t pieces_size(size_t room);
/* Has a message room for all of the URB's data, in the call or the reply? */
bool pieces_needless(const struct urb *urb, size_t room);

#endif
