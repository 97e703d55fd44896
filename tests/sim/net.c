// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net - the simulated network.
 *
 * Each message has a timer of its own. Those of a stream's direction stand in
 * a queue, too: one whose time has come waits for those before it.
 */
#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define FD_FIRST	(1 << 24)	/* of no real file */
#define AGAIN		(100 * MS)	/* a stream tries, while partitioned */

struct message {
	TAILQ_ENTRY(message) link;
	struct sim_timer timer;
	struct net_conn *conn;
	enum net_side from;
	bool closes;
	size_t len;
	uint8_t data[];
};

TAILQ_HEAD(messages, message);

struct net_conn {
	TAILQ_ENTRY(net_conn) link;
	unsigned int number;
	bool datagrams, cut;
	struct messages queues[2];	/* by side that sends */
	const struct net_handlers *handlers[2];	/* NULL: nobody is there */
	void *users[2];
};

static TAILQ_HEAD(, net_conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static unsigned int n_conns;
static bool partitioned;
static void (*listener)(struct net_conn *conn);

static const char *const arrows[] = { "->", "<-" };

void net_begin(void)
{
	n_conns = 0;
	partitioned = false;
}

static void free_message(struct message *m)
{
	TAILQ_REMOVE(&m->conn->queues[m->from], m, link);
	sim_timer_stop(&m->timer);
	free(m);
}

static void drop_queue(struct net_conn *conn, enum net_side from)
{
	struct message *m;

	while ((m = TAILQ_FIRST(&conn->queues[from])))
		free_message(m);
}

void net_end(void)
{
	struct net_conn *conn;

	while ((conn = TAILQ_FIRST(&conns))) {
		drop_queue(conn, NET_CONTROLLER);
		drop_queue(conn, NET_TARGET);
		TAILQ_REMOVE(&conns, conn, link);
		free(conn);
	}
}

/* ---- messages ----------------------------------------------------------- */

static void deliver(struct message *m)
{
	struct net_conn *conn = m->conn;
	enum net_side to = !m->from;

	if (conn->datagrams && to == NET_TARGET && !conn->handlers[to] &&
	    listener)
		listener(conn);
	if (!conn->handlers[to])
		return;
	if (!m->closes) {
		conn->handlers[to]->received(m->data, m->len, conn->users[to]);
		return;
	}
	sim_note("     %s connection %u is closed", arrows[m->from],
		 conn->number);
	conn->handlers[to]->closed(conn->users[to]);
}

static void arrive(void *arg)
{
	struct message *m = arg, *first;

	first = TAILQ_FIRST(&m->conn->queues[m->from]);
	if (m->conn->datagrams) {
		if (!partitioned)
			deliver(m);
	} else if (partitioned) {
		sim_timer_set(&m->timer, AGAIN);
		return;
	} else if (m != first) {
		sim_timer_set(&m->timer, first->timer.due - sim_now);
		return;
	} else {
		deliver(m);
	}
	free_message(m);
}

static void put(struct net_conn *conn, enum net_side from, const void *data,
		size_t len, bool closes)
{
	struct messages *queue = &conn->queues[from];
	struct message *last = TAILQ_LAST(queue, messages);
	struct message *m = calloc(1, sizeof(*m) + len);
	uint64_t in = sim_delay(sim_weather.delay);

	if (!m)
		abort();
	m->conn = conn;
	m->from = from;
	m->len = len;
	m->closes = closes;
	if (len)
		memcpy(m->data, data, len);
	if (!conn->datagrams && last && last->timer.due > sim_now + in)
		in = last->timer.due - sim_now;
	sim_timer_init(&m->timer, arrive, m);
	TAILQ_INSERT_TAIL(queue, m, link);
	sim_timer_set(&m->timer, in);
}

void net_send(struct net_conn *conn, enum net_side from, const void *data,
	      size_t len)
{
	if (conn->cut)
		return;
	if (conn->datagrams && !sim_calm && sim_chance(sim_weather.lost)) {
		sim_note("     %s lost", arrows[from]);
		return;
	}
	put(conn, from, data, len, false);
	if (conn->datagrams && !sim_calm && sim_chance(sim_weather.twice))
		put(conn, from, data, len, false);
}

/* ---- connections -------------------------------------------------------- */

void net_listen(void (*accepted)(struct net_conn *conn))
{
	listener = accepted;
}

bool net_partitioned(void)
{
	return partitioned;
}

bool net_reachable(void)
{
	return sim_weather.datagrams || (listener && !partitioned);
}

struct net_conn *net_connect(void)
{
	struct net_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->number = n_conns++;
	conn->datagrams = sim_weather.datagrams;
	TAILQ_INIT(&conn->queues[0]);
	TAILQ_INIT(&conn->queues[1]);
	TAILQ_INSERT_TAIL(&conns, conn, link);
	sim_note("     -> connection %u", conn->number);
	if (!conn->datagrams)
		listener(conn);
	return conn;
}

int net_fd(const struct net_conn *conn)
{
	return FD_FIRST + (int)conn->number;
}

struct net_conn *net_of_fd(int fd)
{
	struct net_conn *conn;

	TAILQ_FOREACH(conn, &conns, link)
		if (net_fd(conn) == fd)
			break;
	return conn;
}

unsigned int net_number(const struct net_conn *conn)
{
	return conn->number;
}

bool net_is_datagram(const struct net_conn *conn)
{
	return conn->datagrams;
}

void net_take(struct net_conn *conn, enum net_side side,
	      const struct net_handlers *handlers, void *user)
{
	conn->handlers[side] = handlers;
	conn->users[side] = user;
}

/* Of what is on its way, some arrives. */
static void lose_some(struct net_conn *conn, enum net_side from)
{
	struct message *m, *next;
	unsigned int n = 0, kept;

	TAILQ_FOREACH(m, &conn->queues[from], link)
		n++;
	kept = sim_chance(40) ? 0 : sim_random(n + 1);
	n = 0;
	for (m = TAILQ_FIRST(&conn->queues[from]); m; m = next) {
		next = TAILQ_NEXT(m, link);
		/* one that is being delivered is freed behind that */
		if (n++ >= kept && m->timer.pending)
			free_message(m);
	}
}

void net_close(struct net_conn *conn, enum net_side side)
{
	conn->handlers[side] = NULL;
	if (conn->datagrams || conn->cut)
		return;
	conn->cut = true;
	if (side == NET_CONTROLLER)
		lose_some(conn, side);
	put(conn, side, NULL, 0, true);
}

static void cut_one(struct net_conn *conn)
{
	sim_note("     == connection %u is cut", conn->number);
	conn->cut = true;
	lose_some(conn, NET_CONTROLLER);
	lose_some(conn, NET_TARGET);
	/* who does not hear of it has to find out */
	if (sim_chance(80))
		put(conn, NET_TARGET, NULL, 0, true);
	if (sim_chance(70))
		put(conn, NET_CONTROLLER, NULL, 0, true);
}

void net_cut(void)
{
	struct net_conn *conn;

	TAILQ_FOREACH(conn, &conns, link)
		if (!conn->datagrams && !conn->cut &&
		    conn->handlers[NET_CONTROLLER])
			cut_one(conn);
}

void net_partition(bool on)
{
	if (on != partitioned)
		sim_note("     == the network is %s", on ? "parted" : "whole");
	partitioned = on;
}
