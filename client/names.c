// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names - what a device calls itself.
 */
#include "client/names.h"

#include "client/usb.h"

#define DESC_STRING	3
/* In the device descriptor. */
#define I_MANUFACTURER	14
#define I_PRODUCT	15

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* UTF-16LE; half of a pair becomes '?', and so do controls. */
static void decode(char *out, size_t size, const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < len && n + 4 < size; i += 2) {
		uint32_t c = usb_get16(p + i);

		if (c >= 0xd800 && c < 0xdc00 && i + 3 < len &&
		    (usb_get16(p + i + 2) & 0xfc00) == 0xdc00) {
			c = 0x10000 + ((c & 0x3ff) << 10) +
			    (usb_get16(p + i + 2) & 0x3ffU);
			i += 2;
		} else if (c < ' ' || (c >= 0x7f && c < 0xa0) ||
			   (c & 0xf800) == 0xd800) {
			c = '?';
		}
		n += put_utf8(out + n, c);
	}
	out[n] = '\0';
}

void names_learn(struct names *names, const uint8_t *device_descriptor,
		 const uint8_t setup[8], const uint8_t *data, size_t len)
{
	uint8_t index = setup[2];

	if (setup[0] != USB_DIR_IN || setup[1] != USB_REQ_GET_DESCRIPTOR ||
	    setup[3] != DESC_STRING || !index)
		return;
	if (len < 2 || data[0] < 2 || data[1] != DESC_STRING)
		return;
	if (len > data[0])
		len = data[0];
	if (index == device_descriptor[I_MANUFACTURER])
		decode(names->maker, sizeof(names->maker), data + 2, len - 2);
	if (index == device_descriptor[I_PRODUCT])
		decode(names->product, sizeof(names->product), data + 2, len - 2);
}
