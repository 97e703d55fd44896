// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exports file by tables: who may have what, and what is wrong with a
 * line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/backend.h"
#include "server/exports.h"
#include "server/peer.h"
#include "tests/tap.h"

/* A stick, 46f4:0001, serial "A 1", at 3-1.4; class 8 in its interface. */
static const uint8_t stick[] = {
	18, 1, 0, 2, 0, 0, 0, 64, 0xf4, 0x46, 0x01, 0x00, 0, 1, 1, 2, 3, 1,
	9, 2, 18, 0, 1, 1, 0, 0x80, 50,
	9, 4, 0, 0, 0, 8, 6, 0x50, 0,
};

struct allow_test {
	const char *text;
	const char *peer, *name;
	bool want;
};

static const struct allow_test allow_tests[] = {
	/* nothing, no export */
	{ "", "10.0.0.1", NULL, false },
	{ "# * *\n\n   \n", "10.0.0.1", NULL, false },

	/* devices */
	{ "* *", "10.0.0.1", NULL, true },
	{ "3-1.4 *", "10.0.0.1", NULL, true },
	{ "3-1 *", "10.0.0.1", NULL, false },
	{ "3-1.4.1 *", "10.0.0.1", NULL, false },
	{ "46f4:0001 *", "10.0.0.1", NULL, true },
	{ "46F4:0001 *", "10.0.0.1", NULL, true },
	{ "46f4:0002 *", "10.0.0.1", NULL, false },
	{ "\"46f4:0001/A 1\" *", "10.0.0.1", NULL, true },
	{ "46f4:0001/\"A 1\" *", "10.0.0.1", NULL, true },
	{ "46f4:0001/A *", "10.0.0.1", NULL, false },
	{ "class:08 *", "10.0.0.1", NULL, true },
	{ "class:03 *", "10.0.0.1", NULL, false },

	/* addresses and networks */
	{ "* 10.0.0.1", "10.0.0.1", NULL, true },
	{ "* 10.0.0.1", "10.0.0.2", NULL, false },
	{ "* 10.0.0.0/8", "10.255.0.1", NULL, true },
	{ "* 10.0.0.0/8", "11.0.0.1", NULL, false },
	{ "* 10.9.0.0/255.255.255.0", "10.9.0.77", NULL, true },
	{ "* 10.9.0.0/255.255.255.0", "10.9.1.77", NULL, false },
	{ "* 10.9.0.128/25", "10.9.0.128", NULL, true },
	{ "* 10.9.0.128/25", "10.9.0.127", NULL, false },
	{ "* 10.9.0.130/31", "10.9.0.131", NULL, true },
	{ "* 10.9.0.130/31", "10.9.0.132", NULL, false },
	{ "* 0.0.0.0/0", "203.0.113.9", NULL, true },
	{ "* 0.0.0.0/0", "2001:db8::1", NULL, false },
	{ "* 2001:db8::/32", "2001:db8:1::5", NULL, true },
	{ "* 2001:db8::/32", "2001:db9::5", NULL, false },
	{ "* 2001:db8::/33", "2001:db8:8000::5", NULL, false },
	{ "* ::1", "::1", NULL, true },
	{ "* ::/0", "::1", NULL, true },
	{ "* ::/0", "10.0.0.1", NULL, false },
	{ "* 10.9.0.0/24", "::ffff:10.9.0.5", NULL, true },
	{ "* 10.9.0.0/24", "::ffff:10.9.1.5", NULL, false },
	{ "* ::/0", "::ffff:10.9.1.5", NULL, false },
	{ "* ::ffff:10.0.0.1", "10.0.0.1", NULL, true },
	{ "* ::ffff:10.0.0.1", "10.0.0.2", NULL, false },
	{ "* ::ffff:10.0.0.1", "::ffff:10.0.0.1", NULL, true },
	{ "* ::ffff:10.9.0.0/120", "10.9.0.5", NULL, true },
	{ "* ::ffff:10.9.0.0/120", "10.9.1.5", NULL, false },
	{ "* ::ffff:0:0/96", "203.0.113.9", NULL, true },
	{ "* ::ffff:0:0/96", "2001:db8::1", NULL, false },

	/* names */
	{ "* lab.example.org", "10.0.0.1", "lab.example.org", true },
	{ "* lab.example.org", "10.0.0.1", "LAB.example.org", true },
	{ "* lab.example.org", "10.0.0.1", "xlab.example.org", false },
	{ "* lab.example.org", "10.0.0.1", NULL, false },
	{ "* *.example.org", "10.0.0.1", "lab.example.org", true },
	{ "* *.example.org", "10.0.0.1", "a.b.example.org", true },
	{ "* *.example.org", "10.0.0.1", "example.org", false },
	{ "* *.example.org", "10.0.0.1", "badexample.org", false },
	{ "* *.example.org", "10.0.0.1", NULL, false },
	{ "* @lab", "10.0.0.1", "lab.example.org", false },
	{ "* localhost", "127.0.0.1", NULL, true },

	/* lines */
	{ "* 10.0.0.1 10.0.0.2", "10.0.0.2", NULL, true },
	{ "* 10.0.0.1\n* 10.0.0.2", "10.0.0.2", NULL, true },
	{ "* 10.0.0.1 \\\n 10.0.0.2", "10.0.0.2", NULL, true },
	{ "* 10.0.0.1 # 10.0.0.2", "10.0.0.2", NULL, false },
	{ "3-9 *\n3-1.4 10.0.0.1", "10.0.0.2", NULL, false },
	{ "* 10.0.0.1\\", "10.0.0.1", NULL, true },
	{ "\t*\t10.0.0.1\r\n", "10.0.0.1", NULL, true },
	{ "* 10.0.0.1(noreset,lease=5)", "10.0.0.1", NULL, true },
	{ "* 10.0.0.1()", "10.0.0.1", NULL, true },
};

