// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The names of peers, with a name service that hangs where it is told to:
 * 10.9.9.0/24 and 10.9.8.0/24 do until the gate opens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/peer.h"
#include "tests/tap.h"

/* ---- the name service, in place of the C library's ---------------------- */

static atomic_uint n_asked, n_groups;
static sem_t hung, gate, gone;

int getnameinfo(const struct sockaddr *sa, socklen_t len, char *host,
		socklen_t size, char *service, socklen_t service_size,
		int flags)
{
	const struct sockaddr_in *sin = (const void *)sa;
	uint32_t address = ntohl(sin->sin_addr.s_addr);

	n_asked++;
	if (address >> 8 == 0x0a0909 || address >> 8 == 0x0a0908) {
		sem_post(&hung);
		sem_wait(&gate);
		sem_post(&gone);
	}
	if ((address & 0xff) == 66)
		return EAI_NONAME;
	snprintf(host, size, "h%u.example.org", address);
	return 0;
}

/* 77 says that it has the name of another. */
int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **list)
{
	struct addrinfo *ai = calloc(1, sizeof(*ai));
	struct sockaddr_in *sin = calloc(1, sizeof(*sin));
	uint32_t address = strtoul(node + 1, NULL, 10);

	if (!ai || !sin)
		abort();
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl((address & 0xff) == 77 ? 1 : address);
	ai->ai_addr = (struct sockaddr *)sin;
	*list = ai;
	return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
	free(ai->ai_addr);
	free(ai);
}

/* Group "all" has each host, "odd" those with an odd address. */
int innetgr(const char *group, const char *host, const char *user,
	    const char *domain)
{
	n_groups++;
	return !strcmp(group, "all") ||
	       (!strcmp(group, "odd") && strtoul(host + 1, NULL, 10) % 2);
}

/* ---- who asks ----------------------------------------------------------- */

struct asked {
	bool done;
	int r;
	char name[64];			/* "": none */
	char groups[64];		/* with commas */
};

static struct event_base *base;
static struct peer_names *names;

static void on_done(int r, const struct peer_name *name, void *user)
{
	struct asked *asked = user;

	if (asked->done)
		abort();		/* twice */
	asked->done = true;
	asked->r = r;
	if (!name)
		return;
	snprintf(asked->name, sizeof(asked->name), "%s", name->name);
	for (const char *g = name->groups; *g; g += strlen(g) + 1) {
		strcat(asked->groups, g);
		strcat(asked->groups, ",");
	}
}

static void ask(struct asked *asked, uint32_t address, const void *caller)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(rand()),
		.sin_addr.s_addr = htonl(address),
	};

	memset(asked, 0, sizeof(*asked));
	peer_name(names, (struct sockaddr *)&sin, caller, on_done, asked);
}

static void await(const struct asked *asked)
{
	while (!asked->done)
		event_base_loop(base, EVLOOP_ONCE);
}

static unsigned int count(const struct asked *asked, unsigned int n, int r)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += asked[i].done && asked[i].r == r;
	return sum;
}

static void start(void)
{
	n_asked = 0;
	if (peer_names_new(&names, base))
		abort();
}

/* Until n questions hang. */
static void await_hung(unsigned int n)
{
	while (n--)
		sem_wait(&hung);
}

/* Let n questions go that hang. */
static void let_go(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		sem_post(&gate);
	for (unsigned int i = 0; i < n; i++)
		sem_wait(&gone);
}

static void stop(void)
{
	names = peer_names_free(names);
}

/* ---- tests -------------------------------------------------------------- */

static void test_names(void)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNIX };
	struct asked a;

	start();
	ask(&a, 0x0a000001, NULL);
	await(&a);
	ok(!a.r && !strcmp(a.name, "h167772161.example.org"), "a name");
	ask(&a, 0x0a000001, NULL);
	ok(a.done && *a.name && n_asked == 1, "is kept");
	ask(&a, 0x0a000042, NULL);
	await(&a);
	ok(!a.r && !*a.name, "no name");
	ask(&a, 0x0a000042, NULL);
	ok(a.done && n_asked == 2, "is kept, too");
	ask(&a, 0x0a00004d, NULL);
	await(&a);
	ok(!a.r && !*a.name, "a name that does not lead back is none");
	memset(&a, 0, sizeof(a));
	peer_name(names, &nowhere, NULL, on_done, &a);
	ok(a.done && !a.r && !*a.name, "nor has what has no address");
	stop();
}

