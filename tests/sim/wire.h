/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire - messages of usbip.x: what both ends of the simulated network need of
 * them, and how --verbose shows them.
 */
#ifndef USBIP_TESTS_SIM_WIRE_H
#define USBIP_TESTS_SIM_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct record;

/* Where messages are encoded; the longest that there is. */
#define WIRE_MAX	(256u << 10)
extern uint8_t wire_buffer[WIRE_MAX];

/* A copy, with one reference. */
struct record *wire_record(const uint8_t *data, size_t len);
uint32_t wire_word(const uint8_t *data, size_t len, unsigned int n);

/* Until the next of these. */
const char *wire_call_text(const uint8_t *data, size_t len);
const char *wire_reply_text(const uint8_t *data, size_t len, uint32_t xid);

#endif
