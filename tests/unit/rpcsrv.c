// SPDX-License-Identifier: GPL-2.0-or-later
/* The answering side against bare peers: what it refuses, and its limits. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

#define CALL_TO(proc) 2, USBIP_PROGRAM, USBIP_V1, proc
#define NONE 0, 0

struct bench {
	struct event_base *base;
	struct service service;
};

static struct rpcsrv_config bench_config(struct bench *b)
{
	b->base = event_base_new();
	return service_config(&b->service, b->base);
}

static void bench_init(struct bench *b, const struct rpcsrv_config *config)
{
	if (service_init(&b->service, config))
		abort();
}

static void bench_plain(struct bench *b)
{
	struct rpcsrv_config config = bench_config(b);

	bench_init(b, &config);
}

static void bench_deinit(struct bench *b)
{
	service_deinit(&b->service);
	event_base_free(b->base);
}

/* A peer of the service. */
static int peer(struct bench *b)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || rpcsrv_adopt(b->service.srv, pair[0]))
		abort();
	return pair[1];
}

/* Does a peer get NULL answered now? */
static bool answers(struct bench *b, int fd)
{
	uint32_t words[8];

	SEND(fd, 77, 0, CALL_TO(0), NONE, NONE);
	run(b->base, 20);
	return take_words(fd, words, 8) == 6 && words[0] == 77 && words[5] == 0;
}

static void send_bulk(int fd, uint32_t xid, uint32_t number, uint32_t in_len)
{
	SEND(fd, xid, 0, CALL_TO(USBIP_BULK), NONE, NONE,
	     0, 1, 0x81, number, 0, USBIP_BUFFER_IN, in_len);
}

static void trust(struct bench *b, int fd)
{
	uint32_t words[8];

	SEND(fd, 1, 0, CALL_TO(USBIP_RENEW), NONE, NONE, 0, 1, 0);
	run(b->base, 20);
	if (take_words(fd, words, 8) != 8)
		abort();
}

static bool closed(int fd)
{
	char byte;

	return take(fd, &byte, 1) == 0;
}

struct exchange {
	const char *name;
	uint32_t call[24];
	size_t n_call;
	uint32_t reply[12];
	int n_reply;
};

#define CALL_WORDS(...) { __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4
#define REPLY_WORDS CALL_WORDS

static const struct exchange exchanges[] = {
	{ "NULL", CALL_WORDS(5, 0, CALL_TO(0), NONE, NONE),
	  REPLY_WORDS(5, 1, 0, 0, 0, 0) },
	{ "RPC version 3", CALL_WORDS(5, 0, 3, USBIP_PROGRAM, 1, 0, NONE, NONE),
	  REPLY_WORDS(5, 1, 1, 0, 2, 2) },
	{ "RPC version 1, nothing behind", CALL_WORDS(5, 0, 1),
	  REPLY_WORDS(5, 1, 1, 0, 2, 2) },
	{ "program unavailable", CALL_WORDS(5, 0, 2, 100003, 1, 0, NONE, NONE),
	  REPLY_WORDS(5, 1, 0, 0, 0, 1) },
	{ "version too high", CALL_WORDS(5, 0, 2, USBIP_PROGRAM, 2, 0, NONE, NONE),
	  REPLY_WORDS(5, 1, 0, 0, 0, 2, 1, 1) },
	{ "version too low", CALL_WORDS(5, 0, 2, USBIP_PROGRAM, 0, 0, NONE, NONE),
	  REPLY_WORDS(5, 1, 0, 0, 0, 2, 1, 1) },
	{ "procedure unavailable", CALL_WORDS(5, 0, CALL_TO(21), NONE, NONE),
	  REPLY_WORDS(5, 1, 0, 0, 0, 3) },
	{ "garbage arguments, a string decoded before",
	  CALL_WORDS(5, 0, CALL_TO(USBIP_CLAIM), NONE, NONE, 4, 0x312d3100, 1, 2, 3),
	  REPLY_WORDS(5, 1, 0, 0, 0, 4) },
	{ "a result that cannot be encoded",
	  CALL_WORDS(5, 0, CALL_TO(USBIP_FETCH), NONE, NONE, 0, 1, 0x81, 1, 0, 9),
	  REPLY_WORDS(5, 1, 0, 0, 0, 5) },
	{ "answered by rpcsrv_reply() within the routine",
	  CALL_WORDS(5, 0, CALL_TO(USBIP_EVENTS), NONE, NONE, 1, 2, 3, 4, 0, 0, 9),
	  REPLY_WORDS(5, 1, 0, 0, 0, 0, 0, 3, 4, 0) },
	{ "AUTH_SYS", CALL_WORDS(5, 0, CALL_TO(0), 1, 28, 9, 2, 0x61620000, 7, 8, 1, 3, NONE),
	  REPLY_WORDS(5, 1, 0, 0, 0, 0) },
	{ "AUTH_SYS with 17 groups", CALL_WORDS(5, 0, CALL_TO(0), 1, 20, 9, 0, 7, 8, 17, NONE),
	  REPLY_WORDS(5, 1, 1, 1, AUTH_BADCRED) },
	{ "AUTH_SYS that is short", CALL_WORDS(5, 0, CALL_TO(0), 1, 8, 9, 200, NONE),
	  REPLY_WORDS(5, 1, 1, 1, AUTH_BADCRED) },
	{ "AUTH_SYS with a verifier",
	  CALL_WORDS(5, 0, CALL_TO(0), 1, 20, 9, 0, 7, 8, 0, 1, 4, 1),
	  REPLY_WORDS(5, 1, 1, 1, AUTH_BADVERF) },
	{ "RPCSEC_GSS", CALL_WORDS(5, 0, CALL_TO(0), 6, 20, 1, 1, 0, 1, 0, NONE),
	  REPLY_WORDS(5, 1, 1, 1, AUTH_REJECTEDCRED) },
	{ "AUTH_SHORT", CALL_WORDS(5, 0, CALL_TO(0), 2, 4, 1, NONE),
	  REPLY_WORDS(5, 1, 1, 1, AUTH_REJECTEDCRED) },
	{ "a probe for TLS", CALL_WORDS(5, 0, CALL_TO(0), 7, 0, NONE),
	  REPLY_WORDS(5, 1, 1, 1, AUTH_REJECTEDCRED) },
	{ "AUTH_TLS on another procedure", CALL_WORDS(5, 0, CALL_TO(1), 7, 0, NONE, 0, 0, 0),
	  REPLY_WORDS(5, 1, 1, 1, AUTH_BADCRED) },
};

