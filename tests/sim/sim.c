// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sim - virtual time, chance, and the queue of what is to happen.
 *
 * What happens at the same microsecond happens in the order that it was asked
 * for, so that a seed gives the same schedule wherever it runs.
 */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct sim_weather sim_weather;
uint64_t sim_now;
uint64_t sim_seed;
bool sim_verbose;
bool sim_calm;

static uint64_t state;
static TAILQ_HEAD(timers, sim_timer) timers = TAILQ_HEAD_INITIALIZER(timers);

/* ---- chance ------------------------------------------------------------- */

/* xorshift64*: the same on every machine. */
static uint32_t next_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32);
}

uint32_t sim_random(uint32_t n)
{
	return (uint32_t)((uint64_t)next_random() * n >> 32);
}

bool sim_chance(unsigned int percent)
{
	return sim_random(100) < percent;
}

uint64_t sim_delay(uint64_t most)
{
	uint32_t range = (uint32_t)(most >> (3 * sim_random(4)));

	return 1 + sim_random(range ? range : 1);
}

static void choose_weather(void)
{
	struct sim_weather *w = &sim_weather;

	w->datagrams = sim_chance(50);
	w->delay = 1 * MS << sim_random(7);
	w->lost = sim_chance(30) ? 0 : sim_random(25);
	w->twice = sim_chance(30) ? 0 : sim_random(25);
	w->cuts = sim_chance(20) ? 0 : 1 + sim_random(60);
	w->lease = 3 + sim_random(sim_chance(60) ? 4 : 28);
	w->window_urbs = 1 + sim_random(sim_chance(50) ? 6 : 64);
	w->window_bytes = 1024u << sim_random(10);
	w->restarts = sim_chance(25);
	w->unplugs = sim_chance(25);
	w->small = sim_chance(50);
	/* not by chance: what the other seeds find stays where it was */
	w->isochronous = sim_seed > 3000 && sim_seed % 2;
	w->isoc_ms = w->isochronous ? (sim_seed / 2) % 4 * 15 : 0;
}

void sim_begin(uint64_t seed)
{
	sim_seed = seed;
	state = seed * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull;
	sim_now = 1000 * S;
	sim_calm = false;
	for (int i = 0; i < 8; i++)
		next_random();
	choose_weather();
	sim_note("%s, delay <= %u ms, %u%% lost, %u%% twice, lease %u s, "
		 "window %u URBs, %zu bytes",
		 sim_weather.datagrams ? "datagrams" : "a stream",
		 (unsigned int)(sim_weather.delay / MS), sim_weather.lost,
		 sim_weather.twice, sim_weather.lease, sim_weather.window_urbs,
		 sim_weather.window_bytes);
}

/* ---- time --------------------------------------------------------------- */

void sim_timer_init(struct sim_timer *t, void (*fn)(void *arg), void *arg)
{
	t->pending = false;
	t->fn = fn;
	t->arg = arg;
}

void sim_timer_set(struct sim_timer *t, uint64_t in)
{
	struct sim_timer *before;

	sim_timer_stop(t);
	t->due = sim_now + in;
	t->pending = true;
	TAILQ_FOREACH_REVERSE(before, &timers, timers, link)
		if (before->due <= t->due)
			break;
	if (before)
		TAILQ_INSERT_AFTER(&timers, before, t, link);
	else
		TAILQ_INSERT_HEAD(&timers, t, link);
}

void sim_timer_stop(struct sim_timer *t)
{
	if (t->pending)
		TAILQ_REMOVE(&timers, t, link);
	t->pending = false;
}

bool sim_step(void)
{
	struct sim_timer *t = TAILQ_FIRST(&timers);

	if (!t)
		return false;
	sim_timer_stop(t);
	sim_now = t->due;
	t->fn(t->arg);
	return true;
}

void sim_end(void)
{
	struct sim_timer *t;

	while ((t = TAILQ_FIRST(&timers)))
		sim_timer_stop(t);
}

/* What the code under test has of the clock and of chance: see Makefile.inc. */
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	ts->tv_sec = (time_t)(sim_now / S);
	ts->tv_nsec = (long)(sim_now % S * 1000);
	return 0;
}

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	uint8_t *bytes = buf;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)sim_random(256);
	return (ssize_t)len;
}

/* ---- what is said ------------------------------------------------------- */

void sim_note(const char *format, ...)
{
	va_list ap;

	if (!sim_verbose)
		return;
	printf("%10.3f ms  ", (double)(sim_now - 1000 * S) / 1000);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

void sim_fail(const char *property, const char *format, ...)
{
	va_list ap;

	printf("not ok 1 - seed %" PRIu64 ": %s\n# ", sim_seed, property);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n# at %.3f ms; see it again: session-sim --seed %" PRIu64
	       " --verbose\n1..1\n", (double)(sim_now - 1000 * S) / 1000,
	       sim_seed);
	fflush(stdout);
	_Exit(1);
}
