// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An attachment that persists: the helper waits for its device whatever ended
 * the session, and also where there was none yet. A real usbip-rpcd with fake
 * devices, a lease of 3 s; and in place of the module, kernel.c.
 */
#include "config.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "client/ctl.h"
#include "tests/integration/attach.h"
#include "tests/integration/caller.h"

enum { PRODUCT = 0xe5 };

static const char script[] =
	"device 1-2 zero serial=ZERO-A\ndevice 1-3 zero serial=ZERO-B\n";

static struct caller_daemon d;
static int log_fd;

/* At the port that it had, if it had one. */
static void start_daemon(const char *exports)
{
	char port[16];
	const char *const args[] = { "--lease", "3", "--port", port, NULL };

	snprintf(port, sizeof(port), "%u", daemon_port);
	caller_daemon_start(&d, exports, script, args);
	daemon_port = (uint16_t)d.port;
}

static void kill_daemon(void)
{
	kill(d.pid, SIGKILL);
	caller_daemon_stop(&d);
}

/* Nothing behind it would make sense. The daemon must not be left behind. */
static void bail(const char *text)
{
	printf("Bail out! %s\n", fate.ended ? fate.why.text : text);
	kill(d.pid, SIGKILL);
	exit(1);
}

static bool state_is(const struct attachment *a, const char *state)
{
	json_t *o = attachment_status(a);
	bool is = o && !strcmp(json_string_value(json_object_get(o, "state")),
			       state);

	json_decref(o);
	return is;
}

static bool becomes(const struct attachment *a, const char *state)
{
	for (int i = 0; i < WAIT_MS / 10 && !fate.ended; i++) {
		if (state_is(a, state))
			return true;
		kernel_run(10);
	}
	printf("# it does not become %s\n", state);
	return false;
}

/* It is plugged in for the nth time, enumerated, and in use. */
static bool comes(const struct attachment *a, unsigned int n)
{
	const struct kernel_answer *r;

	for (int i = 0; i < 2 * WAIT_MS / 10 && !fate.ended &&
	     !(kernel_plugged() && kernel_plugs() == n); i++)
		kernel_run(10);
	if (!kernel_plugged() || !kernel_enumerate() || !becomes(a, "attached"))
		bail("it does not come");
	r = kernel_wait(kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512),
			WAIT_MS);
	return r && !r->status && r->actual == 512 && !fate.ended;
}

static json_int_t attempts(const struct attachment *a)
{
	json_t *o = attachment_status(a);
	json_int_t n = json_integer_value(json_object_get(
			json_object_get(o, "waiting"), "attempts"));

	json_decref(o);
	return n;
}

static bool waits_for(const struct attachment *a, const char *why)
{
	json_t *o = attachment_status(a);
	const char *text = json_string_value(json_object_get(
			json_object_get(o, "waiting"), "why"));
	bool is = text && strstr(text, why);

	json_decref(o);
	return is;
}

/* It is not there yet, and whoever asked was told so. */
static struct attachment *wait_from_the_start(const char *device,
					      const char *why)
{
	struct attachment *a;

	kernel_begin(base);
	a = begin(device, daemon_port);
	if (!a)
		bail("no attachment");
	for (int i = 0; i < WAIT_MS / 10 && !fate.waits && !fate.ended; i++)
		kernel_run(10);
	ok(fate.waits && !fate.ended && strstr(fate.text, why) &&
	   strstr(fate.text, "from 127.0.0.1 as port 0: "), "%s", fate.text);
	return a;
}

/* Lines of our log with this in them, since log_begin(). */
static void log_begin(void)
{
	if (ftruncate(log_fd, 0))
		abort();
}

static unsigned int log_lines(const char *with)
{
	static char text[65536];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);
	unsigned int lines = 0;

	text[n > 0 ? n : 0] = '\0';
	for (char *at = text; (at = strstr(at, with)); at++)
		lines++;
	return lines;
}

/* ---- */

static void test_outage(void)
{
	struct attachment *a = attach("1-2", proxy_begin(base, daemon_port));
	uint64_t id;

	if (!a)
		bail("not attached");
	log_begin();
	proxy_refuse(true);
	proxy_cut();
	kernel_run(100);
	id = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	ok(becomes(a, "held") && kernel_plugged(),
	   "the connection is lost: the port stays");
	ok(becomes(a, "waiting") && !kernel_plugged() && !kernel_answer(id),
	   "for longer than the lease: unplugged");
	ok(log_lines("lost: trying") == 1 && log_lines("has left: the connection was "
	   "lost for longer than the lease") == 1, "one line for each");
	proxy_refuse(false);
	ok(comes(a, 2) && kernel_plugged_before() == 8,
	   "it is back in the same port");
	ok(log_lines("again, after ") == 1, "which is said, and after how long");
	detach(a);
	ok(fate.why.code == FAILURE_NONE && !kernel_plugged(), "detached");
	kernel_begin(base);
	proxy_end();
	kernel_end();
}

static void test_killed(void)
{
	struct attachment *a = attach("1-2", daemon_port);

	if (!a)
		bail("not attached");
	kill_daemon();
	ok(becomes(a, "waiting") && !kernel_plugged(), "the service is killed");
	log_begin();
	for (int i = 0; i < WAIT_MS / 10 && attempts(a) < 3; i++)
		kernel_run(10);
	ok(attempts(a) >= 3 && waits_for(a, "refuses port"),
	   "it is waited for");
	ok(log_lines("still waiting") <= 1, "without a line for each attempt");
	start_daemon("* *\n");
	ok(comes(a, 2) && kernel_plugged_before() == 8,
	   "the next one has it in the same port");
	log_begin();
	caller_daemon_stop(&d);
	ok(becomes(a, "waiting") && log_lines("administrator") == 1,
	   "the service is stopped in order");
	ok(attempts(a) == 0, "which is an answer, and not asked about at once");
	start_daemon("* *\n");
	ok(comes(a, 3), "but later");
	detach(a);
}

