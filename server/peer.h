/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer - the name of an address, for exports that are made to names. Asks the
 * name service in threads of its own and keeps the answers for a while.
 */
#ifndef USBIP_SERVER_PEER_H
#define USBIP_SERVER_PEER_H

#include <sys/socket.h>

struct event_base;
struct peer_names;

/* What the name service says of an address. */
struct peer_name {
	const char *name;	/* it has the address, and the address has it */
	const char *groups;	/* of peer_names_groups(), those it is in */
};

/*
 * r 0: what name it has; NULL: none. It is there as long as this runs.
 * -EAGAIN, -ENOMEM: no room to ask; -ECANCELED: by peer_forget().
 */
typedef void (*peer_done_fn)(int r, const struct peer_name *name,
			     void *user);

int peer_names_new(struct peer_names **namesp, struct event_base *base);
/* At once: what is being asked is left behind. done() of what waits is not
 * called. */
struct peer_names *peer_names_free(struct peer_names *names);

/*
 * Which netgroups to ask about from now on: each name ends with a zero byte,
 * and the list with one more. They stay the caller's, and there, until the
 * next call. Answers that are known are forgotten.
 */
void peer_names_groups(struct peer_names *names, const char *groups);

/* done() is called once, perhaps from in here. caller: for peer_forget(). */
void peer_name(struct peer_names *names, const struct sockaddr *addr,
	       const void *caller, peer_done_fn done, void *user);
/* The caller (NULL: each) has gone: its done() are called, and what only it
 * wanted to know is not asked. */
void peer_forget(struct peer_names *names, const void *caller);

#endif