/* Does 10.0.0.1 need its name? */
static const struct need_test {
	const char *text;
	bool want;
} need_tests[] = {
	{ "", false },
	{ "* *", false },
	{ "* *.example.org", true },
	{ "* @lab", true },
	{ "* no-such-host.invalid", true },
	{ "3-9 *.example.org", false },
	{ "* 10.0.0.1 *.example.org", false },
	{ "* 10.0.0.2 *.example.org", true },
	{ "* *.example.org 10.0.0.1", false },
	{ "* *.example.org 10.0.0.0/8\n* @lab", false },
	{ "* *.example.org(lease=5) 10.0.0.1(lease=5)", false },
	{ "* *.example.org(lease=5) 10.0.0.1", true },
	{ "* *.example.org 10.0.0.1(noreset)", true },
	{ "* @lab *.example.org(noreset) *", true },
	{ "3-9 @lab\n3-1.4 10.0.0.1\n* *.example.org(lease=5)", false },
};

/* Wrong, and in which line the message must be. */
static const struct error_test {
	const char *text;
	unsigned int line;
} error_tests[] = {
	{ "*", 1 },
	{ "3-1.4", 1 },
	{ "3- *", 1 },
	{ "3-1. *", 1 },
	{ "usb1 *", 1 },
	{ "46f4 *", 1 },
	{ "46f4:1 *", 1 },
	{ "46f4:00011 *", 1 },
	{ "46f4:0001/ *", 1 },
	{ "46g4:0001 *", 1 },
	{ "class:8 *", 1 },
	{ "class:0x8 *", 1 },
	{ "class:zz *", 1 },
	{ "* 10.0.0.0/33", 1 },
	{ "* 10.0.0.0/", 1 },
	{ "* 10.0.0.0/-1", 1 },
	{ "* 10.0.0.0/255.0.255.0", 1 },
	{ "* ::/129", 1 },
	{ "* ::ffff:10.0.0.1/95", 1 },
	{ "* ::ffff:10.0.0.1/255.255.255.0", 1 },
	{ "* host/24", 1 },
	{ "* -host", 1 },
	{ "* 10.1", 1 },
	{ "* 192.168.1", 1 },
	{ "* 010.1.2.3", 1 },
	{ "* 12345", 1 },
	{ "* 256.1.1.1", 1 },
	{ "* 10.0.0.300", 1 },
	{ "* 1.2.3.4.5", 1 },
	{ "* 0x7f.1", 1 },
	{ "* ho$t", 1 },
	{ "* *.", 1 },
	{ "* a*.example.org", 1 },
	{ "* @", 1 },
	{ "* *(rw)", 1 },
	{ "* *(noreset", 1 },
	{ "* *(lease=)", 1 },
	{ "* *(lease=0)", 1 },
	{ "* *(lease=99999999999)", 1 },
	{ "# fine\n* *\n\nnonsense\n", 4 },
	{ "* \\\n *(rw)\n", 2 },
	{ "* 10.0.0.1 # \\\n10.0.0.2", 2 },
	{ "\"3-1.4 *\n", 1 },
};

static struct backend_info info;

static int read_text(struct exports **ex, const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)(*text ? text : "\n"),
			   *text ? strlen(text) : 1, "r");
	int r;

	r = exports_read(ex, f, "table");
	fclose(f);
	return r;
}

/* For the name of a test: a line of text. */
static const char *in_a_line(const char *text)
{
	static char line[256];

	snprintf(line, sizeof(line), "%s", text);
	for (char *c = line; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '#')
			*c = '~';
	return line;
}

