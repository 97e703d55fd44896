// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole helper but for the module, against a real usbip-rpcd with fake
 * devices: attach-run PORT DAEMON-PID. The daemon's lease is 3 s.
 */
#include "config.h"

#include <netdb.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/ctl.h"
#include "tests/integration/attach.h"

/* The name service: where "target.test" is now. */
static const char *named = "127.0.0.1";

int __real_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res);

int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res)
{
	if (!strcmp(node, "target.test") && !(hints->ai_flags & AI_NUMERICHOST))
		node = named;
	return __real_getaddrinfo(node, service, hints, res);
}

/*
 * How many numbers this session has executed on the endpoint: as far back as
 * they ascend. One that was executed twice ends it early.
 */
static int executions(uint8_t endpoint)
{
	static uint8_t list[4096];
	uint32_t behind = UINT32_MAX;
	int n = request((const uint8_t[8]){ 0xc0, 0xe0, 0, 0, endpoint, 0, 0,
			0x10 }, list), found = 0;

	for (int i = n - 4; i >= 0; i -= 4) {
		uint32_t number = (uint32_t)list[i] | (uint32_t)list[i + 1] << 8 |
				  (uint32_t)list[i + 2] << 16;

		if (number >= behind)
			break;
		behind = number;
		found++;
	}
	return found;
}

/* ---- */

static void test_refusals(void)
{
	static const struct {
		const char *device, *text;
		enum failure_code code;
	} cases[] = {
		{ "9-9", "no device 9-9", FAILURE_NOT_FOUND },
		{ "0525:a4a0", "1-2", FAILURE_NOT_FOUND },
		{ "dead:beef", "no device", FAILURE_NOT_FOUND },
		{ "1-6", "not exported", FAILURE_PERMISSION },
	};

	for (size_t i = 0; i < 4; i++) {
		struct attachment *a;

		kernel_begin(base);
		a = begin(cases[i].device, daemon_port);
		ok(wait_for(&fate.ended) && fate.why.code == cases[i].code &&
		   strstr(fate.why.text, cases[i].text) && !kernel_plugged(),
		   "%s: %s", cases[i].device, fate.why.text);
		attachment_free(a);
		kernel_end();
	}
	kernel_begin(base);
	attachment_free(begin("1-2", daemon_port));
	ok(!fate.ended, "given up at once");
	struct attachment *a = begin("1-2", 1);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_UNREACHABLE,
	   "no service: %s", fate.why.text);
	attachment_free(a);
	kernel_end();
}

static void test_busy(void)
{
	struct attachment *a = attach("0525:a4a0/ZERO-A", daemon_port), *b;
	struct fate first = fate;

	ok(a && strstr(fate.text, "0525:a4a0 Linux Foundation Gadget Zero from") &&
	   strstr(fate.text, "as port 0 (bus 3-1)"), "%s", fate.text);
	b = begin("1-2", daemon_port);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_BUSY, "%s",
	   fate.why.text);
	attachment_free(b);
	fate = first;
	detach(a);
	ok(fate.why.code == FAILURE_NONE, "detached");
	a = attach("1-2", daemon_port);
	ok(a, "and free again");
	if (a)
		detach(a);
}

static void test_control(void)
{
	uint8_t out[512], in[512];
	struct attachment *a = attach("1-2", daemon_port);

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	ok(request((const uint8_t[8]){ 0x40, 0x5b, 0, 0, 0, 0, 0, 2 }, out) == 512 &&
	   request((const uint8_t[8]){ 0xc0, 0x5c, 0, 0, 0, 0, 0, 2 }, in) == 512 &&
	   !memcmp(in, out, 512), "control data there and back");
	ok(request((const uint8_t[8]){ 0x80, 6, 2, 3, 9, 4, 255, 0 }, in) > 4 &&
	   in[1] == 3, "strings come from the device");
	ok(request((const uint8_t[8]){ 0xc0, 0x77, 0, 0, 0, 0, 4, 0 }, in) ==
	   -EPIPE, "a stall is one");
	ok(request((const uint8_t[8]){ 0x80, 8, 0, 0, 0, 0, 1, 0 }, in) == 1 &&
	   in[0] == 3, "the configuration is set");
	ok(request((const uint8_t[8]){ 1, 11, 0, 0, 0, 0, 0, 0 }, NULL) == 0,
	   "SET_INTERFACE");
	const struct kernel_answer *r = kernel_wait(kernel_reset(), WAIT_MS);
	ok(r && !r->status, "reset");
	ok(request((const uint8_t[8]){ 0x80, 8, 0, 0, 0, 0, 1, 0 }, in) == 1,
	   "and goes on");
	detach(a);
}

