// SPDX-License-Identifier: GPL-2.0-or-later
/* Look-ups against a rpcbind played by hand: old versions and odd answers. */
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "common/rpcb.h"
#include "tests/tap.h"
#include "tests/unit/wire.h"

#define PROGRAM 0x20000ca8

struct bench {
	struct event_base *base;
	struct sockaddr_in at;		/* of the rpcbind that is played */
	int lfd;
	struct rpcb_find *find;
	int n_done;
	enum rpcb_why why;
	int error;
	struct sockaddr_in found;
};

static void on_found(enum rpcb_why why, int error, const struct sockaddr *addr,
		     socklen_t len, void *user)
{
	struct bench *b = user;

	b->n_done++;
	b->why = why;
	b->error = error;
	if (addr)
		memcpy(&b->found, addr, len);
}

static void bench_init(struct bench *b)
{
	socklen_t len = sizeof(b->at);

	memset(b, 0, sizeof(*b));
	b->base = event_base_new();
	b->lfd = socket(AF_INET, SOCK_STREAM, 0);
	b->at.sin_family = AF_INET;
	b->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(b->lfd, (struct sockaddr *)&b->at, len) || listen(b->lfd, 4) ||
	    getsockname(b->lfd, (struct sockaddr *)&b->at, &len) ||
	    rpcb_find_new(&b->find, b->base, (struct sockaddr *)&b->at, len,
			  PROGRAM, 1, IPPROTO_TCP, 1000, on_found, b))
		abort();
}

static void bench_deinit(struct bench *b)
{
	rpcb_find_free(b->find);
	event_base_free(b->base);
	close(b->lfd);
}

/* The next question: its version and procedure must be these. */
static uint32_t question(struct bench *b, int fd, uint32_t vers, uint32_t proc)
{
	uint32_t words[64];
	int n;

	run(b->base, 20);
	n = take_words(fd, words, 64);
	ok(n > 10 && words[3] == 100000 && words[4] == vers && words[5] == proc &&
	   words[10] == PROGRAM && words[11] == 1, "asks by version %u", vers);
	return words[0];
}

/* Answer GETADDR with a universal address. */
static void send_uaddr(int fd, uint32_t xid, const char *uaddr)
{
	uint32_t words[64] = { xid, 1, 0, 0, 0, 0, strlen(uaddr) };

	for (size_t i = 0; uaddr[i]; i++)
		words[7 + i / 4] |= (uint32_t)(uint8_t)uaddr[i] << (24 - i % 4 * 8);
	send_words(fd, words, 7 + (strlen(uaddr) + 3) / 4);
}

static void test_addresses(void)
{
	static const struct {
		const char *uaddr;
		uint16_t port;		/* 0: not registered */
	} addresses[] = {
		{ "127.0.0.1.12.168", 3240 },
		{ "0.0.0.0.255.255", 65535 },
		{ "::1.0.111", 111 },
		{ "10.255.255.1.3.5", 773 },
		{ "", 0 },
		{ "0.0.0.0.0.0", 0 },
		{ "5", 0 },
		{ ".", 0 },
		{ ".5", 0 },
		{ "1.2.3.4.256.1", 0 },
		{ "1.2.3.4.1.256", 0 },
		{ "1.2.3.4.1.", 0 },
		{ "1.2.3.4.1.2x", 0 },
		{ "1.2.3.4.x1.2", 0 },
		{ "/run/service.sock", 0 },
	};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct bench b;
		uint16_t port = addresses[i].port;
		int fd;

		bench_init(&b);
		fd = accept(b.lfd, NULL, NULL);
		send_uaddr(fd, question(&b, fd, 4, 3), addresses[i].uaddr);
		run(b.base, 20);
		ok(b.n_done == 1 && b.why == (port ? RPCB_FOUND : RPCB_NOT_REGISTERED) &&
		   ntohs(b.found.sin_port) == port, "\"%s\": port %u", addresses[i].uaddr, port);
		ok(!port || b.found.sin_addr.s_addr == b.at.sin_addr.s_addr,
		   "at the host that was asked");
		close(fd);
		run(b.base, 20);
		ok(b.n_done == 1, "the end of the connection is nothing new");
		bench_deinit(&b);
	}
}

static void test_versions(void)
{
	struct bench b;
	uint32_t xid;
	int fd;

	bench_init(&b);
	fd = accept(b.lfd, NULL, NULL);
	xid = question(&b, fd, 4, 3);
	SEND(fd, xid, 1, 0, 0, 0, 2, 2, 3);
	send_uaddr(fd, question(&b, fd, 3, 3), "127.0.0.1.12.168");
	run(b.base, 20);
	ok(b.why == RPCB_FOUND && ntohs(b.found.sin_port) == 3240, "found by version 3");
	close(fd);
	bench_deinit(&b);

	bench_init(&b);
	fd = accept(b.lfd, NULL, NULL);
	for (uint32_t vers = 4; vers > 2; vers--) {
		xid = question(&b, fd, vers, 3);
		SEND(fd, xid, 1, 0, 0, 0, 2, 2, 2);
	}
	xid = question(&b, fd, 2, 3);
	SEND(fd, xid, 1, 0, 0, 0, 0, 3240);
	run(b.base, 20);
	ok(b.why == RPCB_FOUND && ntohs(b.found.sin_port) == 3240, "found by version 2");
	close(fd);
	bench_deinit(&b);
}

static void test_failures(void)
{
	struct bench b;
	uint32_t xid;
	int fd;

	bench_init(&b);
	fd = accept(b.lfd, NULL, NULL);
	question(&b, fd, 4, 3);
	close(fd);
	run(b.base, 20);
	ok(b.n_done == 1 && b.why == RPCB_NO_RPCBIND, "a connection that ends");
	bench_deinit(&b);

	bench_init(&b);
	fd = accept(b.lfd, NULL, NULL);
	xid = question(&b, fd, 4, 3);
	SEND(fd, xid, 1, 0, 0, 0, 1);
	run(b.base, 20);
	ok(b.n_done == 1 && b.why == RPCB_NO_RPCBIND, "no rpcbind, but another service");
	close(fd);
	bench_deinit(&b);

	bench_init(&b);
	run(b.base, 1100);
	ok(b.n_done == 1 && b.why == RPCB_TIMED_OUT && b.error == -ETIMEDOUT, "no answer");
	bench_deinit(&b);

	bench_init(&b);
	bench_deinit(&b);
	ok(b.n_done == 0, "freed before its end, it says nothing");
}

int main(void)
{
	test_addresses();
	test_versions();
	test_failures();
	return tap_done();
}
