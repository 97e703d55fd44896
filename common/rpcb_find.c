// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcb_find - ask the rpcbind of a host where a service is.
 *
 * Version 4 of rpcbind's protocol is asked first, then 3, then 2 (the
 * portmapper, IPv4 only), over one connection; for UDP over IPv4, 2 alone. Of
 * the answer the port alone is used, at the host's own address: a name, a NAT
 * or a scope that led there leads there again, and rpcbind, which anybody's
 * service can write to, cannot send the caller to a third host.
 */
#include "common/rpcb.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <rpc/pmap_prot.h>
#include <rpc/rpcb_prot.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/rpcclnt.h"

#define RECORD_MAX 4096

struct rpcb_find {
	struct rpcclnt *clnt;
	struct event deadline;
	int error;		/* connect() failed at once, the loop tells */
	struct sockaddr_storage host;
	socklen_t len;
	rpcprog_t prog;
	rpcvers_t vers;
	int protocol;		/* IPPROTO_TCP or IPPROTO_UDP */
	rpcvers_t asked;	/* version of rpcbind's protocol, 4 down to 2 */
	char *uaddr;		/* result of versions 4 and 3, or NULL */
	u_long port;		/* result of version 2 */
	rpcb_find_fn done;
	void *user;
};

/* The end, which is told once; find may be gone afterwards. */
static void finish(struct rpcb_find *find, enum rpcb_why why, int error)
{
	rpcb_find_fn done = find->done;

	if (!done)
		return;
	find->done = NULL;
	event_del(&find->deadline);
	if (why == RPCB_FOUND)
		done(why, 0, (struct sockaddr *)&find->host, find->len,
		     find->user);
	else
		done(why, error, NULL, 0, find->user);
}

static enum rpcb_why why_of(int error)
{
	switch (error) {
	case -ECONNREFUSED:	/* the host answered that nobody listens */
	case -ECONNRESET:
	case -EPIPE:
	case -EPROTO:
		return RPCB_NO_RPCBIND;
	case -ETIMEDOUT:
		return RPCB_TIMED_OUT;
	default:
		return RPCB_NO_HOST;
	}
}

/* The port in "h1.h2....p1.p2", 0 if there is none. */
static uint16_t port_of(const char *uaddr)
{
	const char *p2 = strrchr(uaddr, '.');
	const char *p1 = p2;
	unsigned long high, low;
	char *end;

	while (p1 && p1 > uaddr && p1[-1] != '.')
		p1--;
	if (!p1 || p1 <= uaddr)
		return 0;
	high = strtoul(p1, &end, 10);
	if (end != p2 || high > 255)
		return 0;
	low = strtoul(p2 + 1, &end, 10);
	if (end == p2 + 1 || *end || low > 255)
		return 0;
	return high << 8 | low;
}

static void set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET6)
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)addr)->sin_port = htons(port);
}

static void on_answer(const struct rpc_err *err, void *user);

static const char *netid_of(const struct rpcb_find *find)
{
	bool v6 = find->host.ss_family == AF_INET6;

	if (find->protocol == IPPROTO_UDP)
		return v6 ? "udp6" : "udp";
	return v6 ? "tcp6" : "tcp";
}

/* Ask by version find->asked. */
static bool ask(struct rpcb_find *find)
{
	static const struct timeval unused;
	CLIENT *handle = rpcclnt_handle(find->clnt);
	char none[] = "";
	struct rpcb args = {
		.r_prog = find->prog,
		.r_vers = find->vers,
		.r_netid = (char *)netid_of(find),
		.r_addr = none,
		.r_owner = none,
	};
	struct pmap pmap = {
		.pm_prog = find->prog,
		.pm_vers = find->vers,
		.pm_prot = find->protocol,
	};

	log_debug(LOG_TAG_NET, "rpcbind: asking by version %u", (unsigned int)find->asked);
	clnt_control(handle, CLSET_VERS, (char *)&find->asked);
	rpcclnt_next(find->clnt, 0, on_answer, find);
	if (find->asked == PMAPVERS)
		return clnt_call(handle, PMAPPROC_GETPORT, (xdrproc_t)xdr_pmap,
				 (char *)&pmap, (xdrproc_t)xdr_u_long,
				 (char *)&find->port, unused) == RPC_SUCCESS;
	return clnt_call(handle, RPCBPROC_GETADDR, (xdrproc_t)xdr_rpcb,
			 (char *)&args, (xdrproc_t)xdr_wrapstring,
			 (char *)&find->uaddr, unused) == RPC_SUCCESS;
}