static void test_loopback(void)
{
	static const uint32_t sizes[] = { 1, 511, 512, 513, 4095, 4096, 4097,
					  16384, 65536 };
	struct attachment *a = attach("1-2", daemon_port);
	static uint8_t out[65536];
	bool same = true;

	ok(request((const uint8_t[8]){ 0, 9, 2, 0, 0, 0, 0, 0 }, NULL) == 0,
	   "SET_CONFIGURATION 2");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct kernel_answer *r;
		uint64_t id, in;

		for (uint32_t j = 0; j < sizes[i]; j++)
			out[j] = (uint8_t)(j * 31 + i);
		id = kernel_submit(0x01, USB_TRANSFER_BULK, 0, out, sizes[i]);
		in = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, sizes[i]);
		r = kernel_wait(in, WAIT_MS);
		same = same && r && r->actual == sizes[i] &&
		       !memcmp(r->data, out, sizes[i]) && kernel_answer(id);
	}
	ok(same, "bulk data there and back");
	detach(a);
}

static void test_deep_queue(void)
{
	struct attachment *a = attach("1-2", daemon_port);
	static uint64_t ids[600];
	bool good = true;

	for (size_t i = 0; i < 600; i++)
		ids[i] = kernel_submit(i % 3 ? 0x81 : 0x01, USB_TRANSFER_BULK, 0,
				       NULL, 16384);
	for (size_t i = 0; i < 600; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);

		good = good && r && !r->status && r->actual == 16384;
	}
	ok(good, "600 URBs of 16 KiB at once, more than the window");
	uint64_t big = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 1 << 20);
	const struct kernel_answer *r = kernel_wait(big, WAIT_MS);
	ok(r && !r->status && r->actual == 1 << 20, "one of 1 MiB");
	ok(kernel_twice() == 0, "each answered once");
	detach(a);
}

static void test_stop(void)
{
	struct attachment *a = attach("1-2", daemon_port);
	static uint64_t ids[32];
	int good = 0, stalled = 0, cancelled = 0, executed;

	inject(FAULT, 0x81, STALL | 5 << 8);
	kernel_unlink_on_error(true);
	for (size_t i = 0; i < 32; i++)
		ids[i] = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	for (size_t i = 0; i < 32; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);

		good += r && !r->status && (int)i == good;
		stalled += r && r->status == -EPIPE;
		cancelled += r && r->status == -ECONNRESET;
	}
	ok(good == 5 && stalled == 1 && cancelled == 26,
	   "a stall stops the queue: %d good, %d stalled, %d cancelled", good,
	   stalled, cancelled);
	kernel_unlink_on_error(false);
	executed = executions(0x81);
	ok(executed == 6, "nothing behind it was executed (%d)", executed);
	ok(request((const uint8_t[8]){ 2, 1, 0, 0, 0x81, 0, 0, 0 }, NULL) == 0,
	   "CLEAR_HALT");
	uint64_t id = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	const struct kernel_answer *r = kernel_wait(id, WAIT_MS);
	ok(r && !r->status && r->actual == 512, "and it goes on");
	detach(a);
}

/* The interfaces of a device that was at the same place just now. */
static void test_left_over(void)
{
	struct attachment *a;
	char path[128];

	kernel_begin(base);
	snprintf(path, sizeof(path), "%s/3-1:3.0", kernel_sysfs());
	mkdir(path, 0700);
	a = begin("1-2", daemon_port);
	wait_plugged();
	kernel_run(200);
	ok(kernel_plugged() && !fate.attached,
	   "what is left of another device is not this one");
	ok(kernel_enumerate() && wait_for(&fate.attached), "which follows");
	detach(a);
}

/* A driver that does not unlink: the queue goes on behind the error. */
static void test_go_on(void)
{
	struct attachment *a = attach("1-2", daemon_port);
	static uint64_t ids[32];
	int good = 0, failed = 0;

	inject(FAULT, 0x81, IO | 5 << 8);
	for (size_t i = 0; i < 32; i++)
		ids[i] = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	for (size_t i = 0; i < 32; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);

		good += r && !r->status;
		failed += r && r->status == -EPROTO;
	}
	ok(good == 31 && failed == 1, "%d good, %d failed", good, failed);
	inject(FAULT, 0x81, SHORT);
	uint64_t id = kernel_submit(0x81, USB_TRANSFER_BULK, VHCI_SHORT_NOT_OK,
				    NULL, 512);
	uint64_t behind = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	const struct kernel_answer *r = kernel_wait(id, WAIT_MS);
	ok(r && !r->status && r->actual == 256, "short");
	r = kernel_wait(behind, WAIT_MS);
	ok(r && r->actual == 512, "and on");
	detach(a);
}

