/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record - RPC records out of a byte stream (RFC 5531, section 11).
 *
 * The parser does no I/O: bytes go in, in pieces of any size, and whole
 * records come out, each contiguous and aligned, so that what is decoded from
 * one can stay in it. The rest of a large record can be read straight into
 * its place (record_room()).
 */
#ifndef USBIP_COMMON_RECORD_H
#define USBIP_COMMON_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool;

/* One record, counted: who decodes from it holds a reference. */
struct record {
	unsigned int refs;
	struct pool *pool;	/* that it goes back to, or NULL */
	size_t len;		/* bytes of data[] */
	size_t size;		/* bytes that data[] has room for */
	uint8_t data[] __attribute__((aligned(8)));
};

/* One of these bytes, out of the pool where it fits. NULL: out of memory. */
struct record *record_copy(struct pool *pool, const void *data, size_t len);
struct record *record_ref(struct record *rec);
/* Returns NULL. NULL is fine. */
struct record *record_unref(struct record *rec);

struct record_parser {
	size_t max;			/* bytes of a record */
	unsigned int max_fragments;	/* of a record */
	struct pool *pool;		/* for small records, or NULL: outlives
					 * them */

	uint8_t mark[4];		/* the mark before a fragment, so far */
	unsigned int n_mark;
	bool last;			/* is the current fragment */
	size_t left;			/* bytes that it lacks */
	unsigned int n_fragments;	/* of the current record */
	struct record *rec;		/* it; NULL between records */
};

void record_parser_init(struct record_parser *p, size_t max,
			unsigned int max_fragments, struct pool *pool);
void record_parser_deinit(struct record_parser *p);

/*
 * Parse up to the end of one record. 1: *recp is a record, the caller's from
 * now on, and *usedp bytes were used; 0: all were used, more are needed;
 * -EMSGSIZE: a record beyond the limit; -EPROTO: an empty fragment that is not
 * the last, or too many; -ENOMEM. After an error the stream is of no use.
 */
int record_parse(struct record_parser *p, const void *data, size_t len,
		 size_t *usedp, struct record **recp);

/* Where the rest of the current fragment belongs, *lenp bytes, if any. */
void *record_room(struct record_parser *p, size_t *lenp);
/* len of those bytes are there. 1: *recp is a record; 0: more are needed. */
int record_filled(struct record_parser *p, size_t len, struct record **recp);

/*
 * For programs whose records are large, at their start: keeps glibc from
 * mapping and unmapping memory for each record, which costs more than all
 * the copying that is saved here.
 */
void record_tune_malloc(void);

#endif
