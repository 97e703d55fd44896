// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session-sim - the session protocol, end to end: exactly once, in order, and
 * an end for every URB, whatever the network, the target, the device and the
 * driver do. See README.
 *
 * A world is a seed. In its storm everything may happen; then it gets calm, and
 * everything has to come to its end; then the port is detached and the target
 * stopped, and nothing may be left.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/sim/daemon.h"
#include "tests/sim/device.h"
#include "tests/sim/helper.h"
#include "tests/sim/net.h"
#include "tests/sim/oracle.h"
#include "tests/sim/packets.h"
#include "tests/sim/sim.h"
#include "tests/tap.h"

#define SEEDS	4000
#define STORM	(30 * S)
#define BOUND	(300 * S)	/* for what has to end when all is well */

static struct sim_timer disturbance, healing, restart;

/* ---- the storm ---------------------------------------------------------- */

static void heal(void *arg)
{
	net_partition(false);
	helper_excuse();
}

static void begin_partition(void)
{
	uint64_t lease = sim_weather.lease * S;

	helper_excuse();
	net_partition(true);
	sim_timer_set(&healing, sim_chance(30) ?
		      lease / 2 + sim_random((uint32_t)lease) :
		      sim_delay(lease / 2));
}

static void start_again(void *arg)
{
	if (!daemon_is_up())
		daemon_begin();
	else
		sim_timer_set(&restart, 10 * MS);
}

static void stop_daemon(void)
{
	helper_excuse();
	daemon_stop(sim_chance(70));
	sim_timer_set(&restart, sim_delay(2 * S));
}

static void disturb(void *arg)
{
	uint32_t deed = sim_random(100);

	sim_timer_set(&disturbance, sim_delay(1 * S));
	if (restart.pending || deed >= sim_weather.cuts)
		return;
	deed = sim_random(100);
	if (deed < 70) {
		net_cut();		/* no reason to end anything */
	} else if (deed < 85) {
		begin_partition();
	} else if (deed < 93 && sim_weather.restarts) {
		stop_daemon();
	} else if (sim_weather.unplugs) {
		helper_excuse();
		device_unplug();
	}
}

static void begin_storm(void)
{
	sim_timer_init(&disturbance, disturb, NULL);
	sim_timer_init(&healing, heal, NULL);
	sim_timer_init(&restart, start_again, NULL);
	sim_timer_set(&disturbance, sim_delay(1 * S));
}

static void end_storm(void)
{
	sim_note("     == calm");
	sim_timer_stop(&disturbance);
	sim_timer_stop(&healing);
	net_partition(false);
	sim_calm = true;
	helper_finish();
}

/* ---- a world ------------------------------------------------------------ */

static void until(uint64_t time)
{
	while (sim_now < time)
		if (!sim_step())
			break;
}

static void until_true(bool (*fact)(void), const char *what)
{
	uint64_t bound = sim_now + BOUND;

	while (!fact())
		sim_check(sim_step() && sim_now < bound,
			  "every URB ends, in bounded time", "%s, %u URBs",
			  what, oracle_outstanding());
}

static bool is_daemon_settled(void)
{
	return !restart.pending;
}

static bool is_daemon_down(void)
{
	return !daemon_is_up();
}

static void run_world(uint64_t seed)
{
	sim_begin(seed);
	net_begin();
	oracle_begin();
	packets_begin();
	daemon_begin();
	helper_begin();
	begin_storm();
	until(sim_now + 200 * MS + (sim_chance(50) ? sim_delay(5 * S) :
				    sim_random(STORM)));
	end_storm();
	until_true(is_daemon_settled, "the target starts again");
	until_true(helper_is_idle, "the driver waits");
	helper_detach();
	until_true(helper_is_gone, "the port is detached");
	daemon_stop(false);
	until_true(is_daemon_down, "the target stops");
	helper_end();
	daemon_end();
	device_end();
	net_end();
	oracle_end();
	sim_end();
}

/* ---- the program -------------------------------------------------------- */

static void say_seed(void)
{
	static char line[128];
	int n = snprintf(line, sizeof(line), "\nnot ok 1 - seed %" PRIu64
			 ": see it again: session-sim --seed %" PRIu64
			 " --verbose\n1..1\n", sim_seed, sim_seed);

	fflush(stdout);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_Exit(1);
}

/* An assertion of the code under test, or worse. */
static void on_abort(int sig)
{
	say_seed();
	_Exit(1);
}

/* A finding of a sanitizer, where there is one. */
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

static int usage(void)
{
	fprintf(stderr, "usage: session-sim [--seed N | --seeds A-B] "
		"[--verbose | --debug]\n");
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, last = SEEDS;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--verbose"))
			sim_verbose = true;
		else if (!strcmp(argv[i], "--debug"))
			log_tags = ~0u;
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			first = last = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--seeds") && i + 1 < argc &&
			 sscanf(argv[++i], "%" SCNu64 "-%" SCNu64, &first,
				&last) == 2)
			continue;
		else
			return usage();
	}
	sim_verbose |= log_tags;
	signal(SIGABRT, on_abort);
	signal(SIGSEGV, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_seed);
	for (uint64_t seed = first; seed <= last; seed++)
		run_world(seed);
	ok(true, "seeds %" PRIu64 " to %" PRIu64, first, last);
	return tap_done();
}
