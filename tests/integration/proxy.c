// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proxy - a TCP relay on loopback whose connections a test can cut.
 */
#include "config.h"

#include "tests/integration/proxy.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is on its way, while there is a delay. */
struct chunk {
	LIST_ENTRY(chunk) link;
	struct bufferevent *to;
	struct evbuffer *data;
	struct event *timer;
};

struct pair {
	LIST_ENTRY(pair) link;
	LIST_HEAD(, chunk) chunks;
	struct bufferevent *near, *far;	/* the controller, the target */
};

static struct proxy {
	struct event_base *base;
	struct event *accept;
	LIST_HEAD(pairs, pair) pairs;
	int fd;
	uint16_t to;
	bool refusing;
	uint64_t cut_after;		/* 0: not */
	unsigned int delay_ms;
	unsigned int n_accepted;
	struct ev_token_bucket_cfg *slow;
} p;

static void free_chunk(struct chunk *chunk)
{
	LIST_REMOVE(chunk, link);
	event_free(chunk->timer);
	evbuffer_free(chunk->data);
	free(chunk);
}

static void arrive(evutil_socket_t fd, short what, void *user)
{
	struct chunk *chunk = user;

	bufferevent_write_buffer(chunk->to, chunk->data);
	free_chunk(chunk);
}

/* Timers of one length run out in their order, so bytes keep theirs. */
static void delay(struct pair *pair, struct bufferevent *to,
		  struct evbuffer *data)
{
	const struct timeval tv = { p.delay_ms / 1000,
				    p.delay_ms % 1000 * 1000 };
	struct chunk *chunk = calloc(1, sizeof(*chunk));

	chunk->to = to;
	chunk->data = evbuffer_new();
	evbuffer_add_buffer(chunk->data, data);
	chunk->timer = evtimer_new(p.base, arrive, chunk);
	LIST_INSERT_HEAD(&pair->chunks, chunk, link);
	evtimer_add(chunk->timer, event_base_init_common_timeout(p.base, &tv));
}

static void drop_pair(struct pair *pair)
{
	const struct linger reset = { 1, 0 };

	while (!LIST_EMPTY(&pair->chunks))
		free_chunk(LIST_FIRST(&pair->chunks));

	setsockopt(bufferevent_getfd(pair->near), SOL_SOCKET, SO_LINGER, &reset,
		   sizeof(reset));
	LIST_REMOVE(pair, link);
	bufferevent_free(pair->near);
	bufferevent_free(pair->far);
	free(pair);
}

static void readable(struct bufferevent *bev, void *user)
{
	struct pair *pair = user;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);

	if (bev == pair->far && p.cut_after) {
		if (len >= p.cut_after) {
			p.cut_after = 0;
			drop_pair(pair);
			return;
		}
		p.cut_after -= len;
	}
	if (p.delay_ms)
		delay(pair, bev == pair->near ? pair->far : pair->near, in);
	else
		bufferevent_write_buffer(bev == pair->near ? pair->far :
							     pair->near, in);
}

static void ended(struct bufferevent *bev, short what, void *user)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		drop_pair(user);
}

static void acceptable(evutil_socket_t fd, short what, void *user)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(p.to),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int near = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct pair *pair;

	if (near < 0)
		return;
	if (p.refusing) {
		close(near);
		return;
	}
	p.n_accepted++;
	pair = calloc(1, sizeof(*pair));
	pair->near = bufferevent_socket_new(p.base, near, BEV_OPT_CLOSE_ON_FREE);
	pair->far = bufferevent_socket_new(p.base, -1, BEV_OPT_CLOSE_ON_FREE);
	LIST_INSERT_HEAD(&p.pairs, pair, link);
	bufferevent_setcb(pair->near, readable, NULL, ended, pair);
	bufferevent_setcb(pair->far, readable, NULL, ended, pair);
	bufferevent_enable(pair->near, EV_READ | EV_WRITE);
	bufferevent_enable(pair->far, EV_READ | EV_WRITE);
	bufferevent_socket_connect(pair->far, (struct sockaddr *)&to, sizeof(to));
}

/* The port. */
static uint16_t listen_at(const char *address, uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = inet_addr(address),
	};
	socklen_t len = sizeof(addr);

	p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p.fd < 0 || bind(p.fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(p.fd, 16) || getsockname(p.fd, (struct sockaddr *)&addr, &len))
		abort();
	p.accept = event_new(p.base, p.fd, EV_READ | EV_PERSIST, acceptable,
			     NULL);
	event_add(p.accept, NULL);
	return ntohs(addr.sin_port);
}

uint16_t proxy_begin(struct event_base *base, uint16_t to)
{
	memset(&p, 0, sizeof(p));
	LIST_INIT(&p.pairs);
	p.base = base;
	p.to = to;
	return listen_at("127.0.0.1", 0);
}

void proxy_move(const char *address)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	if (getsockname(p.fd, (struct sockaddr *)&addr, &len))
		abort();
	proxy_end();
	listen_at(address, ntohs(addr.sin_port));
}

void proxy_cut(void)
{
	struct pair *pair;

	while ((pair = LIST_FIRST(&p.pairs)))
		drop_pair(pair);
}

void proxy_cut_after(uint64_t bytes)
{
	p.cut_after = bytes;
}

void proxy_slow(size_t rate)
{
	const struct timeval tick = { 0, 50000 };
	struct pair *pair;

	if (rate)
		p.slow = ev_token_bucket_cfg_new(rate / 20, rate / 20,
						 rate / 20, rate / 20, &tick);
	LIST_FOREACH(pair, &p.pairs, link) {
		bufferevent_set_rate_limit(pair->near, rate ? p.slow : NULL);
		bufferevent_set_rate_limit(pair->far, rate ? p.slow : NULL);
	}
	if (!rate && p.slow) {
		ev_token_bucket_cfg_free(p.slow);
		p.slow = NULL;
	}
}

void proxy_delay(unsigned int ms)
{
	p.delay_ms = ms;
}

void proxy_refuse(bool yes)
{
	p.refusing = yes;
}

unsigned int proxy_accepted(void)
{
	return p.n_accepted;
}

void proxy_end(void)
{
	proxy_cut();
	event_free(p.accept);
	close(p.fd);
}
