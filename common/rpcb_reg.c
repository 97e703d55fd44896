// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcb_reg - a service that stays registered with rpcbind.
 *
 * rpcbind forgets its services when it restarts (as Debian runs it), and
 * tells nobody. So a connection to its local socket is held: its end is seen
 * at once, and then it is tried again every RETRY_MS until rpcbind is back.
 * On each new connection every address is first unregistered, since rpcbind
 * refuses to overwrite, and the one that a killed service left may be another.
 * At the end only what is still ours is: by then it may be another service's.
 *
 *	AWAY	nothing; the timer runs
 *	ASKING	connected or connecting, calls are outstanding
 *	HELD	registered, or refused; the connection is held
 */
#include "common/rpcb.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <rpc/rpcb_prot.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/rpcclnt.h"

#define RETRY_MS 700
#define CALL_TIMEOUT_MS 5000
#define UNSET_TIMEOUT_MS 1000
#define RECORD_MAX (256 * 1024)		/* of the list, mostly */
/* "h1.h2....p1.p2" of RFC 5665, with an IPv6 address. */
#define UADDR_MAX (INET6_ADDRSTRLEN + 8)

enum state {
	STATE_AWAY,
	STATE_ASKING,
	STATE_HELD,
};

/* One address of a registration. */
struct entry {
	struct rpcb_reg *reg;
	char netid[8];
	char uaddr[UADDR_MAX];
	bool_t unset, set;	/* rpcbind's answers */
};

struct rpcb_reg {
	struct event_base *base;
	rpcprog_t prog;
	rpcvers_t vers;
	enum state state;
	struct rpcclnt *clnt;	/* but in AWAY */
	struct event retry;
	bool warned;		/* that rpcbind is not there */
	rpcblist_ptr list;	/* what was registered before us; rpcbind's */
	unsigned int n_asked;	/* calls outstanding */
	size_t n_entries;
	struct entry entries[];
};

/* ---- asking ------------------------------------------------------------- */

/* A call to rpcbind about an entry; done and user as of rpcclnt_next(). */
static bool ask(struct rpcclnt *clnt, rpcproc_t proc, struct entry *entry,
		bool_t *answer, unsigned int timeout, rpcclnt_done_fn done,
		void *user)
{
	static const struct timeval unused;
	char nobody[] = "";	/* rpcbind knows the owner by the socket */
	struct rpcb args = {
		.r_prog = entry->reg->prog,
		.r_vers = entry->reg->vers,
		.r_netid = entry->netid,
		.r_addr = entry->uaddr,
		.r_owner = nobody,
	};

	*answer = FALSE;
	rpcclnt_next(clnt, timeout, done, user);
	return clnt_call(rpcclnt_handle(clnt), proc, (xdrproc_t)xdr_rpcb,
			 (char *)&args, (xdrproc_t)xdr_bool, (char *)answer,
			 unused) == RPC_SUCCESS;
}

static void forget_list(struct rpcb_reg *reg)
{
	xdr_free((xdrproc_t)xdr_rpcblist_ptr, (char *)&reg->list);
	reg->list = NULL;
}

/* What is registered now, of all programs? Over a local socket GETADDR knows
 * no other transport's. */
static bool ask_list(struct rpcclnt *clnt, struct rpcb_reg *reg,
		     unsigned int timeout, rpcclnt_done_fn done, void *user)
{
	static const struct timeval unused;

	forget_list(reg);
	rpcclnt_next(clnt, timeout, done, user);
	return clnt_call(rpcclnt_handle(clnt), RPCBPROC_DUMP,
			 (xdrproc_t)(void (*)(void))xdr_void, NULL,
			 (xdrproc_t)xdr_rpcblist_ptr, (char *)&reg->list,
			 unused) == RPC_SUCCESS;
}

/* The address in the list that stands where entry's does, or NULL. */
static const char *listed(const struct entry *entry)
{
	rpcblist_ptr l;

	for (l = entry->reg->list; l; l = l->rpcb_next)
		if (l->rpcb_map.r_prog == entry->reg->prog &&
		    l->rpcb_map.r_vers == entry->reg->vers &&
		    !strcmp(l->rpcb_map.r_netid, entry->netid))
			return l->rpcb_map.r_addr;
	return NULL;
}

