/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host - whose call it is, for what each may have its share of: an address of
 * IPv4, or a network of IPv6, of which a host has as many addresses as it likes.
 */
#ifndef USBIP_SERVER_HOST_H
#define USBIP_SERVER_HOST_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* IPv4 in the form of IPv6, as sockets for both have it; of IPv6 64 bits. */
static inline struct in6_addr host_of(const struct sockaddr *addr)
{
	struct in6_addr host = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	const struct in6_addr *from =
		&((const struct sockaddr_in6 *)addr)->sin6_addr;

	if (addr->sa_family == AF_INET)
		memcpy(host.s6_addr + 12,
		       &((const struct sockaddr_in *)addr)->sin_addr, 4);
	else if (addr->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(from))
		host = *from;
	else if (addr->sa_family == AF_INET6)
		memcpy(memset(&host, 0, sizeof(host)), from, 8);
	return host;
}

#endif
