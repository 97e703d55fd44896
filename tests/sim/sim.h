/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim - what a simulated world has instead of a clock, of chance and of
 * threads: virtual time, one seeded source of random numbers, and a queue of
 * what is to happen. README says what the world is made of.
 */
#ifndef USBIP_TESTS_SIM_H
#define USBIP_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Microseconds of virtual time. */
#define MS	1000ull
#define S	1000000ull

struct sim_timer {
	TAILQ_ENTRY(sim_timer) link;
	uint64_t due;
	bool pending;
	void (*fn)(void *arg);
	void *arg;
};

/* What differs from one seed to the next; chosen when a world begins. */
struct sim_weather {
	bool datagrams;
	uint64_t delay;			/* of a message, at most */
	unsigned int lost, twice;	/* of 100 datagrams */
	unsigned int cuts;		/* of 100 disturbances */
	unsigned int lease;		/* seconds */
	unsigned int window_urbs;
	size_t window_bytes;
	bool restarts, unplugs;		/* may happen */
	bool small;			/* datagrams hold little: pieces */
	bool isochronous;		/* endpoints are used, too */
	unsigned int isoc_ms;		/* kept ahead of the driver */
};

extern struct sim_weather sim_weather;
extern uint64_t sim_now;
extern uint64_t sim_seed;
extern bool sim_verbose;
/* The network works, and so does the rest: what is still to end, ends. */
extern bool sim_calm;

void sim_begin(uint64_t seed);
/* What is still to happen does not. */
void sim_end(void);
/* Let happen what is next; false: nothing is. */
bool sim_step(void);

/* 0 to n - 1 */
uint32_t sim_random(uint32_t n);
bool sim_chance(unsigned int percent);
/* Mostly little, at times up to `most`. */
uint64_t sim_delay(uint64_t most);

void sim_timer_init(struct sim_timer *t, void (*fn)(void *arg), void *arg);
/* In so long; a pending one is moved. */
void sim_timer_set(struct sim_timer *t, uint64_t in);
void sim_timer_stop(struct sim_timer *t);

/* A line of the schedule, for --verbose. */
void sim_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A property does not hold: says so, with how to see it again, and ends. */
void sim_fail(const char *property, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

#define sim_check(cond, property, ...) do {				\
	if (!(cond))							\
		sim_fail(property, __VA_ARGS__);			\
} while (0)

#endif
