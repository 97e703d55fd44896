/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dgram - one UDP socket that does not block: datagrams in and out, and how
 * large they may be.
 *
 * The answering side has one bound socket for all peers. Its replies go out
 * from the address that the call came to, and may be fragmented by IP. The
 * calling side has a connected one, on which nothing is fragmented unless it
 * says so: what the path takes is found out that way (RFC 1191, RFC 8201).
 */
#ifndef USBIP_COMMON_DGRAM_H
#define USBIP_COMMON_DGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <netinet/in.h>

struct gather;

/* More than any datagram has. */
#define DGRAM_BUFFER 65536

/* Both ends of a datagram. */
struct dgram_path {
	struct sockaddr_storage peer;
	union {				/* ours, by the family of the peer */
		struct in_addr in;
		struct in6_addr in6;
	} local;
	unsigned int interface;
};

/* 0 or -errno. */
int dgram_init_answering(int fd);
int dgram_init_calling(int fd);

/* One datagram, whole; bytes or -errno. path may be NULL on a connected
 * socket. -EMSGSIZE: on a calling one, the path has become narrower. */
ssize_t dgram_recv(int fd, void *data, size_t size, struct dgram_path *path);
/* Send a message, but for its record mark. path may be NULL on a connected
 * socket. 0 or -errno. */
int dgram_send(int fd, const struct gather *g, const struct dgram_path *path);
/* The same on a calling socket, in fragments where it is too long. */
int dgram_send_long(int fd, const struct gather *g);
/* Does -errno of a calling socket say that the peer can not be reached? It may
 * be about an earlier datagram. */
bool dgram_is_of_network(int error);
/* Bytes that pass in one piece on a calling socket, as far as it is known;
 * -errno. */
ssize_t dgram_room(int fd);

#endif
