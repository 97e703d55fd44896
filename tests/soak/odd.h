/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * odd - a controller as nobody wants one. It has a session, asks for megabytes
 * and reads no reply, as one that was stopped does; and its last call is half
 * a record. Beside it are strangers who send half a record, too. On and off.
 */
#ifndef USBIP_TESTS_SOAK_ODD_H
#define USBIP_TESTS_SOAK_ODD_H

#include <stdbool.h>
#include <stdint.h>

#define ODD_STRANGERS 16

struct odd {
	unsigned int port;
	uint64_t session;
	uint32_t next;			/* number on the endpoint */
	int fd;				/* -1: off */
	int strangers[ODD_STRANGERS];
};

/* Claims a device, which is a source; false: it is not to be had. */
bool odd_init(struct odd *odd, unsigned int port, const char *device);
void odd_on(struct odd *odd);
void odd_off(struct odd *odd);
/* Releases; false: the session was not there any more. */
bool odd_deinit(struct odd *odd);

#endif
