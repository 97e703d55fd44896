// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls at random from who has a session: well-formed records, and in them
 * numbers, lengths, addresses and requests that are often wrong. The daemon
 * must go on serving, and end well. daemon-hostile [CONNECTIONS [SEED]]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define CALLS 200
#define ARGS_MAX 8192

struct message {
	uint8_t bytes[ARGS_MAX];
	size_t len;
};

static struct caller_daemon d;

static uint32_t pick(const uint32_t *from, size_t n)
{
	return from[random() % n];
}

#define PICK(...) pick((const uint32_t[]){ __VA_ARGS__ },		\
		       sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static void put(struct message *m, uint32_t word)
{
	word = htonl(word);
	memcpy(m->bytes + m->len, &word, 4);
	m->len += 4;
}

static void put_random(struct message *m, size_t n)
{
	for (; n; n--)
		m->bytes[m->len++] = random();
}

static void put_opaque(struct message *m, size_t n)
{
	put(m, n);
	put_random(m, n);
	while (m->len % 4)
		m->bytes[m->len++] = 0;
}

static void put_buffer(struct message *m)
{
	uint32_t length = PICK(0, 1, 8, 31, 64, 512, 4096, 65536, 1 << 24,
			       UINT32_MAX);

	switch (random() % 8) {
	case 0:
	case 7:
		put(m, PICK(2, 2, 3, 3, 4, UINT32_MAX));
		put(m, length);
		break;
	case 1:
	case 2:
	case 3:
		put(m, 0);
		put_opaque(m, length < 4096 ? length : 4096);
		break;
	default:
		put(m, 1);
		put(m, length);
	}
}

/* 0 to 255 in place of wLength's upper byte would be sent: keep it small. */
static void put_control(struct message *m)
{
	uint8_t setup[8] = {
		PICK(0, 0x80, 0x40, 0xc0, 0x21, 0xa1, 1, 2),
		PICK(0, 1, 3, 5, 6, 8, 9, 10, 11, 0xe0, 0xe1, 0xe2, 0x5b, 0xff),
		random() % 8, PICK(0, 1, 2, 3, 15),
		PICK(0, 1, 2, 0x81, 0x82), 0, PICK(0, 18, 64, 255), PICK(0, 1, 8),
	};
	uint32_t length = setup[6] | setup[7] << 8;

	memcpy(m->bytes + m->len, setup, 8);
	m->len += 8;
	if (setup[0] & 0x80) {
		put(m, 1);
		put(m, length);
	} else {
		put(m, 0);
		put_opaque(m, length);
	}
}

static void put_acks(struct message *m)
{
	uint32_t n = random() % 4;

	put(m, n);
	while (n--) {
		put(m, PICK(0, 1, 2, 0x81, 0x82, 0x77));
		put(m, random() % 300);
	}
}

static void put_piece(struct message *m, uint32_t proc, uint32_t address,
		      const uint32_t *numbers)
{
	put(m, address);
	put(m, numbers[address & 0xff] + PICK(0, 0, 1, 1, 2, 200, 1000));
	put(m, PICK(0, 0, 0, 1, 31, 64, 4096, (1 << 24) - 8, UINT32_MAX));
	if (proc == USBIP_STAGE)
		put_opaque(m, PICK(0, 1, 8, 31, 32, 64, 512, 4096));
	else
		put(m, PICK(0, 8, 512, 65000, 65001, UINT32_MAX));
}

/* Mostly the next number of the row, so that most is carried out. */
static void put_submit(struct message *m, uint32_t *numbers, uint32_t address)
{
	uint32_t *last = &numbers[address & 0xff];
	uint32_t number = *last + PICK(1, 1, 1, 1, 1, 0, 2, 7, UINT32_MAX);

	if (number == *last + 1)
		*last = number;
	put(m, address | PICK(0, 0, 0, 0x100, 0x200, 0x8000, 0x10000));
	put(m, number);
	put(m, *last - PICK(1, 1, 1, 2, 5, 0, 1u << 31));
}

static void put_args(struct message *m, uint32_t proc, const uint8_t *session,
		     uint32_t *numbers)
{
	uint32_t address = PICK(0x81, 0x01, 0x82, 0x02, 0x81, 0x8f, 0x80, 0x10);

	if (proc == USBIP_LIST || (proc > USBIP_RESET &&
	    proc != USBIP_STAGE && proc != USBIP_FETCH)) {
		put_random(m, random() % 64 * 4);
		return;
	}
	if (proc == USBIP_EVENTS)
		put_random(m, 16);
	memcpy(m->bytes + m->len, session, 8);
	m->len += 8;
	if (proc == USBIP_EVENTS) {
		put(m, random() % 3);
	} else if (proc == USBIP_RENEW) {
		put_acks(m);
	} else if (proc == USBIP_UNLINK) {
		put(m, address);
		put(m, numbers[address & 0xff] + random() % 4);
	} else if (proc == USBIP_STAGE || proc == USBIP_FETCH) {
		put_piece(m, proc, address, numbers);
	} else if (proc == USBIP_BULK || proc == USBIP_INTERRUPT) {
		put_submit(m, numbers, address);
		if (proc == USBIP_INTERRUPT)
			put(m, 4);
		put_buffer(m);
	} else if (proc != USBIP_RELEASE) {
		put_submit(m, numbers, 0);
		if (proc == USBIP_CONTROL) {
			put_control(m);
			return;
		}
		put(m, PICK(0, 1, 2, 3, 0x81, 0x01, 77, UINT32_MAX));
		put(m, random() % 3);
	}
}

