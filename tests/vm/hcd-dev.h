/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hcd-dev.h - a device in software, as the kernel's "gadget zero" is one:
 * 0525:a4a0 with a bulk source and sink and an interrupt source and sink, and in
 * alternate setting 1 an isochronous pair too, for the kernel's usbtest. Knows
 * nothing of how requests come and answers go.
 */
#ifndef USBIP_TESTS_HCD_DEV_H
#define USBIP_TESTS_HCD_DEV_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/usbip_rpc.h>

#define HCD_DEV_IN_MAX	(1U << 20)	/* the most that one answer holds */

/* Streams of a bulk endpoint at super speed, which all do the same. */
#define HCD_DEV_STREAMS_LOG	4
#define HCD_DEV_STREAMS		(1U << HCD_DEV_STREAMS_LOG)

/**
 * struct hcd_dev - the device
 * @speed:	enum usbip_rpc_speed
 * @mod63:	data is usbtest's pattern 1 and is checked, not zeros; and of the
 *		isochronous IN packets some are short and some fail
 * @config, @alternate, @halted: state that requests change; @halted a bit per
 *		endpoint
 * @isoc_in:	number of the next isochronous IN packet (isoc-pattern.h)
 * @isoc_out:	number of the next OUT packet; those of zeros have none
 * @stored:	what vendor request 0x5b wrote, for 0x5c to read
 * @bad_data:	OUT transfers whose bytes were not the pattern
 * @resets:	RESETs seen (counted by the owner)
 */
struct hcd_dev {
	uint32_t speed;
	bool mod63;
	uint8_t config;
	uint8_t alternate;
	uint32_t isoc_in, isoc_out;
	uint32_t halted;
	uint8_t stored[4096];
	unsigned int bad_data;
	unsigned int resets;
};

/**
 * struct hcd_dev_end - how a transfer ends
 * @status, @actual, @npackets, @error_count: of the COMPLETE
 * @body:	bytes that follow it: packets and IN data
 */
struct hcd_dev_end {
	int status;
	uint32_t actual;
	uint32_t npackets;
	uint32_t error_count;
	uint32_t body;
};

/*
 * Do what a SUBMIT asks. @out: what follows it; @in: where what follows the
 * COMPLETE goes, room for HCD_DEV_IN_MAX bytes.
 */
struct hcd_dev_end hcd_dev_submit(struct hcd_dev *d,
				  const struct usbip_rpc_submit *s,
				  const uint8_t *out, uint8_t *in);

#endif
