// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The answering side by datagrams, over sockets of the loopback: what a caller
 * gets that has not shown where it is, what it needs to show it, and what
 * nobody gets.
 */
#include <netinet/in.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

#define CALL_TO(proc) 2, USBIP_PROGRAM, USBIP_V1, proc
#define NONE 0, 0
#define COOKIE 4		/* words of one */

struct bench {
	struct event_base *base;
	struct service service;
	struct sockaddr_storage at;
	socklen_t len;
};

static void at_loopback(struct sockaddr_storage *at, socklen_t *len, int family)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)at;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)at;

	memset(at, 0, sizeof(*at));
	at->ss_family = family;
	*len = family == AF_INET ? sizeof(*sin) : sizeof(*sin6);
	if (family == AF_INET)
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		sin6->sin6_addr = in6addr_loopback;
}

/* A socket for all addresses: so that a reply has to be sent from the right
 * one, or a connected peer does not get it. */
static int socket_for_all(int family, struct bench *b)
{
	int fd = socket(family, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_storage all;
	socklen_t len;

	at_loopback(&b->at, &b->len, family);
	memset(&all, 0, sizeof(all));
	all.ss_family = family;
	len = b->len;
	if (fd < 0 || (family == AF_INET6 &&
		       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    bind(fd, (struct sockaddr *)&all, len) ||
	    getsockname(fd, (struct sockaddr *)&all, &len))
		abort();
	if (family == AF_INET)
		((struct sockaddr_in *)&b->at)->sin_port =
			((struct sockaddr_in *)&all)->sin_port;
	else
		((struct sockaddr_in6 *)&b->at)->sin6_port =
			((struct sockaddr_in6 *)&all)->sin6_port;
	return fd;
}

static struct rpcsrv_config bench_config(struct bench *b)
{
	b->base = event_base_new();
	return service_config(&b->service, b->base);
}

static void bench_init(struct bench *b, const struct rpcsrv_config *config, int family)
{
	if (service_init(&b->service, config) ||
	    rpcsrv_listen_dgram(b->service.srv, socket_for_all(family, b)))
		abort();
}

static bool needs_proof(rpcproc_t proc)
{
	return proc == USBIP_EVENTS;
}

static bool needs_cookie(rpcproc_t proc)
{
	return proc == USBIP_LIST;
}

static void bench_plain(struct bench *b)
{
	struct rpcsrv_config config = bench_config(b);

	config.needs_proof = needs_proof;
	config.needs_cookie = needs_cookie;
	bench_init(b, &config, AF_INET);
}

static void bench_deinit(struct bench *b)
{
	service_deinit(&b->service);
	event_base_free(b->base);
}

/* ---- peers -------------------------------------------------------------- */

static int peer(struct bench *b)
{
	int fd = socket(b->at.ss_family, SOCK_DGRAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&b->at, b->len))
		abort();
	return fd;
}

static void send_datagram(int fd, const uint32_t *words, size_t n)
{
	uint32_t wire[64];

	for (size_t i = 0; i < n; i++)
		wire[i] = htonl(words[i]);
	if (send(fd, wire, 4 * n, 0) != (ssize_t)(4 * n))
		abort();
}

#define CALL_DATAGRAM(fd, ...)						\
	send_datagram(fd, (uint32_t[]){ __VA_ARGS__ },			\
		      sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

/* The words of a datagram that has come, or -errno. */
static int take_datagram(int fd, uint32_t *words, size_t n)
{
	ssize_t len = take(fd, words, 4 * n);

	for (ssize_t i = 0; i < len / 4; i++)
		words[i] = ntohl(words[i]);
	return len < 0 ? len : len / 4;
}

/* NULL by fd: is it answered as it should be? cookie may be NULL. */
static bool null(struct bench *b, int fd, uint32_t xid, uint32_t *cookie)
{
	uint32_t words[16];

	CALL_DATAGRAM(fd, xid, 0, CALL_TO(0), NONE, NONE);
	run(b->base, 20);
	if (take_datagram(fd, words, 16) != 10)
		return false;
	if (cookie)
		memcpy(cookie, words + 5, 4 * COOKIE);
	return words[0] == xid && words[1] == 1 && words[2] == 0 && words[3] == AUTH_SHORT &&
	       words[4] == 4 * COOKIE && words[9] == SUCCESS;
}

static void call_proved(int fd, uint32_t proc, const uint32_t *cookie)
{
	CALL_DATAGRAM(fd, 9, 0, CALL_TO(proc), AUTH_SHORT, 4 * COOKIE, cookie[0], cookie[1],
		      cookie[2], cookie[3], NONE, 1, 2, 3, 4, 0, 0, 9);
}

static bool is_denied(int fd, uint32_t why)
{
	uint32_t words[16];

	return take_datagram(fd, words, 16) == 5 && words[0] == 9 && words[1] == 1 &&
	       words[2] == MSG_DENIED && words[3] == AUTH_ERROR && words[4] == why;
}

static void trust(struct bench *b, int fd)
{
	uint32_t words[16];

	CALL_DATAGRAM(fd, 9, 0, CALL_TO(USBIP_RENEW), NONE, NONE, 0, 1, 0);
	run(b->base, 20);
	if (take_datagram(fd, words, 16) != 8)
		abort();
}

static void call_bulk(int fd, uint32_t xid, uint32_t number, uint32_t in_len)
{
	CALL_DATAGRAM(fd, xid, 0, CALL_TO(USBIP_BULK), NONE, NONE, 0, 1, 0x81, number, 0,
		      USBIP_BUFFER_IN, in_len);
}

/* CONTROL IN of len bytes, answered at once. */
static void call_control(int fd, uint32_t len)
{
	CALL_DATAGRAM(fd, 9, 0, CALL_TO(USBIP_CONTROL), NONE, NONE, 0, 1, 0, 1, 0, 0x07000000,
		      (len & 0xff) << 8 | len >> 8, USBIP_BUFFER_IN, len);
}

/* ---- tests -------------------------------------------------------------- */

static void test_proof(void)
{
	uint32_t cookie[COOKIE], other[COOKIE], words[16];
	struct bench b;
	int fd, fd2;

	bench_plain(&b);
	fd = peer(&b);
	fd2 = peer(&b);
	ok(null(&b, fd, 7, cookie), "NULL is answered, with a cookie, in no more than its bytes");
	ok(null(&b, fd2, 8, other) && memcmp(cookie, other, sizeof(cookie)),
	   "another port has another cookie");
	CALL_DATAGRAM(fd, 9, 0, CALL_TO(USBIP_EVENTS), NONE, NONE, 1, 2, 3, 4, 0, 0, 9);
	run(b.base, 20);
	ok(is_denied(fd, AUTH_TOOWEAK), "what needs a proof is refused without");
	call_proved(fd, USBIP_EVENTS, cookie);
	run(b.base, 20);
	ok(take_datagram(fd, words, 16) == 10 && words[5] == SUCCESS, "and done with");
	call_proved(fd2, USBIP_EVENTS, cookie);
	run(b.base, 20);
	ok(is_denied(fd2, AUTH_REJECTEDCRED), "another's cookie is none");
	cookie[COOKIE - 1] ^= 1;
	call_proved(fd, USBIP_EVENTS, cookie);
	run(b.base, 20);
	ok(is_denied(fd, AUTH_REJECTEDCRED), "nor is one that is not whole");
	ok(null(&b, fd, 10, cookie), "and that is all that comes of it");
	trust(&b, fd);
	CALL_DATAGRAM(fd, 9, 0, CALL_TO(USBIP_EVENTS), NONE, NONE, 1, 2, 3, 4, 0, 0, 9);
	run(b.base, 20);
	ok(take_datagram(fd, words, 16) == 10, "trust is a proof");
	CALL_DATAGRAM(fd, 9, 0, CALL_TO(USBIP_LIST), NONE, NONE, 0, 0, 9);
	run(b.base, 20);
	ok(is_denied(fd, AUTH_TOOWEAK), "but not for what needs a cookie");
	call_proved(fd, USBIP_LIST, cookie);
	run(b.base, 20);
	ok(take_datagram(fd, words, 16) == 6 && words[5] == PROC_UNAVAIL, "which it gets with one");
	close(fd);
	close(fd2);
	bench_deinit(&b);
}

/* CONTROL is answered at once, or refused for its length. */
static void test_lengths(void)
{
	static uint32_t words[65536 / 4];
	struct bench b;
	ssize_t len;
	int fd;

	bench_plain(&b);
	fd = peer(&b);
	call_control(fd, 20);
	run(b.base, 20);
	ok(take_datagram(fd, words, 64) == 14, "a reply that is no longer than its call");
	call_control(fd, 100);
	run(b.base, 20);
	ok(is_denied(fd, AUTH_TOOWEAK), "a longer one only with a proof");
	trust(&b, fd);
	call_control(fd, 60000);
	run(b.base, 20);
	len = take(fd, words, sizeof(words));
	ok(len == 60036 && service_check(words + 9, 60000, 7), "or to who is trusted");
	call_control(fd, 65535);
	run(b.base, 20);
	ok(take_datagram(fd, words, 64) == 6 && words[5] == SYSTEM_ERR,
	   "one that no datagram holds is a failure");
	service_distrust(&b.service);
	call_control(fd, 100);
	run(b.base, 20);
	ok(is_denied(fd, AUTH_TOOWEAK), "and nothing of that without the trust");
	close(fd);
	bench_deinit(&b);
}

static void test_broken(void)
{
	static const struct {
		const char *name;
		size_t len;
		const char *bytes;
	} broken[] = {
		{ "nothing", 0, "" },
		{ "three bytes", 3, "abc" },
		{ "a reply", 24, "\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
		{ "a call cut short", 12, "\0\0\0\x01\0\0\0\0\0\0\0\x02" },
		{ "a credential that is not all there", 36,
		  "\0\0\0\x01\0\0\0\0\0\0\0\x02\x20\0\x0c\xa8\0\0\0\x01\0\0\0\0"
		  "\0\0\0\x02\0\0\0\x10" "abcd" },
		{ "another version of RPC that is shorter than its refusal", 12,
		  "\0\0\0\x01\0\0\0\0\0\0\0\x03" },
	};
	static char large[40000];
	struct bench b;
	char byte;
	int fd, other;

	bench_plain(&b);
	fd = peer(&b);
	other = peer(&b);
	trust(&b, other);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		if (send(fd, broken[i].bytes, broken[i].len, 0) < 0)
			abort();
		run(b.base, 10);
		ok(take(fd, &byte, 1) == -EAGAIN, "no answer to %s", broken[i].name);
	}
	memcpy(large, "\0\0\0\x01\0\0\0\0\0\0\0\x02\x20\0\x0c\xa8\0\0\0\x01", 20);
	send(fd, large, sizeof(large), 0);
	run(b.base, 20);
	ok(take(fd, &byte, 1) == -EAGAIN, "no answer to a stranger's large one");
	ok(null(&b, fd, 7, NULL) && null(&b, other, 8, NULL), "and nothing has changed");
	close(fd);
	close(other);
	bench_deinit(&b);
}

/* By 127.0.0.`host`, whose calls are no other host's. */
static int peer_of(struct bench *b, unsigned int host)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    connect(fd, (struct sockaddr *)&b->at, b->len))
		abort();
	return fd;
}

