// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * soak [SECONDS [SESSIONS]] - many sessions on one usbip-rpcd with fake
 * devices: all kinds of loads at once, some that come and go, some that break
 * their connection, and beside them, on and off, one that reads no reply and
 * sends half records. Every byte is looked at. What must not be:
 *
 *   wrong data, a call without its answer, an answer out of order;
 *   growth, after the first third: of memory more than GROWTH_KIB and what
 *   the sessions take that are remembered, of descriptors and threads none;
 *   starvation: of the sessions with the same load one that gets less than
 *   1/FAIR of what they get on average;
 *   one slow controller that holds up others: while it is there, the answers
 *   to a key that is typed may take DELAYED times as long as else, and there
 *   may be so many fewer of them.
 *
 * Bounds are ratios, as machines differ, and have room. On two cores that
 * others use, too: 40 million transfers in ten minutes and 0.05 MiB more, the
 * slowest session 1.00 of its share, a key 1.02 times as long.
 */
#include "config.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/soak/load.h"
#include "tests/soak/meter.h"
#include "tests/soak/odd.h"
#include "tests/tap.h"

#define SESSIONS_MAX 480
#define GROWTH_KIB 8192
/* A session that has ended is remembered for minutes, and up to so many are. */
#define REMEMBERED_KIB 8
#define REMEMBERED_MAX 1024
#ifdef __SANITIZE_ADDRESS__
#define KEEPS_FREED true
#else
#define KEEPS_FREED false
#endif
#define FAIR 4
#define DELAYED 4
#define TICK_MS 10
#define ODD_MS 300
#define SAMPLE_MS 250
/* For what takes no time but on a machine that is busy. */
#define PATIENCE_MS 120000

struct soak {
	struct event_base *base;
	struct caller_daemon daemon;
	struct load loads[SESSIONS_MAX];
	unsigned int n_loads;
	struct odd odd;
	uint64_t odd_until;		/* ms */
	bool measuring;
	struct meter_series rss, latency[2];	/* without, with the odd one */
	uint64_t sampled;		/* ms */
	unsigned int max_fds, max_threads;
	uint64_t before[SESSIONS_MAX];	/* transfers of each */
};

static struct soak soak;

static uint64_t now_ms(void)
{
	return load_now_us() / 1000;
}

/* ---- what runs ---------------------------------------------------------- */

/* One of ten each; two of ten loops, the ones that break among them. */
static enum load_kind kind_of(unsigned int i)
{
	static const enum load_kind kinds[] = {
		LOAD_KIND_KEYS, LOAD_KIND_SOURCE, LOAD_KIND_LOOP,
		LOAD_KIND_CONTROL, LOAD_KIND_ISOC, LOAD_KIND_SINK,
		LOAD_KIND_INTERRUPT, LOAD_KIND_LOOP, LOAD_KIND_SOURCE,
		LOAD_KIND_CONTROL,
	};

	return kinds[i % 10];
}

static enum load_habit habit_of(unsigned int i)
{
	return i % 10 == 7 ? LOAD_HABIT_BREAK :
	       i % 10 >= 8 ? LOAD_HABIT_COME_AND_GO : LOAD_HABIT_STAY;
}

static void name_device(char *name, unsigned int i)
{
	snprintf(name, 32, "%u-%u", 1 + i / 16, 1 + i % 16);
}

static void add_device(char **script, unsigned int i, enum load_kind kind)
{
	const char *model = kind == LOAD_KIND_KEYS ? "keyboard" :
			    kind == LOAD_KIND_ISOC ? "isoc" : "zero";
	char name[32];

	name_device(name, i);
	*script += sprintf(*script, "device %s %s unnoted\n", name, model);
	if (kind == LOAD_KIND_ISOC)
		*script += sprintf(*script, "delay %s 0x81 1\ndelay %s 0x01 1\n",
				   name, name);
	if (kind == LOAD_KIND_INTERRUPT)
		*script += sprintf(*script, "delay %s 0x82 4\n", name);
}

/* As a daemon is started by default: with few descriptors, and more if it
 * asks for them. */
static void start_daemon(unsigned int n)
{
	char *script = malloc((n + 1) * 128), *end = script;
	struct rlimit before, few;

	for (unsigned int i = 0; i < n; i++)
		add_device(&end, i, kind_of(i));
	add_device(&end, n, LOAD_KIND_SOURCE);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 256;
	setrlimit(RLIMIT_NOFILE, &few);
	caller_daemon_start(&soak.daemon, "* 127.0.0.1\n", script, NULL);
	setrlimit(RLIMIT_NOFILE, &before);
	free(script);
}

static void note_latency(struct load *l, uint64_t us)
{
	if (soak.measuring)
		meter_add(&soak.latency[soak.odd.fd >= 0], us, 1 << 20);
}