static void to_sockaddr(const char *text, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *sin6 = (void *)ss;
	struct sockaddr_in *sin = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(ss->ss_family, text, ss->ss_family == AF_INET ?
		      (void *)&sin->sin_addr : (void *)&sin6->sin6_addr) != 1)
		abort();
}

static void test_allow(const struct allow_test *t)
{
	struct sockaddr_storage ss;
	const struct peer_name name = { .name = t->name, .groups = "" };
	struct exports *ex = NULL;
	bool allowed = false;
	int r;

	to_sockaddr(t->peer, &ss);
	r = read_text(&ex, t->text);
	if (!r)
		allowed = exports_allow(ex, &info, (struct sockaddr *)&ss,
					t->name ? &name : NULL, NULL);
	ok(!r && allowed == t->want, "'%s', %s %s: %s",
	   in_a_line(t->text), t->peer,
	   t->name ? t->name : "", t->want ? "yes" : "no");
	exports_free(ex);
}

static void test_need(const struct need_test *t)
{
	struct sockaddr_storage ss;
	struct exports *ex;

	to_sockaddr("10.0.0.1", &ss);
	if (read_text(&ex, t->text))
		abort();
	ok(exports_need_name(ex, &info, (struct sockaddr *)&ss) == t->want,
	   "'%s' needs %s name", in_a_line(t->text), t->want ? "a" : "no");
	exports_free(ex);
}

/* What exports_read() logs goes to standard error: caught in a file. */
static void test_error(const struct error_test *t)
{
	char path[] = "/tmp/exports-test-XXXXXX", log[1024] = "", want[32];
	int fd = mkstemp(path), before = dup(2), r;
	struct exports *ex = NULL;
	ssize_t n;

	dup2(fd, 2);
	r = read_text(&ex, t->text);
	dup2(before, 2);
	n = pread(fd, log, sizeof(log) - 1, 0);
	log[n < 0 ? 0 : n] = 0;
	close(fd);
	close(before);
	unlink(path);
	snprintf(want, sizeof(want), "table:%u: ", t->line);
	ok(r == -EINVAL && !ex && strstr(log, want), "'%s' is wrong in line %u",
	   in_a_line(t->text), t->line);
	if (!strstr(log, want))
		printf("# log: %s\n", log);
	exports_free(ex);
}

static void test_options(void)
{
	struct exports_options options = { 0 };
	struct sockaddr_storage ss;
	struct exports *ex;

	to_sockaddr("10.0.0.2", &ss);
	if (read_text(&ex, "3-1.4 10.0.0.1(lease=5) 10.0.0.2(noreset,lease=7)\n* *"))
		abort();
	exports_allow(ex, &info, (struct sockaddr *)&ss, NULL, &options);
	ok(options.no_reset && options.lease == 7, "options of the first that allows");
	ok(!exports_need_names(ex) && exports_count(ex) == 2,
	   "no names, two lines");
	exports_free(ex);
	if (read_text(&ex, "* *.example.org"))
		abort();
	ok(exports_need_names(ex), "a domain needs names");
	exports_free(ex);
}

static bool allows(const struct exports *ex, const char *groups)
{
	const struct peer_name name = { .name = "h", .groups = groups };
	struct sockaddr_storage ss;

	to_sockaddr("10.0.0.9", &ss);
	return exports_allow(ex, &info, (struct sockaddr *)&ss, &name, NULL);
}

static void test_groups(void)
{
	static const char want[] = "lab\0desks\0";	/* each once */
	struct exports *ex;

	if (read_text(&ex, "* @lab @desks\n3-1.4 10.0.0.1 @lab"))
		abort();
	ok(!memcmp(exports_netgroups(ex), want, sizeof(want)),
	   "the netgroups that are named");
	ok(allows(ex, "lab\0") && allows(ex, "labs\0desks\0"), "who is in one");
	ok(!allows(ex, "labs\0la\0") && !allows(ex, ""), "who is in none");
	exports_free(ex);
	if (read_text(&ex, "* *"))
		abort();
	ok(!*exports_netgroups(ex), "or none");
	exports_free(ex);
}

int main(void)
{
	if (descriptors_parse(&info.descriptors, stick, sizeof(stick)))
		abort();
	strcpy(info.busid, "3-1.4");
	strcpy(info.serial, "A 1");
	for (size_t i = 0; i < sizeof(allow_tests) / sizeof(allow_tests[0]); i++)
		test_allow(&allow_tests[i]);
	for (size_t i = 0; i < sizeof(error_tests) / sizeof(error_tests[0]); i++)
		test_error(&error_tests[i]);
	for (size_t i = 0; i < sizeof(need_tests) / sizeof(need_tests[0]); i++)
		test_need(&need_tests[i]);
	test_options();
	test_groups();
	descriptors_deinit(&info.descriptors);
	return tap_done();
}
