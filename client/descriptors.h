/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * descriptors - those of a claimed device for which the answer of CLAIM had no
 * room, by FETCH, one piece after the other.
 */
#ifndef USBIP_CLIENT_DESCRIPTORS_H
#define USBIP_CLIENT_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#include "rpc/usbip.h"

struct rpcclnt;

struct descriptors {
	struct rpcclnt *clnt;
	uint64_t end;			/* see deadline.h */
	uint8_t *bytes;
	size_t len;
	usbip_fetch_args args;
	usbip_fetch_res res;
	/* The last call has ended so; all that it brought is there where that
	 * is success and OK. */
	void (*done)(const struct rpc_err *err, usbip_stat stat, void *user);
	void *user;
};

/* All zero, but for clnt, end, done and user; it lives until `done`, which may
 * be called from here. */
void descriptors_ask(struct descriptors *d, usbip_session session);
void descriptors_deinit(struct descriptors *d);

#endif
