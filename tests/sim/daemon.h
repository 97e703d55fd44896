/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon - usbip-rpcd, without a process of its own.
 */
#ifndef USBIP_TESTS_SIM_DAEMON_H
#define USBIP_TESTS_SIM_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void daemon_begin(void);
/*
 * It ends its sessions and stops. abrupt: it is killed, and nobody is told;
 * what it ran is cancelled, as the system closes its files.
 */
void daemon_stop(bool abrupt);
bool daemon_is_up(void);
/* A call has been dispatched. */
void daemon_dispatched(const uint8_t *data, size_t len);
/* After it has stopped. */
void daemon_end(void);

#endif
