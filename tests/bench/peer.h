/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h - what rpc-peer and usbip-peer have in common, so that what differs
 * between them is the protocol: state and functions of a program; include it
 * once.
 */
#ifndef USBIP_TESTS_PEER_H
#define USBIP_TESTS_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Input and output; both hold many of the largest messages. Of the input bytes
 * [in_done, in_used) are not answered yet. */
static uint8_t in[16 << 20], out[16 << 20];
static size_t in_done, in_used, out_used;

/* A message that is there in part is moved seldom: a large batch comes in many
 * reads, and what is moved for each would be most of the cost. */
static inline void make_room(void)
{
	if (in_done < in_used && in_done < sizeof(in) / 2)
		return;
	memmove(in, in + in_done, in_used - in_done);
	in_used -= in_done;
	in_done = 0;
}

/*
 * Until the connection ends: read all there is, and write the replies to it
 * with one call. answer() appends to `out` the reply to the message at p, of
 * which n bytes are there, and returns the message's length; 0: it is not all
 * there.
 */
static inline void serve(int fd, size_t (*answer)(const uint8_t *p, size_t n))
{
	in_done = in_used = out_used = 0;
	for (;;) {
		ssize_t r = read(fd, in + in_used, sizeof(in) - in_used);
		size_t done, n;

		if (r <= 0)
			return;
		in_used += (size_t)r;
		while ((n = answer(in + in_done, in_used - in_done)))
			in_done += n;
		make_room();
		for (done = 0; done < out_used; done += (size_t)r) {
			r = write(fd, out + done, out_used - done);
			if (r <= 0)
				return;
		}
		out_used = 0;
	}
}

#endif
