// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usb - how people say the numbers of the USB specification.
 */
#include "client/usb.h"

#include <stddef.h>

const char *usb_speed_text(enum usb_speed speed)
{
	switch (speed) {
	case USB_SPEED_UNKNOWN:
		break;
	case USB_SPEED_LOW:
		return "1.5 Mb/s";
	case USB_SPEED_FULL:
		return "12 Mb/s";
	case USB_SPEED_HIGH:
		return "480 Mb/s";
	case USB_SPEED_SUPER:
		return "5 Gb/s";
	case USB_SPEED_SUPER_PLUS:
		return "10 Gb/s";
	}
	return "unknown speed";
}

/* Base classes as usb.org assigns them. */
static const struct {
	uint8_t code;
	const char *text;
} classes[] = {
	{ 0x01, "audio" },
	{ 0x02, "communication" },
	{ 0x03, "human interface" },
	{ 0x05, "physical" },
	{ 0x06, "still image" },
	{ 0x07, "printer" },
	{ 0x08, "mass storage" },
	{ 0x09, "hub" },
	{ 0x0a, "cdc data" },
	{ 0x0b, "smart card" },
	{ 0x0d, "content security" },
	{ 0x0e, "video" },
	{ 0x0f, "healthcare" },
	{ 0x10, "audio/video" },
	{ 0x11, "billboard" },
	{ 0xdc, "diagnostic" },
	{ 0xe0, "wireless" },
	{ 0xef, "miscellaneous" },
	{ 0xfe, "application specific" },
	{ 0xff, "vendor specific" },
};

const char *usb_class_text(uint32_t class_code)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].code == class_code >> 16)
			return classes[i].text;
	return class_code >> 16 ? "unknown class" : "by interface";
}
