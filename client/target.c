// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target - the way to a target.
 *
 * Every address of the host is tried in the order of the resolver: first its
 * rpcbind (unless the port is given), then the service. If none works the
 * failure that got furthest is the one that is told: a refused port says more
 * than an unreachable network.
 *
 * A datagram socket is connected at once, whoever is there. So over UDP the
 * service is called, by NULL, and an address that does not answer is passed
 * over as one is that TCP does not reach. Where rpcbind knows no UDP it is
 * asked for TCP, too: then there is a service, and it does not serve datagrams.
 */
#include "client/target.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/deadline.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/rpcb.h"
#include "common/rpcclnt.h"
#include "rpc/usbip.h"

/* How far an attempt got. */
enum reach {
	REACH_NOTHING,
	REACH_NAME,		/* no such name */
	REACH_SILENCE,		/* no answer, or no way */
	REACH_HOST,		/* the host refused */
	REACH_RPCBIND,		/* rpcbind knows no such service */
	REACH_TCP,		/* it does, but not by datagrams */
};

struct target {
	struct target_config config;
	char *host;
	uint64_t end;			/* deadline.h */
	struct resolver *resolver;
	struct resolver_answer found;
	unsigned int next;		/* of the addresses found */
	struct resolver_addr addr;	/* the one that is being tried */
	struct event *begin;		/* where the address is known */
	struct event *limit;		/* of the name, then of this address */
	unsigned int attempt_ms;
	struct event *io;		/* a connection in the making */
	int fd;
	struct rpcb_find *find;
	bool tcp_too;			/* which was asked for after UDP */
	struct rpcclnt *probe;		/* of UDP */
	enum reach reach;
	struct failure failure;
};