/* The call of this number is answered: does fd get it? */
static bool gets(struct bench *b, int fd, uint32_t number)
{
	uint32_t words[16];

	service_answer(&b->service, number);
	run(b->base, 20);
	return take_datagram(fd, words, 16) == 10 && words[0] == number;
}

/* A stranger is remembered while it has a call outstanding, or until there are
 * too many. */
static void test_strangers(void)
{
	static const unsigned int hosts[] = { 1, 1, 1, 2, 2 };
	struct rpcsrv_config config;
	struct bench b;
	int fds[5];

	config = bench_config(&b);
	config.limits.strangers = 3;
	config.limits.strangers_peer = 2;
	config.limits.calls_small = 2;
	bench_init(&b, &config, AF_INET);
	for (int i = 0; i < 5; i++)
		fds[i] = peer_of(&b, hosts[i]);
	ok(null(&b, fds[0], 7, NULL) && b.service.n_closed == 1, "one without a call is forgotten");
	for (int i = 0; i < 2; i++)
		for (uint32_t n = 1; n <= 3; n++)
			call_bulk(fds[i], 10 * i + n, 10 * i + n, 4);
	run(b.base, 50);
	ok(b.service.n_parked == 4 && !service_answer(&b.service, 3), "so many calls of each");
	ok(null(&b, fds[2], 8, NULL), "one more of the same host is served");
	ok(!gets(&b, fds[0], 1) && gets(&b, fds[1], 11), "in the place of the oldest");
	call_bulk(fds[0], 4, 4, 4);
	call_bulk(fds[3], 31, 31, 4);
	run(b.base, 20);
	ok(b.service.n_parked == 4 && null(&b, fds[4], 8, NULL), "one more of any host, too");
	ok(!gets(&b, fds[1], 12) && gets(&b, fds[0], 4) && gets(&b, fds[3], 31),
	   "in the place of the oldest of all");
	call_bulk(fds[0], 5, 5, 4);
	run(b.base, 20);
	trust(&b, fds[0]);
	for (int i = 1; i < 4; i++)
		call_bulk(fds[i], 10 * i + 5, 10 * i + 5, 4);
	run(b.base, 20);
	ok(null(&b, fds[4], 8, NULL) && gets(&b, fds[0], 5), "who is trusted is no stranger");
	service_distrust(&b.service);
	run(b.base, 20);
	ok(gets(&b, fds[3], 35) && null(&b, fds[0], 9, NULL), "or begins again as one");
	call_bulk(fds[0], 6, 6, 4);
	run(b.base, 20);
	for (int i = 1; i < 5; i++)
		send(fds[i], "nonsense", 8, 0);
	run(b.base, 20);
	ok(gets(&b, fds[0], 6), "nor is what has no call, however much comes at once");
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	bench_deinit(&b);
}