static void test_refusals(void)
{
	struct bench b;
	int fd;

	bench_plain(&b);
	fd = peer(&b);
	for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
		const struct exchange *e = &exchanges[i];
		uint32_t words[64];
		int n;

		send_words(fd, e->call, e->n_call);
		run(b.base, 10);
		n = take_words(fd, words, 64);
		ok(n == e->n_reply && !memcmp(words, e->reply, 4 * n), "%s", e->name);
	}
	ok(b.service.uid == 7 && !strcmp(b.service.machine, "ab"), "who AUTH_SYS said");
	close(fd);
	bench_deinit(&b);
}

/* What ends a connection, and that alone. */
static void test_broken(void)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
	} broken[] = {
		{ "a reply", "\x80\0\0\x0c\0\0\0\x01\0\0\0\x01\0\0\0\0", 16 },
		{ "an empty record", "\x80\0\0\0", 4 },
		{ "a record of three bytes", "\x80\0\0\x03" "abc", 7 },
		{ "an empty fragment", "\0\0\0\0", 4 },
		{ "a record beyond the small limit", "\x80\0\x10\x01", 4 },
		{ "the longest fragment", "\xff\xff\xff\xff", 4 },
		{ "a call cut short", "\x80\0\0\x0c\0\0\0\x01\0\0\0\0\0\0\0\x02", 16 },
	};
	struct bench b;
	int other;

	bench_plain(&b);
	other = peer(&b);
	for (unsigned int i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		int fd = peer(&b);

		send(fd, broken[i].bytes, broken[i].len, 0);
		run(b.base, 10);
		ok(closed(fd) && b.service.n_closed == i + 1, "%s ends it", broken[i].name);
		close(fd);
	}
	ok(answers(&b, other), "and nothing else");
	close(other);
	bench_deinit(&b);
}

static void test_trust(void)
{
	struct bench b;
	int fd;

	bench_plain(&b);
	fd = peer(&b);
	trust(&b, fd);
	send(fd, "\x80\0\x10\x01", 4, 0);
	run(b.base, 10);
	ok(!closed(fd), "a large record, once the connection is trusted");
	close(fd);
	fd = peer(&b);
	trust(&b, fd);
	send(fd, "\x81\0\x80\x01", 4, 0);
	run(b.base, 10);
	ok(closed(fd), "but not one beyond its limit");
	close(fd);
	fd = peer(&b);
	trust(&b, fd);
	trust(&b, fd);
	ok(service_distrust(&b.service), "somebody still vouches for it");
	ok(!service_distrust(&b.service), "and nobody does any more");
	ok(answers(&b, fd), "it is served");
	send(fd, "\x80\0\x10\x01", 4, 0);
	run(b.base, 10);
	ok(closed(fd), "as a stranger: a large record ends it again");
	close(fd);
	bench_deinit(&b);
}

