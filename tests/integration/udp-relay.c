// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * udp-relay - a UDP relay on loopback that does what a bad network does.
 *
 * Each address of the near side has a socket of its own towards the target, as
 * behind a NAT. What happens to a datagram is decided when it comes, so one
 * seed means one sequence of decisions; which datagram each meets is for the
 * scheduler to say.
 */
#include "config.h"

#include "tests/integration/udp-relay.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/usbip.h"

#define DATAGRAM_MAX	65536
#define BUFFER		(4 << 20)

/* The near side at one of its addresses. */
struct peer {
	LIST_ENTRY(peer) link;
	struct sockaddr_in addr;
	int fd;				/* towards the target */
	struct event *readable;
};

/* One that is on its way. */
struct datagram {
	LIST_ENTRY(datagram) link;
	struct peer *peer;
	bool to_target;
	struct event *timer;
	size_t len;
	uint8_t data[];
};

/* One that was relayed. */
struct kept {
	uint8_t data[2048];
	unsigned int len;
};

static struct udp_relay {
	struct event_base *base;
	int fd;				/* towards the controller */
	struct event *readable;
	struct sockaddr_in to;
	LIST_HEAD(peers, peer) peers;
	LIST_HEAD(datagrams, datagram) datagrams;
	unsigned int n_peers;
	uint64_t random;
	bool dead;
	struct udp_relay_faults faults;
	struct udp_relay_counts counts;
	struct kept kept[2];		/* a call is [true] */
	int stranger;			/* towards the target */
} r;

/* xorshift64: the same everywhere. */
static unsigned int pick(unsigned int n)
{
	r.random ^= r.random << 13;
	r.random ^= r.random >> 7;
	r.random ^= r.random << 17;
	return (unsigned int)((r.random >> 33) % n);
}

static void deliver(const struct peer *peer, bool to_target, const void *data,
		    size_t len)
{
	/* what the socket does not take is lost, like anything else */
	if (to_target)
		send(peer->fd, data, len, MSG_DONTWAIT);
	else
		sendto(r.fd, data, len, MSG_DONTWAIT,
		       (const struct sockaddr *)&peer->addr, sizeof(peer->addr));
}

static void free_datagram(struct datagram *d)
{
	LIST_REMOVE(d, link);
	event_free(d->timer);
	free(d);
}

static void arrive(evutil_socket_t fd, short what, void *user)
{
	struct datagram *d = user;

	deliver(d->peer, d->to_target, d->data, d->len);
	free_datagram(d);
}

static void send_later(struct peer *peer, bool to_target, const void *data,
		       size_t len, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct datagram *d = malloc(sizeof(*d) + len);

	d->peer = peer;
	d->to_target = to_target;
	d->len = len;
	memcpy(d->data, data, len);
	d->timer = evtimer_new(r.base, arrive, d);
	LIST_INSERT_HEAD(&r.datagrams, d, link);
	/* what is delayed alike keeps its order */
	evtimer_add(d->timer, event_base_init_common_timeout(r.base, &tv));
}

static unsigned int delay_ms(void)
{
	const struct udp_relay_faults *f = &r.faults;
	unsigned int spread = 2 * f->jitter_ms + 1;

	if (f->reorder && pick(100) < f->reorder) {
		r.counts.reordered++;
		return 0;
	}
	return f->delay_ms - f->jitter_ms + pick(spread);
}

/* Of calls the URBs: who overhears a handle may RENEW with it, and has it. */
static bool is_worth_keeping(bool to_target, const uint8_t *data, size_t len)
{
	if (len > sizeof(r.kept[0].data))
		return false;
	return !to_target || (len >= 24 && data[23] >= USBIP_CONTROL);
}

