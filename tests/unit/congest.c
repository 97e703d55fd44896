// SPDX-License-Identifier: GPL-2.0-or-later
/* congest - what may be on its way, and how soon. */
#include "common/congest.h"
#include "tests/tap.h"

#define DATAGRAM 1472
#define RTT 100000

/* Send datagrams until the window is full, with time standing still where
 * nothing is known of the round trip. How many? */
static int fill(struct congest *c)
{
	int n = 0;

	while (!congest_wait(c, DATAGRAM, 0, 0)) {
		congest_sent(c, DATAGRAM);
		n++;
	}
	return n;
}

/* All that is on its way is answered, and more sent for it. */
static int round_trip(struct congest *c)
{
	for (int n = c->in_flight / DATAGRAM; n; n--) {
		congest_answered(c, DATAGRAM);
		congest_landed(c, DATAGRAM);
		fill(c);
	}
	return c->in_flight / DATAGRAM;
}

static void test_window(void)
{
	struct congest c;
	int n;

	congest_init(&c, DATAGRAM, 0);
	ok(fill(&c) == 10, "ten datagrams at first");
	ok(congest_wait(&c, DATAGRAM, 0, 0) == CONGEST_FULL, "and no more");
	ok(round_trip(&c) >= 19, "twice as many after a round trip");
	n = round_trip(&c);
	ok(n >= 35, "and twice again");
	congest_lost(&c, false, 1, 10);
	ok(c.window == c.threshold && c.window / DATAGRAM <= (size_t)n / 2 + 2, "half where one is lost");
	congest_lost(&c, false, 9, 11);
	ok(c.window == c.threshold, "once for all that were sent before that was known");
	n = c.window / DATAGRAM;
	while (c.in_flight > c.window)
		congest_landed(&c, DATAGRAM);
	fill(&c);
	round_trip(&c);
	ok(c.window / DATAGRAM >= (size_t)n && c.window / DATAGRAM <= (size_t)n + 2,
	   "from then on one more in each round trip");
	for (int i = 0; i < 1000; i++)
		round_trip(&c);
	ok(c.window <= CONGEST_MAX, "up to a bound");
}

static void test_timeouts(void)
{
	struct congest c;

	congest_init(&c, DATAGRAM, 0);
	fill(&c);
	congest_lost(&c, true, 1, 10);
	ok(c.window == 5 * DATAGRAM, "a time-out halves it");
	congest_lost(&c, true, 11, 20);
	ok(c.window == 2 * DATAGRAM, "another in a row leaves two datagrams");
	congest_lost(&c, true, 21, 30);
	ok(c.window == 2 * DATAGRAM, "and no fewer");
	congest_answered(&c, DATAGRAM);
	congest_landed(&c, DATAGRAM);
	congest_lost(&c, true, 31, 40);
	ok(c.timeouts == 1, "an answer between them is something else");
}

/* What was taken for lost was late. */
static void test_not_lost(void)
{
	struct congest c;
	uint64_t cut, again;

	congest_init(&c, DATAGRAM, 0);
	fill(&c);
	cut = congest_lost(&c, false, 1, 10);
	ok(congest_lost(&c, false, 2, 11) == cut, "two are lost");
	congest_not_lost(&c, cut);
	ok(c.window == 5 * DATAGRAM, "one of them is not");
	congest_not_lost(&c, cut);
	ok(c.window == 10 * DATAGRAM && c.threshold == CONGEST_MAX, "nor is the other: as before");
	again = congest_lost(&c, false, 3, 12);
	ok(again != cut && c.window == 5 * DATAGRAM, "but one of the same time is");
	congest_not_lost(&c, cut);
	ok(c.window == 5 * DATAGRAM, "of another cut that says nothing");
	congest_narrow(&c, 1232);
	ok(c.window == 10 * 1232 && c.threshold == CONGEST_MAX,
	   "what was lost for its length was not for congestion");
}

static void test_idle(void)
{
	struct congest c;

	congest_init(&c, DATAGRAM, 0);
	for (int i = 0; i < 100; i++) {
		congest_sent(&c, DATAGRAM);
		congest_answered(&c, DATAGRAM);
		congest_landed(&c, DATAGRAM);
	}
	ok(c.window == 10 * DATAGRAM, "it does not grow where it holds nobody");
	congest_init(&c, 65507, 0);
	ok(!congest_wait(&c, 200000, 0, 0), "what is larger than the window goes alone");
	congest_sent(&c, 200000);
	ok(congest_wait(&c, 1, 0, 0) == CONGEST_FULL, "alone");
}

/* Over a long way, with a large window: how much leaves when? */
static void test_pace(void)
{
	struct congest c;
	uint64_t now = 1000000, wait, end = now + RTT;
	int n = 0, burst = 0, most = 0;

	congest_init(&c, DATAGRAM, now);
	c.window = c.threshold = 100 * DATAGRAM;
	while ((wait = congest_wait(&c, DATAGRAM, RTT, now)) != CONGEST_FULL && now < end) {
		burst = wait ? 0 : burst + 1;
		most = burst > most ? burst : most;
		now += wait;
		if (wait)
			continue;
		congest_sent(&c, DATAGRAM);
		n++;
	}
	ok(n == 100, "the window leaves");
	ok(most <= 11, "%d at once", most);
	ok(end - now > RTT / 10 && end - now < RTT / 2, "spread over %d ms of 100",
	   (int)((now + RTT - end) / 1000));
	now += 3600 * UINT64_C(1000000);
	congest_landed(&c, c.in_flight);
	for (n = 0; !congest_wait(&c, DATAGRAM, RTT, now); n++)
		congest_sent(&c, DATAGRAM);
	ok(n <= 11, "and %d after an hour", n);
}

int main(void)
{
	test_window();
	test_timeouts();
	test_not_lost();
	test_idle();
	test_pace();
	return tap_done();
}
