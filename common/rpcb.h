/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpcb - rpcbind (RFC 1833), asynchronous both ways: keep a service
 * registered, and find one at a host.
 */
#ifndef USBIP_COMMON_RPCB_H
#define USBIP_COMMON_RPCB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <rpc/rpc.h>

struct event_base;
struct rpcb_reg;
struct rpcb_find;

struct rpcb_addr {
	char netid[8];			/* "tcp", "tcp6", "udp", "udp6" */
	struct sockaddr_storage addr;	/* as getsockname() gave it */
};

/*
 * Register (prog, vers) at the local rpcbind under each of the n addresses,
 * and again whenever rpcbind restarts. Does not fail where rpcbind is not
 * there: says so once in the log, and goes on trying. -errno: out of memory.
 */
int rpcb_reg_new(struct rpcb_reg **regp, struct event_base *base,
		 rpcprog_t prog, rpcvers_t vers,
		 const struct rpcb_addr *addrs, size_t n);
/* Unregisters (blocking, one second at most) and frees. NULL is fine. */
struct rpcb_reg *rpcb_reg_free(struct rpcb_reg *reg);

/* Why a look-up failed. */
enum rpcb_why {
	RPCB_FOUND,
	RPCB_NO_HOST,		/* the host could not be reached: error */
	RPCB_NO_RPCBIND,	/* the host is there, port 111 refused */
	RPCB_NOT_REGISTERED,	/* rpcbind answered: no such program */
	RPCB_TIMED_OUT,
};

/* addr: where the service is, with its port (RPCB_FOUND), else NULL.
 * error: -errno where there is one. Frees nothing: call rpcb_find_free(). */
typedef void (*rpcb_find_fn)(enum rpcb_why why, int error,
			     const struct sockaddr *addr, socklen_t len,
			     void *user);

/* Ask rpcbind at `host` (an address with port 111 or another) over TCP where
 * the service is on protocol (IPPROTO_TCP, IPPROTO_UDP). */
int rpcb_find_new(struct rpcb_find **findp, struct event_base *base,
		  const struct sockaddr *host, socklen_t len,
		  rpcprog_t prog, rpcvers_t vers, int protocol,
		  unsigned int timeout_ms, rpcb_find_fn done, void *user);
struct rpcb_find *rpcb_find_free(struct rpcb_find *find);

#endif
