/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop - what the code under test has instead of libevent.
 */
#ifndef USBIP_TESTS_SIM_LOOP_H
#define USBIP_TESTS_SIM_LOOP_H

/* The only file descriptor that events wait for is readable. */
void loop_readable(void);

#endif
