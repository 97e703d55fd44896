// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helper, all but the module, against a target that misbehaves.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/attachment.h"
#include "client/ctl.h"
#include "common/log.h"
#include "tests/integration/kernel.h"
#include "tests/integration/mock.h"
#include "tests/tap.h"

#define WAIT_MS	30000

static struct event_base *base;
static char ctl_dir[] = "/tmp/usbip-ctl-XXXXXX";

static bool over_udp;

/* What became of an attachment. */
static struct fate {
	bool ended;
	struct failure why;
} fate;

static void on_attached(const char *text, void *user)
{
}

static void on_ended(const struct failure *why, void *user)
{
	fate.ended = true;
	fate.why = *why;
}

static struct attachment *begin(uint16_t port)
{
	const struct attachment_config config = {
		.base = base,
		.host = "127.0.0.1",
		.device = "1-1",
		.udp = over_udp,
		.tcp_port = port,
		.port = -1,
		.timeout_ms = WAIT_MS,
		.ctl_dir = ctl_dir,
		.sysfs_dir = kernel_sysfs(),
		.open = kernel_open,
		.attached = on_attached,
		.ended = on_ended,
	};
	struct attachment *a = NULL;
	struct failure f;

	memset(&fate, 0, sizeof(fate));
	if (attachment_new(&a, &config, &f))
		printf("# %s\n", f.text);
	return a;
}

/* Until *what, or until n of *count. */
static bool wait_for(const bool *what)
{
	for (int i = 0; i < WAIT_MS / 10 && !*what; i++)
		kernel_run(10);
	return *what;
}

static bool wait_count(const unsigned int *count, unsigned int n)
{
	for (int i = 0; i < WAIT_MS / 10 && *count < n; i++)
		kernel_run(10);
	return *count >= n;
}

/* The kernel has it and has not asked anything yet, or NULL. */
static struct attachment *plug(uint16_t port)
{
	struct attachment *a = begin(port);

	for (int i = 0; i < WAIT_MS / 10 && !kernel_plugged() && !fate.ended; i++)
		kernel_run(10);
	if (kernel_plugged())
		return a;
	printf("# not plugged in: %s\n", fate.why.text);
	attachment_free(a);
	return NULL;
}

/* In a process of its own: it waits for the loop here. NULL: no answer. */
static json_t *ask(const char *what)
{
	char text[2048] = "";
	int fds[2];
	json_t *o = NULL;
	pid_t pid;

	if (pipe(fds))
		abort();
	pid = fork();
	if (!pid) {
		if (!ctl_ask(ctl_dir, 0, what, WAIT_MS, &o))
			json_dumpfd(o, fds[1], JSON_COMPACT);
		_exit(0);
	}
	close(fds[1]);
	while (!waitpid(pid, NULL, WNOHANG))
		kernel_run(10);
	if (read(fds[0], text, sizeof(text) - 1) < 0)
		abort();
	close(fds[0]);
	return json_loads(text, 0, NULL);
}

static void end(struct attachment *a)
{
	if (a && !fate.ended)
		attachment_detach(a, "the test is done");
	if (a)
		wait_for(&fate.ended);
	attachment_free(a);
	kernel_end();
	mock_end();
}

/* ---- */

/* Whoever waits for `attach` must not take that for a success. */
static void test_broken_off(void)
{
	uint16_t port = mock_begin(base);
	struct attachment *a;
	json_t *o;

	kernel_begin(base);
	a = plug(port);
	o = ask("detach");
	ok(json_is_true(json_object_get(o, "ok")) && fate.ended &&
	   fate.why.code == FAILURE_OTHER &&
	   strstr(fate.why.text, "broken off: as asked"),
	   "detached before it was attached: %s", fate.why.text);
	json_decref(o);
	end(a);
	port = mock_begin(base);
	kernel_begin(base);
	mock.claim = MOCK_SILENCE;
	a = begin(port);
	wait_count(&mock.n_claims, 1);
	attachment_detach(a, "Terminated");
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_OTHER &&
	   strstr(fate.why.text, "broken off: Terminated"),
	   "or before it was claimed: %s", fate.why.text);
	end(a);
	port = mock_begin(base);
	kernel_begin(base);
	a = begin(1);
	attachment_detach(a, "Terminated");
	ok(wait_for(&fate.ended) && strstr(fate.why.text, "broken off"),
	   "or while it connects, which then fails");
	end(a);
}

