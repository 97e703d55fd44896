/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svc - the RPC service: its sockets, its limits, and its registration at
 * rpcbind.
 */
#ifndef USBIP_SERVER_SVC_H
#define USBIP_SERVER_SVC_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct svc;
struct target;

#define SVC_LISTEN_MAX 16

struct svc_config {
	struct event_base *base;
	struct target *target;
	const char *listen[SVC_LISTEN_MAX];	/* addresses; none: all */
	size_t n_listen;
	unsigned int port;			/* 0: any */
	bool rpcbind;
};

/* Listens, and says where in the log. -errno, logged. */
int svc_new(struct svc **svcp, const struct svc_config *config);
/* Nobody new is to find it; blocks, for two seconds at most. */
void svc_withdraw(struct svc *svc);
/* Unregisters and closes everything. NULL is fine. */
struct svc *svc_free(struct svc *svc);

#endif
