// SPDX-License-Identifier: GPL-2.0-or-later
/* meter - what the daemon takes of its machine. */
#include "config.h"

#include "tests/soak/meter.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void meter_read(struct meter *m, pid_t pid)
{
	char path[64], line[256];
	FILE *f;
	DIR *d;

	memset(m, 0, sizeof(*m));
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "VmRSS: %lu", &m->rss);
		sscanf(line, "Threads: %u", &m->threads);
	}
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && readdir(d))
		m->fds++;
	if (d)
		closedir(d);
}

void meter_add(struct meter_series *s, uint64_t value, size_t max)
{
	if (!s->values) {
		s->values = calloc(max, sizeof(*s->values));
		s->max = s->values ? max : 0;
	}
	if (s->n < s->max)
		s->values[s->n++] = value;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t meter_quantile(struct meter_series *s, size_t from, size_t to,
			unsigned int per_mille)
{
	size_t n = to - from;

	if (!n)
		return 0;
	qsort(s->values + from, n, sizeof(*s->values), compare);
	return s->values[from + (n - 1) * per_mille / 1000];
}

void meter_free(struct meter_series *s)
{
	free(s->values);
	memset(s, 0, sizeof(*s));
}
