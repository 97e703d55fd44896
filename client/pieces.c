// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pieces - some bytes that go in pieces: what is yet to be sent, and what has
 * arrived.
 *
 * What failed is sent again before anything that is new. Each byte is in one
 * piece at a time, and the pieces that fly and those that failed are
 * PIECES_MAX at most.
 */
#include "client/pieces.h"

#include <assert.h>
#include <string.h>

#include "client/urb.h"
#include "rpc/usbip.h"

/*
 * What a message has beside the data: the RPC header with AUTH_NONE (40 bytes
 * of a call, 24 of a reply), the arguments, and the padding. The longest are
 * CONTROL (40 + 36), of the pieces STAGE (40 + 24).
 */
#define CALL_EXTRA	80
#define PIECE_EXTRA	64

void pieces_init(struct pieces *p, uint32_t total, uint32_t size)
{
	memset(p, 0, sizeof(*p));
	p->total = total;
	p->size = size;
}

bool pieces_next(struct pieces *p, struct piece *piece)
{
	uint32_t left = p->total - p->begun;

	if (p->n_again) {
		*piece = p->again[--p->n_again];
	} else {
		if (!left || p->n_flying == PIECES_MAX)
			return false;
		piece->offset = p->begun;
		piece->count = left < p->size ? left : p->size;
		p->begun += piece->count;
	}
	p->n_flying++;
	return true;
}

void pieces_arrived(struct pieces *p, const struct piece *piece,
		    uint32_t count)
{
	assert(p->n_flying && count <= piece->count);
	p->n_flying--;
	p->arrived += count;
	if (count == piece->count)
		return;
	p->again[p->n_again++] = (struct piece){
		piece->offset + count,
		piece->count - count,
	};
}

bool pieces_complete(const struct pieces *p)
{
	return p->arrived == p->total;
}

uint32_t pieces_size(size_t room)
{
	if (room < PIECE_EXTRA)
		return 0;
	room = (room - PIECE_EXTRA) & ~(size_t)3;
	return room < USBIP_PIECE_MAX ? (uint32_t)room : USBIP_PIECE_MAX;
}

bool pieces_needless(const struct urb *urb, size_t room)
{
	return room >= CALL_EXTRA && urb->length <= room - CALL_EXTRA;
}
