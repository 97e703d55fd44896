/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel - a stand-in for the module and the drivers behind it: a struct vhci
 * in memory. Submits what a test wants and keeps what it is answered. The
 * device "is configured" in a folder that looks like sysfs.
 */
#ifndef USBIP_TESTS_KERNEL_H
#define USBIP_TESTS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/failure.h"
#include "client/vhci.h"

struct event_base;

struct kernel_answer {
	bool done;
	int status;
	uint32_t actual;
	uint8_t *data;			/* IN; owned by the kernel */
	uint32_t n_packets;		/* isochronous */
	struct vhci_packet *packets;
};

/* Make one with its own folder for sysfs; there is one at a time. */
void kernel_begin(struct event_base *base);
void kernel_end(void);
/* attachment_config.open */
int kernel_open(struct vhci **vp, const struct vhci_events *events,
		struct failure *f);
const char *kernel_sysfs(void);
bool kernel_plugged(void);
enum usb_speed kernel_speed(void);
/* How often, and the port that was asked for the last time, or -1. */
unsigned int kernel_plugs(void);
int kernel_plugged_before(void);
/* While it is full, nothing can be plugged in. */
void kernel_full(bool yes);
/* The system goes to sleep: it unplugs the device. And is awake again. */
void kernel_sleep(void);
void kernel_wake(void);

/* The ids of what is submitted. OUT data is copied; NULL: zeros. */
uint64_t kernel_submit(uint8_t endpoint, enum usb_transfer transfer,
		       uint32_t flags, const void *data, uint32_t length);
/* Packets of `length` bytes each. */
uint64_t kernel_submit_isoc(uint8_t endpoint, const void *data, uint32_t packets,
			    uint32_t length);
/* setup: 8 bytes; OUT data follows them. */
uint64_t kernel_control(const uint8_t *setup, const void *data);
/* On a bulk endpoint's stream. */
uint64_t kernel_submit_stream(uint8_t endpoint, uint16_t stream,
			      const void *data, uint32_t length);
uint64_t kernel_reset(void);
/* ALLOC_STREAMS of these endpoints; 0 streams: FREE_STREAMS. */
uint64_t kernel_streams(uint32_t endpoints, uint32_t streams);
void kernel_unlink(uint64_t id);
/* When an URB ends with an error its driver unlinks everything of the same
 * endpoint, as a completion handler would. */
void kernel_unlink_on_error(bool yes);

/* Waits until it is answered; NULL after ms. Valid until kernel_end(). */
const struct kernel_answer *kernel_wait(uint64_t id, unsigned int ms);
/* What was answered by now, or NULL. */
const struct kernel_answer *kernel_answer(uint64_t id);
/* Lets the loop run for so long. */
void kernel_run(unsigned int ms);
size_t kernel_answers(void);		/* in all; each counts */
size_t kernel_twice(void);		/* answered more than once */

/* Enumerates as Linux does: descriptors, then the first configuration. */
bool kernel_enumerate(void);

#endif
