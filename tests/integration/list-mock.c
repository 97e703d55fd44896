// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LIST as usbip-rpc asks for it, of a name service and of a target that take
 * their time. Whatever does not end is ended by alarm(): the test has failed.
 */
#include "config.h"

#include "client/catalog.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/mock.h"
#include "tests/tap.h"

#define LIMIT_S	60

static pid_t target;

int __real_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res);

/* The name service: names say how it answers them. */
int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **res)
{
	bool first = hints->ai_flags & AI_ADDRCONFIG;

	if (hints->ai_flags & AI_NUMERICHOST)
		return __real_getaddrinfo(node, service, hints, res);
	while (!strcmp(node, "silent.test"))
		pause();
	if (!strcmp(node, "killed.test"))
		raise(SIGKILL);
	if (!strcmp(node, "again.test") && first)
		return EAI_AGAIN;
	if (!strcmp(node, "noname.test") && first)
		return EAI_NONAME;
	if (!strcmp(node, "family.test") && first)
		return EAI_ADDRFAMILY;
	if (strstr(node, ".test"))
		node = "127.0.0.1";
	return __real_getaddrinfo(node, service, hints, res);
}

/* A mock in a process of its own: catalog_fetch() has its own loop. */
static uint16_t start_target(unsigned int page_ms, bool all,
			     unsigned int n_delays)
{
	struct event_base *base = event_base_new();
	uint16_t port = mock_begin(base);

	mock.page_ms = page_ms;
	mock.page_eof = all;
	mock.n_delays = n_delays;
	target = fork();
	if (!target) {
		event_reinit(base);
		alarm(2 * LIMIT_S);
		event_base_dispatch(base);
		_exit(0);
	}
	mock_end();
	event_base_free(base);
	return port;
}

static void stop_target(void)
{
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
}

static void test_names(void)
{
	static const struct {
		const char *host;
		unsigned int timeout_s;
		const char *text;	/* NULL: found */
	} cases[] = {
		{ "good.test", 20, NULL },
		{ "noname.test", 20, NULL },
		{ "family.test", 20, NULL },
		{ "again.test", 20, "cannot find the host again.test" },
		{ "killed.test", 20, "cannot find the host killed.test" },
		{ "silent.test", 1, "no answer from the name service" },
	};
	uint16_t port = start_target(0, true, 0);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure f = { .code = FAILURE_NONE };
		struct catalog c;
		int r = catalog_fetch(&c, cases[i].host, false, port,
				      cases[i].timeout_s, &f);

		if (cases[i].text)
			ok(r && f.code == FAILURE_UNREACHABLE &&
			   strstr(f.text, cases[i].text), "%s: %s",
			   cases[i].host, r ? f.text : "found");
		else
			ok(!r && c.n == 1, "%s: %s", cases[i].host,
			   r ? f.text : "found");
		if (!r)
			catalog_deinit(&c);
		ok(waitpid(-1, NULL, WNOHANG) == 0, "and no process is left");
	}
	stop_target();
}

static void test_drip(void)
{
	uint16_t port = start_target(100, false, 0);
	struct failure f = { .code = FAILURE_NONE };
	struct catalog c;

	ok(catalog_fetch(&c, "127.0.0.1", false, port, 1, &f) &&
	   f.code == FAILURE_UNREACHABLE, "pages without end: %s", f.text);
	stop_target();
}

static void test_delay(void)
{
	struct failure f = { .code = FAILURE_NONE };
	struct catalog c;
	uint16_t port;

	port = start_target(0, true, 2);
	ok(!catalog_fetch(&c, "127.0.0.1", false, port, 20, &f) && c.n == 1,
	   "no room at first: it asks again");
	catalog_deinit(&c);
	stop_target();
	port = start_target(0, true, 1000);
	ok(catalog_fetch(&c, "127.0.0.1", false, port, 2, &f) &&
	   strstr(f.text, "no room at present"), "nor later: %s", f.text);
	stop_target();
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(LIMIT_S);
	test_names();
	test_drip();
	test_delay();
	return tap_done();
}
