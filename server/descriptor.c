// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * descriptor - USB descriptors as bytes. Owns copies of them; knows the three
 * layouts that the target has to understand (USB 2.0, 9.6.3 to 9.6.6) and
 * steps over everything else by its length.
 */
#include "server/descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DT_CONFIG 0x02
#define DT_INTERFACE 0x04
#define DT_ENDPOINT 0x05

static uint16_t get_le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static int set_blob(struct descriptor_blob *blob, const uint8_t *data,
		    size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	free(blob->data);
	blob->data = copy;
	blob->len = len;
	return 0;
}

int descriptors_parse(struct descriptors *d, const uint8_t *data, size_t len)
{
	size_t at = sizeof(d->device);
	int r;

	memset(d, 0, sizeof(*d));
	if (len < at || data[0] < at || data[1] != 0x01)
		return -EINVAL;
	memcpy(d->device, data, at);

	while (len - at >= 9 && d->n_configs < DESCRIPTOR_CONFIGS_MAX) {
		const uint8_t *config = data + at;
		size_t total = get_le16(config + 2);

		if (config[0] < 9 || config[1] != DT_CONFIG || total < 9)
			break;
		if (total > len - at)
			total = len - at;	/* as the kernel does */
		r = set_blob(&d->configs[d->n_configs], config, total);
		if (r) {
			descriptors_deinit(d);
			return r;
		}
		d->n_configs++;
		at += total;
	}
	return 0;
}

int descriptors_set_bos(struct descriptors *d, const uint8_t *data, size_t len)
{
	return set_blob(&d->bos, data, len);
}

void descriptors_deinit(struct descriptors *d)
{
	for (unsigned int i = 0; i < d->n_configs; i++)
		free(d->configs[i].data);
	free(d->bos.data);
	memset(d, 0, sizeof(*d));
}

uint16_t descriptors_vendor(const struct descriptors *d)
{
	return get_le16(d->device + 8);
}

uint16_t descriptors_product(const struct descriptors *d)
{
	return get_le16(d->device + 10);
}

uint16_t descriptors_bcd_device(const struct descriptors *d)
{
	return get_le16(d->device + 12);
}

uint32_t descriptors_class(const struct descriptors *d)
{
	return d->device[4] << 16 | d->device[5] << 8 | d->device[6];
}

const struct descriptor_blob *descriptors_config(const struct descriptors *d,
						 unsigned int value)
{
	for (unsigned int i = 0; i < d->n_configs; i++)
		if (d->configs[i].data[5] == value)
			return &d->configs[i];
	return NULL;
}

static bool is_interface(const uint8_t *p)
{
	return p[1] == DT_INTERFACE && p[0] >= 9 &&
	       p[2] < DESCRIPTOR_INTERFACES_MAX;
}

/* The descriptor that the walk has come to, and goes on behind; NULL: no more. */
static const uint8_t *next_descriptor(const struct descriptor_blob *config,
				      struct descriptor_walk *walk)
{
	const uint8_t *p = config->data + walk->offset;

	if (config->len - walk->offset < 2 || p[0] < 2 ||
	    p[0] > config->len - walk->offset)
		return NULL;
	walk->offset += p[0];
	if (is_interface(p))
		walk->interface = p;
	return p;
}

bool descriptor_next_interface(const struct descriptor_blob *config,
			       struct descriptor_walk *walk,
			       struct descriptor_interface *out)
{
	const uint8_t *p;

	while ((p = next_descriptor(config, walk))) {
		if (!is_interface(p))
			continue;
		out->number = p[2];
		out->alternate = p[3];
		out->class_code = p[5] << 16 | p[6] << 8 | p[7];
		return true;
	}
	return false;
}

bool descriptor_next_endpoint(const struct descriptor_blob *config,
			      struct descriptor_walk *walk,
			      struct descriptor_endpoint *out)
{
	const uint8_t *p;

	while ((p = next_descriptor(config, walk))) {
		if (p[1] != DT_ENDPOINT || p[0] < 7 || !(p[2] & 0x0f) ||
		    p[2] & 0x70 || !walk->interface)
			continue;
		out->address = p[2];
		out->attributes = p[3];
		out->max_packet = get_le16(p + 4) & 0x7ff;
		out->interval = p[6];
		out->interface = walk->interface[2];
		out->alternate = walk->interface[3];
		return true;
	}
	return false;
}
