// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * congest - how much may be on its way (RFC 5681, RFC 8085).
 */
#include "common/congest.h"

#include <string.h>

#define INITIAL_DATAGRAMS 10
/* But no more bytes than this, or two datagrams (RFC 6928). */
#define INITIAL_BYTES 14720
#define MIN_DATAGRAMS 2
/* What may be sent at once: timers are no finer than some milliseconds. */
#define BURST_DATAGRAMS 10
#define BURST_US 5000

static size_t min_window(const struct congest *c)
{
	return MIN_DATAGRAMS * c->datagram;
}

static void set_window(struct congest *c, size_t window)
{
	if (window > CONGEST_MAX)
		window = CONGEST_MAX;
	if (window < min_window(c))
		window = min_window(c);
	c->window = window;
}

/* The window to begin with. */
static void begin(struct congest *c, size_t datagram)
{
	size_t window = INITIAL_DATAGRAMS * datagram;

	c->datagram = datagram;
	set_window(c, window < INITIAL_BYTES ? window : INITIAL_BYTES);
	c->threshold = CONGEST_MAX;
}

void congest_init(struct congest *c, size_t datagram, uint64_t now)
{
	memset(c, 0, sizeof(*c));
	begin(c, datagram);
	c->credit = BURST_DATAGRAMS * datagram;
	c->credited = now;
}

void congest_narrow(struct congest *c, size_t datagram)
{
	size_t window = c->window;

	begin(c, datagram);
	if (window > c->window)
		set_window(c, window);
	c->n_lost = 0;
}

/* Bytes that may leave in so many microseconds: somewhat more than the window
 * in a round trip, so that it is the window that holds (RFC 9002, 7.7). */
static uint64_t paced(const struct congest *c, uint32_t srtt, uint64_t us)
{
	uint64_t window = c->window < c->threshold ? 2 * c->window :
			  c->window + c->window / 4;

	return window * us / srtt;
}

static uint64_t wait_for_credit(struct congest *c, uint32_t srtt, uint64_t now)
{
	int64_t burst = paced(c, srtt, BURST_US);
	uint64_t us = now - c->credited;

	if (burst < (int64_t)(BURST_DATAGRAMS * c->datagram))
		burst = BURST_DATAGRAMS * c->datagram;
	if (us > 10 * (uint64_t)srtt)
		us = 10 * (uint64_t)srtt;	/* far more than the burst */
	c->credit += paced(c, srtt, us);
	c->credited = now;
	if (c->credit > burst)
		c->credit = burst;
	if (c->credit > 0)
		return 0;
	return 1 + (uint64_t)-c->credit * srtt / paced(c, srtt, srtt);
}

uint64_t congest_wait(struct congest *c, size_t bytes, uint32_t srtt,
		      uint64_t now)
{
	/* One is always let out, however large. */
	if (c->in_flight && c->in_flight + bytes > c->window) {
		c->limited = true;
		return CONGEST_FULL;
	}
	return srtt ? wait_for_credit(c, srtt, now) : 0;
}

void congest_sent(struct congest *c, size_t bytes)
{
	c->in_flight += bytes;
	c->credit -= bytes;
}

void congest_landed(struct congest *c, size_t bytes)
{
	c->in_flight -= bytes;
	if (c->in_flight < c->window / 4)
		c->limited = false;
}

void congest_answered(struct congest *c, size_t bytes)
{
	c->timeouts = 0;
	if (!c->limited)
		return;
	if (c->window >= c->threshold)
		bytes = c->datagram * bytes / c->window;
	set_window(c, c->window + bytes);
}

uint64_t congest_lost(struct congest *c, bool timed_out, uint64_t sent,
		      uint64_t now)
{
	if (sent <= c->cut) {	/* it was cut for that already */
		c->n_lost++;
		return c->cut;
	}
	c->cut = now;
	c->n_lost = 1;
	c->window_before = c->window;
	c->threshold_before = c->threshold;
	c->threshold = c->window / 2;
	if (c->threshold < min_window(c))
		c->threshold = min_window(c);
	c->timeouts = timed_out ? c->timeouts + 1 : 0;
	set_window(c, c->timeouts > 1 ? 0 : c->threshold);
	return c->cut;
}

void congest_not_lost(struct congest *c, uint64_t cut)
{
	if (cut != c->cut || !c->n_lost || --c->n_lost)
		return;
	if (c->window < c->window_before)
		set_window(c, c->window_before);
	c->threshold = c->threshold_before;
	c->cut = 0;
	c->timeouts = 0;
}
