/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host - the address of a host, whichever port and family it calls with. */
#ifndef USBIP_SERVER_HOST_H
#define USBIP_SERVER_HOST_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* IPv4 in the form of IPv6, as sockets for both have it. */
static inline struct in6_addr host_of(const struct sockaddr *addr)
{
	struct in6_addr host = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (addr->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)addr)->sin6_addr;
	if (addr->sa_family == AF_INET)
		memcpy(host.s6_addr + 12,
		       &((const struct sockaddr_in *)addr)->sin_addr, 4);
	return host;
}

#endif