static void test_calls(void)
{
	struct bench b;
	struct rpcsrv_config config = bench_config(&b);
	uint32_t words[16];
	int fd, other;

	config.limits.calls_small = 4;
	bench_init(&b, &config);
	fd = peer(&b);
	other = peer(&b);
	for (uint32_t i = 0; i < 10; i++)
		send_bulk(fd, i, i, 4);
	run(b.base, 20);
	ok(b.service.n_parked == 4, "calls beyond the limit are not read");
	ok(answers(&b, other), "while others are answered");
	service_answer(&b.service, 2);
	run(b.base, 20);
	ok(take_words(fd, words, 16) == 10 && words[0] == 2, "a reply out of order");
	ok(b.service.n_parked == 4 && service_answer(&b.service, 4), "lets in the next");
	b.service.auto_answer = true;
	while (b.service.n_parked)
		service_answer(&b.service, TAILQ_FIRST(&b.service.parked)->number);
	run(b.base, 20);
	for (int i = 0; i < 9; i++)
		if (take_words(fd, words, 16) != 10)
			break;
	ok(take_words(fd, words, 16) == -EAGAIN && b.service.n_parked == 0 &&
	   words[0] == 9, "all are answered in the end");
	for (uint32_t i = 0; i < 10; i++)
		SEND(fd, i, 0, CALL_TO(USBIP_RELEASE), NONE, NONE, 0, 1);
	ok(answers(&b, fd), "calls given up without an answer do not count");
	close(fd);
	close(other);
	bench_deinit(&b);
}

/* A peer that asks for much and reads nothing stops itself alone. */
static void test_slow_reader(void)
{
	struct bench b;
	struct rpcsrv_config config = bench_config(&b);
	int fd, other;

	config.limits.bytes_small = 4 << 20;
	bench_init(&b, &config);
	b.service.auto_answer = true;
	fd = peer(&b);
	other = peer(&b);
	for (uint32_t i = 0; i < 64; i++)
		send_bulk(fd, i, i, 1 << 20);
	run(b.base, 50);
	ok(b.service.n_lent >= 3 && b.service.n_lent <= 5,
	   "replies of %u MiB are waiting, of 64", b.service.n_lent);
	ok(answers(&b, other), "others are answered");
	close(fd);
	run(b.base, 50);
	ok(b.service.n_lent == 0 && b.service.n_closed == 1, "its end releases them");
	close(other);
	bench_deinit(&b);
}

