/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meter - what the daemon takes of its machine; and figures of many figures.
 */
#ifndef USBIP_TESTS_SOAK_METER_H
#define USBIP_TESTS_SOAK_METER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct meter {
	unsigned long rss;		/* KiB */
	unsigned int fds, threads;
};

void meter_read(struct meter *m, pid_t pid);

struct meter_series {
	uint64_t *values;
	size_t n, max;
};

/* At most `max` values: those that come after are dropped. */
void meter_add(struct meter_series *s, uint64_t value, size_t max);
/* The value below which `per_mille` of those from `from` to before `to` are;
 * sorts them. 0: there are none. */
uint64_t meter_quantile(struct meter_series *s, size_t from, size_t to,
			unsigned int per_mille);
void meter_free(struct meter_series *s);

#endif
