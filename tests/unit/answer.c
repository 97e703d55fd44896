// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of control requests to endpoint 0: a table of setup packets.
 */
#include "client/answer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"

static const uint8_t config0[] = {
	9, 2, 25, 0, 1, 1, 0, 0xa0, 50,
	9, 4, 0, 0, 1, 8, 6, 80, 0,
	7, 5, 0x81, 2, 0, 2, 0,
};
static const uint8_t config1[] = { 9, 2, 9, 0, 0, 2, 0, 0x80, 50 };
static const uint8_t bos[] = { 5, 15, 5, 0, 0 };
static const uint8_t device[18] = {
	18, 1, 0, 2, 0, 0, 0, 64, 0xf4, 0x46, 1, 0, 0, 0, 1, 2, 3, 2,
};

static uint8_t *copy(const uint8_t *bytes, size_t len)
{
	uint8_t *p = malloc(len);

	if (p)
		memcpy(p, bytes, len);
	return p;
}

static void make(struct answer_descriptors *d, bool with_bos)
{
	memset(d, 0, sizeof(*d));
	memcpy(d->device, device, sizeof(device));
	d->n_configs = 2;
	d->configs[0].bytes = copy(config0, sizeof(config0));
	d->configs[0].len = sizeof(config0);
	d->configs[1].bytes = copy(config1, sizeof(config1));
	d->configs[1].len = sizeof(config1);
	if (with_bos) {
		d->bos.bytes = copy(bos, sizeof(bos));
		d->bos.len = sizeof(bos);
	}
}

#define SETUP(type, request, value, index, length)			\
	{ type, request, (value) & 0xff, (value) >> 8, (index) & 0xff,	\
	  (index) >> 8, (length) & 0xff, (length) >> 8 }