static void test_known(void)
{
	struct asked a;

	start();
	for (unsigned int i = 0; i < 300; i++) {
		ask(&a, 0x0a000000 + i * 256, NULL);
		await(&a);
	}
	ok(n_asked == 300, "300 names");
	ask(&a, 0x0a000000 + 299 * 256, NULL);
	ok(a.done && n_asked == 300, "the last ones are kept");
	ask(&a, 0x0a000000, NULL);
	await(&a);
	ok(n_asked == 301, "the first ones are not");
	stop();
}

static void test_slow(void)
{
	static struct asked slow[40], other;

	start();
	for (unsigned int i = 0; i < 40; i++)
		ask(&slow[i], 0x0a090900 + i, NULL);
	ok(count(slow, 32, -EAGAIN) == 0 && count(slow, 40, -EAGAIN) == 8,
	   "a network has room for 32 questions");
	ask(&other, 0x0a000001, NULL);
	await(&other);
	ok(*other.name, "where they hang, others are answered");
	await_hung(2);
	ok(n_asked == 3, "and two of them are being asked");
	stop();
	ok(count(slow, 32, 0) == 0, "the end waits for none");
	let_go(2);
}

static void test_crowd(void)
{
	static struct asked crowd[260];

	start();
	for (unsigned int i = 0; i < 260; i++)
		ask(&crowd[i], 0x0a090901, NULL);
	ok(count(crowd, 256, -EAGAIN) == 0 && count(crowd, 260, -EAGAIN) == 4,
	   "256 calls of one address wait for its name");
	await_hung(1);
	stop();
	let_go(1);
}

static void test_full(void)
{
	static struct asked slow[64], other;

	start();
	for (unsigned int i = 0; i < 64; i++)
		ask(&slow[i], (i % 2 ? 0x0a090900 : 0x0a090800) + i, NULL);
	ok(count(slow, 64, -EAGAIN) == 0, "64 questions");
	ask(&other, 0x0a000001, NULL);
	ok(other.done && other.r == -EAGAIN, "are all that there is room for");
	await_hung(4);
	stop();
	let_go(4);
}

static void test_forget(void)
{
	static struct asked left[20], stays[2], more[22];
	static const int caller[2];

	start();
	for (unsigned int i = 0; i < 20; i++)
		ask(&left[i], 0x0a090900 + i, &caller[0]);
	ask(&stays[0], 0x0a090901, &caller[1]);
	ask(&stays[1], 0x0a090913, &caller[1]);
	await_hung(2);
	peer_forget(names, &caller[0]);
	ok(count(left, 20, -ECANCELED) == 20, "who has gone is told so");
	let_go(2);
	await(&stays[0]);
	await_hung(1);
	let_go(1);
	await(&stays[1]);
	ok(*stays[0].name && *stays[1].name && n_asked == 3,
	   "what nobody waits for is not asked, the rest is");
	for (unsigned int i = 0; i < 22; i++)
		ask(&more[i], 0x0a090980 + i, &caller[0]);
	ok(count(more, 22, -EAGAIN) == 0, "and there is room again");
	await_hung(2);
	peer_forget(names, NULL);
	ok(count(more, 22, -ECANCELED) == 22, "all can be told to go");
	stop();
	let_go(2);
}

static void test_groups(void)
{
	struct asked a;

	start();
	peer_names_groups(names, "odd\0none\0all\0");
	ask(&a, 0x0a000001, NULL);
	await(&a);
	ok(!strcmp(a.groups, "odd,all,"), "the groups of one: %s", a.groups);
	ask(&a, 0x0a000002, NULL);
	await(&a);
	ok(!strcmp(a.groups, "all,"), "and of another: %s", a.groups);
	ask(&a, 0x0a000001, NULL);
	ok(a.done && !strcmp(a.groups, "odd,all,") && n_groups == 6,
	   "are kept");
	ask(&a, 0x0a000042, NULL);
	await(&a);
	ok(n_groups == 6, "who has no name is in none");
	ask(&a, 0x0a090901, NULL);
	await_hung(1);
	peer_names_groups(names, "odd\0");
	let_go(1);
	event_base_loop(base, EVLOOP_ONCE);
	await_hung(1);
	ok(!a.done, "where others count meanwhile, it is asked once more");
	let_go(1);
	await(&a);
	ok(!strcmp(a.groups, "odd,"), "for those: %s", a.groups);
	ask(&a, 0x0a000002, NULL);
	await(&a);
	ok(*a.name && !*a.groups, "and what was known is not any more");
	stop();
}

int main(void)
{
	alarm(100);			/* nothing hangs here, but by error */
	sem_init(&hung, 0, 0);
	sem_init(&gate, 0, 0);
	sem_init(&gone, 0, 0);
	base = event_base_new();
	test_names();
	test_known();
	test_slow();
	test_crowd();
	test_full();
	test_forget();
	test_groups();
	event_base_free(base);
	return tap_done();
}
