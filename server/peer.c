// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer - the names of addresses. Owns the answers that are kept and who waits
 * for one.
 *
 * Whoever has an address can give it any name in the reverse zone, so a name
 * counts only if it leads back to the address. Both questions may take the
 * name service's time-outs: they are asked in a worker, one after the other.
 */
#include "server/peer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/worker.h"

#define KEPT_MAX 256
#define KEEP 60			/* seconds */
#define KEEP_NONE 10

struct wait {
	STAILQ_ENTRY(wait) link;
	peer_done_fn done;
	void *user;
};

struct answer {
	TAILQ_ENTRY(answer) link;
	struct peer_names *names;
	struct sockaddr_storage addr;	/* without its port */
	socklen_t len;
	time_t until;			/* 0: it is being asked for */
	char name[NI_MAXHOST];		/* "": none; the worker's until then */
	STAILQ_HEAD(, wait) waits;
};

struct peer_names {
	struct worker *worker;
	TAILQ_HEAD(, answer) answers;
	unsigned int n;
};

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* An IPv4 address, also where it is in IPv6's clothes; without the port. */
static socklen_t to_plain(const struct sockaddr *from,
			  struct sockaddr_storage *to)
{
	const struct sockaddr_in6 *from6 = (const void *)from;
	struct sockaddr_in6 *to6 = (void *)to;
	struct sockaddr_in *to4 = (void *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = from->sa_family;
	if (from->sa_family == AF_INET) {
		to4->sin_addr = ((const struct sockaddr_in *)from)->sin_addr;
		return sizeof(*to4);
	}
	if (from->sa_family != AF_INET6)
		return 0;
	if (!IN6_IS_ADDR_V4MAPPED(&from6->sin6_addr)) {
		to6->sin6_addr = from6->sin6_addr;
		return sizeof(*to6);
	}
	to->ss_family = AF_INET;
	memcpy(&to4->sin_addr, from6->sin6_addr.s6_addr + 12, 4);
	return sizeof(*to4);
}

/* ---- in the worker ------------------------------------------------------ */

static bool leads_back(const struct answer *a)
{
	const struct addrinfo hints = {
		.ai_family = a->addr.ss_family,
		.ai_socktype = SOCK_STREAM,
	};
	struct sockaddr_storage plain;
	struct addrinfo *list, *ai;
	bool found = false;

	if (getaddrinfo(a->name, NULL, &hints, &list))
		return false;
	for (ai = list; ai && !found; ai = ai->ai_next) {
		to_plain(ai->ai_addr, &plain);
		found = !memcmp(&plain, &a->addr, sizeof(plain));
	}
	freeaddrinfo(list);
	return found;
}

static int ask(void *arg)
{
	struct answer *a = arg;

	if (getnameinfo((struct sockaddr *)&a->addr, a->len, a->name,
			sizeof(a->name), NULL, 0, NI_NAMEREQD) ||
	    !leads_back(a))
		*a->name = 0;
	return 0;
}

/* ---- in the loop -------------------------------------------------------- */

static void free_answer(struct answer *a)
{
	struct wait *wait;

	TAILQ_REMOVE(&a->names->answers, a, link);
	a->names->n--;
	while ((wait = STAILQ_FIRST(&a->waits))) {
		STAILQ_REMOVE_HEAD(&a->waits, link);
		free(wait);
	}
	free(a);
}

static void asked(int r, void *arg)
{
	struct answer *a = arg;
	struct wait *wait;

	a->until = now() + (*a->name ? KEEP : KEEP_NONE);
	log_debug(LOG_TAG_NET, "a peer's name is %s",
		  *a->name ? a->name : "not known");
	while ((wait = STAILQ_FIRST(&a->waits))) {
		STAILQ_REMOVE_HEAD(&a->waits, link);
		wait->done(*a->name ? a->name : NULL, wait->user);
		free(wait);
	}
}

/* An answer that is not too old; the old ones go. */
static struct answer *find_answer(struct peer_names *names,
				  const struct sockaddr_storage *addr)
{
	struct answer *a, *after, *found = NULL;

	for (a = TAILQ_FIRST(&names->answers); a; a = after) {
		after = TAILQ_NEXT(a, link);
		if (a->until && a->until < now())
			free_answer(a);
		else if (!memcmp(&a->addr, addr, sizeof(*addr)))
			found = a;
	}
	return found;
}

static struct answer *new_answer(struct peer_names *names,
				 const struct sockaddr_storage *addr,
				 socklen_t len)
{
	struct answer *a;

	if (names->n >= KEPT_MAX)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->names = names;
	a->addr = *addr;
	a->len = len;
	STAILQ_INIT(&a->waits);
	TAILQ_INSERT_TAIL(&names->answers, a, link);
	names->n++;
	if (worker_run(names->worker, ask, asked, a)) {
		free_answer(a);
		return NULL;
	}
	return a;
}

void peer_name(struct peer_names *names, const struct sockaddr *addr,
	       peer_done_fn done, void *user)
{
	struct sockaddr_storage plain;
	socklen_t len = to_plain(addr, &plain);
	struct answer *a = NULL;
	struct wait *wait;

	if (len)
		a = find_answer(names, &plain);
	if (len && !a)
		a = new_answer(names, &plain, len);
	if (!a || a->until) {
		done(a && *a->name ? a->name : NULL, user);
		return;
	}
	wait = calloc(1, sizeof(*wait));
	if (!wait) {
		done(NULL, user);
		return;
	}
	wait->done = done;
	wait->user = user;
	STAILQ_INSERT_TAIL(&a->waits, wait, link);
}

int peer_names_new(struct peer_names **namesp, struct event_base *base)
{
	struct peer_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	TAILQ_INIT(&names->answers);
	r = worker_new(&names->worker, base);
	if (r) {
		free(names);
		return r;
	}
	*namesp = names;
	return 0;
}

struct peer_names *peer_names_free(struct peer_names *names)
{
	struct answer *a;

	if (!names)
		return NULL;
	worker_free(names->worker);
	while ((a = TAILQ_FIRST(&names->answers)))
		free_answer(a);
	free(names);
	return NULL;
}
