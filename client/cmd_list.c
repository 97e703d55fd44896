// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpc list: show what a target has to offer.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/catalog.h"
#include "client/command.h"
#include "client/usb.h"
#include "common/text.h"

static const char usage[] =
"Usage: usbip-rpc list -r HOST [OPTION...]\n"
"       usbip-rpc list HOST [OPTION...]\n"
"Show the USB devices of another machine, and which of them can be attached.\n\n"
"  -r, --remote HOST    the target\n"
"      --tcp-port N     the target's service is at this TCP port: do not ask\n"
"                       rpcbind\n"
"      --timeout S      give up after S seconds (10)\n"
"      --json           for programs\n"
"  -d, --debug TAGS     log more: rpc,net,session,device,urb,port or all\n"
"  -h, --help           show this\n";

enum { OPT_TCP_PORT = 256, OPT_TIMEOUT, OPT_JSON };

static const struct option options[] = {
	{ "remote", required_argument, NULL, 'r' },
	{ "tcp-port", required_argument, NULL, OPT_TCP_PORT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "debug", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct list_options {
	const char *host;
	unsigned int tcp_port;
	unsigned int timeout_s;
	bool json;
};

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

static void print_text(const char *host, const struct catalog *c)
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
	for (size_t i = 0; i < c->n; i++) {
		const usbip_device *d = &c->devices[i];
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

static void print_json(const char *host, const struct catalog *c)
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

/* One option. 0, or the exit code plus one: 1 is "done". */
static int take_option(int opt, struct list_options *o,
		       const struct command *self)
{
	int r;

	switch (opt) {
	case 'r':
		o->host = optarg;
		return 0;
	case OPT_TCP_PORT:
		if (command_number(optarg, 1, 65535, &o->tcp_port))
			return 1 + command_misuse(self, "--tcp-port: 1 to 65535");
		return 0;
	case OPT_TIMEOUT:
		if (command_number(optarg, 1, 3600, &o->timeout_s))
			return 1 + command_misuse(self, "--timeout: 1 to 3600");
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case 'd':
		r = command_debug(self, optarg);
		return r ? 1 + r : 0;
	case 'h':
		return 1 + command_help(self);
	default:
		return 1 + command_misuse(self, "wrong option");
	}
}

static int run(int argc, char **argv, const struct command *self)
{
	struct list_options o = { .timeout_s = 10 };
	struct catalog catalog;
	struct failure f;
	int opt, r;

	while ((opt = getopt_long(argc, argv, "r:d:h", options, NULL)) >= 0) {
		r = take_option(opt, &o, self);
		if (r)
			return r - 1;
	}
	if (!o.host && optind < argc)
		o.host = argv[optind++];
	if (!o.host || !*o.host || optind < argc)
		return command_misuse(self, "list takes a host");
	if (catalog_fetch(&catalog, o.host, (uint16_t)o.tcp_port, o.timeout_s,
			  &f))
		return command_fail(&f);
	if (o.json)
		print_json(o.host, &catalog);
	else
		print_text(o.host, &catalog);
	catalog_deinit(&catalog);
	return 0;
}

const struct command cmd_list = {
	.name = "list",
	.summary = "show the devices of a target",
	.usage = usage,
	.run = run,
};
