// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helper keeps its port while its device is away: over a sleep of the
 * system, a reset that makes another device of it, an unplug, and a new start
 * of the target's service. A real usbip-rpcd with fake devices, a lease of
 * 3 s; and in place of the module, kernel.c.
 */
#include "config.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/attachment.h"
#include "common/log.h"
#include "tests/integration/caller.h"
#include "tests/integration/kernel.h"
#include "tests/tap.h"

#define WAIT_MS	30000

enum { FAULT = 0xe1, UNPLUG = 0xe3, PRODUCT = 0xe5, LEAVE = 0xe6 };
enum { HANG = 5 };

static const char script[] =
	"device 1-2 zero serial=ZERO-A\ndevice 1-3 zero serial=ZERO-B\n";

static struct caller_daemon d;
static struct event_base *base;
static char ctl_dir[] = "/tmp/usbip-ctl-XXXXXX";
static bool attached, ended;
static struct failure why;

static void on_attached(const char *text, void *user)
{
	attached = true;
}

static void on_ended(const struct failure *f, void *user)
{
	ended = true;
	why = *f;
}

/* The daemon must not be left behind. */
static void bail(const char *text)
{
	printf("Bail out! %s\n", text);
	kill(d.pid, SIGKILL);
	exit(1);
}

/* It is plugged in for the nth time, enumerated, and in use. Without that
 * nothing behind it makes sense. */
static bool comes(struct attachment *a, unsigned int n)
{
	const char *state = "";
	json_t *o;

	for (int i = 0; i < WAIT_MS / 10 && !ended &&
	     !(kernel_plugged() && kernel_plugs() == n); i++)
		kernel_run(10);
	if (!kernel_plugged() || !kernel_enumerate()) {
		printf("# plugged in %u times, not %u\n", kernel_plugs(), n);
		bail(ended ? why.text : "it is still waited for");
	}
	for (int i = 0; i < WAIT_MS / 10 && strcmp(state, "attached"); i++) {
		kernel_run(10);
		o = attachment_status(a);
		state = strcmp(json_string_value(json_object_get(o, "state")),
			       "attached") ? "" : "attached";
		json_decref(o);
	}
	return *state;
}

static struct attachment *attach(const char *device, unsigned int follow_ms)
{
	const struct attachment_config config = {
		.base = base,
		.host = "127.0.0.1",
		.device = device,
		.tcp_port = (uint16_t)d.port,
		.port = -1,
		.timeout_ms = 20000,
		.follow_ms = follow_ms,
		.ctl_dir = ctl_dir,
		.sysfs_dir = kernel_sysfs(),
		.open = kernel_open,
		.attached = on_attached,
		.ended = on_ended,
	};
	struct attachment *a = NULL;

	attached = ended = false;
	if (!attachment_new(&a, &config, &why) && comes(a, 1) && attached)
		return a;
	bail(why.text);
	return NULL;
}

static bool wait_ended(void)
{
	for (int i = 0; i < WAIT_MS / 10 && !ended; i++)
		kernel_run(10);
	return ended;
}

static void detach(struct attachment *a)
{
	if (!ended)
		attachment_detach(a, "the test is done");
	wait_ended();
	attachment_free(a);
	kernel_end();
}

/* A control request to its end: bytes, or -1. */
static int request(const uint8_t *setup, void *data)
{
	const struct kernel_answer *a = kernel_wait(kernel_control(setup, data),
						    WAIT_MS);

	if (!a || a->status)
		return -1;
	if (setup[0] & USB_DIR_IN)
		memcpy(data, a->data, a->actual);
	return (int)a->actual;
}

static void tell(uint8_t what, uint16_t value, uint16_t index)
{
	request((const uint8_t[8]){ 0x40, what, value & 0xff,
		(uint8_t)(value >> 8), index & 0xff, (uint8_t)(index >> 8), 0,
		0 }, NULL);
}

/* So many bulk transfers, all well? */
static bool transfers(int n)
{
	for (; n; n--) {
		const struct kernel_answer *a = kernel_wait(
			kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512),
			WAIT_MS);

		if (!a || a->status || a->actual != 512)
			return false;
	}
	return true;
}

