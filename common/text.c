// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * text - what other machines and devices say, made fit for a terminal.
 */
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The length of the UTF-8 sequence at p (RFC 3629), 0: it is none. */
static size_t sequence(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 :
		   p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* too long, surrogates, beyond the last */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	/* C1 controls are controls */
	if (n == 1 && (p[0] < ' ' || p[0] == 0x7f))
		return 0;
	return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : n;
}

const char *text_clean(const char *in, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)in;
	size_t len = 0;

	while (*p) {
		size_t n = sequence(p);

		if (len + (n ? n : 1) >= size)
			break;
		if (n)
			memcpy(out + len, p, n);
		else
			out[len] = '?';
		len += n ? n : 1;
		p += n ? n : 1;
	}
	out[len] = '\0';
	return out;
}

const char *text_device_name(const char *maker, const char *product,
			     char *out, size_t size)
{
	char both[800];

	if (!strncmp(maker, product, strlen(maker)))
		maker = "";
	snprintf(both, sizeof(both), "%s%s%s", maker,
		 *maker && *product ? " " : "", product);
	return text_clean(both, out, size);
}

const char *text_duration(uint64_t seconds, char *out, size_t size)
{
	if (seconds < 120)
		snprintf(out, size, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		snprintf(out, size, "%" PRIu64 " min", seconds / 60);
	else if (seconds < 172800)
		snprintf(out, size, "%" PRIu64 " h", seconds / 3600);
	else
		snprintf(out, size, "%" PRIu64 " d", seconds / 86400);
	return out;
}

const char *text_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double n = (double)bytes;
	size_t i = 0;

	if (bytes < 1000) {
		snprintf(out, size, "%" PRIu64 " B", bytes);
		return out;
	}
	for (n /= 1000; n >= 999.95 && i < 4; i++)
		n /= 1000;
	snprintf(out, size, "%.1f %s", n, units[i]);
	return out;
}