/* Large records that nobody answers stop the reading, too. */
static void test_bytes(void)
{
	static char data[1 << 20];
	struct bench b;
	struct rpcsrv_config config = bench_config(&b);
	size_t sent = 0;
	ssize_t n;
	int fd;

	config.limits.bytes = 3 * (sizeof(data) - 4);
	bench_init(&b, &config);
	fd = peer(&b);
	trust(&b, fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	service_fill(data, sizeof(data), 0);
	for (int i = 0; i < 200 && sent < 16u << 20; i++) {
		size_t at = sent % sizeof(data);
		uint32_t head[18] = { htonl(0x80000000u | (sizeof(data) - 4)), htonl(i),
				    0, htonl(2), htonl(USBIP_PROGRAM), htonl(1),
				    htonl(USBIP_BULK), 0, 0, 0, 0, 0, htonl(1), htonl(2),
				    0, 0, 0, htonl(sizeof(data) - sizeof(head)) };

		memcpy(data, head, sizeof(head));
		n = send(fd, data + at, sizeof(data) - at, MSG_NOSIGNAL);
		sent += n > 0 ? n : 0;
		run(b.base, 5);
	}
	ok(b.service.n_parked == 3, "%u MiB of calls were read", b.service.n_parked);
	ok(sent < 8u << 20, "the peer could send no more than %zu KiB", sent >> 10);
	close(fd);
	bench_deinit(&b);
}

static void test_half_record(void)
{
	struct bench b;
	int fd, other;

	bench_plain(&b);
	fd = peer(&b);
	other = peer(&b);
	send(fd, "\x80\0", 2, 0);
	ok(answers(&b, other), "half a mark delays nobody");
	send(fd, "\0\x28" "12", 4, 0);
	ok(answers(&b, other), "nor does half a record");
	close(fd);
	close(other);
	bench_deinit(&b);
}

static void test_half_close(void)
{
	struct bench b;
	struct rpcsrv_config config = bench_config(&b);
	uint32_t words[16];
	int fd;

	config.limits.drain = 1;
	bench_init(&b, &config);
	fd = peer(&b);
	send_bulk(fd, 1, 1, 4);
	send_bulk(fd, 2, 2, 4);
	shutdown(fd, SHUT_WR);
	run(b.base, 20);
	ok(b.service.n_parked == 2 && b.service.n_closed == 0, "a half-closed peer is served");
	service_answer(&b.service, 2);
	run(b.base, 20);
	ok(take_words(fd, words, 16) == 10 && words[0] == 2, "its first answer");
	service_answer(&b.service, 1);
	run(b.base, 20);
	ok(take_words(fd, words, 16) == 10 && words[0] == 1, "its last answer");
	ok(closed(fd) && b.service.n_closed == 1, "and the end");
	close(fd);
	fd = peer(&b);
	send_bulk(fd, 1, 1, 4);
	shutdown(fd, SHUT_WR);
	run(b.base, 1200);
	ok(closed(fd) && b.service.n_closed == 2, "it does not wait for ever");
	ok(service_answer(&b.service, 1) && b.service.n_lent == 0, "an answer to nobody");
	close(fd);
	bench_deinit(&b);
}

static void test_death(void)
{
	struct bench b;
	int fd;

	bench_plain(&b);
	b.service.auto_answer = false;
	fd = peer(&b);
	for (uint32_t i = 0; i < 5; i++)
		send_bulk(fd, i, i, 100000);
	run(b.base, 20);
	close(fd);
	run(b.base, 20);
	for (uint32_t i = 0; i < 3; i++)
		service_answer(&b.service, i);
	run(b.base, 20);
	ok(b.service.n_closed == 1 && b.service.n_lent == 0,
	   "replies to a dead peer are released");
	service_answer(&b.service, 3);
	rpcsrv_drop(TAILQ_FIRST(&b.service.parked)->call);
	ok(true, "a call of a dead peer is given up");
	fd = peer(&b);
	SEND(fd, 9, 0, CALL_TO(USBIP_UNLINK), NONE, NONE, 0, 1, 2, 3);
	SEND(fd, 10, 0, CALL_TO(0), NONE, NONE);
	run(b.base, 20);
	ok(b.service.n_closed == 2, "a routine may close the connection");
	close(fd);
	fd = peer(&b);
	send_bulk(fd, 1, 7, 100000);
	run(b.base, 20);
	bench_deinit(&b);	/* with a call that waits */
	close(fd);
}

static void test_idle(void)
{
	struct bench b;
	struct rpcsrv_config config = bench_config(&b);
	int idle, dribble, trusted, waiting;

	config.limits.idle = 1;
	bench_init(&b, &config);
	idle = peer(&b);
	dribble = peer(&b);
	trusted = peer(&b);
	waiting = peer(&b);
	trust(&b, trusted);
	send_bulk(waiting, 1, 1, 4);
	send(dribble, "\x80", 1, 0);
	run(b.base, 600);
	send(dribble, "\0", 1, 0);
	run(b.base, 600);
	ok(closed(idle), "an idle peer is dropped");
	ok(closed(dribble), "so is one that sends a byte now and then");
	ok(!closed(trusted), "a trusted one is not");
	ok(!closed(waiting), "nor is one that waits for an answer");
	service_answer(&b.service, 1);
	run(b.base, 1300);
	ok(b.service.n_closed == 3, "but after it");
	close(idle);
	close(dribble);
	close(trusted);
	close(waiting);
	bench_deinit(&b);
}

/* ---- listeners ---------------------------------------------------------- */

static struct sockaddr_in listen_tcp(struct bench *b)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) || rpcsrv_listen(b->service.srv, fd))
		abort();
	return sin;
}

/* A connection from 127.0.0.host. */
static int connect_from(const struct sockaddr_in *to, unsigned int host)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	from.sin_addr.s_addr = htonl(0x7f000000 | host);
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		abort();
	return fd;
}

