// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * departures - what was unplugged a moment ago: a ring, and no pointer into
 * the devices, which are gone.
 */
#include "server/departures.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "server/backend.h"

/* FNV-1a: to notice a difference, not to stand up to who wants none. */
static uint64_t add_bytes(uint64_t print, const uint8_t *data, size_t len)
{
	while (len--)
		print = (print ^ *data++) * 0x100000001b3;
	return print;
}

static uint64_t print_of(const struct descriptors *d)
{
	uint64_t print = add_bytes(0xcbf29ce484222325, d->device,
				   sizeof(d->device));

	for (unsigned int i = 0; i < d->n_configs; i++)
		print = add_bytes(print, d->configs[i].data, d->configs[i].len);
	return print;
}

void departures_note(struct departures *d, const struct backend_info *info,
		     uint64_t now)
{
	struct departure *one = &d->kept[d->next++ % DEPARTURES_KEPT];

	snprintf(one->busid, sizeof(one->busid), "%s", info->busid);
	one->print = print_of(&info->descriptors);
	one->when = now;
}

bool departures_is_successor(struct departures *d,
			     const struct backend_info *info, uint64_t now)
{
	uint64_t print = print_of(&info->descriptors);

	/* the last one that left the port counts, and once */
	for (unsigned int i = 1; i <= DEPARTURES_KEPT; i++) {
		struct departure *one = &d->kept[(d->next - i) % DEPARTURES_KEPT];

		if (strcmp(one->busid, info->busid))
			continue;
		one->busid[0] = 0;
		return now - one->when <= DEPARTURES_MS && one->print != print;
	}
	return false;
}
