// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes in pieces: which are sent, how large, and when all are there.
 */
#include "client/pieces.h"

#include <stdlib.h>

#include "client/urb.h"
#include "rpc/usbip.h"
#include "tests/tap.h"

static struct pieces p;

static void test_cuts(void)
{
	static const struct {
		uint32_t total, size;
		unsigned int n;
		uint32_t last;
	} cases[] = {
		{ 1, 1168, 1, 1 },
		{ 1168, 1168, 1, 1168 },
		{ 1169, 1168, 2, 1 },
		{ 65535, 1168, 57, 65535 - 56 * 1168 },
		{ 100, 1, 100, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct piece piece = { 0, 0 };
		uint32_t at = 0;
		unsigned int n = 0;

		pieces_init(&p, cases[i].total, cases[i].size);
		while (pieces_next(&p, &piece) && piece.offset == at) {
			at += piece.count;
			n++;
		}
		ok(at == cases[i].total && n == cases[i].n &&
		   piece.count == cases[i].last, "%u bytes, %u at most: %u pieces",
		   cases[i].total, cases[i].size, n);
	}
}

/* In a random order, some of them fail, some arrive in part. */
static void test_failures(void)
{
	static uint8_t seen[200000];
	static struct piece flying[PIECES_MAX];
	unsigned int n = 0, most = 0, n_sent = 0;
	bool once = true;

	srand(4);
	pieces_init(&p, sizeof(seen), 300);
	while (!pieces_complete(&p)) {
		while (n < PIECES_MAX && pieces_next(&p, &flying[n])) {
			n++;
			n_sent++;
		}
		if (n > most)
			most = n;
		if (!n)
			break;
		unsigned int i = (unsigned int)rand() % n;
		struct piece piece = flying[i];
		uint32_t count = rand() % 3 ? piece.count :
				 (uint32_t)rand() % (piece.count + 1);

		flying[i] = flying[--n];
		for (uint32_t j = 0; j < count; j++)
			once = once && !seen[piece.offset + j]++;
		pieces_arrived(&p, &piece, count);
	}
	ok(pieces_complete(&p) && !n, "all arrives (%u sent)", n_sent);
	ok(once, "each byte once");
	ok(most == PIECES_MAX && !pieces_next(&p, flying),
	   "%u fly at once, and in the end none", most);
}

static void test_room(void)
{
	static const struct {
		size_t room;
		uint32_t size;
	} sizes[] = {
		{ 0, 0 }, { 63, 0 }, { 64, 0 }, { 68, 4 }, { 71, 4 },
		{ 1232, 1168 }, { 1472, 1408 }, { 65507, USBIP_PIECE_MAX },
		{ SIZE_MAX, USBIP_PIECE_MAX },
	};
	struct urb urb = { .length = 1152 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ok(pieces_size(sizes[i].room) == sizes[i].size,
		   "room for %zu: pieces of %u", sizes[i].room, sizes[i].size);
	ok(pieces_needless(&urb, 1232) && pieces_needless(&urb, SIZE_MAX),
	   "what fits is not cut");
	urb.length++;
	ok(!pieces_needless(&urb, 1232), "what does not is");
	urb.length = 0;
	ok(!pieces_needless(&urb, 79) && pieces_needless(&urb, 80),
	   "the headers count");
}

int main(void)
{
	test_cuts();
	test_failures();
	test_room();
	return tap_done();
}
