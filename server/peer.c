// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer - the names of addresses. Owns the answers that are kept, who waits
 * for one, and the threads that ask.
 *
 * Whoever has an address can give it any name in the reverse zone, so a name
 * counts only if it leads back to the address. With the name comes in which of
 * the netgroups that count it is. All this may take the name service's
 * time-outs, and strangers may have it asked, so:
 *
 *   - a few threads ask, each about one address;
 *   - an answer is QUEUED, ASKED, then KNOWN until it is old; QUEUED and ASKED
 *     together are bounded, and so are those that are KNOWN;
 *   - one network, as a stranger may have all of, gets half of the threads and
 *     half of that room at most: others are asked about meanwhile;
 *   - what nobody waits for any more is not asked.
 *
 * There is no way to end a question. What a thread has is its own, the struct
 * question, so that it can be left behind.
 */
#include "server/peer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/worker.h"

#define ASKERS 4
#define PENDING_MAX 64		/* QUEUED and ASKED */
#define KNOWN_MAX 256
#define WAITS_MAX 256		/* calls of one address */
#define KEEP 60			/* seconds */
#define KEEP_NONE 10

enum answer_state {
	ANSWER_STATE_QUEUED,
	ANSWER_STATE_ASKED,		/* an asker has it */
	ANSWER_STATE_KNOWN,		/* until `until` */
	ANSWER_STATE_N
};

struct question {
	struct answer *answer;		/* the loop's to look at */
	struct sockaddr_storage addr;
	socklen_t len;
	char name[NI_MAXHOST];		/* "": none */
	char *groups;			/* that it is in; in `lists` */
	char lists[];			/* first, which ones are asked about */
};

struct wait {
	STAILQ_ENTRY(wait) link;
	const void *caller;
	peer_done_fn done;
	void *user;
};

STAILQ_HEAD(waits, wait);

struct answer {
	TAILQ_ENTRY(answer) link;
	struct peer_names *names;
	enum answer_state state;
	struct sockaddr_storage addr;	/* without its port */
	socklen_t len;
	struct question *question;	/* KNOWN: with the answer */
	time_t until;
	bool stale;			/* ASKED: of other groups than now */
	struct asker *asker;		/* ASKED */
	struct waits waits;		/* none if KNOWN */
};

struct asker {
	struct worker *worker;		/* from the first question on */
	struct answer *answer;		/* NULL: idle */
};

struct peer_names {
	struct event_base *base;
	const char *groups;		/* the caller's */
	struct asker askers[ASKERS];
	TAILQ_HEAD(, answer) answers;	/* as they were asked for */
	unsigned int n[ANSWER_STATE_N];
	time_t told;			/* that there is no room */
};

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* ---- addresses ---------------------------------------------------------- */

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

/* One network, as far as an address shows: /24 of IPv4, /64 of IPv6. */
static bool is_near(const struct sockaddr_storage *a,
		    const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return !memcmp(&a4->sin_addr, &b4->sin_addr, 3);
	return !memcmp(&a6->sin6_addr, &b6->sin6_addr, 8);
}

/* ---- in the threads ----------------------------------------------------- */

static bool leads_back(const struct question *q)
{
	const struct addrinfo hints = {
		.ai_family = q->addr.ss_family,
		.ai_socktype = SOCK_STREAM,
	};
	struct sockaddr_storage plain;
	struct addrinfo *list, *ai;
	bool found = false;

	if (getaddrinfo(q->name, NULL, &hints, &list))
		return false;
	for (ai = list; ai && !found; ai = ai->ai_next) {
		to_plain(ai->ai_addr, &plain);
		found = !memcmp(&plain, &q->addr, sizeof(plain));
	}
	freeaddrinfo(list);
	return found;
}

static bool is_in(const char *group, const char *name)
{
	/* innetgr(3) is not for two threads at a time */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	bool in;

	pthread_mutex_lock(&lock);
	in = innetgr(group, name, NULL, NULL);
	pthread_mutex_unlock(&lock);
	return in;
}

static void find_groups(struct question *q)
{
	char *to = q->groups;

	for (const char *g = q->lists; *g; g += strlen(g) + 1)
		if (is_in(g, q->name))
			to = stpcpy(to, g) + 1;
	*to = 0;
}

static int ask(void *arg)
{
	struct question *q = arg;

	if (getnameinfo((struct sockaddr *)&q->addr, q->len, q->name,
			sizeof(q->name), NULL, 0, NI_NAMEREQD) ||
	    !leads_back(q))
		*q->name = 0;
	else
		find_groups(q);
	return 0;
}

/* ---- answers ------------------------------------------------------------ */

/* The only writer of a->state, but for new_answer(). */
static void set_state(struct answer *a, enum answer_state next)
{
	a->names->n[a->state]--;
	a->state = next;
	a->names->n[next]++;
}

