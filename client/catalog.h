/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * catalog - the devices of a target, as LIST tells them.
 */
#ifndef USBIP_CLIENT_CATALOG_H
#define USBIP_CLIENT_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "client/failure.h"
#include "rpc/usbip.h"

struct catalog {
	usbip_device *devices;		/* each owns its strings */
	size_t n;
};

/*
 * Ask `host` (at tcp_port; 0: where rpcbind says) and wait, timeout_s for all
 * of it. 0, and *c is to be freed by catalog_deinit(); -1, and *f says why.
 */
int catalog_fetch(struct catalog *c, const char *host, uint16_t tcp_port,
		  unsigned int timeout_s, struct failure *f);
void catalog_deinit(struct catalog *c);

#endif
