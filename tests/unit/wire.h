/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire - calls and replies made by hand, for tests that play a bare peer. */
#ifndef USBIP_TESTS_UNIT_WIRE_H
#define USBIP_TESTS_UNIT_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/event.h>

/*
 * Run the loop for that long, and then for as many rounds as it takes to get
 * everything through that is on its way within this process: on a busy
 * machine the time may be over when nothing has been done yet.
 */
static inline void run(struct event_base *base, unsigned int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
	for (int i = 0; i < 500; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Send words as one record; a long one needs the loop to run meanwhile. */
static inline void send_words(int fd, const uint32_t *words, size_t n)
{
	uint32_t wire[64];

	wire[0] = htonl(0x80000000u | 4 * n);
	for (size_t i = 0; i < n; i++)
		wire[i + 1] = htonl(words[i]);
	if (send(fd, wire, 4 * (n + 1), MSG_NOSIGNAL) != (ssize_t)(4 * (n + 1)))
		abort();
}

#define SEND(fd, ...) \
	send_words(fd, (uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

/* What has come: bytes, 0: the end, or -errno. */
static inline ssize_t take(int fd, void *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

/* One record of n words at most has come: they are in words; returns how
 * many, 0: the end, -EAGAIN: none. */
static inline int take_words(int fd, uint32_t *words, size_t n)
{
	uint32_t mark;
	ssize_t len = recv(fd, &mark, 4, MSG_DONTWAIT | MSG_PEEK);

	if (len <= 0)
		return len < 0 ? -errno : 0;
	recv(fd, &mark, 4, 0);
	mark = ntohl(mark) & 0x7fffffff;
	if (mark > 4 * n)
		abort();
	if (mark && recv(fd, words, mark, MSG_WAITALL) != (ssize_t)mark)
		abort();
	for (size_t i = 0; i < mark / 4; i++)
		words[i] = ntohl(words[i]);
	return mark / 4;
}

#endif