static void note_failure(struct target *t, enum reach reach,
			 enum failure_code code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void note_failure(struct target *t, enum reach reach,
			 enum failure_code code, const char *format, ...)
{
	char text[sizeof(t->failure.text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_debug(LOG_TAG_NET, "%s", text);
	if (reach <= t->reach)
		return;
	t->reach = reach;
	failure_set(&t->failure, code, "%s", text);
}

/* "target (10.9.0.1)", or the address alone if that is what was given. */
static void say_where(const struct target *t, char *text, size_t size)
{
	char addr[NI_MAXHOST] = "?";

	getnameinfo((const struct sockaddr *)&t->addr.addr, t->addr.len, addr,
		    sizeof(addr), NULL, 0, NI_NUMERICHOST);
	if (strcmp(addr, t->host))
		snprintf(text, size, "%s (%s)", t->host, addr);
	else
		snprintf(text, size, "%s", addr);
}

static unsigned int addr_port(const struct resolver_addr *a)
{
	/* in the same place for both families */
	return ntohs(((const struct sockaddr_in *)&a->addr)->sin_port);
}

static void set_port(struct resolver_addr *a, uint16_t port)
{
	((struct sockaddr_in *)&a->addr)->sin_port = htons(port);
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
	       offsetof(struct sockaddr_in6, sin6_port), "ports lie alike");

static void end_attempt(struct target *t)
{
	t->find = rpcb_find_free(t->find);
	t->tcp_too = false;
	t->probe = rpcclnt_free(t->probe);
	if (t->io)
		event_free(t->io);
	t->io = NULL;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

static void try_next(struct target *t);

static void connect_failed(struct target *t, int error)
{
	const char *udp = t->config.udp ? "UDP " : "";
	char where[300];

	say_where(t, where, sizeof(where));
	if (error == ECONNREFUSED)
		note_failure(t, REACH_HOST, FAILURE_UNREACHABLE,
			     "%s refuses %sport %u: is usbip-rpcd running there, "
			     "and does the firewall let it through?", where,
			     udp, addr_port(&t->addr));
	else if (error == ETIMEDOUT && t->config.udp)
		note_failure(t, REACH_SILENCE, FAILURE_UNREACHABLE,
			     "nobody answers at UDP port %u of %s: is usbip-rpcd "
			     "running there, and does the firewall let UDP "
			     "through?", addr_port(&t->addr), where);
	else
		note_failure(t, REACH_SILENCE, FAILURE_UNREACHABLE,
			     "cannot connect to %s %sport %u: %s", where, udp,
			     addr_port(&t->addr), strerror(error));
	end_attempt(t);
	try_next(t);
}

/* The callback may free t. */
static void is_there(struct target *t)
{
	event_del(t->limit);
	t->config.connected(steal_fd(&t->fd), &t->addr, t->config.user);
}

/* Whatever the answer is, somebody is there; what is wrong, the first call
 * that matters will find. */
static void probed(const struct rpc_err *err, void *user)
{
	struct target *t = user;

	if (err->re_status == RPC_CANTRECV)
		return;		/* probe_failed() follows, or it was given up */
	t->probe = rpcclnt_free(t->probe);
	is_there(t);
}

static void probe_failed(int error, void *user)
{
	connect_failed(user, error < 0 ? -error : ECONNRESET);
}

/* By a socket of its own that is the same one: t->fd is the caller's. */
static int begin_probe(struct target *t)
{
	const struct rpcclnt_config config = {
		.base = t->config.base,
		.prog = USBIP_PROGRAM,
		.vers = USBIP_V1,
		.record_max = USBIP_RECORD_EXTRA,
		.closed = probe_failed,
		.user = t,
	};
	int r, fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	r = rpcclnt_new(&t->probe, fd, &config);
	if (r) {
		close(fd);
		return r;
	}
	rpcclnt_next(t->probe, 0, probed, t);
	rpcclnt_how(t->probe, RPCCLNT_PROMPT);
	return usbip_null_1(NULL, NULL, rpcclnt_handle(t->probe)) ? -ENOMEM : 0;
}

static void connected(evutil_socket_t fd, short what, void *user)
{
	struct target *t = user;
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		connect_failed(t, error);
		return;
	}
	event_free(t->io);
	t->io = NULL;
	if (!t->config.udp || t->config.known) {
		is_there(t);
		return;
	}
	error = begin_probe(t);
	if (error)
		connect_failed(t, -error);
}

static void begin_connect(struct target *t)
{
	int type = t->config.udp ? SOCK_DGRAM : SOCK_STREAM;
	int r;

	t->fd = socket(t->addr.addr.ss_family,
		       type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0) {
		connect_failed(t, errno);
		return;
	}
	r = connect(t->fd, (struct sockaddr *)&t->addr.addr, t->addr.len);
	if (r && errno != EINPROGRESS) {
		connect_failed(t, errno);
		return;
	}
	t->io = event_new(t->config.base, t->fd, EV_WRITE, connected, t);
	if (!t->io || event_add(t->io, NULL))
		connect_failed(t, ENOMEM);
}

static void note_rpcb(struct target *t, enum rpcb_why why, int error)
{
	char where[300];

	say_where(t, where, sizeof(where));
	switch (why) {
	case RPCB_FOUND:
		return;
	case RPCB_NO_HOST:
		note_failure(t, REACH_SILENCE, FAILURE_UNREACHABLE,
			     "cannot reach %s: %s", where,
			     strerror(error < 0 ? -error : error));
		return;
	case RPCB_NO_RPCBIND:
		note_failure(t, REACH_HOST, FAILURE_UNREACHABLE,
			     "no rpcbind at %s (port 111 is refused): start it "
			     "there, or give the service's port with --%s-port",
			     where, t->config.udp ? "udp" : "tcp");
		return;
	case RPCB_NOT_REGISTERED:
		note_failure(t, REACH_RPCBIND, FAILURE_UNREACHABLE,
			     "rpcbind at %s knows no service %u: is usbip-rpcd "
			     "running there?", t->host, USBIP_PROGRAM);
		return;
	case RPCB_TIMED_OUT:
		note_failure(t, REACH_SILENCE, FAILURE_UNREACHABLE,
			     "no answer from port 111 (rpcbind) of %s: is the "
			     "host up, and does its firewall let it through?",
			     where);
		return;
	}
}

static void ask_rpcbind(struct target *t, int protocol);

/* True: rpcbind is asked once more. */
static bool look_for_tcp(struct target *t, enum rpcb_why why)
{
	if (why != RPCB_NOT_REGISTERED || !t->config.udp || t->tcp_too)
		return false;
	end_attempt(t);
	t->tcp_too = true;
	ask_rpcbind(t, IPPROTO_TCP);
	return true;
}

static void found(enum rpcb_why why, int error, const struct sockaddr *addr,
		  socklen_t len, void *user)
{
	struct target *t = user;

	if (look_for_tcp(t, why))
		return;
	if (why == RPCB_FOUND && t->tcp_too) {
		note_failure(t, REACH_TCP, FAILURE_UNREACHABLE,
			     "usbip-rpcd at %s serves TCP only: leave out --udp, "
			     "or let it serve UDP", t->host);
	} else if (why != RPCB_FOUND || len > sizeof(t->addr.addr)) {
		note_rpcb(t, why, error);
	} else {
		memcpy(&t->addr.addr, addr, len);
		t->addr.len = len;
		log_debug(LOG_TAG_NET, "%s: the service is at port %u", t->host,
			  addr_port(&t->addr));
		begin_connect(t);
		return;
	}
	end_attempt(t);
	try_next(t);
}

static void ask_rpcbind(struct target *t, int protocol)
{
	int r;

	set_port(&t->addr, 111);
	r = rpcb_find_new(&t->find, t->config.base,
			  (struct sockaddr *)&t->addr.addr, t->addr.len,
			  USBIP_PROGRAM, USBIP_V1, protocol, t->attempt_ms,
			  found, t);
	if (!r)
		return;
	note_rpcb(t, RPCB_NO_HOST, r);
	try_next(t);
}

static void fail(struct target *t)
{
	event_del(t->limit);
	end_attempt(t);
	if (t->reach == REACH_NOTHING)
		failure_set(&t->failure, FAILURE_UNREACHABLE,
			    "no answer from %s: is it up, and does its "
			    "firewall let us through?", t->host);
	/* The callback may free t. */
	t->config.failed(&t->failure, t->config.user);
}

static int set_limit(struct target *t, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	return evtimer_add(t->limit, &tv);
}

static void try_next(struct target *t)
{
	unsigned int left = t->found.n - t->next;

	/* A silent address must not use up the time of the next one. */
	if (left)
		t->attempt_ms = 1 + deadline_left(t->end) / left;
	if (!left || set_limit(t, t->attempt_ms)) {
		fail(t);
		return;
	}
	t->addr = t->found.addrs[t->next++];
	if (!t->config.port) {
		ask_rpcbind(t, t->config.udp ? IPPROTO_UDP : IPPROTO_TCP);
		return;
	}
	set_port(&t->addr, t->config.port);
	begin_connect(t);
}

static void begin(evutil_socket_t fd, short what, void *user)
{
	struct target *t = user;

	t->addr = *t->config.known;
	/* Started anew, the service may be at another port: rpcbind is next. */
	if (!t->config.port) {
		t->found.addrs[0] = t->addr;
		t->found.n = 1;
	}
	begin_connect(t);
}

static void resolved(const struct resolver_answer *answer, void *user)
{
	struct target *t = user;

	t->found = *answer;
	t->resolver = resolver_free(t->resolver);
	if (t->found.error)
		note_failure(t, REACH_NAME, FAILURE_UNREACHABLE,
			     "cannot find the host %s: %s", t->host,
			     gai_strerror(t->found.error));
	try_next(t);
}

/* The time of the name service, or of one address, is over. */
static void timed_out(evutil_socket_t fd, short what, void *user)
{
	struct target *t = user;

	if (t->fd >= 0) {
		connect_failed(t, ETIMEDOUT);
		return;
	}
	if (t->resolver)
		note_failure(t, REACH_NAME, FAILURE_UNREACHABLE,
			     "no answer from the name service about %s: give "
			     "its address, or more --timeout", t->host);
	t->resolver = resolver_free(t->resolver);
	if (t->find)
		note_rpcb(t, RPCB_TIMED_OUT, 0);
	end_attempt(t);
	try_next(t);
}

static int start(struct target *t)
{
	const struct timeval soon = { 0, 0 };

	t->host = strdup(t->config.host);
	t->begin = evtimer_new(t->config.base, begin, t);
	t->limit = evtimer_new(t->config.base, timed_out, t);
	if (!t->host || !t->begin || !t->limit ||
	    set_limit(t, t->config.timeout_ms))
		return -ENOMEM;
	if (t->config.known)
		return evtimer_add(t->begin, &soon) ? -ENOMEM : 0;
	return resolver_new(&t->resolver, t->config.base, t->host, resolved, t);
}

int target_new(struct target **tp, const struct target_config *config)
{
	struct target *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->config = *config;
	t->end = deadline_in(config->timeout_ms);
	t->fd = -1;
	r = start(t);
	if (r) {
		target_free(t);
		return r;
	}
	*tp = t;
	return 0;
}

struct target *target_free(struct target *t)
{
	if (!t)
		return NULL;
	end_attempt(t);
	resolver_free(t->resolver);
	if (t->begin)
		event_free(t->begin);
	if (t->limit)
		event_free(t->limit);
	free(t->host);
	free(t);
	return NULL;
}