/* No byte of these gets to a terminal, a log or JSON as it is. */
#define ESCAPES	"1\033-\xc2\x9b\xff"
#define CLEAN	"1?-???"

static void refused(usbip_stat stat, const char *text)
{
	uint16_t port = mock_begin(base);
	struct attachment *a;

	kernel_begin(base);
	mock.claim_stat = stat;
	mock.text = ESCAPES;
	a = begin(port);
	ok(wait_for(&fate.ended) && strstr(fate.why.text, text), "%s: %s", text,
	   strstr(fate.why.text, text) ? fate.why.text : "not clean");
	end(a);
}

static void test_escapes(void)
{
	uint16_t port = mock_begin(base);
	struct attachment *a;
	const char *busid;
	json_t *o;

	kernel_begin(base);
	mock.text = ESCAPES;
	a = plug(port);
	o = ask("status");
	busid = json_string_value(json_object_get(json_object_get(o, "target"),
						  "busid"));
	ok(busid && !strcmp(busid, CLEAN), "a bus id of escapes: %s",
	   busid ? busid : "no answer");
	json_decref(o);
	end(a);
	refused(USBIP_BUSY, "in use by " CLEAN);
	ok(!strstr(fate.why.text, ", for"), "since when is not known");
	refused(USBIP_AMBIGUOUS, "bus id: " CLEAN);
}

/* The target can end the session at once, and knows how. */
static bool is_told(void)
{
	mock_end_session(USBIP_REVOKED);
	return wait_for(&fate.ended) &&
	       strstr(fate.why.text, "administrator ended");
}

static void test_events(void)
{
	uint16_t port = mock_begin(base);
	struct attachment *a;
	unsigned int n;

	kernel_begin(base);
	mock.events_stat = USBIP_DELAY;
	a = plug(port);
	ok(wait_count(&mock.n_events, 3), "no room for EVENTS: asked again");
	mock.events_stat = USBIP_OK;
	n = mock.n_events;
	ok(wait_count(&mock.n_events, n + 1) && is_told(),
	   "which tells the end as soon as there is room: %s", fate.why.text);
	end(a);

	port = mock_begin(base);
	kernel_begin(base);
	mock.events_early = true;
	a = plug(port);
	wait_count(&mock.n_events, 1);
	kernel_run(1000);
	ok(mock.n_events < 100, "EVENTS answered with nothing at once: asked "
	   "%u times in a second", mock.n_events);
	mock.events_early = false;
	n = mock.n_events;
	ok(wait_count(&mock.n_events, n + 1) && is_told(), "and on: %s",
	   fate.why.text);
	end(a);

	port = mock_begin(base);
	kernel_begin(base);
	mock.events = MOCK_REFUSE;
	a = plug(port);
	wait_count(&mock.n_events, 1);
	kernel_run(1000);
	ok(mock.n_events == 1 && !fate.ended,
	   "a target without EVENTS is not asked again");
	end(a);
}

/* What `detach` is told: 1 released, 0 not, -1 nothing of that. */
static int detach_with(enum mock_way way, usbip_stat stat, unsigned int ms)
{
	uint16_t port = mock_begin(base);
	struct attachment *a;
	json_t *o, *released;
	int r;

	kernel_begin(base);
	mock.release = way;
	mock.n_closing = way == MOCK_CLOSE;
	mock.release_stat = stat;
	mock.release_ms = ms;
	a = plug(port);
	o = ask("detach");
	released = json_object_get(o, "released");
	r = !json_is_true(json_object_get(o, "ok")) ||
	    !json_is_boolean(released) || kernel_plugged() ||
	    mock.n_releases != 1 ? -1 : json_is_true(released);
	json_decref(o);
	end(a);
	return r;
}

static void test_release(void)
{
	ok(detach_with(MOCK_ANSWER, USBIP_OK, 0) == 1, "detached, and released");
	ok(detach_with(MOCK_ANSWER, USBIP_OK, 2500) == 1, "though it takes time");
	ok(detach_with(MOCK_ANSWER, USBIP_EXPIRED, 0) == 1,
	   "what is over needs no release");
	ok(detach_with(MOCK_ANSWER, USBIP_HOST_ERROR, 0) == 0,
	   "detached here, and not released: the target failed");
	ok(detach_with(MOCK_CLOSE, USBIP_OK, 0) == 0,
	   "detached here, and not released: it left");
}

