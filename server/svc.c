// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * svc - the RPC service. Owns the engine's service object and the
 * registration; what calls do is proc_*.c's.
 *
 * Each address has a socket of TCP and one of UDP, and all of them have one
 * port number, so that a firewall needs one number. With "any port" the first
 * socket gets one from the system and the others have to get the same: where
 * that is taken, it is all tried again.
 */
#include "server/svc.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/rpcb.h"
#include "common/rpcsrv.h"
#include "rpc/usbip.h"
#include "server/proc.h"
#include "server/session.h"

#define BACKLOG 64
#define TRIES 16
/* One controller may come for all that a target has, at once. */
#define CONNS_PEER 256
#define CONNS 1024
/* Descriptors of a session: its connection, its worker, its device twice
 * (backend_libusb_raw.c); and those that no session has. */
#define FDS_SESSION 4
#define FDS_OTHER 24
/* Of one connection with a session. Its URBs are bounded by the window and the
 * rows of endpoints and streams, of which each may have one beyond it: they are
 * not to reach this, as the calls that end others would not be read then. */
#define CALLS 65536
/* A stream and a datagram one for each address. */
#define SOCKETS (2 * SVC_LISTEN_MAX)

/* Made by rpcgen, which declares it nowhere. */
void usbip_program_1(struct svc_req *rq, SVCXPRT *xprt);

struct svc {
	struct rpcsrv *srv;
	struct rpcb_reg *reg;
	int fds[SOCKETS];
	size_t n_fds;
	struct rpcb_addr addrs[SOCKETS];
};

CLEANUP_DEFINE(struct svc, svc_free);

static void set_port(struct sockaddr *sa, unsigned int port)
{
	if (sa->sa_family == AF_INET)
		((struct sockaddr_in *)sa)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)sa)->sin6_port = htons(port);
}

static unsigned int port_of(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)ss)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
}

/* A socket that is called at, or -errno. Of datagrams nobody else is to have
 * a part, so they do without SO_REUSEADDR. */
static int open_at(const struct sockaddr *sa, socklen_t len, int type)
{
	bool stream = type == SOCK_STREAM;
	_cleanup_(cleanup_close) int fd = -1;
	int one = 1;

	fd = socket(sa->sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    (stream &&
	     setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one))) ||
	    (sa->sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    bind(fd, sa, len) || (stream && listen(fd, BACKLOG)))
		return -errno;
	return steal_fd(&fd);
}

static const char *netid_of(int family, int type)
{
	if (type == SOCK_STREAM)
		return family == AF_INET ? "tcp" : "tcp6";
	return family == AF_INET ? "udp" : "udp6";
}

static int add_socket(struct svc *svc, struct sockaddr *sa, socklen_t len,
		      int type, unsigned int *port)
{
	struct rpcb_addr *a = &svc->addrs[svc->n_fds];
	socklen_t size = sizeof(a->addr);
	int fd;

	if (svc->n_fds == SOCKETS)
		return -E2BIG;
	set_port(sa, *port);
	fd = open_at(sa, len, type);
	if (fd < 0)
		return fd;
	svc->fds[svc->n_fds++] = fd;
	if (getsockname(fd, (struct sockaddr *)&a->addr, &size))
		return -errno;
	strcpy(a->netid, netid_of(sa->sa_family, type));
	*port = port_of(&a->addr);
	return 0;
}

/* Of a link-local address: there may be one on each link. */
static uint32_t scope_of(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET6 ?
	       ((const struct sockaddr_in6 *)addr)->sin6_scope_id : 0;
}

/* Is it listened at? A name may mean what an address said already. */
static bool has_address(const struct svc *svc, const struct sockaddr *sa)
{
	const struct sockaddr_storage *want = (const void *)sa, *had;

	for (size_t i = 0; i < svc->n_fds; i++) {
		had = &svc->addrs[i].addr;
		if (rpcsrv_same_host(had, want) &&
		    scope_of(had) == scope_of(want))
			return true;
	}
	return false;
}

/* -EAFNOSUPPORT: there is no such kind of address here. -ENXIO: it is none, and
 * that is said. */
static int add_address(struct svc *svc, const char *address, int family,
		       unsigned int *port)
{
	const struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	};
	struct addrinfo *list, *ai;
	int r;

	r = getaddrinfo(address, "0", &hints, &list);
	if (r) {
		log_error("--listen %s: %s", address ? address : "*",
			  gai_strerror(r));
		return -ENXIO;
	}
	for (ai = list; ai && !r; ai = ai->ai_next) {
		if (has_address(svc, ai->ai_addr))
			continue;
		r = add_socket(svc, ai->ai_addr, ai->ai_addrlen, SOCK_STREAM,
			       port);
		if (!r)
			r = add_socket(svc, ai->ai_addr, ai->ai_addrlen,
				       SOCK_DGRAM, port);
	}
	freeaddrinfo(list);
	return r;
}