static const struct {
	const char *name;
	uint8_t setup[8];
	enum answer_kind kind;
	const uint8_t *data;
	size_t len;
	uint16_t value, index;
} cases[] = {
	{ "device descriptor", SETUP(0x80, 6, 0x0100, 0, 18), .kind = ANSWER_DATA, .data = device, .len = 18 },
	{ "device descriptor, first 8", SETUP(0x80, 6, 0x0100, 0, 8), .kind = ANSWER_DATA, .data = device, .len = 8 },
	{ "device descriptor, 64 wanted", SETUP(0x80, 6, 0x0100, 0, 64), .kind = ANSWER_DATA, .data = device, .len = 18 },
	{ "device descriptor, nothing wanted", SETUP(0x80, 6, 0x0100, 0, 0), .kind = ANSWER_DATA, .data = device, .len = 0 },
	{ "configuration 0, header", SETUP(0x80, 6, 0x0200, 0, 9), .kind = ANSWER_DATA, .data = config0, .len = 9 },
	{ "configuration 0, all", SETUP(0x80, 6, 0x0200, 0, 25), .kind = ANSWER_DATA, .data = config0, .len = 25 },
	{ "configuration 0, more", SETUP(0x80, 6, 0x0200, 0, 0xffff), .kind = ANSWER_DATA, .data = config0, .len = 25 },
	{ "configuration 1", SETUP(0x80, 6, 0x0201, 0, 255), .kind = ANSWER_DATA, .data = config1, .len = 9 },
	{ "configuration 2, not told", SETUP(0x80, 6, 0x0202, 0, 9), .kind = ANSWER_FORWARD },
	{ "BOS", SETUP(0x80, 6, 0x0f00, 0, 5), .kind = ANSWER_DATA, .data = bos, .len = 5 },
	{ "string", SETUP(0x80, 6, 0x0301, 0x0409, 255), .kind = ANSWER_FORWARD },
	{ "device qualifier", SETUP(0x80, 6, 0x0600, 0, 10), .kind = ANSWER_FORWARD },
	{ "other speed configuration", SETUP(0x80, 6, 0x0700, 0, 9), .kind = ANSWER_FORWARD },
	{ "HID report descriptor", SETUP(0x81, 6, 0x2200, 0, 63), .kind = ANSWER_FORWARD },
	{ "device status", SETUP(0x80, 0, 0, 0, 2), .kind = ANSWER_FORWARD },
	{ "get configuration", SETUP(0x80, 8, 0, 0, 1), .kind = ANSWER_FORWARD },
	{ "get interface", SETUP(0x81, 10, 0, 0, 1), .kind = ANSWER_FORWARD },
	{ "set address", SETUP(0x00, 5, 7, 0, 0), .kind = ANSWER_DONE },
	{ "set configuration 1", SETUP(0x00, 9, 1, 0, 0), .kind = ANSWER_SET_CONFIGURATION, .value = 1 },
	{ "set configuration 0", SETUP(0x00, 9, 0, 0, 0), .kind = ANSWER_SET_CONFIGURATION },
	{ "set interface 3 to 2", SETUP(0x01, 11, 2, 3, 0), .kind = ANSWER_SET_INTERFACE, .value = 2, .index = 3 },
	{ "clear halt of 81", SETUP(0x02, 1, 0, 0x81, 0), .kind = ANSWER_CLEAR_HALT, .index = 0x81 },
	{ "clear halt of 02", SETUP(0x02, 1, 0, 0x02, 0), .kind = ANSWER_CLEAR_HALT, .index = 0x02 },
	{ "clear halt of endpoint 0", SETUP(0x02, 1, 0, 0, 0), .kind = ANSWER_FORWARD },
	{ "clear halt of endpoint 80", SETUP(0x02, 1, 0, 0x80, 0), .kind = ANSWER_FORWARD },
	{ "set halt", SETUP(0x02, 3, 0, 0x81, 0), .kind = ANSWER_FORWARD },
	{ "endpoint status", SETUP(0x82, 0, 0, 0x81, 2), .kind = ANSWER_FORWARD },
	{ "remote wakeup on", SETUP(0x00, 3, 1, 0, 0), .kind = ANSWER_DONE },
	{ "remote wakeup off", SETUP(0x00, 1, 1, 0, 0), .kind = ANSWER_DONE },
	{ "U1 on", SETUP(0x00, 3, 48, 0, 0), .kind = ANSWER_DONE },
	{ "U2 off", SETUP(0x00, 1, 49, 0, 0), .kind = ANSWER_DONE },
	{ "LTM on", SETUP(0x00, 3, 50, 0, 0), .kind = ANSWER_DONE },
	{ "test mode", SETUP(0x00, 3, 2, 0x0100, 0), .kind = ANSWER_STALL },
	{ "function suspend", SETUP(0x01, 3, 0, 0x0100, 0), .kind = ANSWER_DONE },
	{ "SEL", SETUP(0x00, 48, 0, 0, 6), .kind = ANSWER_DONE },
	{ "isochronous delay", SETUP(0x00, 49, 40, 0, 0), .kind = ANSWER_DONE },
	{ "vendor request 9 is not SET_CONFIGURATION", SETUP(0x40, 9, 1, 0, 0), .kind = ANSWER_FORWARD },
	{ "class request 11 is not SET_INTERFACE", SETUP(0x21, 11, 0, 0, 0), .kind = ANSWER_FORWARD },
	{ "vendor request 5 is not SET_ADDRESS", SETUP(0x40, 5, 1, 0, 0), .kind = ANSWER_FORWARD },
	{ "mass storage reset", SETUP(0x21, 0xff, 0, 0, 0), .kind = ANSWER_FORWARD },
};

int main(void)
{
	struct answer_descriptors d;
	struct answer a;

	make(&d, true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a = answer_request(&d, cases[i].setup);
		ok(a.kind == cases[i].kind && a.len == cases[i].len &&
		   a.value == cases[i].value && a.index == cases[i].index &&
		   (!a.len || !memcmp(a.data, cases[i].data, a.len)),
		   "%s", cases[i].name);
	}
	answer_descriptors_deinit(&d);

	make(&d, false);
	a = answer_request(&d, (const uint8_t[8])SETUP(0x80, 6, 0x0f00, 0, 5));
	ok(a.kind == ANSWER_STALL, "BOS of a device that has none");
	answer_descriptors_deinit(&d);
	answer_descriptors_deinit(&d);
	ok(!d.n_configs && !d.bos.bytes, "deinit may be repeated");
	return tap_done();
}