static void sample(void)
{
	struct meter m;

	meter_read(&m, soak.daemon.pid);
	if (m.fds > soak.max_fds)
		soak.max_fds = m.fds;
	if (m.threads > soak.max_threads)
		soak.max_threads = m.threads;
	if (soak.measuring)
		meter_add(&soak.rss, m.rss, 1 << 16);
}

static void on_tick(evutil_socket_t fd, short what, void *user)
{
	uint64_t now = now_ms();

	for (unsigned int i = 0; i < soak.n_loads; i++)
		load_tick(&soak.loads[i]);
	if (soak.odd.session && now >= soak.odd_until) {
		if (soak.odd.fd < 0)
			odd_on(&soak.odd);
		else
			odd_off(&soak.odd);
		soak.odd_until = now + ODD_MS;
	}
	if (now >= soak.sampled + SAMPLE_MS) {
		sample();
		soak.sampled = now;
	}
}

/* The log has a line for each session, and a full pipe stops the daemon. */
static void on_log(evutil_socket_t fd, short what, void *user)
{
	char lines[2048];

	if (read(fd, lines, sizeof(lines)) <= 0)
		event_base_loopbreak(soak.base);
}

static bool has_failed(void)
{
	for (unsigned int i = 0; i < soak.n_loads; i++)
		if (*soak.loads[i].failure)
			return true;
	return false;
}

/* Run for so long, or until all are (have been) so far; false: they are not,
 * or one has failed. */
static bool run(uint64_t ms, bool (*is_so)(const struct load *l))
{
	uint64_t end = now_ms() + ms;
	unsigned int i;

	while (now_ms() < end && !has_failed()) {
		event_base_loop(soak.base, EVLOOP_ONCE);
		if (!is_so)
			continue;
		for (i = 0; i < soak.n_loads && is_so(&soak.loads[i]); i++)
			;
		if (i == soak.n_loads)
			return true;
	}
	return !is_so && !has_failed();
}

static bool has_begun(const struct load *l)
{
	return l->n >= 8;
}

static bool is_over(const struct load *l)
{
	return l->state == LOAD_STATE_OVER;
}

static bool start_loads(unsigned int n)
{
	char name[32];

	soak.n_loads = n;
	for (unsigned int i = 0; i < n; i++) {
		name_device(name, i);
		soak.loads[i].latency = note_latency;
		load_start(&soak.loads[i], soak.base, soak.daemon.port, i,
			   kind_of(i), habit_of(i), name);
	}
	return run(PATIENCE_MS, has_begun);
}

/* ---- what came of it ---------------------------------------------------- */

static uint64_t sum_of(size_t offset)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < soak.n_loads; i++)
		sum += *(uint64_t *)((char *)&soak.loads[i] + offset);
	return sum;
}

#define SUM(field) sum_of(offsetof(struct load, field))

/* In parts of a thousand of the average of those with the same load. */
static void judge_kind(enum load_kind kind)
{
	struct meter_series gains = { 0 };
	uint64_t sum = 0, least, median;

	for (unsigned int i = 0; i < soak.n_loads; i++) {
		const struct load *l = &soak.loads[i];

		if (l->kind != kind || l->habit != LOAD_HABIT_STAY)
			continue;
		meter_add(&gains, l->n - soak.before[i], SESSIONS_MAX);
		sum += l->n - soak.before[i];
	}
	if (!gains.n)
		return;
	least = meter_quantile(&gains, 0, gains.n, 0);
	median = meter_quantile(&gains, 0, gains.n, 500);
	ok(least && least * gains.n * FAIR >= sum,
	   "%s: %zu sessions, %" PRIu64 " transfers; the slowest has %.2f of its share, the median %.2f",
	   load_kind_name(kind), gains.n, sum,
	   sum ? (double)least * gains.n / sum : 0,
	   sum ? (double)median * gains.n / sum : 0);
	meter_free(&gains);
}

static void judge_growth(uint64_t sessions)
{
	size_t n = soak.rss.n, quarter = n / 4;
	uint64_t first, last, bound;

	if (sessions > REMEMBERED_MAX)
		sessions = REMEMBERED_MAX;
	bound = GROWTH_KIB + sessions * REMEMBERED_KIB;
	first = meter_quantile(&soak.rss, 0, quarter, 500);
	last = meter_quantile(&soak.rss, n - quarter, n, 500);
	ok(KEEPS_FREED || (quarter && last < first + bound),
	   "memory: %" PRIu64 " KiB in the first quarter, %" PRIu64
	   " in the last; less than %" PRIu64 " more%s", first, last, bound,
	   KEEPS_FREED ? " # SKIP the address sanitizer keeps what is freed" : "");
}

