/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * descriptor - a device's descriptors as it sent them, and what they say of
 * interfaces and endpoints. Devices lie: every length is checked here.
 */
#ifndef USBIP_SERVER_DESCRIPTOR_H
#define USBIP_SERVER_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DESCRIPTOR_CONFIGS_MAX 8
#define DESCRIPTOR_INTERFACES_MAX 32

struct descriptor_blob {
	uint8_t *data;
	size_t len;
};

struct descriptors {
	uint8_t device[18];
	unsigned int n_configs;
	struct descriptor_blob configs[DESCRIPTOR_CONFIGS_MAX];
	struct descriptor_blob bos;	/* len 0: none */
};

struct descriptor_endpoint {
	uint8_t address;
	uint8_t attributes;		/* type in the low two bits */
	uint16_t max_packet;
	uint8_t interval;
	uint8_t interface, alternate;
};

struct descriptor_interface {
	uint8_t number, alternate;
	uint32_t class_code;	/* class << 16 | subclass << 8 | protocol */
};

enum descriptor_type {			/* bmAttributes & 3 */
	DESCRIPTOR_TYPE_CONTROL,
	DESCRIPTOR_TYPE_ISOCHRONOUS,
	DESCRIPTOR_TYPE_BULK,
	DESCRIPTOR_TYPE_INTERRUPT,
};

/*
 * Device descriptor and then configurations, as sysfs's `descriptors` and
 * usbfs have them. -EINVAL: too short to be a device; configurations that
 * are damaged are left out.
 */
int descriptors_parse(struct descriptors *d, const uint8_t *data, size_t len);
int descriptors_set_bos(struct descriptors *d, const uint8_t *data, size_t len);
void descriptors_deinit(struct descriptors *d);

uint16_t descriptors_vendor(const struct descriptors *d);
uint16_t descriptors_product(const struct descriptors *d);
uint16_t descriptors_bcd_device(const struct descriptors *d);
uint32_t descriptors_class(const struct descriptors *d);

/* The configuration with this bConfigurationValue, or NULL. */
const struct descriptor_blob *descriptors_config(const struct descriptors *d,
						 unsigned int value);

/* A walk along a configuration: all zero at first. */
struct descriptor_walk {
	size_t offset;
	const uint8_t *interface;	/* the one before offset, or NULL */
};

/* false: no more. Each alternate setting is told for itself. */
bool descriptor_next_interface(const struct descriptor_blob *config,
			       struct descriptor_walk *walk,
			       struct descriptor_interface *out);
bool descriptor_next_endpoint(const struct descriptor_blob *config,
			      struct descriptor_walk *walk,
			      struct descriptor_endpoint *out);

#endif
