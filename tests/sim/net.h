/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net - the simulated network: messages of two parties that call each other
 * controller and target, over streams or as datagrams.
 *
 * A stream keeps order and loses nothing until it is cut: then what was on its
 * way is lost from some message on, in each direction, and each side hears of
 * the cut some time, or never. A partition holds up what streams carry.
 * A datagram is late, lost, doubled or overtaken, for itself.
 */
#ifndef USBIP_TESTS_SIM_NET_H
#define USBIP_TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_conn;

enum net_side { NET_CONTROLLER, NET_TARGET };

struct net_handlers {
	void (*received)(const uint8_t *data, size_t len, void *user);
	/* Of streams: the other side has closed it, or it was cut. */
	void (*closed)(void *user);
};

void net_begin(void);
void net_end(void);

/* Who answers; NULL: nobody does, all connections are gone. The target's side
 * is taken by net_take() in here. */
void net_listen(void (*accepted)(struct net_conn *conn));
/* Can the controller make a new connection now? */
bool net_reachable(void);
bool net_partitioned(void);
/* A new one, or NULL. */
struct net_conn *net_connect(void);
/* What the code under test takes for a socket. */
int net_fd(const struct net_conn *conn);
struct net_conn *net_of_fd(int fd);
unsigned int net_number(const struct net_conn *conn);
bool net_is_datagram(const struct net_conn *conn);

void net_take(struct net_conn *conn, enum net_side side,
	      const struct net_handlers *handlers, void *user);
void net_send(struct net_conn *conn, enum net_side from, const void *data,
	      size_t len);
/* No handler is called any more. */
void net_close(struct net_conn *conn, enum net_side side);

/* Disturbances. */
void net_cut(void);			/* the streams that there are */
void net_partition(bool on);

#endif