static int add_all(struct svc *svc, const struct svc_config *config,
		   unsigned int *port)
{
	int r;

	for (size_t i = 0; i < config->n_listen; i++) {
		r = add_address(svc, config->listen[i], AF_UNSPEC, port);
		if (r)
			return r;
	}
	if (config->n_listen)
		return 0;
	r = add_address(svc, NULL, AF_INET, port);
	if (r)
		return r;
	r = add_address(svc, NULL, AF_INET6, port);
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL ? 0 : r;
}

static void close_sockets(struct svc *svc)
{
	while (svc->n_fds)
		if (svc->fds[--svc->n_fds] >= 0)
			close(svc->fds[svc->n_fds]);
}

static int open_sockets(struct svc *svc, const struct svc_config *config,
			unsigned int *port)
{
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		*port = config->port;
		r = add_all(svc, config, port);
		if (r != -EADDRINUSE || config->port)
			break;
		close_sockets(svc);
	}
	if (r == -ENXIO)
		return -EADDRNOTAVAIL;
	if (r)
		log_error("can not listen on port %u: %s%s", *port, strerror(-r),
			  r == -EACCES ? " (be root, or choose one above 1023)" :
			  r == -EADDRINUSE ? " (is another usbip-rpcd running?)" :
			  "");
	return r;
}

/* Who calls these by datagram has to be where it says. A session's home will do
 * for its own EVENTS (see there): those of all devices can be asked for by
 * anybody, and are not taken in the name of another. */
static bool needs_proof(rpcproc_t proc)
{
	return proc == USBIP_EVENTS;
}

static bool needs_cookie(rpcproc_t proc)
{
	return proc == USBIP_CLAIM || proc == USBIP_LIST;
}

/* Where calls come to the i-th socket, which is the service's from now on. */
static int serve_socket(struct svc *svc, size_t i)
{
	int r = svc->addrs[i].netid[0] == 'u' ?
		rpcsrv_listen_dgram(svc->srv, svc->fds[i]) :
		rpcsrv_listen(svc->srv, svc->fds[i]);

	if (!r)
		svc->fds[i] = -1;
	return r;
}

/* Connections that leave, if all were sessions', descriptors for their devices:
 * strangers must not have those. */
static unsigned int conns_max(void)
{
	struct rlimit limit;
	rlim_t n;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return CONNS;
	n = limit.rlim_cur > FDS_OTHER + FDS_SESSION ?
	    (limit.rlim_cur - FDS_OTHER) / FDS_SESSION : 1;
	return n < CONNS ? n : CONNS;
}

static int serve(struct svc *svc, const struct svc_config *config)
{
	struct rpcsrv_config c = {
		.base = config->base,
		.prog = USBIP_PROGRAM,
		.vers_low = USBIP_V1,
		.vers_high = USBIP_V1,
		.dispatch = usbip_program_1,
		.needs_proof = needs_proof,
		.needs_cookie = needs_cookie,
		.conn_closed = proc_conn_closed,
		.user = config->target,
	};
	const struct sessions *ss = &config->target->sessions;
	size_t record_max = USBIP_DATA_MAX + USBIP_RECORD_EXTRA, n = svc->n_fds;
	int r;

	rpcsrv_limits_default(&c.limits, record_max);
	c.limits.record_small = USBIP_RECORD_EXTRA;
	c.limits.conns = conns_max();
	c.limits.conns_peer = CONNS_PEER;
	c.limits.calls = CALLS;
	c.limits.bytes = 2 * (ss->max_bytes + record_max);
	r = rpcsrv_new(&svc->srv, &c);
	for (size_t i = 0; !r && i < n; i++)
		r = serve_socket(svc, i);
	return r;
}

int svc_new(struct svc **svcp, const struct svc_config *config)
{
	_cleanup_(svc_freep) struct svc *svc = calloc(1, sizeof(*svc));
	unsigned int port;
	size_t n;
	int r;

	if (!svc)
		return -ENOMEM;
	r = open_sockets(svc, config, &port);
	if (r)
		return r;
	n = svc->n_fds;
	r = serve(svc, config);
	if (!r && config->rpcbind)
		r = rpcb_reg_new(&svc->reg, config->base, USBIP_PROGRAM,
				 USBIP_V1, svc->addrs, n);
	if (r) {
		log_error("can not serve: %s", strerror(-r));
		return r;
	}
	log_info("listening on port %u", port);
	*svcp = steal_ptr(svc);
	return 0;
}

void svc_withdraw(struct svc *svc)
{
	svc->reg = rpcb_reg_free(svc->reg);
}

struct svc *svc_free(struct svc *svc)
{
	if (!svc)
		return NULL;
	rpcb_reg_free(svc->reg);
	rpcsrv_free(svc->srv);
	close_sockets(svc);
	free(svc);
	return NULL;
}