static void test_no_service(void)
{
	struct attachment *a;

	caller_daemon_stop(&d);
	a = wait_from_the_start("1-2", "refuses port");
	ok(state_is(a, "waiting"), "it is listed");
	start_daemon("* *\n");
	ok(comes(a, 1) && !fate.attached, "the service starts later");
	detach(a);
	ok(fate.why.code == FAILURE_NONE, "detached");
}

static void test_no_device(void)
{
	struct attachment *a = wait_from_the_start("0525:a4b7", "no device");
	struct caller c;

	caller_open(&c, "127.0.0.1", daemon_port);
	if (caller_claim(&c, "1-3", 1, NULL) != USBIP_OK)
		bail("no claim");
	caller_tell(&c, PRODUCT, 0xa4b7, 0);
	caller_tell(&c, UNPLUG, 0, 100);
	caller_close(&c);
	ok(comes(a, 1), "the device is plugged in later");
	inject(UNPLUG, 200, 0);
	ok(comes(a, 2), "it is pulled out, and plugged in again");
	detach(a);
}

static void test_busy(void)
{
	struct attachment *a;
	struct caller c;

	caller_open(&c, "127.0.0.1", daemon_port);
	if (caller_claim(&c, "1-2", 1, NULL) != USBIP_OK)
		bail("no claim");
	a = wait_from_the_start("1-2", "in use by");
	log_begin();
	for (int i = 0; i < WAIT_MS / 200 && attempts(a) < 3; i++) {
		caller_renew(&c, 0, 0);
		kernel_run(200);
	}
	ok(attempts(a) >= 3 && !log_lines("still waiting"),
	   "somebody has it, for some time");
	caller_release(&c);
	caller_close(&c);
	ok(comes(a, 1), "and gives it back");
	detach(a);
}

/* What waiting does not change is told to whoever is there to do something. */
static void test_refused(const char *device, enum failure_code code)
{
	struct attachment *a;

	kernel_begin(base);
	a = begin(device, daemon_port);
	ok(wait_for(&fate.ended) && !fate.waits && fate.why.code == code, "%s",
	   fate.why.text);
	attachment_free(a);
	kernel_end();
}

/* Later there is nobody. */
static void test_not_exported(void)
{
	struct attachment *a = attach("1-3", daemon_port);

	caller_daemon_write(&d, "exports", "1-2 *\n");
	kill(d.pid, SIGHUP);
	ok(a && caller_daemon_says(&d, "read again"), "not exported any more");
	inject(UNPLUG, 1, 0);
	for (int i = 0; i < WAIT_MS / 10 && attempts(a) < 1; i++)
		kernel_run(10);
	kernel_run(500);
	ok(waits_for(a, "not exported") && !fate.ended, "is waited for, too");
	detach(a);
}

/* What is claimed can not be used here: it is given back meanwhile. */
static void test_no_room(void)
{
	struct attachment *a;
	struct caller c;
	usbip_stat stat = USBIP_BUSY;

	timeout_ms = 5000;
	a = attach("1-2", daemon_port);
	timeout_ms = 10000;
	if (!a)
		bail("not attached");
	kernel_full(true);
	inject(UNPLUG, 100, 0);
	for (int i = 0; i < WAIT_MS / 10 && !(attempts(a) &&
	     waits_for(a, "no free port")); i++)
		kernel_run(10);
	ok(waits_for(a, "no free port"), "no free port here");
	caller_open(&c, "127.0.0.1", daemon_port);
	for (int i = 0; i < WAIT_MS / 10; i++) {
		stat = caller_claim(&c, "1-2", 1, NULL);
		if (stat == USBIP_OK)
			break;
		kernel_run(10);
	}
	ok(stat == USBIP_OK, "somebody else can have it");
	caller_release(&c);
	caller_close(&c);
	kernel_full(false);
	for (int i = 0; i < WAIT_MS / 10 && kernel_plugs() < 2; i++)
		kernel_run(10);
	ok(becomes(a, "waiting") && waits_for(a, "did not get ready"),
	   "the kernel does not configure it");
	ok(comes(a, 3), "but when it is plugged in again");
	detach(a);
}

/* By its number, in a process of its own: it waits for the loop here. */
static void test_detach(void)
{
	struct attachment *a = wait_from_the_start("1-9", "no device");
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		json_t *o = NULL;

		_exit(ctl_ask(ctl_dir, 0, "detach", WAIT_MS, &o) ||
		      !json_is_true(json_object_get(o, "released")));
	}
	while (!waitpid(pid, &status, WNOHANG))
		kernel_run(10);
	ok(!status && fate.ended && fate.why.code == FAILURE_NONE,
	   "what waits can be detached by its number");
	detach(a);
}

int main(void)
{
	char path[] = "/tmp/usbip-log-XXXXXX";

	begin_test("0");
	log_fd = mkostemp(path, O_APPEND | O_CLOEXEC);
	unlink(path);
	dup2(log_fd, STDERR_FILENO);
	persist = true;
	start_daemon("* *\n");
	test_refused("0525:a4a0", FAILURE_NOT_FOUND);
	test_outage();
	test_killed();
	test_no_service();
	test_no_device();
	test_busy();
	test_no_room();
	test_detach();
	test_not_exported();
	test_refused("1-3", FAILURE_PERMISSION);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	end_test();
	return tap_done();
}
