// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpc port: show what is attached here. Each helper is asked for its own.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/command.h"
#include "client/ctl.h"
#include "common/cleanup.h"
#include "common/text.h"

#define ASK_TIMEOUT_MS	3000

static const char usage[] =
"Usage: usbip-rpc port [OPTION...]\n"
"Show the devices that are attached to this machine.\n\n"
"  -p, --port N         port N only\n"
"      --json           for programs\n"
"  -d, --debug TAGS     log more: rpc,net,session,device,urb,port or all\n"
"  -h, --help           show this\n";

enum { OPT_JSON = 256 };

static const struct option options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "debug", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct port_options {
	bool json;
	bool one;
	unsigned int port;
};

static const char *string_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "?";
}

static uint64_t number_at(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void print_since(const json_t *o)
{
	time_t since = (time_t)number_at(o, "since");
	char date[32] = "?", span[32];
	struct tm tm;

	if (!since)
		return;
	if (localtime_r(&since, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	printf(", since %s (%s)", date,
	       text_duration((uint64_t)(time(NULL) - since), span,
			     sizeof(span)));
}

static void print_connection(const json_t *o)
{
	const json_t *c = json_object_get(o, "connection");
	const char *over = string_at(o, "transport");
	char span[32], left[32];

	text_duration(number_at(c, "seconds"), span, sizeof(span));
	text_duration(number_at(c, "lease_left"), left, sizeof(left));
	if (!json_is_object(c))
		printf("; session %s", string_at(o, "session"));
	else if (json_is_true(json_object_get(c, "up")))
		printf("; connected over %s for %s", over, span);
	else
		printf("; reconnecting over %s for %s (%" PRIu64 " attempts), "
		       "lease left: %s", over, span, number_at(c, "attempts"),
		       left);
	printf(", %" PRIu64 " reconnects\n", number_at(o, "reconnects"));
}

/* What is not plugged in here. */
static void print_absent(const json_t *o)
{
	const json_t *target = json_object_get(o, "target");
	const json_t *waiting = json_object_get(o, "waiting");
	char span[32];

	printf("port %" PRIu64 ": %s from %s\n    %s", number_at(o, "port"),
	       string_at(target, "asked"), string_at(target, "host"),
	       string_at(o, "state"));
	if (json_is_object(waiting))
		printf(" for %s (%" PRIu64 " attempts): %s",
		       text_duration(number_at(waiting, "seconds"), span,
				     sizeof(span)),
		       number_at(waiting, "attempts"),
		       string_at(waiting, "why"));
	putchar('\n');
}

/* Where there was any. */
static void print_isoc(const json_t *isoc)
{
	if (!number_at(isoc, "in") && !number_at(isoc, "out"))
		return;
	printf("    isochronous: in %" PRIu64 " packets, out %" PRIu64 "; %"
	       PRIu64 " failed, %" PRIu64 " late, %" PRIu64 " lost, %" PRIu64
	       " dropped, %" PRIu64 " gaps; buffer %" PRIu64 " of %" PRIu64
	       " ms\n",
	       number_at(isoc, "in"), number_at(isoc, "out"),
	       number_at(isoc, "failed"), number_at(isoc, "late"),
	       number_at(isoc, "lost"), number_at(isoc, "dropped"),
	       number_at(isoc, "gaps"),
	       number_at(isoc, "ahead_ms"), number_at(isoc, "buffer_ms"));
}

static void print_attached(const json_t *o)
{
	const json_t *target = json_object_get(o, "target");
	const json_t *urbs = json_object_get(o, "urbs");
	const json_t *bytes = json_object_get(o, "bytes");
	char in[32], out[32];

	printf("port %" PRIu64 ": %s:%s %s, %s\n", number_at(o, "port"),
	       string_at(target, "vendor"), string_at(target, "product"),
	       string_at(target, "name"), string_at(target, "speed"));
	printf("    %s%s; bus %" PRIu64 " device %" PRIu64 " (%" PRIu64 "-%"
	       PRIu64 ")\n", string_at(o, "state"),
	       json_is_true(json_object_get(o, "persist")) ?
	       " (persists)" : "", number_at(o, "bus"),
	       number_at(o, "device"), number_at(o, "bus"),
	       number_at(o, "hub_port"));
	printf("    from %s %s", string_at(target, "host"),
	       string_at(target, "busid"));
	print_since(o);
	print_connection(o);
	printf("    in %" PRIu64 " URBs, %s; out %" PRIu64 " URBs, %s; %"
	       PRIu64 " failed, %" PRIu64 " unlinked\n", number_at(urbs, "in"),
	       text_bytes(number_at(bytes, "in"), in, sizeof(in)),
	       number_at(urbs, "out"),
	       text_bytes(number_at(bytes, "out"), out, sizeof(out)),
	       number_at(urbs, "failed"), number_at(urbs, "unlinked"));
	print_isoc(json_object_get(o, "isochronous"));
}

static void print_one(const json_t *o)
{
	const json_t *target = json_object_get(o, "target");

	if (json_is_object(json_object_get(o, "waiting")) ||
	    !json_object_get(target, "busid"))
		print_absent(o);
	else
		print_attached(o);
}

/* 0; or the exit code, and *f says why. */
static int ask_all(const unsigned int *ports, size_t n, json_t *array,
		   struct failure *f)
{
	int code = 0;

	for (size_t i = 0; i < n; i++) {
		json_t *o = NULL;
		int r = ctl_ask(CTL_DIR, ports[i], "status", ASK_TIMEOUT_MS, &o);

		if (!r) {
			json_array_append_new(array, o);
			continue;
		}
		json_decref(o);
		/* One that has just ended, or left its socket behind. */
		if (r == -ECONNREFUSED || r == -ENOENT)
			continue;
		ctl_silent(f, CTL_DIR, ports[i], r);
		code = f->code;
	}
	return code;
}

static int show(const struct port_options *o)
{
	_cleanup_(cleanup_free) unsigned int *ports = NULL;
	json_t *array, *entry;
	struct failure f;
	size_t i, n;
	int code, r = ctl_ports(CTL_DIR, &ports, &n);

	if (r) {
		failure_set(&f, r == -EACCES ? FAILURE_PERMISSION : FAILURE_OTHER,
			    "%s: %s%s", CTL_DIR, strerror(-r),
			    r == -EACCES ? ": take root" : "");
		return command_fail(&f);
	}
	array = json_array();
	code = o->one ? ask_all(&o->port, 1, array, &f) :
			ask_all(ports, n, array, &f);
	if (!code && o->one && !json_array_size(array)) {
		failure_set(&f, FAILURE_NOT_FOUND, "nothing is attached at "
			    "port %u", o->port);
		code = f.code;
	}
	if (o->json) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_array_foreach(array, i, entry)
			print_one(entry);
	}
	json_decref(array);
	return code ? command_fail(&f) : 0;
}

static int run(int argc, char **argv, const struct command *self)
{
	struct port_options o = { .json = false };
	int opt, r;

	while ((opt = getopt_long(argc, argv, "p:d:h", options, NULL)) >= 0) {
		switch (opt) {
		case 'p':
			if (command_number(optarg, 0, 65535, &o.port))
				return command_misuse(self, "--port: a number");
			o.one = true;
			break;
		case OPT_JSON:
			o.json = true;
			break;
		case 'd':
			r = command_debug(self, optarg);
			if (r)
				return r;
			break;
		case 'h':
			return command_help(self);
		default:
			return command_misuse(self, "wrong option");
		}
	}
	if (optind < argc)
		return command_misuse(self, "port takes no \"%s\"",
				      argv[optind]);
	return show(&o);
}

const struct command cmd_port = {
	.name = "port",
	.summary = "show what is attached here",
	.usage = usage,
	.run = run,
};
