/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text - what other machines and devices say, made fit for a terminal, a log
 * and JSON; and figures for people.
 */
#ifndef USBIP_COMMON_TEXT_H
#define USBIP_COMMON_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Valid UTF-8 without control characters, cut to `size`: what is neither
 * becomes '?'. Returns `out`.
 */
const char *text_clean(const char *in, char *out, size_t size);
/* "MAKER PRODUCT", clean; the maker once, if the product says it, too. */
const char *text_device_name(const char *maker, const char *product,
			     char *out, size_t size);
/* "17 s", "12 min", "3 h", "5 d": about how long. */
const char *text_duration(uint64_t seconds, char *out, size_t size);
/* "512 B", "1.2 MB": about how much, in steps of 1000. */
const char *text_bytes(uint64_t bytes, char *out, size_t size);

#endif
