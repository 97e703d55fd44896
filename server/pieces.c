// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pieces - data that comes a piece at a time. Which bytes have come is kept
 * by a bit for each: what a list of gaps needs is up to the sender, this is
 * an eighth of the data whatever he does.
 */
#include "server/pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pieces *pieces_new(size_t headroom)
{
	struct pieces *p = calloc(1, sizeof(*p));

	if (p)
		p->headroom = headroom;
	return p;
}

struct pieces *pieces_free(struct pieces *p)
{
	if (!p)
		return NULL;
	free(p->memory);
	free(p->seen);
	free(p);
	return NULL;
}

static size_t seen_size(uint32_t bytes)
{
	return bytes / 8 + 1;
}

int pieces_reserve(struct pieces *p, uint32_t bytes)
{
	uint8_t *memory, *seen;

	if (p->memory && bytes <= p->room)
		return 0;
	if (bytes < 2 * (uint64_t)p->room && p->room <= UINT32_MAX / 4)
		bytes = 2 * p->room;	/* pieces are small, and many */
	memory = realloc(p->memory, p->headroom + bytes);
	if (!memory)
		return -ENOMEM;
	p->memory = memory;
	seen = realloc(p->seen, seen_size(bytes));
	if (!seen)
		return -ENOMEM;
	if (!p->seen)
		*seen = 0;
	p->seen = seen;
	memset(seen + seen_size(p->room), 0,
	       seen_size(bytes) - seen_size(p->room));
	p->room = bytes;
	return 0;
}

/* How many of these are new? They are not any more. */
static uint32_t mark(uint8_t *seen, uint32_t from, uint32_t to)
{
	uint32_t n = 0, width;
	unsigned int mask;

	for (; from < to; from += width) {
		width = 8 - from % 8;
		if (width > to - from)
			width = to - from;
		mask = (0xffu >> (8 - width)) << from % 8;
		n += __builtin_popcount(mask & ~seen[from / 8]);
		seen[from / 8] |= mask;
	}
	return n;
}

void pieces_put(struct pieces *p, uint32_t offset, const uint8_t *data,
		uint32_t length)
{
	memcpy(p->memory + p->headroom + offset, data, length);
	p->n += mark(p->seen, offset, offset + length);
}

uint8_t *pieces_take(struct pieces *p)
{
	uint8_t *memory = p->memory;

	p->memory = NULL;
	pieces_free(p);
	return memory;
}
