// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpc list --watch as a program, against usbip-rpcd with fake devices
 * that come and go, and against one that is started anew.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define LINE_MS 20000

enum { UNPLUG = 0xe3, PRODUCT = 0xe5, LEAVE = 0xe6 };

static struct caller_daemon d;

/* The program, and what it has said that was not looked at yet. */
static struct program {
	pid_t pid;
	int out;
	char text[65536];
	size_t n;
	char line[4096];
} p;

static void program_start(unsigned int port, const char *option)
{
	const char *top = getenv("top_builddir");
	char path[256], number[16];
	int fds[2];

	snprintf(path, sizeof(path), "%s/client/usbip-rpc", top ? top : ".");
	snprintf(number, sizeof(number), "%u", port);
	memset(&p, 0, sizeof(p));
	if (pipe(fds))
		abort();
	p.pid = fork();
	if (!p.pid) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		execl(path, path, "list", "127.0.0.1", "--tcp-port", number,
		      "--watch", option, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	p.out = fds[0];
}

/* The next line, in p.line; c's loop runs meanwhile. false: none came. */
static bool program_line(struct caller *c)
{
	struct pollfd in = { p.out, POLLIN, 0 };
	char *end;
	ssize_t n;

	for (int left = LINE_MS / 10; !(end = memchr(p.text, '\n', p.n)); left--) {
		if (!left)
			return false;
		if (c)
			caller_run(c, 5, NULL);
		if (poll(&in, 1, 5) <= 0)
			continue;
		n = read(p.out, p.text + p.n, sizeof(p.text) - p.n);
		if (n <= 0)
			return false;
		p.n += (size_t)n;
	}
	*end = 0;
	snprintf(p.line, sizeof(p.line), "%.4000s", p.text);
	p.n -= (size_t)(end + 1 - p.text);
	memmove(p.text, end + 1, p.n);
	return true;
}

/* The next line has both. */
static bool says(struct caller *c, const char *a, const char *b)
{
	if (!program_line(c)) {
		printf("# no line with %s and %s\n", a, b);
		return false;
	}
	if (strstr(p.line, a) && strstr(p.line, b))
		return true;
	printf("# %s\n# has not %s and %s\n", p.line, a, b);
	return false;
}

/* Its exit code after a signal, or -1. */
static int program_end(int number)
{
	int status;

	kill(p.pid, number);
	if (waitpid(p.pid, &status, 0) != p.pid)
		return -1;
	close(p.out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void claim(struct caller *c, const char *busid, uint8_t instance)
{
	memset(c->numbers, 0, sizeof(c->numbers));
	memset(c->acked, 0, sizeof(c->acked));
	ok(caller_claim(c, busid, instance, NULL) == USBIP_OK, "CLAIM %s",
	   busid);
}

static void test_events(struct caller *c)
{
	ok(says(c, "\"event\":\"present\"", "\"busid\":\"1-1\"") &&
	   says(c, "\"event\":\"present\"", "\"busid\":\"1-2\"") &&
	   says(c, "\"event\":\"watching\"", "time"), "first what there is");
	claim(c, "1-2", 1);
	ok(says(c, "\"event\":\"changed\"", "\"state\":\"claimed\""),
	   "a claim is told");
	caller_tell(c, UNPLUG, 0, 200);
	ok(says(c, "\"event\":\"left\"", "\"busid\":\"1-2\"") &&
	   strstr(p.line, "Gadget Zero"), "an unplug, with what it was");
	ok(says(c, "\"event\":\"arrived\"", "\"busid\":\"1-2\"") &&
	   strstr(p.line, "\"state\":\"available\""), "and a replug");
	claim(c, "1-2", 2);
	ok(says(c, "\"event\":\"changed\"", "claimed"), "claimed");
	caller_tell(c, PRODUCT, 0xa4a7, 0);
	caller_tell(c, UNPLUG, 0, 200);
	ok(says(c, "\"event\":\"left\"", "\"product\":\"a4a0\"") &&
	   says(c, "\"event\":\"re-enumerated\"", "\"product\":\"a4a7\""),
	   "one that comes back as another is told as that");
}

static void test_reset(struct caller *c)
{
	int xfer;

	claim(c, "1-2", 3);
	ok(says(c, "\"event\":\"changed\"", "claimed"), "claimed");
	caller_tell(c, PRODUCT, 0xa4a0, 0);
	caller_tell(c, LEAVE, 100, 0);
	ok(caller_state(c, USBIP_RESET, 0, 0, &xfer) == -2 &&
	   xfer == USBIP_GONE, "RESET of one that comes back as another: GONE");
	/* "changed": given back before its system saw that it has left */
	while (says(c, "\"busid\":\"1-2\"", "") && strstr(p.line, "changed"))
		;
	ok(strstr(p.line, "\"left\"") &&
	   says(c, "\"event\":\"re-enumerated\"", "\"product\":\"a4a0\""),
	   "which is told, too");
}

static void test_restart(void)
{
	char port[16];
	const char *const args[] = { "--port", port, NULL };

	snprintf(port, sizeof(port), "%u", d.port);
	ok(!caller_daemon_stop(&d), "the service ends");
	ok(says(NULL, "\"event\":\"disconnected\"", "why"), "which is told");
	caller_daemon_start(&d, "* *\n", "device 1-2 zero\ndevice 1-3 keyboard\n",
			    args);
	ok(says(NULL, "\"event\":\"left\"", "\"busid\":\"1-1\""),
	   "a new one: what is missing");
	ok(says(NULL, "\"event\":\"arrived\"", "\"busid\":\"1-3\""),
	   "what is new");
	ok(says(NULL, "\"event\":\"watching\"", ""), "and that it goes on");
	ok(program_end(SIGINT) == 0, "Ctrl-C ends it, with 0");
}

static void test_text(void)
{
	static struct caller c;

	caller_open(&c, "127.0.0.1", d.port);
	program_start(d.port, "--timeout=20");
	ok(says(&c, "BUS ID", "NAME") && says(&c, "1-2", "available") &&
	   says(&c, "1-3", "available"), "as text: first the table");
	claim(&c, "1-3", 1);
	ok(says(&c, "changed", "1-3"), "then lines: %s", p.line);
	caller_tell(&c, UNPLUG, 0, 0);
	ok(says(&c, "left", "1-3"), "with a date: %s", p.line);
	ok(p.line[4] == '-' && p.line[13] == ':', "that is one");
	ok(!caller_daemon_stop(&d), "the service ends");
	ok(says(NULL, "usbip-rpc: ", "trying again"), "%s", p.line);
	ok(program_end(SIGTERM) == 0, "SIGTERM ends it, with 0");
	caller_close(&c);
	program_start(1, "--json");
	ok(says(NULL, "refuses port 1", ""), "nobody there: %s", p.line);
	ok(program_end(0) == 3, "is an error at the start");
}

int main(void)
{
	static struct caller c;

	signal(SIGPIPE, SIG_IGN);
	caller_daemon_start(&d, "* *\n", "device 1-1 disk size=1\n"
			    "device 1-2 zero\n", NULL);
	caller_open(&c, "127.0.0.1", d.port);
	program_start(d.port, "--json");
	test_events(&c);
	test_reset(&c);
	caller_close(&c);
	test_restart();
	test_text();
	return tap_done();
}