static bool is_ours(const struct entry *entry)
{
	const char *uaddr = listed(entry);

	return uaddr && !strcmp(uaddr, entry->uaddr);
}

/* A socket that is connected to the local rpcbind; -errno. */
static int connect_local(void)
{
	_cleanup_(cleanup_close) int fd = -1;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	strncpy(sun.sun_path, _PATH_RPCBINDSOCK, sizeof(sun.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		return -errno;
	return steal_fd(&fd);
}

/* A client of the local rpcbind. */
static int clnt_local(struct rpcclnt **clntp, struct event_base *base,
		      rpcclnt_closed_fn closed, void *user)
{
	const struct rpcclnt_config config = {
		.base = base,
		.prog = RPCBPROG,
		.vers = RPCBVERS4,
		.record_max = RECORD_MAX,
		.closed = closed,
		.user = user,
	};
	int fd = connect_local();
	int r;

	if (fd < 0)
		return fd;
	r = rpcclnt_new(clntp, fd, &config);
	if (r)
		close(fd);
	return r;
}

/* ---- registering -------------------------------------------------------- */

static const char *state_str(enum state state)
{
	switch (state) {
	case STATE_AWAY:
		return "away";
	case STATE_ASKING:
		return "asking";
	case STATE_HELD:
		return "held";
	}
	return "?";
}

/* The only writer of reg->state. */
static void set_state(struct rpcb_reg *reg, enum state next)
{
	log_debug(LOG_TAG_NET, "rpcbind: %s -> %s", state_str(reg->state), state_str(next));
	assert(next == STATE_AWAY || next == reg->state + 1);
	reg->state = next;
}

/* Without rpcbind for now; the connection is gone. */
static void go_away(struct rpcb_reg *reg, int error)
{
	const struct timeval tv = { .tv_usec = RETRY_MS * 1000 };

	if (!reg->warned)
		log_warning("rpcbind is not there (%s): not registered until it is",
			    strerror(error));
	reg->warned = true;
	if (reg->state != STATE_AWAY)
		set_state(reg, STATE_AWAY);
	evtimer_add(&reg->retry, &tv);
}

static void on_closed(int error, void *user)
{
	struct rpcb_reg *reg = user;

	reg->clnt = rpcclnt_free(reg->clnt);
	go_away(reg, -error);
}

/* All answers are there. */
static void tell_result(struct rpcb_reg *reg)
{
	set_state(reg, STATE_HELD);
	reg->warned = false;
	for (size_t i = 0; i < reg->n_entries; i++) {
		const struct entry *entry = &reg->entries[i];

		if (entry->set && listed(entry) && !is_ours(entry))
			log_warning("rpcbind had %s for %s: replaced. If another usbip-rpcd runs here, nobody finds it any more",
				    listed(entry), entry->netid);
		if (entry->set)
			log_info("registered with rpcbind: program %u, version %u, %s, %s",
				 (unsigned int)reg->prog,
				 (unsigned int)reg->vers, entry->netid,
				 entry->uaddr);
		else
			log_warning("rpcbind refused program %u on %s: another user's service has that number?",
				    (unsigned int)reg->prog, entry->netid);
	}
	forget_list(reg);
}

static void on_answer(const struct rpc_err *err, void *user)
{
	struct rpcb_reg *reg = user;

	reg->n_asked--;
	if (err->re_status == RPC_CANTRECV)
		return;		/* on_closed() follows, or it is us who close */
	if (err->re_status == RPC_TIMEDOUT) {
		if (reg->clnt) {
			rpcclnt_free(steal_ptr(reg->clnt));
			go_away(reg, ETIMEDOUT);
		}
		return;
	}
	if (err->re_status != RPC_SUCCESS)
		log_warning("rpcbind: %s", clnt_sperrno(err->re_status));
	if (!reg->n_asked)
		tell_result(reg);
}

/* Register everything over a new connection. */
static void register_all(struct rpcb_reg *reg)
{
	int r = clnt_local(&reg->clnt, reg->base, on_closed, reg);

	if (r) {
		go_away(reg, -r);
		return;
	}
	set_state(reg, STATE_ASKING);
	reg->n_asked += ask_list(reg->clnt, reg, CALL_TIMEOUT_MS, on_answer,
				 reg);
	for (size_t i = 0; i < reg->n_entries; i++) {
		struct entry *entry = &reg->entries[i];

		reg->n_asked += ask(reg->clnt, RPCBPROC_UNSET, entry,
				    &entry->unset, CALL_TIMEOUT_MS, on_answer,
				    reg);
		reg->n_asked += ask(reg->clnt, RPCBPROC_SET, entry, &entry->set,
				    CALL_TIMEOUT_MS, on_answer, reg);
	}
	if (!reg->n_asked) {
		reg->clnt = rpcclnt_free(reg->clnt);
		go_away(reg, ENOMEM);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *user)
{
	register_all(user);
}

/* ---- unregistering ------------------------------------------------------ */

static void on_unset(const struct rpc_err *err, void *user)
{
	unsigned int *n_asked = user;

	--*n_asked;
}

static void on_unset_closed(int error, void *user)
{
}

/* Blocking, over a connection and a loop of its own: those of the service
 * may be in any state by now. */
static void unregister_all(struct rpcb_reg *reg)
{
	struct event_base *base = event_base_new();
	struct rpcclnt *clnt = NULL;
	unsigned int n_asked = 0;

	if (!base)
		return;
	if (clnt_local(&clnt, base, on_unset_closed, NULL)) {
		event_base_free(base);
		return;
	}
	n_asked += ask_list(clnt, reg, UNSET_TIMEOUT_MS, on_unset, &n_asked);
	while (n_asked)
		event_base_loop(base, EVLOOP_ONCE);
	for (size_t i = 0; i < reg->n_entries; i++)
		if (is_ours(&reg->entries[i]))
			n_asked += ask(clnt, RPCBPROC_UNSET, &reg->entries[i],
				       &reg->entries[i].unset, UNSET_TIMEOUT_MS,
				       on_unset, &n_asked);
	while (n_asked)
		event_base_loop(base, EVLOOP_ONCE);
	rpcclnt_free(clnt);
	event_base_free(base);
}

/* ---- life --------------------------------------------------------------- */

/* addr in the form of RFC 5665, section 5.2.3. */
static int make_uaddr(char uaddr[UADDR_MAX],
		      const struct sockaddr_storage *addr)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;
	char host[INET6_ADDRSTRLEN];
	const void *bytes;
	uint16_t port;

	if (addr->ss_family == AF_INET) {
		bytes = &sin->sin_addr;
		port = ntohs(sin->sin_port);
	} else if (addr->ss_family == AF_INET6) {
		bytes = &sin6->sin6_addr;
		port = ntohs(sin6->sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	if (!inet_ntop(addr->ss_family, bytes, host, sizeof(host)))
		return -errno;
	snprintf(uaddr, UADDR_MAX, "%s.%u.%u", host, port >> 8, port & 0xff);
	return 0;
}

int rpcb_reg_new(struct rpcb_reg **regp, struct event_base *base,
		 rpcprog_t prog, rpcvers_t vers,
		 const struct rpcb_addr *addrs, size_t n)
{
	_cleanup_(cleanup_free) struct rpcb_reg *reg = NULL;
	int r;

	reg = calloc(1, sizeof(*reg) + n * sizeof(reg->entries[0]));
	if (!reg)
		return -ENOMEM;
	reg->base = base;
	reg->prog = prog;
	reg->vers = vers;
	reg->n_entries = n;
	for (size_t i = 0; i < n; i++) {
		struct entry *entry = &reg->entries[i];

		entry->reg = reg;
		memcpy(entry->netid, addrs[i].netid, sizeof(entry->netid) - 1);
		r = make_uaddr(entry->uaddr, &addrs[i].addr);
		if (r)
			return r;
	}
	if (evtimer_assign(&reg->retry, base, on_retry, reg))
		return -ENOMEM;
	register_all(reg);
	*regp = steal_ptr(reg);
	return 0;
}

struct rpcb_reg *rpcb_reg_free(struct rpcb_reg *reg)
{
	if (!reg)
		return NULL;
	event_del(&reg->retry);
	rpcclnt_free(steal_ptr(reg->clnt));
	unregister_all(reg);
	forget_list(reg);
	free(reg);
	return NULL;
}
