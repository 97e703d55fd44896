// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire - messages of usbip.x.
 */
#include "tests/sim/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record.h"
#include "rpc/usbip.h"
#include "tests/sim/sim.h"

/* In words: where the arguments of a call, the results of a reply begin. */
#define ARGS	10
#define RESULTS	6

uint8_t wire_buffer[WIRE_MAX];
static char text[160];

struct record *wire_record(const uint8_t *data, size_t len)
{
	struct record *rec = calloc(1, sizeof(*rec) + len);

	if (!rec)
		abort();
	rec->refs = 1;
	rec->len = rec->size = len;
	memcpy(rec->data, data, len);
	return rec;
}

uint32_t wire_word(const uint8_t *data, size_t len, unsigned int n)
{
	const uint8_t *at = data + n * 4;

	if (n * 4 + 4 > len)
		return 0;
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

const char *wire_call_text(const uint8_t *data, size_t len)
{
	static const char *const names[] = {
		"NULL", "LIST", "EVENTS", "CLAIM", "RELEASE", "RENEW",
		"CONTROL", "BULK", "INTERRUPT", "ISOC", "UNLINK",
		"SET_CONFIGURATION", "SET_INTERFACE", "CLEAR_HALT", "RESET",
		"ALLOC_STREAMS", "FREE_STREAMS", "SUSPEND", "RESUME", "STAGE",
		"FETCH",
	};
	uint32_t proc = wire_word(data, len, 5), xid = wire_word(data, len, 0);
	const char *name;
	int n;

	if (!sim_verbose)
		return "";
	name = proc < sizeof(names) / sizeof(*names) ? names[proc] : "?";
	if (proc >= USBIP_CONTROL && proc <= USBIP_RESUME &&
	    proc != USBIP_UNLINK) {
		snprintf(text, sizeof(text), "%s %x #%u acked %u (xid %u)",
			 name, wire_word(data, len, ARGS + 2),
			 wire_word(data, len, ARGS + 3),
			 wire_word(data, len, ARGS + 4), xid);
		return text;
	}
	if (proc == USBIP_UNLINK) {
		snprintf(text, sizeof(text), "%s %x #%u (xid %u)", name,
			 wire_word(data, len, ARGS + 2),
			 wire_word(data, len, ARGS + 3), xid);
		return text;
	}
	n = snprintf(text, sizeof(text), "%s (xid %u)", name, xid);
	for (uint32_t i = 0; proc == USBIP_RENEW && n < 140 &&
	     i < wire_word(data, len, ARGS + 2); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %x: %u",
			      wire_word(data, len, ARGS + 3 + 2 * i),
			      wire_word(data, len, ARGS + 4 + 2 * i));
	return text;
}

const char *wire_reply_text(const uint8_t *data, size_t len, uint32_t xid)
{
	static const char *const names[] = {
		"OK", "OK_DATA", "INVAL", "NOT_SUPPORTED", "NO_DEVICE",
		"AMBIGUOUS", "BUSY", "NO_PERMISSION", "NO_SESSION", "EXPIRED",
		"GONE", "REVOKED", "RELEASED", "IN_PROGRESS", "STALE", "DELAY",
		"HOST_ERROR",
	};
	uint32_t stat = wire_word(data, len, RESULTS);

	if (!sim_verbose)
		return "";
	snprintf(text, sizeof(text), "xid %u: %s %u %u", xid,
		 stat < sizeof(names) / sizeof(*names) ? names[stat] : "?",
		 wire_word(data, len, RESULTS + 1),
		 wire_word(data, len, RESULTS + 2));
	return text;
}
