// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpc list: show what a target has to offer.
 */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/catalog.h"
#include "client/command.h"
#include "client/listing.h"
#include "client/monitor.h"

static const char usage[] =
"Usage: usbip-rpc list -r HOST [OPTION...]\n"
"       usbip-rpc list HOST [OPTION...]\n"
"Show the USB devices of another machine, and which of them can be attached.\n\n"
"  -r, --remote HOST    the target\n"
"      --tcp-port N     the target's service is at this TCP port: do not ask\n"
"                       rpcbind\n"
"      --proto udp      ask by datagrams\n"
"      --udp            the same\n"
"      --udp-port N     the same, and the service is at this UDP port\n"
"      --timeout S      give up after S seconds (10)\n"
"  -w, --watch          go on, and show what happens until Ctrl-C\n"
"      --json           for programs\n"
"  -d, --debug TAGS     log more: rpc,net,session,device,urb,port or all\n"
"  -h, --help           show this\n";

enum {
	OPT_TCP_PORT = 256, OPT_PROTO, OPT_UDP, OPT_UDP_PORT, OPT_TIMEOUT,
	OPT_JSON,
};

static const struct option options[] = {
	{ "remote", required_argument, NULL, 'r' },
	{ "tcp-port", required_argument, NULL, OPT_TCP_PORT },
	{ "proto", required_argument, NULL, OPT_PROTO },
	{ "udp", no_argument, NULL, OPT_UDP },
	{ "udp-port", required_argument, NULL, OPT_UDP_PORT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "watch", no_argument, NULL, 'w' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "debug", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct list_options {
	const char *host;
	bool udp;
	unsigned int tcp_port;		/* or UDP's */
	unsigned int timeout_s;
	bool watch, json;
};

static int list_once(const struct list_options *o)
{
	struct catalog catalog;
	struct failure f;

	if (catalog_fetch(&catalog, o->host, o->udp, (uint16_t)o->tcp_port,
			  o->timeout_s, &f))
		return command_fail(&f);
	if (o->json)
		listing_json(o->host, &catalog);
	else
		listing_text(o->host, &catalog);
	catalog_deinit(&catalog);
	return 0;
}

/* ---- --watch ------------------------------------------------------------- */

struct list_watch {
	const struct list_options *options;
	struct event_base *base;
	struct monitor *monitor;
	struct event *signals[2];
	bool away;
	int code;
};

static void show_list(const struct catalog *c, void *user)
{
	const struct list_watch *w = user;

	if (!w->options->json) {
		listing_text(w->options->host, c);
		fflush(stdout);
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		listing_event_json(MONITOR_PRESENT, &c->devices[i], NULL);
}

static void show_event(enum monitor_event event, const usbip_device *d,
		       const char *why, void *user)
{
	struct list_watch *w = user;

	if (w->options->json)
		listing_event_json(event, d, why);
	else if (d)
		listing_event_text(event, d);
	else if (event == MONITOR_DISCONNECTED)
		fprintf(stderr, "usbip-rpc: %s; trying again\n", why);
	else if (w->away)
		fprintf(stderr, "usbip-rpc: %s is back\n", w->options->host);
	w->away = event == MONITOR_DISCONNECTED;
	/* nobody reads it any more */
	if (ferror(stdout))
		event_base_loopbreak(w->base);
}

static void watch_failed(const struct failure *f, void *user)
{
	struct list_watch *w = user;

	w->code = command_fail(f);
	event_base_loopbreak(w->base);
}

static void on_signal(evutil_socket_t number, short what, void *user)
{
	struct list_watch *w = user;

	event_base_loopbreak(w->base);
}

static bool begin_watch(struct list_watch *w)
{
	const struct monitor_config config = {
		.base = w->base,
		.host = w->options->host,
		.udp = w->options->udp,
		.tcp_port = (uint16_t)w->options->tcp_port,
		.timeout_ms = w->options->timeout_s * 1000,
		.listed = show_list,
		.happened = show_event,
		.failed = watch_failed,
		.user = w,
	};
	static const int numbers[] = { SIGINT, SIGTERM };

	for (size_t i = 0; i < 2; i++) {
		w->signals[i] = evsignal_new(w->base, numbers[i], on_signal, w);
		if (!w->signals[i] || evsignal_add(w->signals[i], NULL))
			return false;
	}
	return !monitor_new(&w->monitor, &config);
}

/* Until a signal ends it, which is how it is meant to end. */
static int watch(const struct list_options *o)
{
	struct list_watch w = { .options = o, .base = event_base_new() };
	struct failure f;

	if (w.base && begin_watch(&w)) {
		event_base_dispatch(w.base);
	} else {
		failure_set(&f, FAILURE_OTHER, "out of memory");
		w.code = command_fail(&f);
	}
	monitor_free(w.monitor);
	for (size_t i = 0; i < 2; i++)
		if (w.signals[i])
			event_free(w.signals[i]);
	if (w.base)
		event_base_free(w.base);
	return w.code;
}

/* ---- the command --------------------------------------------------------- */

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
	case OPT_PROTO:
		if (command_proto(optarg, &o->udp))
			return 1 + command_misuse(self, "--proto: tcp or udp");
		return 0;
	case OPT_UDP:
		o->udp = true;
		return 0;
	case OPT_UDP_PORT:
		if (command_number(optarg, 1, 65535, &o->tcp_port))
			return 1 + command_misuse(self, "--udp-port: 1 to 65535");
		o->udp = true;
		return 0;
	case OPT_TIMEOUT:
		if (command_number(optarg, 1, 3600, &o->timeout_s))
			return 1 + command_misuse(self, "--timeout: 1 to 3600");
		return 0;
	case 'w':
		o->watch = true;
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
	int opt, r;

	while ((opt = getopt_long(argc, argv, "r:wd:h", options, NULL)) >= 0) {
		r = take_option(opt, &o, self);
		if (r)
			return r - 1;
	}
	if (!o.host && optind < argc)
		o.host = argv[optind++];
	if (!o.host || !*o.host || optind < argc)
		return command_misuse(self, "list takes a host");
	return o.watch ? watch(&o) : list_once(&o);
}

const struct command cmd_list = {
	.name = "list",
	.summary = "show the devices of a target",
	.usage = usage,
	.run = run,
};