static void free_answer(struct answer *a)
{
	struct wait *wait;

	TAILQ_REMOVE(&a->names->answers, a, link);
	a->names->n[a->state]--;
	while ((wait = STAILQ_FIRST(&a->waits))) {
		STAILQ_REMOVE_HEAD(&a->waits, link);
		free(wait);
	}
	if (a->state == ANSWER_STATE_KNOWN)
		free(a->question);	/* else the thread's, if any */
	free(a);
}

static void tell(const struct answer *a, peer_done_fn done, void *user)
{
	const struct question *q = a->question;
	const struct peer_name name = { .name = q->name, .groups = q->groups };

	done(0, *q->name ? &name : NULL, user);
}

/* Who is told may ask again from in there: waits are nobody's any more. */
static void cancel(struct waits *waits, int r)
{
	struct wait *wait;

	while ((wait = STAILQ_FIRST(waits))) {
		STAILQ_REMOVE_HEAD(waits, link);
		wait->done(r, NULL, wait->user);
		free(wait);
	}
}

/* How many addresses near this one are QUEUED or ASKED, or ASKED only. */
static unsigned int count_near(const struct peer_names *names,
			       const struct sockaddr_storage *addr,
			       bool queued)
{
	const struct answer *a;
	unsigned int n = 0;

	TAILQ_FOREACH(a, &names->answers, link)
		n += is_near(&a->addr, addr) &&
		     (a->state == ANSWER_STATE_ASKED ||
		      (queued && a->state == ANSWER_STATE_QUEUED));
	return n;
}

/* An answer that is not too old; the old ones go. */
static struct answer *find_answer(struct peer_names *names,
				  const struct sockaddr_storage *addr)
{
	struct answer *a, *after, *found = NULL;

	for (a = TAILQ_FIRST(&names->answers); a; a = after) {
		after = TAILQ_NEXT(a, link);
		if (a->state == ANSWER_STATE_KNOWN && a->until < now())
			free_answer(a);
		else if (!memcmp(&a->addr, addr, sizeof(*addr)))
			found = a;
	}
	return found;
}

static void trim_known(struct peer_names *names)
{
	struct answer *a, *after;

	for (a = TAILQ_FIRST(&names->answers); a; a = after) {
		after = TAILQ_NEXT(a, link);
		if (names->n[ANSWER_STATE_KNOWN] <= KNOWN_MAX)
			return;
		if (a->state == ANSWER_STATE_KNOWN)
			free_answer(a);
	}
}

/* ---- asking ------------------------------------------------------------- */

static void ask_next(struct peer_names *names);

static void take_answer(struct answer *a, struct question *q)
{
	struct wait *wait;

	a->question = q;
	a->until = now() + (*q->name ? KEEP : KEEP_NONE);
	set_state(a, ANSWER_STATE_KNOWN);
	log_debug(LOG_TAG_NET, "a peer's name is %s",
		  *q->name ? q->name : "not known");
	while ((wait = STAILQ_FIRST(&a->waits))) {
		STAILQ_REMOVE_HEAD(&a->waits, link);
		tell(a, wait->done, wait->user);
		free(wait);
	}
}

static void asked(int r, void *arg)
{
	struct question *q = arg;
	struct answer *a = q->answer;
	struct peer_names *names = a->names;

	a->asker->answer = NULL;
	a->asker = NULL;
	if (a->stale) {
		a->stale = false;
		free(q);
		set_state(a, ANSWER_STATE_QUEUED);	/* once more */
	} else {
		take_answer(a, q);
		trim_known(names);
	}
	ask_next(names);
}

/* Of all groups. */
static size_t list_size(const char *groups)
{
	const char *g = groups;

	while (*g)
		g += strlen(g) + 1;
	return g - groups + 1;
}

static int start(struct asker *asker, struct answer *a)
{
	_cleanup_(cleanup_free) struct question *q = NULL;
	size_t size = list_size(a->names->groups);
	int r = 0;

	q = calloc(1, sizeof(*q) + 2 * size);
	if (!q)
		return -ENOMEM;
	memcpy(q->lists, a->names->groups, size);
	q->groups = q->lists + size;
	q->answer = a;
	q->addr = a->addr;
	q->len = a->len;
	if (!asker->worker)
		r = worker_new(&asker->worker, a->names->base);
	if (!r)
		r = worker_run(asker->worker, ask, asked, q);
	if (r)
		return r;
	q = NULL;	/* consumed */
	asker->answer = a;
	a->asker = asker;
	set_state(a, ANSWER_STATE_ASKED);
	return 0;
}

/* Whom to ask about next. */
static struct answer *next_queued(struct peer_names *names)
{
	struct answer *a;

	TAILQ_FOREACH(a, &names->answers, link)
		if (a->state == ANSWER_STATE_QUEUED &&
		    count_near(names, &a->addr, false) < ASKERS / 2)
			return a;
	return NULL;
}

static struct asker *idle_asker(struct peer_names *names)
{
	for (size_t i = 0; i < ASKERS; i++)
		if (!names->askers[i].answer)
			return &names->askers[i];
	return NULL;
}

