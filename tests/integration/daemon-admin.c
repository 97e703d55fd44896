// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpcd --sessions and --revoke, as they are typed, while controllers
 * have devices.
 */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

static struct caller_daemon d;
static char output[16384];

/* usbip-rpcd with these arguments; its exit code. `output`: all that it says. */
static int command(const char *arguments)
{
	const char *top = getenv("top_builddir");
	char line[512];
	size_t n;
	FILE *f;
	int status;

	snprintf(line, sizeof(line),
		 "timeout 60 %s/server/usbip-rpcd --control %s/control %s 2>&1",
		 top ? top : ".", d.dir, arguments);
	f = popen(line, "re");
	if (!f)
		abort();
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = 0;
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool says(const char *text)
{
	return strstr(output, text);
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int number_at(const json_t *o, const char *in, const char *key)
{
	if (in)
		o = json_object_get(o, in);
	return json_integer_value(json_object_get(o, key));
}

/* EVENTS of the session that c has just claimed. */
static void watch(struct caller *c, const struct caller_call *claim,
		  struct caller_call *call)
{
	const usbip_claim_ok *ok = &claim->res.claim.usbip_claim_res_u.claim;
	usbip_events_args args = { .after = ok->event, .session = c->session,
				   .wait = 30 };

	memcpy(args.boot, ok->boot, sizeof(args.boot));
	caller_begin(c, call);
	usbip_events_1(&args, &call->res.events, rpcclnt_handle(c->clnt));
}

/* Did it end by this event? */
static bool is_told(struct caller_call *call, usbip_stat why)
{
	const usbip_events_ok *got = &call->res.events.usbip_events_res_u.events;
	bool told;

	if (caller_wait(call) || call->res.events.status)
		return false;
	told = got->events.events_len == 1 &&
	       got->events.events_val[0].type == USBIP_EVENT_SESSION &&
	       got->events.events_val[0].why == why;
	caller_end(call, (xdrproc_t)xdr_usbip_events_res);
	return told;
}

static void test_sessions(struct caller *c, struct caller *idle)
{
	json_t *all, *o;
	int xfer;

	ok(!command("--sessions") && !*output, "nobody has anything");
	ok(!command("--sessions --json") && !strcmp(output, "[]\n"),
	   "nor for programs");
	caller_claim(idle, "2-1", 1, NULL);
	caller_claim(c, "1-2", 2, NULL);
	caller_bulk(c, 0x81, NULL, 1000, &xfer);
	caller_bulk(c, 0x81, NULL, 24, &xfer);
	caller_bulk(c, 0x01, NULL, 0, &xfer);
	ok(!command("--sessions --json"), "two have");
	all = json_loads(output, 0, NULL);
	o = json_array_get(all, 0);
	ok(json_array_size(all) == 2 && !strcmp(text_at(o, "busid"), "1-2") &&
	   !strcmp(text_at(o, "vendor"), "0525") &&
	   !strcmp(text_at(o, "product"), "a4a0") &&
	   !strcmp(text_at(o, "serial"), "ZERO-A") &&
	   strstr(text_at(o, "name"), "Gadget Zero"), "which devices");
	ok(!strcmp(text_at(o, "host"), "test (127.0.0.1)") &&
	   !strcmp(text_at(o, "state"), "active") &&
	   !strcmp(text_at(o, "transport"), "tcp") &&
	   !strncmp(text_at(o, "connection"), "127.0.0.1 port ", 15), "who");
	ok(number_at(o, NULL, "lease") == 30 &&
	   number_at(o, NULL, "lease_left") > 0 &&
	   number_at(o, NULL, "lease_left") <= 30, "for how long");
	ok(number_at(o, "urbs", "in") == 2 && number_at(o, "urbs", "out") == 1 &&
	   number_at(o, "bytes", "in") == 1024 &&
	   number_at(o, "bytes", "out") == 0, "and what has gone over it");
	json_decref(all);
	ok(!command("--sessions") && says("1-2: 0525:a4a0 Linux Foundation Gadget Zero, active\n") &&
	   says("claimed by test (127.0.0.1), since ") &&
	   says("tcp from 127.0.0.1 port ") && says("of 30 s of the lease left") &&
	   says("in 2 URBs, 1.0 kB; out 1 URBs, 0 B;") && says("2-1: "),
	   "the same for people");
}

/* idle loses its connection, and is still there. */
static void test_lost(struct caller *idle)
{
	usbip_session session = idle->session;
	bool lost = false;

	caller_close(idle);
	for (int i = 0; i < 100 && !lost; i++) {
		lost = !command("--sessions") && says("    no connection; ");
		usleep(20000);
	}
	ok(lost && says("2-1: "), "a session without a connection is told");
	caller_open(idle, "127.0.0.1", d.port);
	idle->session = session;
	ok(!caller_renew(idle, 0, 0) && !command("--sessions") &&
	   !says("no connection"), "and has one again");
	caller_release(idle);
}

static void test_revoke(struct caller *c)
{
	struct caller_call claim, end, key;
	int xfer;

	caller_claim(c, "1-4", 1, &claim);
	watch(c, &claim, &end);
	caller_end(&claim, (xdrproc_t)xdr_usbip_claim_res);
	caller_submit_interrupt(c, &key, 0x81, 8, 0);
	caller_run(c, 20, NULL);
	ok(!command("--revoke 1-4") &&
	   says("1-4: taken back from test (127.0.0.1)\n"),
	   "a device is taken back");
	ok(!command("--sessions") && !says("1-4"), "nobody has it");
	ok(is_told(&end, USBIP_REVOKED), "the controller is told at once, and why");
	ok(caller_result(&key, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "what ran is answered");
	ok(caller_renew(c, 0, 0) == USBIP_REVOKED, "the session is REVOKED");
	ok(command("--revoke 1-4") == 4 && says("nobody has claimed 1-4"),
	   "nobody has it any more");
	ok(caller_claim(c, "1-4", 2, NULL) == USBIP_OK,
	   "it can be claimed again: exports say who may");
	ok(!command("--revoke 0627:0001"), "taken back by its id");
}

static void test_several(struct caller *c, struct caller *other)
{
	caller_claim(other, "1-3", 1, NULL);	/* c has 1-2 */
	ok(command("--revoke 0525:a4a0") == 4 && says("1-2") && says("1-3"),
	   "several are meant: they are named");
	ok(!caller_renew(c, 0, 0) && !caller_renew(other, 0, 0), "nothing is done");
	ok(!command("--revoke 0525:a4a0/ZERO-B") && says("1-3: ") && !says("1-2"),
	   "one by its serial number");
	ok(!caller_renew(c, 0, 0), "which leaves the other");
	caller_claim(other, "2-2", 2, NULL);
	ok(!command("--revoke all") && says("1-2: ") && says("2-2: "), "all");
	ok(caller_renew(c, 0, 0) == USBIP_REVOKED &&
	   caller_renew(other, 0, 0) == USBIP_REVOKED, "at once");
	ok(!command("--revoke all") && !*output, "all of none");
}

/* What the command says is so: it waits. */
static void test_wait(struct caller *c)
{
	struct caller_call waits;
	int xfer;

	caller_claim(c, "1-1", 3, NULL);
	caller_submit_in(c, &waits, 0x81, 64, 0);	/* never ends by itself */
	caller_run(c, 20, NULL);
	ok(!command("--revoke 1-1"), "a device that has something to do");
	ok(caller_claim(c, "1-1", 4, NULL) == USBIP_OK,
	   "when it says so, the device is free");
	ok(caller_result(&waits, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "and what it had to do is answered");
	caller_release(c);
}

static void test_second(void)
{
	static struct caller_daemon second;
	char path[80];
	const char *const args[] = { "--control", path, NULL };

	snprintf(path, sizeof(path), "%s/control", d.dir);
	caller_daemon_start(&second, "* *\n", NULL, args);
	ok(caller_daemon_says(&second, "another usbip-rpcd has it"),
	   "a second service says that it can not be asked");
	ok(!command("--sessions"), "the first one can");
	ok(!caller_daemon_stop(&second) && !command("--sessions"),
	   "and still when that has ended");
	kill(d.pid, SIGKILL);
	waitpid(d.pid, NULL, 0);
	ok(command("--sessions") == 1 && says("is usbip-rpcd running?"),
	   "none answers any more");
	caller_daemon_start(&second, "* *\n", NULL, args);
	ok(!command("--sessions"), "the next one takes the dead one's place");
	ok(!caller_daemon_stop(&second), "it ends well");
	ok(command("--revoke 1-1") == 1, "nobody to ask");
}

static void test_datagrams(void)
{
	static struct caller c;

	caller_open_dgram(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-1", 7, NULL) == USBIP_OK &&
	   !command("--sessions") && says("1-1: ") &&
	   says("udp from 127.0.0.1 port "), "one by datagrams");
	caller_release(&c);
	caller_close(&c);
}

int main(void)
{
	static struct caller c, other;

	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	caller_open(&other, "127.0.0.1", d.port);
	test_sessions(&c, &other);
	test_lost(&other);
	test_revoke(&other);
	test_several(&c, &other);
	test_wait(&other);
	test_datagrams();
	test_second();
	caller_close(&c);
	caller_close(&other);
	caller_daemon_forget(&d);
	return tap_done();
}