static void test_unlink(void)
{
	struct attachment *a = attach("1-2", daemon_port);
	const struct kernel_answer *r;
	static uint64_t ids[64];
	int answered = 0;

	inject(FAULT, 0x82, HANG);
	uint64_t id = kernel_submit(0x82, USB_TRANSFER_INTERRUPT, 0, NULL, 64);
	ok(!kernel_wait(id, 200), "hangs");
	kernel_unlink(id);
	r = kernel_wait(id, 2000);
	ok(r && r->status == -ECONNRESET, "until it is unlinked");
	inject(DELAY, 0x81, 2);
	for (size_t i = 0; i < 64; i++)
		ids[i] = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	kernel_run(20);
	for (size_t i = 64; i; i--)
		kernel_unlink(ids[i - 1]);
	for (size_t i = 0; i < 64; i++) {
		r = kernel_wait(ids[i], 2000);
		answered += r && (!r->status || r->status == -ECONNRESET);
	}
	ok(answered == 64, "a storm of unlinks: %d of 64 answered", answered);
	ok(kernel_twice() == 0, "each once");
	inject(DELAY, 0x81, 0);
	r = kernel_wait(kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512),
			WAIT_MS);
	ok(r && !r->status, "and it goes on");
	detach(a);
}

/* As soon as there was an attempt: the lease is not long. */
static bool outage_is_shown(const struct attachment *a)
{
	bool shown = false;

	for (int i = 0; i < WAIT_MS / 10 && !shown && !fate.ended; i++) {
		json_t *o = attachment_status(a);
		json_t *c = json_object_get(o, "connection");

		shown = json_is_false(json_object_get(c, "up")) &&
			json_integer_value(json_object_get(c, "attempts")) &&
			json_integer_value(json_object_get(c, "lease_left")) &&
			json_integer_value(json_object_get(o, "reconnects"));
		json_decref(o);
		kernel_run(10);
	}
	return shown;
}

static void test_reconnect(void)
{
	uint16_t port = proxy_begin(base, daemon_port);
	struct attachment *a = attach("1-2", port);
	static uint64_t ids[300];
	int good = 0, executed;
	size_t answers = kernel_answers();

	inject(DELAY, 0x81, 4);
	for (size_t i = 0; i < 300; i++)
		ids[i] = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 2048);
	kernel_run(20);
	proxy_cut();
	kernel_run(30);
	for (int i = 0; i < 3; i++) {
		proxy_cut_after(20000 + (uint64_t)i * 777);
		kernel_run(300);
	}
	proxy_cut_after(0);
	for (size_t i = 0; i < 300; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);

		good += r && !r->status && r->actual == 2048;
	}
	ok(good == 300, "%d of 300 URBs survive lost connections", good);
	ok(proxy_accepted() > 2, "of which there were %u", proxy_accepted() - 1);
	ok(kernel_answers() - answers == 301 && !kernel_twice(),
	   "each answered once");
	executed = executions(0x81);
	ok(executed == 300, "each executed once, in order (%d)", executed);
	proxy_refuse(true);
	proxy_cut();
	uint64_t id = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	ok(outage_is_shown(a), "an outage is shown");
	ok(!kernel_wait(id, 1000) && kernel_plugged() && !fate.ended,
	   "and waited out");
	proxy_refuse(false);
	const struct kernel_answer *r = kernel_wait(id, WAIT_MS);
	ok(r && !r->status, "and over");
	proxy_refuse(true);
	proxy_cut();
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_OTHER &&
	   !kernel_plugged(), "one longer than the lease is not: %s",
	   fate.why.text);
	proxy_refuse(false);
	detach(a);
	kernel_begin(base);
	proxy_end();
	kernel_end();
	a = attach("1-2", daemon_port);
	ok(a, "by then the target has taken the device back");
	if (a)
		detach(a);
}

static void test_moved(void)
{
	uint16_t port = proxy_begin(base, daemon_port);
	const struct kernel_answer *r;
	struct attachment *a;
	uint64_t id;

	daemon_host = "target.test";
	a = attach("1-2", port);
	proxy_move("127.0.0.2");
	named = "127.0.0.2";
	id = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512);
	r = kernel_wait(id, WAIT_MS);
	ok(r && !r->status && !fate.ended,
	   "a target whose address has changed is found by its name");
	proxy_cut();
	r = kernel_wait(kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 512),
			WAIT_MS);
	ok(r && !r->status && proxy_accepted() == 3,
	   "and from then on there (%u)", proxy_accepted());
	detach(a);
	proxy_end();
	daemon_host = "127.0.0.1";
}

/* The session that the first CLAIM made is the one that the second gets. */
static void test_lost_claim(void)
{
	uint16_t port = proxy_begin(base, daemon_port);
	struct attachment *a;

	proxy_cut_after(1);
	a = attach("1-2", port);
	ok(a && proxy_accepted() == 2, "the answer to CLAIM is lost: once more");
	if (a)
		detach(a);
	proxy_end();
}

