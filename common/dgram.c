// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dgram - one UDP socket that does not block.
 */
#include "config.h"

#include "common/dgram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "common/gather.h"

/* Bytes that may wait in a socket: a burst of a fast path's round trip. The
 * system's limit holds where the program is not privileged. */
#define SOCKET_BUFFER (4 * 1024 * 1024)

#define PIECES (2 * GATHER_REFS + 1)
#define UDP_HEADER 8
#define IP_HEADER 20
#define IP6_HEADER 40

/* The family of fd, or -errno. */
static int family_of(int fd)
{
	int family;
	socklen_t len = sizeof(family);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len))
		return -errno;
	return family == AF_INET || family == AF_INET6 ? family : -EAFNOSUPPORT;
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static void set_buffers(int fd)
{
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER))
		set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER))
		set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
}

/* May datagrams be cut into fragments? */
static int allow_fragments(int fd, int family, bool allow)
{
	if (family == AF_INET)
		return set(fd, IPPROTO_IP, IP_MTU_DISCOVER,
			   allow ? IP_PMTUDISC_DONT : IP_PMTUDISC_DO);
	return set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
		   allow ? IPV6_PMTUDISC_DONT : IPV6_PMTUDISC_DO);
}

static int init(int fd, bool fragments)
{
	int flags = fcntl(fd, F_GETFL);
	int family = family_of(fd);

	if (family < 0)
		return family;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	set_buffers(fd);
	return allow_fragments(fd, family, fragments);
}

int dgram_init_answering(int fd)
{
	int r = init(fd, true);

	if (r)
		return r;
	if (family_of(fd) == AF_INET)
		return set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

int dgram_init_calling(int fd)
{
	return init(fd, false);
}

/* ---- datagrams ---------------------------------------------------------- */

/* Room for either kind of address, aligned. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void read_local(struct msghdr *msg, struct dgram_path *path)
{
	struct in6_pktinfo in6;
	struct in_pktinfo in;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&in, CMSG_DATA(c), sizeof(in));
			path->local.in = in.ipi_spec_dst;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&in6, CMSG_DATA(c), sizeof(in6));
			path->local.in6 = in6.ipi6_addr;
			path->interface = in6.ipi6_ifindex;
		}
}

ssize_t dgram_recv(int fd, void *data, size_t size, struct dgram_path *path)
{
	struct iovec iov = { data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t len;

	if (path) {
		memset(path, 0, sizeof(*path));
		msg.msg_name = &path->peer;
		msg.msg_namelen = sizeof(path->peer);
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	len = recvmsg(fd, &msg, 0);
	if (len < 0)
		return -errno;
	if (path)
		read_local(&msg, path);
	return len;
}

static void put(struct msghdr *msg, int level, int type, const void *data,
		size_t len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	msg->msg_controllen = CMSG_SPACE(len);
}

/* Send from where the call came to. The interface is given only where the
 * address needs it: what is routed is routed. */
static void put_local(struct msghdr *msg, const struct dgram_path *path)
{
	const struct in_pktinfo in = { .ipi_spec_dst = path->local.in };
	struct in6_pktinfo in6 = { .ipi6_addr = path->local.in6 };

	if (path->peer.ss_family == AF_INET) {
		put(msg, IPPROTO_IP, IP_PKTINFO, &in, sizeof(in));
		return;
	}
	if (IN6_IS_ADDR_LINKLOCAL(&in6.ipi6_addr))
		in6.ipi6_ifindex = path->interface;
	put(msg, IPPROTO_IPV6, IPV6_PKTINFO, &in6, sizeof(in6));
}

int dgram_send(int fd, const struct gather *g, const struct dgram_path *path)
{
	struct iovec iov[PIECES];
	struct msghdr msg = { .msg_iov = iov };
	union control control;

	msg.msg_iovlen = gather_iovec(g, GATHER_MARK, iov, PIECES);
	if (path) {
		msg.msg_name = (void *)&path->peer;
		msg.msg_namelen = path->peer.ss_family == AF_INET ?
				  sizeof(struct sockaddr_in) :
				  sizeof(struct sockaddr_in6);
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		put_local(&msg, path);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int dgram_send_long(int fd, const struct gather *g)
{
	int family = family_of(fd);
	int r;

	r = allow_fragments(fd, family, true);
	if (!r)
		r = dgram_send(fd, g, NULL);
	allow_fragments(fd, family, false);
	return r;
}

bool dgram_is_of_network(int error)
{
	switch (error) {
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EHOSTUNREACH:
	case -EHOSTDOWN:
	case -ENETUNREACH:
	case -ENETDOWN:
	case -EADDRNOTAVAIL:
	case -EACCES:
	case -EPROTO:
	case -ENOPROTOOPT:
		return true;
	default:
		return false;
	}
}

ssize_t dgram_room(int fd)
{
	int family = family_of(fd);
	bool v4 = family == AF_INET;
	int mtu, headers = (v4 ? IP_HEADER : IP6_HEADER) + UDP_HEADER;
	socklen_t len = sizeof(mtu);

	if (getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
		       v4 ? IP_MTU : IPV6_MTU, &mtu, &len))
		return -errno;
	return mtu > headers ? mtu - headers : -ERANGE;
}