/* The highest number that endpoint 0x81 has executed last. */
static unsigned int last_number(void)
{
	static uint8_t list[4096];
	int n = request((const uint8_t[8]){ 0xc0, 0xe0, 0, 0, 0x81, 0, 0,
			0x10 }, list);

	return n < 4 ? 0 : list[n - 4] | (unsigned int)list[n - 3] << 8;
}

static bool is_product(const struct attachment *a, const char *product)
{
	json_t *o = attachment_status(a);
	bool is = !strcmp(product, json_string_value(json_object_get(
			  json_object_get(o, "target"), "product")));

	json_decref(o);
	return is;
}

/* ---- */

static void test_nap(void)
{
	struct attachment *a;
	uint64_t id, control;

	kernel_begin(base);
	a = attach("1-2", 0);
	ok(transfers(5) && last_number() == 5, "in use");
	tell(FAULT, HANG, 0x82);
	tell(FAULT, HANG, 0);
	id = kernel_submit(0x82, USB_TRANSFER_INTERRUPT, 0, NULL, 64);
	control = kernel_control((const uint8_t[8]){ 0x80, 8, 0, 0, 0, 0, 1, 0 },
				 NULL);
	kernel_run(100);
	kernel_sleep();
	kernel_run(500);
	ok(!kernel_plugged() && !ended, "the system sleeps, the helper stays");
	kernel_wake();
	ok(comes(a, 2), "awake: the device is back");
	ok(kernel_plugged_before() == 8, "where it was");
	ok(!kernel_answer(id) && !kernel_answer(control) && !kernel_twice(),
	   "what the kernel had back is not answered");
	ok(transfers(5) && last_number() == 10, "the session is the same");
	id = kernel_submit(0x82, USB_TRANSFER_INTERRUPT, 0, NULL, 64);
	ok(kernel_wait(id, WAIT_MS) && !kernel_answer(id)->status,
	   "and no endpoint hangs any more");
	detach(a);
}

/* Frozen for longer than its lease, as a process is by then. */
static void test_sleep(void)
{
	struct attachment *a;

	kernel_begin(base);
	a = attach("1-2", 0);
	ok(transfers(5), "in use");
	kernel_sleep();
	sleep(5);
	kernel_wake();
	ok(comes(a, 2), "after a sleep beyond the lease it is claimed anew");
	ok(transfers(3) && last_number() == 3, "with a new session");
	kernel_sleep();
	kernel_run(300);
	attachment_detach(a, "asleep");
	ok(wait_ended() && why.code == FAILURE_NONE,
	   "and can be detached while the system sleeps");
	detach(a);
}

/* It is reset before it is plugged in again: so that is noticed. */
static void test_changed(void)
{
	struct attachment *a;

	kernel_begin(base);
	a = attach("1-2", 0);
	tell(PRODUCT, 0xa4ab, 0);
	tell(LEAVE, 200, 0);
	kernel_sleep();
	kernel_run(300);
	kernel_wake();
	ok(comes(a, 2) && is_product(a, "a4ab"),
	   "one that became another device meanwhile is that");
	tell(PRODUCT, 0xa4a0, 0);
	tell(LEAVE, 200, 0);
	kernel_reset();
	ok(comes(a, 3) && is_product(a, "a4a0"), "and back");
	detach(a);
}

static void test_reset(void)
{
	struct attachment *a;

	kernel_begin(base);
	a = attach("1-2", 0);
	tell(PRODUCT, 0xa4a9, 0);
	tell(LEAVE, 300, 0);
	kernel_reset();
	ok(comes(a, 2), "after a reset another device is at its port");
	ok(is_product(a, "a4a9") && transfers(3) && kernel_plugged_before() == 8,
	   "which is attached, where the first one was");
	tell(PRODUCT, 0xa4a0, 0);
	tell(LEAVE, 300, 0);
	kernel_reset();
	ok(comes(a, 3) && is_product(a, "a4a0"), "and back");
	detach(a);
}

