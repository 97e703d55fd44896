/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer - the name of an address, for exports that are made to names. Asks the
 * name service in a thread of its own and keeps the answers for a while.
 */
#ifndef USBIP_SERVER_PEER_H
#define USBIP_SERVER_PEER_H

#include <sys/socket.h>

struct event_base;
struct peer_names;

/* name: one that the address has and that has the address, or NULL. */
typedef void (*peer_done_fn)(const char *name, void *user);

int peer_names_new(struct peer_names **namesp, struct event_base *base);
/* done() of what waits is not called. */
struct peer_names *peer_names_free(struct peer_names *names);

/* done() is called once, perhaps from in here. */
void peer_name(struct peer_names *names, const struct sockaddr *addr,
	       peer_done_fn done, void *user);

#endif