/* A CLAIM that was lost on its way may have been granted. */
static void test_claim_lost(void)
{
	uint16_t port = mock_begin(base);
	struct attachment *a;

	kernel_begin(base);
	mock.claim = MOCK_CLOSE;
	mock.n_closing = 2;
	a = plug(port);
	ok(a && mock.n_claims == 3 && mock.n_instances == 1,
	   "the connection ends before CLAIM is answered: the same again (%u)",
	   mock.n_claims);
	end(a);

	port = mock_begin(base);
	kernel_begin(base);
	mock.claim = MOCK_CLOSE;
	mock.n_closing = UINT32_MAX;
	a = begin(port);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_UNREACHABLE &&
	   strstr(fate.why.text, "closed the connection") &&
	   mock.n_claims > 1 && mock.n_claims < 20,
	   "but not for ever (%u): %s", mock.n_claims, fate.why.text);
	end(a);
}

/* An answer that has no room for the descriptors, which are 4 KiB. */
static void test_descriptors(void)
{
	static uint8_t bytes[18 + 4000 + 5] = { 18, 1, 0x10, 2, [17] = 1,
						[18] = 9, 2, 4000 & 0xff,
						4000 >> 8, 1, 1 };
	static const uint8_t bos[] = { 5, 15, 5, 0, 0 };
	const struct kernel_answer *r;
	struct attachment *a;
	uint16_t port;

	for (size_t i = 27; i < 18 + 4000; i++)
		bytes[i] = (uint8_t)(i * 7);
	memcpy(bytes + 18 + 4000, bos, sizeof(bos));
	port = mock_begin(base);
	mock.descriptors = bytes;
	mock.n_descriptors = sizeof(bytes);
	kernel_begin(base);
	over_udp = true;
	a = plug(port);
	r = a ? kernel_wait(kernel_control((const uint8_t[8]){
		0x80, 6, 0, 2, 0, 0, 0xff, 0xff }, NULL), WAIT_MS) : NULL;
	ok(r && r->actual == 4000 && !memcmp(r->data, bytes + 18, 4000) &&
	   mock.n_fetches, "what CLAIM leaves out is fetched (%u)",
	   mock.n_fetches);
	r = a ? kernel_wait(kernel_control((const uint8_t[8]){
		0x80, 6, 0, 15, 0, 0, 0xff, 0 }, NULL), WAIT_MS) : NULL;
	ok(r && r->actual == 5, "and BOS");
	end(a);

	port = mock_begin(base);
	mock.descriptors = bytes;
	mock.n_descriptors = 1000;
	kernel_begin(base);
	a = begin(port);
	ok(wait_for(&fate.ended) && strstr(fate.why.text, "descriptors of 1-1"),
	   "cut off: %s", fate.why.text);
	over_udp = false;
	end(a);
}

/* A RENEW that is not answered may never have come. */
static void test_renew_lost(void)
{
	uint16_t port = mock_begin(base);
	const struct kernel_answer *r;
	struct attachment *a;

	kernel_begin(base);
	mock.lease = 3;
	mock.renew = MOCK_SILENCE;
	a = plug(port);
	r = a ? kernel_wait(kernel_control((const uint8_t[8]){
		0x40, 1, 0, 0, 0, 0, 0, 0 }, NULL), WAIT_MS) : NULL;
	ok(r && !r->status && wait_count(&mock.n_renews, 1) &&
	   mock.n_acks == 1 && mock.acked == 1,
	   "the window is full: a RENEW acknowledges the URB");
	mock.n_acks = mock.acked = 0;
	ok(wait_count(&mock.n_renews, 2) && mock.n_acks == 1 &&
	   mock.acked == 1, "not answered: the next one does so, too");
	mock.renew = MOCK_ANSWER;
	mock.n_acks = mock.acked = 0;
	ok(wait_count(&mock.n_renews, 3) && mock.n_acks == 1,
	   "and on, until one is");
	ok(wait_count(&mock.n_renews, 4) && !mock.n_acks && !fate.ended,
	   "then there is nothing to say");
	end(a);
}

static void remove_ctl_dir(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/lock", ctl_dir);
	unlink(path);
	if (rmdir(ctl_dir))
		printf("# something is left in %s\n", ctl_dir);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (getenv("DEBUG"))
		log_enable(getenv("DEBUG"));
	base = event_base_new();
	if (!base || !mkdtemp(ctl_dir))
		return 1;
	test_broken_off();
	test_escapes();
	test_events();
	test_release();
	test_claim_lost();
	test_descriptors();
	test_renew_lost();
	remove_ctl_dir();
	event_base_free(base);
	return tap_done();
}