static void test_no_match(void)
{
	struct attachment *a;

	kernel_begin(base);
	a = attach("0525:a4a0/ZERO-B", 0);
	tell(PRODUCT, 0xa4aa, 0);
	tell(LEAVE, 100, 0);
	kernel_reset();
	ok(wait_ended() && why.code == FAILURE_OTHER && kernel_plugs() == 1 &&
	   !kernel_plugged() && strstr(why.text, "from a reset") &&
	   strstr(why.text, "no device 0525:a4a0/ZERO-B"),
	   "not what was named: %s", why.text);
	detach(a);
	kernel_begin(base);
	a = attach("1-3", 0);
	ok(is_product(a, "a4aa"), "though it is there");
	detach(a);
}

static void test_unplug(void)
{
	struct attachment *a;

	kernel_begin(base);
	a = attach("1-2", 10000);
	tell(UNPLUG, 0, 500);
	ok(comes(a, 2) && transfers(1), "--follow: unplugged, and back");
	tell(UNPLUG, 0, 0);
	for (int i = 0; i < WAIT_MS / 10 && kernel_plugged(); i++)
		kernel_run(10);
	attachment_detach(a, "waiting");
	ok(wait_ended() && why.code == FAILURE_NONE,
	   "can be detached while it is waited for");
	detach(a);
	kernel_begin(base);
	a = attach("1-3", 1000);
	tell(UNPLUG, 0, 0);
	ok(wait_ended() && why.code == FAILURE_OTHER, "in vain: %s", why.text);
	detach(a);
}

/* Somebody on the target wants it to end: not followed. */
static void test_revoked(void)
{
	const char *top = getenv("top_builddir");
	struct attachment *a;
	char line[512];

	kernel_begin(base);
	a = attach("1-2", 20000);
	snprintf(line, sizeof(line),
		 "%s/server/usbip-rpcd --control %s/control --revoke 1-2 >/dev/null",
		 top ? top : ".", d.dir);
	ok(!system(line), "the target's administrator takes it back");
	ok(wait_ended() && strstr(why.text, "administrator ended") &&
	   !kernel_plugged(), "the port goes: %s", why.text);
	detach(a);
}

static void test_restart(void)
{
	char port[16];
	const char *const args[] = { "--port", port, "--lease", "3", NULL };
	struct attachment *a;

	snprintf(port, sizeof(port), "%u", d.port);
	kernel_begin(base);
	a = attach("1-3", 20000);
	kill(d.pid, SIGKILL);
	caller_daemon_stop(&d);
	caller_daemon_start(&d, "* *\n", script, args);
	ok(comes(a, 2) && transfers(1), "--follow: a new start of the service");
	caller_daemon_write(&d, "exports", "1-2 *\n");
	kill(d.pid, SIGHUP);
	ok(caller_daemon_says(&d, "read again"), "it is not exported any more");
	tell(UNPLUG, 0, 100);
	ok(wait_ended() && why.code == FAILURE_PERMISSION, "%s", why.text);
	detach(a);
}

int main(void)
{
	static const char *const args[] = { "--lease", "3", NULL };
	char path[64];

	signal(SIGPIPE, SIG_IGN);
	if (getenv("DEBUG"))
		log_enable(getenv("DEBUG"));
	base = event_base_new();
	if (!base || !mkdtemp(ctl_dir))
		return 1;
	caller_daemon_start(&d, "* *\n", script, args);
	test_nap();
	test_sleep();
	test_changed();
	test_reset();
	test_no_match();
	test_revoked();
	caller_daemon_stop(&d);
	caller_daemon_start(&d, "* *\n", script, args);
	test_unplug();
	caller_daemon_stop(&d);
	caller_daemon_start(&d, "* *\n", script, args);
	test_restart();
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	snprintf(path, sizeof(path), "%s/lock", ctl_dir);
	unlink(path);
	ok(!rmdir(ctl_dir), "no control socket is left");
	event_base_free(base);
	return tap_done();
}
