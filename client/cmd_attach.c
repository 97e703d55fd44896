// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpc attach: bring a device of a target to this machine.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command.h"
#include "client/helper.h"
#include "client/isoc.h"
#include "rpc/usbip.h"

static const char usage[] =
"Usage: usbip-rpc attach -r HOST -b DEVICE [OPTION...]\n"
"       usbip-rpc attach HOST DEVICE [OPTION...]\n"
"Bring a USB device of another machine here. Returns when it is ready to be\n"
"used, or says which step failed.\n\n"
"DEVICE is a bus id (3-1.4), VID:PID (46f4:0001) or VID:PID/SERIAL.\n\n"
"  -r, --remote HOST    the target\n"
"  -b, --busid DEVICE   the device\n"
"      --port N         call it port N (the lowest number that is free)\n"
"      --tcp-port N     the target's service is at this TCP port: do not ask\n"
"                       rpcbind\n"
"      --proto udp      by datagrams: what is lost holds up nothing else\n"
"      --udp            the same\n"
"      --udp-port N     the same, and the service is at this UDP port\n"
"      --isoc-buffer MS keep MS milliseconds of isochronous data under way\n"
"                       at the target, for networks with long round trips (0)\n"
"      --timeout S      give up after S seconds (30)\n"
"      --follow S       when it is unplugged at the target, or the target's service\n"
"                       is started anew: stay, and attach it again if it is\n"
"                       back within S seconds\n"
"      --persist        stay whatever happens at the target or on the way, and\n"
"                       attach it again as soon as that is possible; also if it\n"
"                       is not there yet\n"
"      --foreground     stay until the device is detached\n"
"  -d, --debug TAGS     log more: rpc,net,session,device,urb,port or all\n"
"  -h, --help           show this\n";

enum {
	OPT_PORT = 256, OPT_TCP_PORT, OPT_PROTO, OPT_UDP, OPT_UDP_PORT,
	OPT_ISOC_BUFFER, OPT_TIMEOUT, OPT_FOLLOW, OPT_PERSIST, OPT_FOREGROUND,
};

static const struct option options[] = {
	{ "remote", required_argument, NULL, 'r' },
	{ "busid", required_argument, NULL, 'b' },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "tcp-port", required_argument, NULL, OPT_TCP_PORT },
	{ "proto", required_argument, NULL, OPT_PROTO },
	{ "udp", no_argument, NULL, OPT_UDP },
	{ "udp-port", required_argument, NULL, OPT_UDP_PORT },
	{ "isoc-buffer", required_argument, NULL, OPT_ISOC_BUFFER },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "follow", required_argument, NULL, OPT_FOLLOW },
	{ "persist", no_argument, NULL, OPT_PERSIST },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "debug", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* "3-1.4": so that a slip is told before any host is asked. */
static bool is_busid(const char *text)
{
	size_t bus = strspn(text, "0123456789");
	size_t path = bus && text[bus] == '-' ?
		      strspn(text + bus + 1, "0123456789.") : 0;

	return path && !text[bus + 1 + path] && strlen(text) <= USBIP_BUSID_MAX;
}

static bool is_hex4(const char *text)
{
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

static bool is_vidpid(const char *text)
{
	if (!is_hex4(text) || text[4] != ':' || !is_hex4(text + 5))
		return false;
	return !text[9] || (text[9] == '/' && text[10] &&
			    strlen(text) <= USBIP_DEVNAME_MAX);
}

/* One option. 0, or the exit code plus one: 1 is "done". */
static int take_option(int opt, struct helper_options *o,
		       const struct command *self)
{
	unsigned int n;

	switch (opt) {
	case 'r':
		o->host = optarg;
		return 0;
	case 'b':
		o->device = optarg;
		return 0;
	case OPT_PORT:
		if (command_number(optarg, 0, 65535, &n))
			return 1 + command_misuse(self, "--port: a number");
		o->port = (int)n;
		return 0;
	case OPT_TCP_PORT:
		if (command_number(optarg, 1, 65535, &n))
			return 1 + command_misuse(self, "--tcp-port: 1 to 65535");
		o->tcp_port = (uint16_t)n;
		return 0;
	case OPT_PROTO:
		if (command_proto(optarg, &o->udp))
			return 1 + command_misuse(self, "--proto: tcp or udp");
		return 0;
	case OPT_UDP:
		o->udp = true;
		return 0;
	case OPT_UDP_PORT:
		if (command_number(optarg, 1, 65535, &n))
			return 1 + command_misuse(self, "--udp-port: 1 to 65535");
		o->udp = true;
		o->tcp_port = (uint16_t)n;
		return 0;
	case OPT_ISOC_BUFFER:
		if (command_number(optarg, 0, ISOC_AHEAD_MAX_MS, &o->isoc_ms))
			return 1 + command_misuse(self, "--isoc-buffer: 0 to 1000");
		return 0;
	case OPT_TIMEOUT:
		if (command_number(optarg, 1, 3600, &o->timeout_s))
			return 1 + command_misuse(self, "--timeout: 1 to 3600");
		return 0;
	case OPT_FOLLOW:
		if (command_number(optarg, 1, 1000000, &o->follow_s))
			return 1 + command_misuse(self, "--follow: 1 to 1000000");
		return 0;
	case OPT_PERSIST:
		o->persist = true;
		return 0;
	case OPT_FOREGROUND:
		o->foreground = true;
		return 0;
	case 'd':
		n = (unsigned int)command_debug(self, optarg);
		return n ? 1 + (int)n : 0;
	case 'h':
		return 1 + command_help(self);
	default:
		return 1 + command_misuse(self, "wrong option");
	}
}

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

static int run(int argc, char **argv, const struct command *self)
{
	struct helper_options o = {
		.port = -1,
		.timeout_s = 30,
		.attached = say,
	};
	struct failure f;
	int opt, r;

	while ((opt = getopt_long(argc, argv, "r:b:d:h", options, NULL)) >= 0) {
		r = take_option(opt, &o, self);
		if (r)
			return r - 1;
	}
	if (!o.host && optind < argc)
		o.host = argv[optind++];
	if (!o.device && optind < argc)
		o.device = argv[optind++];
	if (!o.host || !*o.host || !o.device || optind < argc)
		return command_misuse(self, "attach takes a host and a device");
	if (!is_busid(o.device) && !is_vidpid(o.device))
		return command_misuse(self, "\"%s\" is no device: a bus id "
				      "(3-1.4), VID:PID or VID:PID/SERIAL",
				      o.device);
	if (o.persist && o.follow_s)
		return command_misuse(self, "--persist follows for ever: it "
				      "goes without --follow");
	return helper_run(&o, &f) ? command_fail(&f) : 0;
}

const struct command cmd_attach = {
	.name = "attach",
	.summary = "bring a device of a target to this machine",
	.usage = usage,
	.run = run,
};
