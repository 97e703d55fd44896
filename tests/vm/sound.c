// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sound - a sound that one can tell every sample of, and its judge.
 *
 *   sound make FILE SECONDS    write it, as WAV, with silence behind it
 *   sound check FILE SECONDS FROM
 *                              look for it in a WAV file that is being written,
 *                              from that byte on
 *
 * 48 kHz, two channels, 16 bits. The two samples of frame n, from 1 up, are the
 * halves of n times an odd number: 32 bits that no other frame has, and none is
 * silence. check prints one line: frames that came in their turn, that are
 * missing, that came twice or out of turn, and pieces of silence in between.
 * Exit: 0 all came in their turn, 1 not, 2 usage.
 */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE		48000
#define FRAME		4		/* bytes */
#define HEADER		44		/* of the WAV files that QEMU writes */
#define SILENCE		2		/* seconds behind the sound */
#define FACTOR		2654435761u
#define INVERSE		244002641u	/* FACTOR * INVERSE is 1 in 32 bits */

static void put_le(uint8_t *p, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = value >> (8 * i);
}

static void put_header(FILE *f, uint32_t frames)
{
	uint8_t h[HEADER] = "RIFF....WAVEfmt ";

	put_le(h + 4, HEADER - 8 + frames * FRAME, 4);
	put_le(h + 16, 16, 4);
	put_le(h + 20, 1, 2);			/* PCM */
	put_le(h + 22, 2, 2);
	put_le(h + 24, RATE, 4);
	put_le(h + 28, RATE * FRAME, 4);
	put_le(h + 32, FRAME, 2);
	put_le(h + 34, 16, 2);
	memcpy(h + 36, "data", 4);
	put_le(h + 40, frames * FRAME, 4);
	fwrite(h, HEADER, 1, f);
}

static int make(const char *path, uint32_t seconds)
{
	uint32_t frames = seconds * RATE, all = frames + SILENCE * RATE;
	FILE *f = fopen(path, "we");
	uint8_t frame[FRAME];

	if (!f)
		err(1, "%s", path);
	put_header(f, all);
	for (uint32_t n = 1; n <= all; n++) {
		put_le(frame, n <= frames ? n * FACTOR : 0, FRAME);
		fwrite(frame, FRAME, 1, f);
	}
	if (fclose(f))
		err(1, "%s", path);
	return 0;
}

static int check(const char *path, uint32_t seconds, long from)
{
	uint32_t frames = seconds * RATE, next = 1;
	unsigned int good = 0, wrong = 0, silences = 0, missing = 0;
	FILE *f = fopen(path, "re");
	bool silent = false;
	uint8_t b[FRAME];

	if (from < HEADER)
		from = HEADER;
	from -= (from - HEADER) % FRAME;
	if (!f || fseek(f, from, SEEK_SET))
		err(1, "%s", path);
	while (next <= frames && fread(b, FRAME, 1, f) == 1) {
		uint32_t n = (b[0] | b[1] << 8 | b[2] << 16 |
			      (uint32_t)b[3] << 24) * INVERSE;

		silences += !n && !silent && next > 1;
		silent = !n;
		if (!n)
			continue;
		if (n < next || n > frames) {
			wrong++;
			continue;
		}
		missing += n - next;
		good++;
		next = n + 1;
	}
	fclose(f);
	missing += frames + 1 - next;
	printf("%u in turn, %u missing, %u out of turn, %u silences\n", good,
	       missing, wrong, silences);
	return missing || wrong;
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 3 ? atoi(argv[3]) : 0;

	if (!seconds || seconds > 3600)
		errx(2, "usage: sound make FILE SECONDS | check FILE SECONDS FROM");
	if (!strcmp(argv[1], "make"))
		return make(argv[2], seconds);
	return check(argv[2], seconds, argc > 4 ? atol(argv[4]) : 0);
}
