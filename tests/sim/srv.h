/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srv - what the daemon of the simulation has of common/rpcsrv.h beside that.
 */
#ifndef USBIP_TESTS_SIM_SRV_H
#define USBIP_TESTS_SIM_SRV_H

/* Serve; user: of rpcsrv_user(). */
void srv_begin(void *user);
/* All connections are closed; no reply goes anywhere from now on. */
void srv_hang_up(void);
/* Every call must have been answered by now. */
void srv_end(void);

#endif
