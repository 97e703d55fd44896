// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * listing - devices of a target as `list` shows them: lines of text for
 * people, JSON for programs.
 */
#include "client/listing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/text.h"
#include "client/usb.h"

static const char *state_word(const usbip_device *d)
{
	switch (d->state) {
	case USBIP_STATE_AVAILABLE:
		return "available";
	case USBIP_STATE_CLAIMED:
		return "claimed";
	case USBIP_STATE_NOT_EXPORTED:
		return "not exported";
	case USBIP_STATE_UNUSABLE:
		return "unusable";
	}
	return "unknown";
}

static void state_text(const usbip_device *d, char *text, size_t size)
{
	char host[128];

	if (d->state == USBIP_STATE_CLAIMED && *d->claimed_by)
		snprintf(text, size, "claimed by %s",
			 text_clean(d->claimed_by, host, sizeof(host)));
	else if (d->state == USBIP_STATE_NOT_EXPORTED)
		snprintf(text, size, "not exported to you");
	else
		snprintf(text, size, "%s", state_word(d));
}

/* A device that leaves it to its interfaces is what its first one is. */
static uint32_t class_of(const usbip_device *d)
{
	uint32_t base = d->class_code >> 16;

	if ((!base || base == 0xef) && d->interfaces.interfaces_len)
		return d->interfaces.interfaces_val[0].class_code;
	return d->class_code;
}

static void print_line(const usbip_device *d, int wide)
{
	char name[200], state[160], busid[USBIP_BUSID_MAX + 1];

	text_device_name(d->manufacturer_name, d->product_name, name,
			 sizeof(name));
	state_text(d, state, sizeof(state));
	printf("%-10s %04x:%04x  %-8s  %-16s  %-*s  %s\n",
	       text_clean(d->busid, busid, sizeof(busid)),
	       d->vendor & 0xffff, d->product & 0xffff,
	       usb_speed_text((enum usb_speed)d->speed),
	       usb_class_text(class_of(d)), wide, state, name);
}

void listing_text(const char *host, const struct catalog *c)
{
	int wide = (int)strlen("available");

	if (!c->n) {
		printf("%s has no USB devices to offer\n", host);
		return;
	}
	for (size_t i = 0; i < c->n; i++) {
		char state[160];

		state_text(&c->devices[i], state, sizeof(state));
		if ((int)strlen(state) > wide)
			wide = (int)strlen(state);
	}
	printf("%-10s %-9s  %-8s  %-16s  %-*s  %s\n", "BUS ID", "ID", "SPEED",
	       "CLASS", wide, "STATE", "NAME");
	for (size_t i = 0; i < c->n; i++)
		print_line(&c->devices[i], wide);
}

/* JSON has no place for bytes that are not UTF-8. */
static json_t *clean_string(const char *s)
{
	char text[512];

	return json_string(text_clean(s, text, sizeof(text)));
}

static json_t *hex4(unsigned int n)
{
	return json_sprintf("%04x", n & 0xffff);
}

static json_t *interfaces_json(const usbip_device *d)
{
	json_t *array = json_array();

	for (u_int i = 0; i < d->interfaces.interfaces_len; i++) {
		const usbip_interface *f = &d->interfaces.interfaces_val[i];

		json_array_append_new(array,
			json_pack("{s:i, s:o}", "number", (int)f->number,
				  "class", json_sprintf("%06x",
							f->class_code)));
	}
	return array;
}

static json_t *device_json(const usbip_device *d)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:s, s:i, s:i, s:o, "
			 "s:o, s:o, s:s, s:o, s:o}",
			 "busid", clean_string(d->busid),
			 "vendor", hex4(d->vendor),
			 "product", hex4(d->product),
			 "bcd_device", hex4(d->bcd_device),
			 "speed", usb_speed_text((enum usb_speed)d->speed),
			 "class", json_sprintf("%06x", d->class_code),
			 "class_name", usb_class_text(class_of(d)),
			 "configuration", (int)d->configuration,
			 "configurations", (int)d->n_configurations,
			 "manufacturer_name", clean_string(d->manufacturer_name),
			 "product_name", clean_string(d->product_name),
			 "serial", clean_string(d->serial),
			 "state", state_word(d),
			 "claimed_by", clean_string(d->claimed_by),
			 "interfaces", interfaces_json(d));
}

void listing_json(const char *host, const struct catalog *c)
{
	json_t *array = json_array(), *root;

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(array, device_json(&c->devices[i]));
	root = json_pack("{s:o, s:o}", "host", clean_string(host), "devices",
			 array);
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

/* ---- what happens to them ------------------------------------------------ */

static const char *event_word(enum monitor_event event)
{
	switch (event) {
	case MONITOR_PRESENT:
		return "present";
	case MONITOR_ARRIVED:
		return "arrived";
	case MONITOR_LEFT:
		return "left";
	case MONITOR_CHANGED:
		return "changed";
	case MONITOR_REENUMERATED:
		return "re-enumerated";
	case MONITOR_WATCHING:
		return "watching";
	case MONITOR_DISCONNECTED:
		return "disconnected";
	}
	return "?";
}

void listing_event_text(enum monitor_event event, const usbip_device *d)
{
	time_t now = time(NULL);
	char text[32] = "?";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	printf("%s  %-13s  ", text, event_word(event));
	print_line(d, (int)strlen("available"));
	fflush(stdout);
}

void listing_event_json(enum monitor_event event, const usbip_device *d,
			const char *why)
{
	json_t *o = json_pack("{s:I, s:s}", "time", (json_int_t)time(NULL),
			      "event", event_word(event));

	if (d)
		json_object_set_new(o, "device", device_json(d));
	if (why)
		json_object_set_new(o, "why", clean_string(why));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}