static bool send_call(int fd, uint32_t proc, const uint8_t *session,
		      uint32_t *numbers)
{
	static struct message m;
	uint32_t mark;

	m.len = 4;
	put(&m, random());
	put(&m, 0);
	put(&m, 2);
	put(&m, USBIP_PROGRAM);
	put(&m, USBIP_V1);
	put(&m, proc);
	for (int i = 0; i < 4; i++)
		put(&m, 0);
	put_args(&m, proc, session, numbers);
	if (random() % 100 == 0)
		m.len -= random() % 40 / 4 * 4;	/* it breaks off */
	mark = htonl(0x80000000u | (m.len - 4));
	memcpy(m.bytes, &mark, 4);
	return send(fd, m.bytes, m.len, MSG_NOSIGNAL) == (ssize_t)m.len;
}

static int connect_raw(void)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(d.port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		abort();
	return fd;
}

/* What the daemon answers is read and thrown away, or not read at all. */
static void torment(uint64_t handle)
{
	static const uint32_t procs[] = {
		1, 2, 5, 6, 6, 6, 7, 7, 7, 7, 8, 8, 9, 10, 10, 11, 12, 13, 14,
		15, 17, 19, 19, 19, 20, 20, 21,
	};
	uint32_t numbers[256] = { 0 };
	static uint8_t junk[65536];
	uint8_t session[8];
	int fd = connect_raw();

	for (int i = 0; i < 8; i++)
		session[i] = handle >> (56 - 8 * i);
	/* trusts the connection, so that what follows is not too large */
	if (!send_call(fd, USBIP_RENEW, session, numbers))
		abort();
	for (int i = 0; i < CALLS; i++) {
		if (!send_call(fd, pick(procs, sizeof(procs) / 4), session,
			       numbers))
			break;
		while (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
			;
	}
	close(fd);
}

/* What one caller calls itself is what others are shown. */
static void test_name(void)
{
	static char device[] = "1-5", name[] = "\xc2\x9b" "31m\033\xff";
	usbip_claim_args args = { .device = device, .host = name };
	struct caller_call call;
	static struct caller c;

	caller_open(&c, "127.0.0.1", d.port);
	caller_begin(&c, &call);
	usbip_claim_1(&args, &call.res.claim, rpcclnt_handle(c.clnt));
	ok(!caller_wait(&call) && call.res.claim.status == USBIP_OK,
	   "claimed under a name of escapes");
	c.session = call.res.claim.usbip_claim_res_u.claim.session;
	caller_end(&call, (xdrproc_t)xdr_usbip_claim_res);
	ok(caller_claim(&c, device, 77, &call) == USBIP_BUSY &&
	   !strcmp(call.res.claim.usbip_claim_res_u.holder.host,
		   "??31m?? (127.0.0.1)"), "which nobody else is shown");
	caller_end(&call, (xdrproc_t)xdr_usbip_claim_res);
	caller_release(&c);
	caller_close(&c);
}

/* On a slow machine a session has EXPIRED before it was released, and its
 * device is still being given back. */
static usbip_stat claim(struct caller *c, const char *device, uint8_t instance)
{
	usbip_stat stat = caller_claim(c, device, instance, NULL);

	for (int i = 0; stat == USBIP_BUSY && i < 100; i++) {
		caller_run(c, 50, NULL);
		stat = caller_claim(c, device, instance, NULL);
	}
	return stat;
}

int main(int argc, char **argv)
{
	static const char *const args[] = { "--lease", "2", NULL };
	static const char *const devices[] = { "1-1", "1-2", "1-4", "2-1" };
	int n = argc > 1 ? atoi(argv[1]) : 100, claimed = 0;
	static struct caller c;
	usbip_session session;
	usbip_stat stat;

	srandom(argc > 2 ? atoi(argv[2]) : 1);
	caller_daemon_start(&d, "* *\n", NULL, args);
	for (int i = 0; i < n; i++) {
		caller_open(&c, "127.0.0.1", d.port);
		stat = claim(&c, devices[i % 4], i);
		claimed += stat == USBIP_OK;
		if (stat == USBIP_OK) {
			torment(c.session);
			/* that was at home elsewhere at the end */
			session = c.session;
			caller_close(&c);
			caller_open(&c, "127.0.0.1", d.port);
			c.session = session;
			stat = caller_release(&c);
			if (stat)
				printf("# round %d: RELEASE of %s: status %d\n",
				       i, devices[i % 4], stat);
		} else {
			printf("# round %d: CLAIM of %s: status %d\n", i,
			       devices[i % 4], stat);
		}
		caller_close(&c);
	}
	ok(claimed == n, "%d times claimed, tormented and released", claimed);
	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-5", 200, NULL) == USBIP_OK &&
	   caller_release(&c) == USBIP_OK, "others are served as ever");
	caller_close(&c);
	test_name();
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
