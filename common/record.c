// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record - RPC records out of a byte stream.
 *
 * A record is a row of fragments; before each stands a mark of four bytes:
 * the fragment's length in 31 bits, and in the highest one whether it is the
 * record's last. The parser is between two of four points:
 *
 *	rec == NULL, n_mark == 0	between records
 *	n_mark in 1..3			within a mark
 *	left > 0			within a fragment
 *	rec != NULL, left == 0		between fragments of a record
 */
#include "common/record.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"

#define LAST_FRAGMENT 0x80000000u

struct record *record_ref(struct record *rec)
{
	rec->refs++;
	return rec;
}

struct record *record_unref(struct record *rec)
{
	if (!rec || --rec->refs)
		return NULL;
	if (rec->pool)
		pool_give(rec->pool, rec);
	else
		free(rec);
	return NULL;
}

void record_parser_init(struct record_parser *p, size_t max,
			unsigned int max_fragments, struct pool *pool)
{
	memset(p, 0, sizeof(*p));
	p->max = max;
	p->max_fragments = max_fragments;
	p->pool = pool;
}

void record_parser_deinit(struct record_parser *p)
{
	p->rec = record_unref(p->rec);
}

/* An empty record with room for size bytes. */
static struct record *record_new(struct pool *pool, size_t size)
{
	struct record *rec;

	/* A pool that keeps nothing would only hide where a record ends. */
	if (!POOL_SPARE_MAX || (pool && sizeof(*rec) + size > pool->size))
		pool = NULL;
	if (pool)
		size = pool->size - sizeof(*rec);
	rec = pool ? pool_take(pool) : malloc(sizeof(*rec) + size);
	if (!rec)
		return NULL;
	rec->refs = 1;
	rec->pool = pool;
	rec->len = 0;
	rec->size = size;
	return rec;
}

struct record *record_copy(struct pool *pool, const void *data, size_t len)
{
	struct record *rec = record_new(pool, len);

	if (!rec)
		return NULL;
	memcpy(rec->data, data, len);
	rec->len = len;
	return rec;
}

/* Make the record large enough for len bytes, which max allows. */
static int grow(struct record_parser *p, size_t len)
{
	struct record *rec = p->rec, *old = rec;
	size_t size = len;

	if (rec && rec->size >= len)
		return 0;
	/* By doubling: many small fragments must not cost their square. */
	if (rec && size < 2 * rec->size)
		size = 2 * rec->size < p->max ? 2 * rec->size : p->max;
	if (rec && !rec->pool) {
		rec = realloc(rec, sizeof(*rec) + size);
		if (!rec)
			return -ENOMEM;
		rec->size = size;
	} else {
		rec = record_new(p->pool, size);
		if (!rec)
			return -ENOMEM;
		if (old) {
			memcpy(rec->data, old->data, old->len);
			rec->len = old->len;
			record_unref(old);
		}
	}
	p->rec = rec;
	return 0;
}

/* A mark is complete. */
static int begin_fragment(struct record_parser *p)
{
	uint32_t mark = (uint32_t)p->mark[0] << 24 | p->mark[1] << 16 |
			p->mark[2] << 8 | p->mark[3];
	size_t have = p->rec ? p->rec->len : 0;
	size_t len = mark & ~LAST_FRAGMENT;

	p->n_mark = 0;
	p->last = mark & LAST_FRAGMENT;
	if (!len && !p->last)
		return -EPROTO;
	if (++p->n_fragments > p->max_fragments)
		return -EPROTO;
	if (have > p->max || len > p->max - have)
		return -EMSGSIZE;
	p->left = len;
	return grow(p, have + len);
}

/* The current fragment is complete: 1 if the record is too. */
static int end_fragment(struct record_parser *p, struct record **recp)
{
	if (!p->last)
		return 0;
	*recp = p->rec;
	p->rec = NULL;
	p->n_fragments = 0;
	return 1;
}

void *record_room(struct record_parser *p, size_t *lenp)
{
	*lenp = p->left;
	return p->left ? p->rec->data + p->rec->len : NULL;
}

int record_filled(struct record_parser *p, size_t len, struct record **recp)
{
	assert(len <= p->left);
	p->rec->len += len;
	p->left -= len;
	return p->left ? 0 : end_fragment(p, recp);
}

/* Bytes of a mark that are among these len; there is one at least. */
static size_t take_mark(struct record_parser *p, const uint8_t *pos, size_t len)
{
	size_t n = sizeof(p->mark) - p->n_mark;

	if (n > len)
		n = len;
	memcpy(p->mark + p->n_mark, pos, n);
	p->n_mark += n;
	return n;
}

int record_parse(struct record_parser *p, const void *data, size_t len,
		 size_t *usedp, struct record **recp)
{
	const uint8_t *pos = data, *end = pos + len;
	int r = 0;

	while (pos < end && !r) {
		if (p->left) {
			size_t n = end - pos;

			if (n > p->left)
				n = p->left;
			memcpy(p->rec->data + p->rec->len, pos, n);
			pos += n;
			r = record_filled(p, n, recp);
			continue;
		}
		pos += take_mark(p, pos, end - pos);
		if (p->n_mark < sizeof(p->mark))
			break;
		r = begin_fragment(p);
		if (!r && !p->left)
			r = end_fragment(p, recp);
	}
	*usedp = pos - (const uint8_t *)data;
	return r;
}

void record_tune_malloc(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
}