static void test_close(void)
{
	uint32_t words[16];
	struct bench b;
	int fd;

	bench_plain(&b);
	fd = peer(&b);
	trust(&b, fd);
	call_bulk(fd, 1, 1, 4);
	run(b.base, 20);
	CALL_DATAGRAM(fd, 2, 0, CALL_TO(USBIP_UNLINK), NONE, NONE, 0, 1, 0x81, 1);
	run(b.base, 20);
	ok(take_datagram(fd, words, 16) == 7 && b.service.n_closed == 1,
	   "closed, it is forgotten");
	service_answer(&b.service, 1);
	run(b.base, 20);
	ok(take_datagram(fd, words, 16) == -EAGAIN, "with what it has asked for");
	ok(null(&b, fd, 3, NULL), "and may begin again");
	close(fd);
	bench_deinit(&b);
}

/* A flood takes the socket's buffer at most. */
static void test_flood(void)
{
	struct bench b;
	bool answered = true;
	int fd, other;

	bench_plain(&b);
	fd = peer(&b);
	other = peer(&b);
	trust(&b, other);
	for (int i = 0; i < 20; i++) {
		for (uint32_t n = 0; n < 200; n++)
			call_bulk(fd, n, n, 4);
		run(b.base, 1);
		answered = answered && null(&b, other, i, NULL);
	}
	ok(answered, "one who floods delays nobody else");
	close(fd);
	close(other);
	bench_deinit(&b);
}

static void test_ipv6(void)
{
	struct rpcsrv_config config;
	struct bench b;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_storage at;
	socklen_t len;

	at_loopback(&at, &len, AF_INET6);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len)) {
		ok(1, "IPv6 # SKIP there is none");
		close(fd);
		return;
	}
	close(fd);
	config = bench_config(&b);
	bench_init(&b, &config, AF_INET6);
	fd = peer(&b);
	ok(null(&b, fd, 7, NULL), "IPv6");
	close(fd);
	bench_deinit(&b);
}

int main(void)
{
	test_proof();
	test_lengths();
	test_broken();
	test_strangers();
	test_close();
	test_flood();
	test_ipv6();
	return tap_done();
}
