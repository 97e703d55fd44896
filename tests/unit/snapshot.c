// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What `usbip-rpc port` shows of attachments in all states. Stands in for
 * ctl.c and main.c; the clock is deadline.c's stand-in here.
 */
#include "client/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"
#include "client/ctl.h"
#include "client/deadline.h"
#include "tests/tap.h"

static uint64_t now = 1000000;		/* ms */
static struct snapshot shown;
static struct failure told;

uint64_t deadline_in(unsigned int ms)
{
	return now + ms;
}

/* As it comes out of a helper's socket: a line. */
int ctl_ask(const char *dir, unsigned int port, const char *request,
	    unsigned int timeout_ms, json_t **replyp)
{
	json_t *o = snapshot_json(&shown);
	char *text = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	*replyp = json_loads(text ? text : "", 0, NULL);
	free(text);
	return *replyp ? 0 : -EPROTO;
}

void ctl_silent(struct failure *f, const char *dir, unsigned int port,
		int error)
{
	failure_set(f, FAILURE_OTHER, "%s", strerror(-error));
}

int ctl_ports(const char *dir, unsigned int **portsp, size_t *np)
{
	*portsp = calloc(1, sizeof(**portsp));
	*np = 1;
	return 0;
}

int command_fail(const struct failure *f)
{
	told = *f;
	return f->code;
}

int command_misuse(const struct command *self, const char *format, ...)
{
	return FAILURE_USAGE;
}

int command_help(const struct command *self)
{
	return 0;
}

int command_debug(const struct command *self, const char *tags)
{
	return 0;
}

int command_number(const char *text, unsigned long low, unsigned long high,
		   unsigned int *valuep)
{
	*valuep = 0;
	return 0;
}

/* What it prints, or NULL. */
static const char *show(const char *option)
{
	char name[] = "port", arg[16], *argv[] = { name, arg, NULL };
	char path[] = "/tmp/usbip-show-XXXXXX";
	static char text[8192];
	int fd = mkstemp(path), out = dup(STDOUT_FILENO), r;
	ssize_t n;

	unlink(path);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	snprintf(arg, sizeof(arg), "%s", option ? option : "");
	optind = 0;
	r = cmd_port.run(option ? 2 : 1, argv, &cmd_port);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return r ? NULL : text;
}

static bool says(const char *part)
{
	const char *text = show(NULL);

	if (text && strstr(text, part))
		return true;
	printf("# no \"%s\" in:\n# %s\n", part, text ? text : told.text);
	return false;
}

/* At "a.b" of the object that --json prints. */
static json_int_t number(const char *a, const char *b)
{
	const char *text = show("--json");
	json_t *array = json_loads(text ? text : "", 0, NULL);
	json_t *o = json_object_get(json_array_get(array, 0), a), *v = o;
	json_int_t n;

	if (b)
		v = json_object_get(o, b);
	n = json_is_boolean(v) ? json_is_true(v) :
	    json_is_integer(v) ? json_integer_value(v) : -1;
	json_decref(array);
	return n;
}

static const struct vhci_place place = { 8, 3, 1 };
static const struct names names = { "QEMU", "Stick" };
static const struct port_stats stats = { .urbs_in = 7 };
static const struct isoc isoc;
static struct claim_device device = {
	.busid = "2-1",
	.speed = USB_SPEED_SUPER,
	.lease = 30,
	.descriptors.device = { 18, 1, [8] = 0xf4, 0x46, 0x01, 0x00 },
};
static struct contact contact;

static void test_connection(void)
{
	contact_made(&contact);
	now += 35000;
	ok(says("port 0: 46f4:0001 QEMU Stick, 5 Gb/s\n") &&
	   says("attached; bus 3 device 2 (3-1)\n") &&
	   says("from target 2-1; connected over tcp for 35 s, 0 reconnects\n"),
	   "connected");
	ok(number("connection", "up") == 1 &&
	   number("connection", "seconds") == 35 &&
	   number("waiting", NULL) == -1, "and as JSON");
	contact_lost(&contact, 30);
	ok(contact_try(&contact) && !contact_try(&contact) &&
	   contact_try(&contact), "there, by name, and there again");
	now += 12100;
	shown.state = "held";
	ok(says("held; bus 3") &&
	   says("reconnecting over tcp for 12 s (3 attempts), lease left: 18 s, 0 rec"),
	   "the connection is lost");
	ok(number("connection", "up") == 0 &&
	   number("connection", "attempts") == 3 &&
	   number("connection", "lease_left") == 18, "and as JSON");
	now += 20000;
	ok(says("lease left: 0 s"), "the lease is over");
	contact_made(&contact);
	shown.state = "attached";
	shown.reconnects = contact.returns;
	shown.transport = "udp";
	ok(says("connected over udp for 0 s, 1 reconnects"), "it is back");
	shown.state = "detaching";
	contact.since = 0;
	ok(says("; session releasing, 1 rec") && number("connection", "up") == -1,
	   "none");
}

static void test_waiting(void)
{
	shown.state = "waiting";
	shown.waits_since = now;
	shown.attempts = 7;
	shown.why = "target refuses port 3240";
	now += 200000;
	ok(says("port 0: 46f4:0001 from target\n"
		"    waiting for 3 min (7 attempts): target refuses port 3240\n"),
	   "waited for");
	ok(number("waiting", "seconds") == 200 &&
	   number("waiting", "attempts") == 7 &&
	   number("connection", NULL) == -1, "and as JSON");
}

/* It persists: it has its port, and no device was there so far. */
static void test_absent(void)
{
	static const struct vhci_place nowhere;

	shown.persist = true;
	ok(number("persist", NULL) == 1, "persists");
	shown.place = &nowhere;
	shown.device = NULL;
	shown.stats = NULL;
	shown.isoc = NULL;
	ok(says("port 0: 46f4:0001 from target\n    waiting for 3 min (7 "),
	   "waited for from the start");
	ok(number("urbs", NULL) == -1 && number("waiting", "attempts") == 7,
	   "and as JSON");
	shown.waits_since = 0;
	shown.state = "claiming";
	shown.asked = "1234:5678/\xff\"";
	ok(says("port 0: 1234:5678/?\" from target\n    claiming\n"),
	   "being claimed for the first time");
	shown.device = &device;
	shown.stats = &stats;
	shown.isoc = &isoc;
	shown.state = "attached";
	ok(says("    attached (persists); bus "), "and attached");
}

int main(void)
{
	shown = (struct snapshot){
		.place = &place,
		.devnum = 2,
		.names = &names,
		.host = "target",
		.asked = "46f4:0001",
		.device = &device,
		.state = "attached",
		.session = "releasing",
		.transport = "tcp",
		.contact = &contact,
		.stats = &stats,
		.isoc = &isoc,
	};
	test_connection();
	test_waiting();
	test_absent();
	return tap_done();
}
