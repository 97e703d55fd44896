/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proxy - a TCP relay on loopback whose connections a test can cut, hold up,
 * delay and refuse.
 */
#ifndef USBIP_TESTS_PROXY_H
#define USBIP_TESTS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

/* Relays to 127.0.0.1:to. The port that it listens at. There is one. */
uint16_t proxy_begin(struct event_base *base, uint16_t to);
void proxy_end(void);
/* Cut what is connected, and be at this address from now on, at the same port:
 * before, it is 127.0.0.1. */
void proxy_move(const char *address);
/* Cut what is connected, with a reset. */
void proxy_cut(void);
/* Cut it when so many more bytes have been relayed from the target. */
void proxy_cut_after(uint64_t bytes);
/* Relay so many bytes a second at most; 0: what there is. For connections
 * that are there. */
void proxy_slow(size_t rate);
/* Relay each byte so much later. */
void proxy_delay(unsigned int ms);
/* While refusing, new connections are closed at once. */
void proxy_refuse(bool yes);
unsigned int proxy_accepted(void);

#endif
