/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usb - the numbers of the USB specification that this side needs (USB 2.0
 * chapter 9, USB 3.2 chapter 9), and how people say them.
 */
#ifndef USBIP_CLIENT_USB_H
#define USBIP_CLIENT_USB_H

#include <stdint.h>

/* As usbip.x and the module's ABI number them. */
enum usb_speed {
	USB_SPEED_UNKNOWN = 0,
	USB_SPEED_LOW = 1,
	USB_SPEED_FULL = 2,
	USB_SPEED_HIGH = 3,
	USB_SPEED_SUPER = 4,
	USB_SPEED_SUPER_PLUS = 5,
};

/* bmAttributes of an endpoint descriptor, low bits. */
enum usb_transfer {
	USB_TRANSFER_CONTROL = 0,
	USB_TRANSFER_ISOC = 1,
	USB_TRANSFER_BULK = 2,
	USB_TRANSFER_INTERRUPT = 3,
};

#define USB_DIR_IN			0x80	/* bit of an endpoint's address */
#define USB_ENDPOINT_NUMBER		0x0f

/* bmRequestType: direction, type (standard: 0), recipient */
#define USB_RECIPIENT_DEVICE		0x00
#define USB_RECIPIENT_INTERFACE		0x01
#define USB_RECIPIENT_ENDPOINT		0x02

#define USB_REQ_CLEAR_FEATURE		1
#define USB_REQ_SET_FEATURE		3
#define USB_REQ_SET_ADDRESS		5
#define USB_REQ_GET_DESCRIPTOR		6
#define USB_REQ_SET_CONFIGURATION	9
#define USB_REQ_SET_INTERFACE		11
#define USB_REQ_SET_SEL			48
#define USB_REQ_SET_ISOCH_DELAY		49

#define USB_FEATURE_ENDPOINT_HALT	0	/* endpoint */
#define USB_FEATURE_FUNCTION_SUSPEND	0	/* interface */
#define USB_FEATURE_REMOTE_WAKEUP	1	/* device */
#define USB_FEATURE_TEST_MODE		2
#define USB_FEATURE_U1_ENABLE		48
#define USB_FEATURE_U2_ENABLE		49
#define USB_FEATURE_LTM_ENABLE		50

#define USB_DESC_DEVICE			1
#define USB_DESC_CONFIGURATION		2
#define USB_DESC_BOS			15

#define USB_DEVICE_DESC_SIZE		18
#define USB_CONFIGS_MAX			8	/* Linux's USB_MAXCONFIG */

static inline uint16_t usb_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* "480 Mb/s"; "unknown speed" for what is not known. */
const char *usb_speed_text(enum usb_speed speed);
/* The class (bClass << 16 | bSubClass << 8 | bProtocol) in a word or two. */
const char *usb_class_text(uint32_t class_code);

#endif