static void test_caps(void)
{
	struct bench b;
	struct rpcsrv_config config = bench_config(&b);
	struct sockaddr_in to;
	int fd[5];

	config.limits.conns = 4;
	config.limits.conns_peer = 2;
	bench_init(&b, &config);
	to = listen_tcp(&b);
	for (int i = 0; i < 3; i++)
		fd[i] = connect_from(&to, 2);
	run(b.base, 20);
	ok(closed(fd[2]) && answers(&b, fd[0]) && answers(&b, fd[1]), "two of one host");
	close(fd[2]);
	for (int i = 2; i < 5; i++)
		fd[i] = connect_from(&to, 3 + i);
	run(b.base, 20);
	ok(closed(fd[0]), "beyond four in all, the oldest idle one goes");
	close(fd[0]);
	for (int i = 1; i < 5; i++)
		send_bulk(fd[i], i, i, 4);
	run(b.base, 20);
	fd[0] = connect_from(&to, 20);
	run(b.base, 20);
	ok(closed(fd[1]) && !closed(fd[2]), "where none is idle, the oldest");
	close(fd[1]);
	fd[1] = fd[0];
	b.service.auto_answer = true;
	while (b.service.n_parked)
		service_answer(&b.service, TAILQ_FIRST(&b.service.parked)->number);
	run(b.base, 20);
	for (int i = 1; i < 5; i++) {
		char drain[256];

		while (take(fd[i], drain, sizeof(drain)) > 0)
			;
		trust(&b, fd[i]);
	}
	fd[0] = connect_from(&to, 20);
	run(b.base, 20);
	ok(closed(fd[0]), "but not if it is trusted");
	close(fd[0]);
	close(fd[4]);
	run(b.base, 20);
	fd[0] = connect_from(&to, 2);
	ok(answers(&b, fd[0]), "one that ends makes room");
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	bench_deinit(&b);
}

/* One host may have many that are trusted. */
static void test_caps_trusted(void)
{
	struct bench b;
	struct rpcsrv_config config = bench_config(&b);
	struct sockaddr_in to;
	int fd[6];

	config.limits.conns_peer = 2;
	bench_init(&b, &config);
	to = listen_tcp(&b);
	for (int i = 0; i < 4; i++) {
		fd[i] = connect_from(&to, 2);
		run(b.base, 20);
		trust(&b, fd[i]);
	}
	for (int i = 4; i < 6; i++)
		fd[i] = connect_from(&to, 2);
	run(b.base, 20);
	ok(answers(&b, fd[4]) && answers(&b, fd[5]),
	   "who is trusted is not of the two of one host");
	close(fd[3]);
	fd[3] = connect_from(&to, 2);
	run(b.base, 20);
	ok(closed(fd[3]), "a third stranger is");
	for (int i = 0; i < 6; i++)
		close(fd[i]);
	bench_deinit(&b);
}

static void test_no_descriptors(void)
{
	struct bench b;
	struct rlimit limit, tight;
	struct sockaddr_in to;
	clock_t before;
	int first, fd[8], next;

	bench_plain(&b);
	to = listen_tcp(&b);
	first = connect_from(&to, 2);
	run(b.base, 20);
	trust(&b, first);
	for (int i = 0; i < 8; i++)
		fd[i] = connect_from(&to, 2);
	next = open("/dev/null", O_RDONLY);
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = next + 3;	/* two more, and the loop's own is there */
	setrlimit(RLIMIT_NOFILE, &tight);
	before = clock();
	run(b.base, 300);
	ok(clock() - before < CLOCKS_PER_SEC / 10, "without descriptors it does not spin");
	ok(answers(&b, first), "and serves who is trusted");
	ok(closed(fd[0]) && answers(&b, fd[7]),
	   "the oldest stranger gives way to who comes");
	for (int i = 0; i < 8; i++)
		if (!closed(fd[i]))
			trust(&b, fd[i]);
	close(next);
	next = connect_from(&to, 2);
	run(b.base, 300);
	ok(closed(next), "where there is no stranger, who comes is refused");
	ok(clock() - before < CLOCKS_PER_SEC / 5, "and nothing spins");
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	close(next);
	run(b.base, 20);
	fd[0] = connect_from(&to, 2);
	ok(answers(&b, fd[0]), "until there are some again");
	close(fd[0]);
	close(first);
	bench_deinit(&b);
}

/* accept() finds none for the next one, whether or not there is a next one. */
static void test_last_descriptor(void)
{
	struct rlimit limit, tight;
	struct sockaddr_in to;
	struct bench b;
	int fd, last;

	bench_plain(&b);
	to = listen_tcp(&b);
	fd = connect_from(&to, 2);
	last = open("/dev/null", O_RDONLY);
	close(last);
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = last + 1;
	setrlimit(RLIMIT_NOFILE, &tight);
	run(b.base, 20);
	ok(!closed(fd) && answers(&b, fd), "who comes gets the last descriptor");
	setrlimit(RLIMIT_NOFILE, &limit);
	close(fd);
	bench_deinit(&b);
}

int main(void)
{
	test_refusals();
	test_broken();
	test_trust();
	test_calls();
	test_slow_reader();
	test_bytes();
	test_half_record();
	test_half_close();
	test_death();
	test_idle();
	test_caps();
	test_caps_trusted();
	test_no_descriptors();
	test_last_descriptor();
	return tap_done();
}
