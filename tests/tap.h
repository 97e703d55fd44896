/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TAP for C tests: ok(condition, name...) as often as wanted, then return tap_done(). */
#ifndef USBIP_TESTS_TAP_H
#define USBIP_TESTS_TAP_H

#include <stdio.h>

static int tap_n, tap_bad;

#define ok(cond, ...) do {						\
	int ok_ = !!(cond);						\
	tap_bad += !ok_;						\
	printf("%sok %d - ", ok_ ? "" : "not ", ++tap_n);		\
	printf(__VA_ARGS__);						\
	putchar('\n');							\
	if (!ok_)							\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);	\
	fflush(stdout);							\
} while (0)

#define tap_done() (printf("1..%d\n", tap_n), tap_bad != 0)

#endif
