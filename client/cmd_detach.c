// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpc detach: give devices back to their targets.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command.h"
#include "client/ctl.h"
#include "common/cleanup.h"

/* Unplugging and RELEASE (8 s, session.c) are bounded to less. */
#define DETACH_TIMEOUT_MS	10000

static const char usage[] =
"Usage: usbip-rpc detach -p PORT\n"
"       usbip-rpc detach --all\n"
"Unplug a device here and give it back to its target.\n\n"
"  -p, --port N         the device at port N (see usbip-rpc port)\n"
"      --all            every device\n"
"  -d, --debug TAGS     log more: rpc,net,session,device,urb,port or all\n"
"  -h, --help           show this\n";

enum { OPT_ALL = 256 };

static const struct option options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "debug", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int detach_one(unsigned int port, bool may_be_gone)
{
	json_t *reply = NULL;
	struct failure f;
	bool ok, released;
	int r = ctl_ask(CTL_DIR, port, "detach", DETACH_TIMEOUT_MS, &reply);

	ok = !r && json_is_true(json_object_get(reply, "ok"));
	released = ok && json_is_true(json_object_get(reply, "released"));
	json_decref(reply);
	if (released) {
		printf("detached port %u\n", port);
		return 0;
	}
	if (ok) {
		failure_set(&f, FAILURE_UNREACHABLE,
			    "port %u is unplugged here; the target has not "
			    "confirmed that it has the device back: it takes it "
			    "when the lease is over", port);
	} else if (r == -ENOENT || r == -ECONNREFUSED) {
		if (may_be_gone)
			return 0;
		failure_set(&f, FAILURE_NOT_FOUND,
			    "nothing is attached at port %u", port);
	} else if (r == -EACCES) {
		failure_set(&f, FAILURE_PERMISSION, "detaching takes root");
	} else {
		ctl_silent(&f, CTL_DIR, port, r ? r : -EPROTO);
	}
	return command_fail(&f);
}

static int detach_all(void)
{
	_cleanup_(cleanup_free) unsigned int *ports = NULL;
	struct failure f;
	int code = 0;
	size_t n;
	int r = ctl_ports(CTL_DIR, &ports, &n);

	if (r) {
		failure_set(&f, r == -EACCES ? FAILURE_PERMISSION : FAILURE_OTHER,
			    "%s: %s%s", CTL_DIR, strerror(-r),
			    r == -EACCES ? ": take root" : "");
		return command_fail(&f);
	}
	for (size_t i = 0; i < n; i++) {
		r = detach_one(ports[i], true);
		if (r)
			code = r;
	}
	return code;
}

static int run(int argc, char **argv, const struct command *self)
{
	bool one = false, all = false;
	unsigned int port;
	int opt, r;

	while ((opt = getopt_long(argc, argv, "p:d:h", options, NULL)) >= 0) {
		switch (opt) {
		case 'p':
			if (command_number(optarg, 0, 65535, &port))
				return command_misuse(self, "--port: a number");
			one = true;
			break;
		case OPT_ALL:
			all = true;
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
	if (one == all || optind < argc)
		return command_misuse(self, "detach takes -p PORT, or --all");
	return all ? detach_all() : detach_one(port, false);
}

const struct command cmd_detach = {
	.name = "detach",
	.summary = "give a device back to its target",
	.usage = usage,
	.run = run,
};