static void relay(struct peer *peer, bool to_target, const void *data,
		  size_t len)
{
	const struct udp_relay_faults *f = &r.faults;
	unsigned int copies = 1;

	if (to_target && f->mtu && len > f->mtu) {
		r.counts.too_large++;
		return;
	}
	if (r.dead || (f->loss && pick(100) < f->loss)) {
		r.counts.lost++;
		return;
	}
	if (f->duplicate && pick(100) < f->duplicate) {
		r.counts.doubled++;
		copies++;
	}
	r.counts.relayed++;
	if (is_worth_keeping(to_target, data, len) && pick(2)) {
		memcpy(r.kept[to_target].data, data, len);
		r.kept[to_target].len = (unsigned int)len;
	}
	while (copies--) {
		unsigned int ms = delay_ms();

		if (ms)
			send_later(peer, to_target, data, len, ms);
		else
			deliver(peer, to_target, data, len);
	}
}

static void from_target(evutil_socket_t fd, short what, void *user)
{
	static uint8_t data[DATAGRAM_MAX];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) >= 0)
		relay(user, false, data, (size_t)n);
}

static int new_socket(void)
{
	static const int size = BUFFER;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static struct peer *find_peer(const struct sockaddr_in *addr)
{
	struct peer *peer;

	LIST_FOREACH(peer, &r.peers, link)
		if (peer->addr.sin_port == addr->sin_port)
			return peer;
	peer = calloc(1, sizeof(*peer));
	peer->addr = *addr;
	peer->fd = new_socket();
	if (connect(peer->fd, (struct sockaddr *)&r.to, sizeof(r.to)))
		abort();
	peer->readable = event_new(r.base, peer->fd, EV_READ | EV_PERSIST,
				   from_target, peer);
	event_add(peer->readable, NULL);
	LIST_INSERT_HEAD(&r.peers, peer, link);
	r.n_peers++;
	return peer;
}

static void from_controller(evutil_socket_t fd, short what, void *user)
{
	static uint8_t data[DATAGRAM_MAX];
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	ssize_t n;

	while ((n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT,
			     (struct sockaddr *)&addr, &len)) >= 0) {
		relay(find_peer(&addr), true, data, (size_t)n);
		len = sizeof(addr);
	}
}

/* ---- for tests ----------------------------------------------------------- */

uint16_t udp_relay_begin(struct event_base *base, uint16_t to, unsigned int seed)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);

	memset(&r, 0, sizeof(r));
	LIST_INIT(&r.peers);
	LIST_INIT(&r.datagrams);
	r.base = base;
	r.to = addr;
	r.to.sin_port = htons(to);
	r.random = seed * 0x9e3779b97f4a7c15ull | 1;
	r.stranger = new_socket();
	if (connect(r.stranger, (struct sockaddr *)&r.to, sizeof(r.to)))
		abort();
	r.fd = new_socket();
	if (bind(r.fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockname(r.fd, (struct sockaddr *)&addr, &len))
		abort();
	r.readable = event_new(base, r.fd, EV_READ | EV_PERSIST,
			       from_controller, NULL);
	event_add(r.readable, NULL);
	return ntohs(addr.sin_port);
}

void udp_relay_faults(const struct udp_relay_faults *faults)
{
	r.faults = *faults;
}

void udp_relay_dead(bool yes)
{
	r.dead = yes;
}

void udp_relay_stray(void)
{
	const struct kept *call = &r.kept[true], *reply = &r.kept[false];
	uint8_t noise[200];
	struct peer *peer;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)pick(256);
	send(r.stranger, call->data, call->len, MSG_DONTWAIT);
	send(r.stranger, call->data, pick(call->len + 1), MSG_DONTWAIT);
	send(r.stranger, noise, pick(sizeof(noise)), MSG_DONTWAIT);
	LIST_FOREACH(peer, &r.peers, link) {
		deliver(peer, false, reply->data, reply->len);
		deliver(peer, false, noise, pick(sizeof(noise)));
	}
}

const struct udp_relay_counts *udp_relay_counts(void)
{
	return &r.counts;
}

unsigned int udp_relay_sockets(void)
{
	return r.n_peers;
}

void udp_relay_end(void)
{
	struct peer *peer;

	while (!LIST_EMPTY(&r.datagrams))
		free_datagram(LIST_FIRST(&r.datagrams));
	while ((peer = LIST_FIRST(&r.peers))) {
		LIST_REMOVE(peer, link);
		event_free(peer->readable);
		close(peer->fd);
		free(peer);
	}
	event_free(r.readable);
	close(r.fd);
	close(r.stranger);
}
