// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The record parser. The first byte says into which pieces the rest is cut;
 * what comes out must be what comes out of one piece.
 */
#include <stdlib.h>
#include <string.h>

#include "common/record.h"
#include "tests/fuzz/fuzz.h"

#define MAX 4096
#define FRAGMENTS 16

/* What came out: the records one behind the other, and how it ended. */
struct outcome {
	size_t len, n_records;
	int error;
	uint8_t *data;
};

static void take_record(struct outcome *out, struct record *rec)
{
	if (rec->len > MAX || rec->refs != 1)
		abort();
	memcpy(out->data + out->len, rec->data, rec->len);
	out->len += rec->len;
	out->n_records++;
	record_unref(rec);
}

/* Parse in pieces of `step` bytes, straight into the record where `fill`. */
static void parse(struct outcome *out, const uint8_t *data, size_t size, size_t step, bool fill)
{
	struct record_parser p;
	struct record *rec;
	size_t room, used;
	int r;

	*out = (struct outcome){ .data = malloc(size + 1) };
	record_parser_init(&p, MAX, FRAGMENTS, NULL);
	while (size && !out->error) {
		size_t n = step < size ? step : size;
		void *at = record_room(&p, &room);

		if (fill && room) {
			n = n < room ? n : room;
			memcpy(at, data, n);
			used = n;
			r = record_filled(&p, n, &rec);
		} else {
			r = record_parse(&p, data, n, &used, &rec);
		}
		if (r > 0)
			take_record(out, rec);
		else if (r < 0)
			out->error = r;
		else if (used != n)
			abort();
		data += used;
		size -= used;
	}
	record_parser_deinit(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;

	if (!size)
		return 0;
	parse(&whole, data + 1, size - 1, size, false);
	parse(&cut, data + 1, size - 1, data[0] % 64 + 1, data[0] & 128);
	if (whole.len != cut.len || whole.n_records != cut.n_records ||
	    whole.error != cut.error || memcmp(whole.data, cut.data, whole.len))
		abort();
	free(whole.data);
	free(cut.data);
	return 0;
}