static void on_answer(const struct rpc_err *err, void *user)
{
	struct rpcb_find *find = user;
	bool v4 = find->host.ss_family == AF_INET;
	u_long port;

	switch (err->re_status) {
	case RPC_SUCCESS:
		port = find->asked == PMAPVERS ? find->port :
		       port_of(find->uaddr);
		xdr_free((xdrproc_t)xdr_wrapstring, &find->uaddr);
		if (!port || port > UINT16_MAX) {
			finish(find, RPCB_NOT_REGISTERED, 0);
			return;
		}
		set_port(&find->host, port);
		finish(find, RPCB_FOUND, 0);
		return;
	case RPC_CANTRECV:
		return;		/* on_closed() follows, or we are being freed */
	case RPC_PROGVERSMISMATCH:
	case RPC_PROCUNAVAIL:
		if (find->asked > (v4 ? PMAPVERS : RPCBVERS)) {
			find->asked--;
			if (ask(find))
				return;
		}
		/* fallthrough */
	default:
		log_debug(LOG_TAG_NET, "rpcbind: %s", clnt_sperrno(err->re_status));
		finish(find, RPCB_NO_RPCBIND, -EPROTO);
	}
}

static void on_closed(int error, void *user)
{
	finish(user, why_of(error), error);
}

static void on_deadline(evutil_socket_t fd, short what, void *user)
{
	struct rpcb_find *find = user;
	int error = find->error ? find->error : -ETIMEDOUT;

	finish(find, why_of(error), error);
}

/* Connect to the host; 0 also where that failed, which find->error tells. */
static int begin(struct rpcb_find *find, struct event_base *base)
{
	_cleanup_(cleanup_close) int fd = -1;
	const struct rpcclnt_config config = {
		.base = base,
		.prog = RPCBPROG,
		.vers = RPCBVERS4,
		.record_max = RECORD_MAX,
		.closed = on_closed,
		.user = find,
	};
	int r;

	fd = socket(find->host.ss_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&find->host, find->len) &&
	    errno != EINPROGRESS) {
		find->error = -errno;
		return 0;
	}
	r = rpcclnt_new(&find->clnt, fd, &config);
	if (r)
		return r;
	steal_fd(&fd);
	return ask(find) ? 0 : -ENOMEM;
}

/*
 * GETADDR of versions 4 and 3 does not look at r_netid: it tells the address on
 * the transport that it was asked by, which is TCP here. GETPORT of version 2
 * takes the protocol. For udp6 there is none; usbip-rpcd has one port for both.
 */
static rpcvers_t first_to_ask(const struct rpcb_find *find)
{
	return find->protocol == IPPROTO_UDP &&
	       find->host.ss_family == AF_INET ? PMAPVERS : RPCBVERS4;
}

CLEANUP_DEFINE(struct rpcb_find, rpcb_find_free);

int rpcb_find_new(struct rpcb_find **findp, struct event_base *base,
		  const struct sockaddr *host, socklen_t len,
		  rpcprog_t prog, rpcvers_t vers, int protocol,
		  unsigned int timeout_ms, rpcb_find_fn done, void *user)
{
	_cleanup_(rpcb_find_freep) struct rpcb_find *find = NULL;
	struct timeval tv = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};
	int r;

	if (len > sizeof(find->host) ||
	    (host->sa_family != AF_INET && host->sa_family != AF_INET6))
		return -EAFNOSUPPORT;
	find = calloc(1, sizeof(*find));
	if (!find)
		return -ENOMEM;
	memcpy(&find->host, host, len);
	find->len = len;
	find->prog = prog;
	find->vers = vers;
	find->protocol = protocol;
	find->asked = first_to_ask(find);
	find->done = done;
	find->user = user;
	if (evtimer_assign(&find->deadline, base, on_deadline, find))
		return -ENOMEM;
	r = begin(find, base);
	if (r)
		return r;
	if (find->error)
		evutil_timerclear(&tv);
	evtimer_add(&find->deadline, &tv);
	*findp = steal_ptr(find);
	return 0;
}

struct rpcb_find *rpcb_find_free(struct rpcb_find *find)
{
	if (!find)
		return NULL;
	if (event_initialized(&find->deadline))
		event_del(&find->deadline);
	rpcclnt_free(find->clnt);
	free(find);
	return NULL;
}
