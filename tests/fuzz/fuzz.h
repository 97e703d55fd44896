/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz - what each target defines, as libFuzzer has it. A target is
 * fuzz-NAME.c; its corpus is corpus/NAME/; replay.c runs it in `make check`.
 */
#ifndef USBIP_TESTS_FUZZ_FUZZ_H
#define USBIP_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* 0. Anything that must not happen is an abort(), or a sanitizer's finding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