static void ask_next(struct peer_names *names)
{
	struct waits waits = STAILQ_HEAD_INITIALIZER(waits);
	struct asker *asker;
	struct answer *a;
	int r;

	while ((asker = idle_asker(names)) && (a = next_queued(names))) {
		r = start(asker, a);
		if (!r)
			continue;
		if (names->n[ANSWER_STATE_ASKED])
			return;		/* again when that is answered */
		log_error("the name of a peer can not be asked for: %s",
			  strerror(-r));
		STAILQ_CONCAT(&waits, &a->waits);
		free_answer(a);
		cancel(&waits, r);
	}
}

static bool has_room(struct peer_names *names,
		     const struct sockaddr_storage *addr)
{
	if (names->n[ANSWER_STATE_QUEUED] + names->n[ANSWER_STATE_ASKED] <
	    PENDING_MAX && count_near(names, addr, true) < PENDING_MAX / 2)
		return true;
	if (!names->told || names->told + KEEP < now()) {
		log_warning("the names of too many peers are asked for: is the name service slow?");
		names->told = now();
	}
	return false;
}

static struct answer *new_answer(struct peer_names *names,
				 const struct sockaddr_storage *addr,
				 socklen_t len)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->names = names;
	a->addr = *addr;
	a->len = len;
	STAILQ_INIT(&a->waits);
	TAILQ_INSERT_TAIL(&names->answers, a, link);
	names->n[a->state]++;		/* QUEUED */
	return a;
}

static int add_wait(struct answer *a, const void *caller, peer_done_fn done,
		    void *user)
{
	struct wait *wait;
	unsigned int n = 0;

	STAILQ_FOREACH(wait, &a->waits, link)
		n++;
	if (n >= WAITS_MAX)
		return -EAGAIN;
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	wait->caller = caller;
	wait->done = done;
	wait->user = user;
	STAILQ_INSERT_TAIL(&a->waits, wait, link);
	return 0;
}

/* ---- for others --------------------------------------------------------- */

void peer_name(struct peer_names *names, const struct sockaddr *addr,
	       const void *caller, peer_done_fn done, void *user)
{
	struct sockaddr_storage plain;
	socklen_t len = to_plain(addr, &plain);
	struct answer *a;
	int r;

	if (!len) {
		done(0, NULL, user);	/* it has no address */
		return;
	}
	a = find_answer(names, &plain);
	if (a && a->state == ANSWER_STATE_KNOWN) {
		tell(a, done, user);
		return;
	}
	if (!a && !has_room(names, &plain)) {
		done(-EAGAIN, NULL, user);
		return;
	}
	if (!a)
		a = new_answer(names, &plain, len);
	r = a ? add_wait(a, caller, done, user) : -ENOMEM;
	if (r) {
		done(r, NULL, user);
		return;
	}
	ask_next(names);
}

/* Take the waits of caller from a. */
static void take_waits(struct answer *a, const void *caller,
		       struct waits *taken)
{
	struct waits others = STAILQ_HEAD_INITIALIZER(others);
	struct wait *wait;

	while ((wait = STAILQ_FIRST(&a->waits))) {
		STAILQ_REMOVE_HEAD(&a->waits, link);
		if (!caller || wait->caller == caller)
			STAILQ_INSERT_TAIL(taken, wait, link);
		else
			STAILQ_INSERT_TAIL(&others, wait, link);
	}
	STAILQ_CONCAT(&a->waits, &others);
}

void peer_forget(struct peer_names *names, const void *caller)
{
	struct waits waits = STAILQ_HEAD_INITIALIZER(waits);
	struct answer *a, *after;

	for (a = TAILQ_FIRST(&names->answers); a; a = after) {
		after = TAILQ_NEXT(a, link);
		take_waits(a, caller, &waits);
		if (a->state == ANSWER_STATE_QUEUED && STAILQ_EMPTY(&a->waits))
			free_answer(a);
	}
	cancel(&waits, -ECANCELED);
}

void peer_names_groups(struct peer_names *names, const char *groups)
{
	struct answer *a, *after;

	names->groups = groups;
	for (a = TAILQ_FIRST(&names->answers); a; a = after) {
		after = TAILQ_NEXT(a, link);
		a->stale = a->state == ANSWER_STATE_ASKED;
		if (a->state == ANSWER_STATE_KNOWN)
			free_answer(a);
	}
}

int peer_names_new(struct peer_names **namesp, struct event_base *base)
{
	struct peer_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->base = base;
	names->groups = "";
	TAILQ_INIT(&names->answers);
	*namesp = names;
	return 0;
}

struct peer_names *peer_names_free(struct peer_names *names)
{
	struct answer *a;

	if (!names)
		return NULL;
	for (size_t i = 0; i < ASKERS; i++)
		worker_abandon(names->askers[i].worker, free);
	while ((a = TAILQ_FIRST(&names->answers)))
		free_answer(a);
	free(names);
	return NULL;
}