static void judge_latency(void)
{
	uint64_t without[2], with[2];
	static const unsigned int quantiles[2] = { 500, 990 };

	for (int i = 0; i < 2; i++) {
		without[i] = meter_quantile(&soak.latency[0], 0,
					    soak.latency[0].n, quantiles[i]);
		with[i] = meter_quantile(&soak.latency[1], 0,
					 soak.latency[1].n, quantiles[i]);
	}
	printf("# a key: median %" PRIu64 " us, of 100 the slowest %" PRIu64
	       " (%zu keys); beside one that does not read %" PRIu64 ", %" PRIu64
	       " (%zu)\n", without[0], without[1], soak.latency[0].n, with[0],
	       with[1], soak.latency[1].n);
	ok(with[0] && with[0] <= DELAYED * without[0],
	   "one that does not read delays nobody: %.2f times the median",
	   without[0] ? (double)with[0] / without[0] : 0);
	/* half of the time is its */
	ok(soak.latency[1].n * DELAYED >= soak.latency[0].n,
	   "nor stops anybody for a while: %.2f times as many keys",
	   soak.latency[0].n ?
	   (double)soak.latency[1].n / soak.latency[0].n : 0);
}

static void measure(uint64_t ms)
{
	uint64_t sessions, n;
	bool well;

	ok(run(ms / 3, NULL), "the first third goes well");
	sessions = SUM(n_sessions);
	n = SUM(n);
	for (unsigned int i = 0; i < soak.n_loads; i++)
		soak.before[i] = soak.loads[i].n;
	soak.measuring = true;
	well = run(ms - ms / 3, NULL);
	soak.measuring = false;
	ok(well, "so does the rest: every byte is right, every call answered in its turn");
	printf("# %u sessions, %" PRIu64 " transfers, %.0f a second; %" PRIu64
	       " claims, %" PRIu64 " connections broken, %" PRIu64 " delays\n",
	       soak.n_loads, SUM(n), (SUM(n) - n) * 1000.0 / (ms - ms / 3),
	       SUM(n_sessions), SUM(n_breaks), SUM(n_delays));
	for (enum load_kind kind = 0; kind < LOAD_KINDS; kind++)
		judge_kind(kind);
	judge_growth(SUM(n_sessions) - sessions);
	judge_latency();
}

/* Everything is given back: what was there before is there, and no more. */
static void finish(const struct meter *before)
{
	struct meter m;
	bool back = false;

	for (unsigned int i = 0; i < soak.n_loads; i++)
		load_stop(&soak.loads[i]);
	ok(run(PATIENCE_MS, is_over), "all are released, and all their calls answered");
	ok(odd_deinit(&soak.odd), "so is the one that did not read");
	for (unsigned int i = 0; i < soak.n_loads; i++)
		load_free(&soak.loads[i]);
	soak.n_loads = 0;
	for (uint64_t end = now_ms() + PATIENCE_MS; !back && now_ms() < end;) {
		meter_read(&m, soak.daemon.pid);
		back = m.fds == before->fds && m.threads == before->threads;
		if (!back)
			run(50, NULL);
	}
	ok(back, "descriptors %u, at most %u, then %u; threads %u, %u, %u",
	   before->fds, soak.max_fds, m.fds, before->threads,
	   soak.max_threads, m.threads);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 9;
	unsigned int n = argc > 2 ? atoi(argv[2]) : 200;
	const struct timeval tick = { 0, TICK_MS * 1000 };
	struct meter before;
	struct event *ev, *log;
	char odd[32];

	if (!seconds || !n || n > SESSIONS_MAX)
		return 2;
	setenv("ASAN_OPTIONS", "quarantine_size_mb=8", 0);
	/* it takes all that there is, and tests run beside one another */
	if (nice(10) < 0)
		return 1;
	soak.base = event_base_new();
	start_daemon(n);
	meter_read(&before, soak.daemon.pid);
	ev = event_new(soak.base, -1, EV_PERSIST, on_tick, NULL);
	event_add(ev, &tick);
	log = event_new(soak.base, soak.daemon.log, EV_READ | EV_PERSIST,
			on_log, NULL);
	event_add(log, NULL);
	name_device(odd, n);
	ok(odd_init(&soak.odd, soak.daemon.port, odd), "one that will not read");
	if (!start_loads(n)) {
		puts("Bail out! the sessions do not begin");
		return 1;
	}
	measure(seconds * 1000ull);
	finish(&before);
	ok(!caller_daemon_stop(&soak.daemon), "the daemon ends well");
	event_free(ev);
	event_free(log);
	event_base_free(soak.base);
	meter_free(&soak.rss);
	meter_free(&soak.latency[0]);
	meter_free(&soak.latency[1]);
	return tap_done();
}