/* In a process of its own: it waits for the loop here. */
static bool ask(const char *what, json_t **replyp)
{
	static char reply[4096];
	int fds[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe(fds))
		return false;
	pid = fork();
	if (!pid) {
		json_t *o = NULL;
		int r = ctl_ask(ctl_dir, 0, what, 5000, &o);

		if (!r) {
			char *text = json_dumps(o, JSON_COMPACT);

			r = write(fds[1], text, strlen(text)) < 0;
		}
		_exit(r != 0);
	}
	close(fds[1]);
	while (!waitpid(pid, &status, WNOHANG))
		kernel_run(10);
	memset(reply, 0, sizeof(reply));
	n = read(fds[0], reply, sizeof(reply) - 1);
	close(fds[0]);
	*replyp = json_loads(n > 0 ? reply : "", 0, NULL);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* The answer to RENEW is behind data for longer than a lease: slow, not dead. */
static void test_slow_line(void)
{
	uint16_t port = proxy_begin(base, daemon_port);
	struct attachment *a = attach("1-2", port);
	const struct kernel_answer *in, *out;

	proxy_slow(200 << 10);
	in = kernel_wait(kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL,
				       900 << 10), WAIT_MS);
	ok(in && !in->status && in->actual == 900 << 10, "900 KiB in at 200 KiB/s");
	out = kernel_wait(kernel_submit(0x01, USB_TRANSFER_BULK, 0, NULL,
					900 << 10), WAIT_MS);
	ok(out && !out->status && out->actual == 900 << 10, "900 KiB out");
	ok(proxy_accepted() == 1, "over one connection (%u)", proxy_accepted());
	proxy_slow(0);
	detach(a);
	proxy_end();
}

static void test_ctl(void)
{
	struct attachment *a = attach("2-1", daemon_port);
	json_t *o = NULL, *target;

	kernel_wait(kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, 1024), 1000);
	ok(kernel_speed() == USB_SPEED_SUPER, "a SuperSpeed device is one");
	ok(ask("status", &o), "a helper is asked");
	target = json_object_get(o, "target");
	ok(json_integer_value(json_object_get(o, "bus")) == 3 &&
	   !strcmp(json_string_value(json_object_get(o, "state")), "attached") &&
	   !strcmp(json_string_value(json_object_get(target, "busid")), "2-1") &&
	   !strcmp(json_string_value(json_object_get(target, "product")), "a4a3") &&
	   json_integer_value(json_object_get(json_object_get(o, "bytes"), "in")) >
	   1024, "and says what it has");
	json_decref(o);
	ok(ask("nonsense", &o) && json_object_get(o, "error"),
	   "nonsense is answered as such");
	json_decref(o);
	ok(ask("detach", &o) && json_is_true(json_object_get(o, "ok")) &&
	   fate.ended && fate.why.code == FAILURE_NONE && !kernel_plugged(),
	   "detached");
	json_decref(o);
	detach(a);
	ok(ctl_ask(ctl_dir, 0, "status", 1000, &o) == -ENOENT, "the socket is gone");
}

static void test_unplug(void)
{
	struct attachment *a = attach("1-3", daemon_port);
	uint64_t id = kernel_submit(0x82, USB_TRANSFER_INTERRUPT, 0, NULL, 64);

	kernel_run(50);
	inject(FAULT, 0x82, HANG);
	id = kernel_submit(0x82, USB_TRANSFER_INTERRUPT, 0, NULL, 64);
	inject(UNPLUG, 100, 200);
	ok(wait_for(&fate.ended) && strstr(fate.why.text, "unplugged") &&
	   !kernel_plugged(), "%s", fate.why.text);
	(void)id;
	detach(a);
	kernel_begin(base);
	kernel_run(400);
	kernel_end();
	a = attach("1-3", daemon_port);
	ok(a, "plugged in again, it can be attached again");
	if (a)
		detach(a);
}

static void test_daemon_dies(pid_t daemon)
{
	struct attachment *a = attach("1-2", daemon_port);

	kill(daemon, SIGKILL);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_OTHER &&
	   !kernel_plugged(), "the daemon is killed: %s", fate.why.text);
	detach(a);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	begin_test(argv[1]);
	test_refusals();
	test_busy();
	test_left_over();
	test_control();
	test_loopback();
	test_deep_queue();
	test_stop();
	test_go_on();
	test_unlink();
	test_lost_claim();
	test_reconnect();
	test_moved();
	test_slow_line();
	test_ctl();
	test_unplug();
	test_daemon_dies((pid_t)atoi(argv[2]));
	end_test();
	return tap_done();
}
