// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * list --watch, without its output, from a target that has no room for who
 * waits, or does not let anybody wait: it is asked again, and not too often.
 */
#include "client/monitor.h"

#include <event2/event.h>
#include <string.h>

#include "tests/integration/mock.h"
#include "tests/tap.h"

static struct event_base *base;
static struct {
	unsigned int lists, failed, watching, disconnected;
} told;

static void listed(const struct catalog *c, void *user)
{
	told.lists += c->n == 1;
}

static void happened(enum monitor_event event, const usbip_device *device,
		     const char *why, void *user)
{
	told.watching += event == MONITOR_WATCHING;
	told.disconnected += event == MONITOR_DISCONNECTED;
}

static void failed(const struct failure *f, void *user)
{
	told.failed++;
}

static void run(unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* Until *n is as large; 10 s at most. */
static void run_until(const unsigned int *n, unsigned int large)
{
	for (int i = 0; i < 1000 && *n < large; i++)
		run(10);
}

static struct monitor *begin(uint16_t port)
{
	const struct monitor_config config = {
		.base = base,
		.host = "127.0.0.1",
		.tcp_port = port,
		.timeout_ms = 5000,
		.listed = listed,
		.happened = happened,
		.failed = failed,
	};
	struct monitor *m;

	memset(&told, 0, sizeof(told));
	if (monitor_new(&m, &config))
		return NULL;
	return m;
}

static const struct {
	const char *what;
	usbip_stat stat;
	bool early;
	unsigned int min, max;		/* EVENTS in two seconds */
} cases[] = {
	{ "no room to wait", USBIP_DELAY, false, 2, 5 },
	{ "no wait at all", USBIP_OK, true, 2, 11 },
	{ "a wait", USBIP_OK, false, 1, 1 },
};

static void test_events(size_t i)
{
	uint16_t port = mock_begin(base);
	struct monitor *m;

	mock.page_eof = true;
	mock.events_stat = cases[i].stat;
	mock.events_early = cases[i].early;
	m = begin(port);
	run(2000);
	ok(told.lists == 1 && told.watching == 1 && !told.disconnected &&
	   !told.failed, "%s: it watches, and is not thrown out",
	   cases[i].what);
	ok(mock.n_events >= cases[i].min && mock.n_events <= cases[i].max,
	   "and asks %u times", mock.n_events);
	monitor_free(m);
	mock_end();
}

static void test_list(void)
{
	uint16_t port = mock_begin(base);
	struct monitor *m;

	mock.page_eof = true;
	mock.n_delays = 2;
	m = begin(port);
	run_until(&mock.n_lists, 2);
	ok(!told.lists && !told.failed, "no room for LIST: it waits");
	run_until(&told.watching, 1);
	ok(told.lists == 1 && told.watching == 1 && mock.n_lists == 3,
	   "and asks again");
	monitor_free(m);
	mock.n_delays = 2;
	m = begin(port);
	run_until(&mock.n_lists, 4);
	run(50);
	monitor_free(m);
	run(500);
	ok(!told.lists && !told.failed && mock.n_lists == 4,
	   "it may be stopped meanwhile");
	mock_end();
}

int main(void)
{
	base = event_base_new();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_events(i);
	test_list();
	event_base_free(base);
	return tap_done();
}
