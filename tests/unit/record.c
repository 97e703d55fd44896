// SPDX-License-Identifier: GPL-2.0-or-later
/* The record parser: every split of several records, and the limits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"
#include "common/record.h"
#include "tests/tap.h"

/* Records of 5, 0, 8 and 13 bytes; the first in three fragments, the last in
 * two of which the last is empty. */
static const uint8_t wire[] = {
	0x00, 0, 0, 2, 'a', 'b', 0x00, 0, 0, 1, 'c', 0x80, 0, 0, 2, 'd', 'e',
	0x80, 0, 0, 0,
	0x80, 0, 0, 8, '1', '2', '3', '4', '5', '6', '7', '8',
	0x00, 0, 0, 13, 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
	0x80, 0, 0, 0,
};

static const char *const records[] = { "abcde", "", "12345678", "ABCDEFGHIJKLM" };
#define N_RECORDS 4

/* Is rec the n-th record? Takes rec. */
static bool is_record(struct record *rec, unsigned int n)
{
	bool same = n < N_RECORDS && rec->len == strlen(records[n]) &&
		    !memcmp(rec->data, records[n], rec->len) &&
		    (uintptr_t)rec->data % 8 == 0;

	record_unref(rec);
	return same;
}

/* Parse len bytes, as one piece. False: something is wrong. */
static bool feed(struct record_parser *p, const uint8_t *data, size_t len, unsigned int *n)
{
	struct record *rec;
	size_t used;
	int r;

	while (len) {
		/* A copy of the exact size, for the sanitizers. */
		uint8_t *piece = malloc(len);

		memcpy(piece, data, len);
		r = record_parse(p, piece, len, &used, &rec);
		free(piece);
		if (r < 0 || used > len || (!r && used != len))
			return false;
		if (r && !is_record(rec, (*n)++))
			return false;
		data += used;
		len -= used;
	}
	return true;
}

/* The same, but what belongs into a record is put there directly. */
static bool fill(struct record_parser *p, const uint8_t *data, size_t len, unsigned int *n)
{
	struct record *rec;
	size_t room;

	while (len) {
		void *at = record_room(p, &room);
		size_t step = room && room < len ? room : len;

		if (!room) {
			step = 1;
			if (!feed(p, data, 1, n))
				return false;
		} else {
			memcpy(at, data, step);
			if (record_filled(p, step, &rec) && !is_record(rec, (*n)++))
				return false;
		}
		data += step;
		len -= step;
	}
	return true;
}

typedef bool (*feed_fn)(struct record_parser *p, const uint8_t *data, size_t len,
			unsigned int *n);

/* Out of here come records of two bytes, and those that grow from there. */
static struct pool pool;

/* The wire in three pieces, cut at a and b. */
static bool split(feed_fn how, size_t a, size_t b)
{
	struct record_parser p;
	unsigned int n = 0;
	bool good;

	record_parser_init(&p, 13, 3, (a + b) % 2 ? &pool : NULL);
	good = how(&p, wire, a, &n) && how(&p, wire + a, b - a, &n) &&
	       how(&p, wire + b, sizeof(wire) - b, &n);
	record_parser_deinit(&p);
	return good && n == N_RECORDS;
}

static void test_splits(feed_fn how, const char *name)
{
	struct record_parser p;
	unsigned int n = 0, bad = 0;

	for (size_t a = 0; a <= sizeof(wire); a++)
		for (size_t b = a; b <= sizeof(wire); b++)
			bad += !split(how, a, b);
	ok(!bad, "%s: every split in three", name);
	record_parser_init(&p, 13, 3, NULL);
	for (size_t i = 0; i < sizeof(wire); i++)
		bad += !how(&p, wire + i, 1, &n);
	record_parser_deinit(&p);
	ok(!bad && n == N_RECORDS, "%s: byte by byte", name);
}

/* An incomplete record at each point is freed (for the leak checker). */
static void test_ends(void)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < sizeof(wire); i++) {
		struct record_parser p;
		unsigned int n = 0;

		record_parser_init(&p, 13, 3, NULL);
		bad += !feed(&p, wire, i, &n) || n >= N_RECORDS;
		record_parser_deinit(&p);
	}
	ok(!bad, "an end at every byte: no record too many");
}

struct limit {
	const char *name;
	const char *wire;
	size_t len;
	int result;
};

static void test_limits(void)
{
	static const struct limit limits[] = {
		{ "a record of the limit", "\x80\0\0\x08" "12345678", 12, 1 },
		{ "a fragment beyond it", "\x80\0\0\x09", 4, -EMSGSIZE },
		{ "the longest fragment", "\xff\xff\xff\xff", 4, -EMSGSIZE },
		{ "the sum of two beyond it", "\0\0\0\x08" "12345678" "\x80\0\0\x01", 16, -EMSGSIZE },
		{ "an empty fragment that is not the last", "\0\0\0\0", 4, -EPROTO },
		{ "two fragments", "\0\0\0\x01" "1" "\x80\0\0\x01" "2", 10, 1 },
		{ "one fragment too many", "\0\0\0\x01" "1" "\0\0\0\x01" "2" "\x80\0\0\0", 14, -EPROTO },
		{ "a mark and nothing else", "\x80\0\0\x08", 4, 0 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limit *l = &limits[i];
		struct record_parser p;
		struct record *rec = NULL;
		size_t used;
		int r;

		record_parser_init(&p, 8, 2, NULL);
		r = record_parse(&p, l->wire, l->len, &used, &rec);
		ok(r == l->result && used == l->len, "%s", l->name);
		record_unref(rec);
		record_parser_deinit(&p);
	}
}

/* Small fragments must not cost their square. */
static void test_growth(void)
{
	enum { SIZE = 1 << 20 };
	static const uint8_t piece[6] = { 0, 0, 0, 2, 'x', 'y' };
	static const uint8_t end[4] = { 0x80, 0, 0, 0 };
	struct record_parser p;
	struct record *rec = NULL;
	size_t used, grown = 0, size = 0;

	record_parser_init(&p, SIZE, SIZE, NULL);
	for (int i = 0; i < SIZE / 2; i++) {
		record_parse(&p, piece, sizeof(piece), &used, &rec);
		grown += p.rec->size != size;
		size = p.rec->size;
	}
	ok(record_parse(&p, end, sizeof(end), &used, &rec) == 1 && rec->len == SIZE,
	   "half a million fragments");
	ok(grown <= 21, "the record was moved %zu times", grown);
	record_unref(rec);
	record_parser_deinit(&p);
}

int main(void)
{
	pool_init(&pool, sizeof(struct record) + 2);
	test_splits(feed, "fed");
	test_splits(fill, "filled in place");
	test_ends();
	test_limits();
	test_growth();
	ok(!POOL_SPARE_MAX || pool.n_spare, "a record was taken from the pool");
	pool_deinit(&pool);
	return tap_done();
}
