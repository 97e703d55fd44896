/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper - the helper of usbip-rpc, without a process of its own.
 */
#ifndef USBIP_TESTS_SIM_HELPER_H
#define USBIP_TESTS_SIM_HELPER_H

#include <stdbool.h>

/* Attach. When it has ended for a reason that the world has given it, it is
 * attached again, unless all is calm. */
void helper_begin(void);
/* The driver comes to an end. */
void helper_finish(void);
/* Is the driver at its end? */
bool helper_is_idle(void);
void helper_detach(void);
bool helper_is_gone(void);
void helper_end(void);

/* The network, the target or the device gives it a reason now, which may have
 * effects for some time. */
void helper_excuse(void);

#endif
