// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When the other end is asked, and what its silence means.
 */
#include "client/pulse.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tap.h"

/* A TCP connection on loopback that has just carried a byte. */
static int tcp(int *otherp)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);

	if (l < 0 || c < 0 || bind(l, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(l, 1) || getsockname(l, (struct sockaddr *)&addr, &len) ||
	    connect(c, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	*otherp = accept(l, NULL, NULL);
	close(l);
	if (*otherp < 0 || send(c, "x", 1, 0) != 1)
		abort();
	return c;
}

int main(void)
{
	int fds[2], udp, other, fd = tcp(&other);
	struct pulse p;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return 1;
	pulse_begin(&p, fds[0]);
	ok(!pulse_tick(&p, false) && !pulse_tick(&p, false) &&
	   pulse_tick(&p, false), "RENEW goes at a third of the lease");
	pulse_renews(&p);
	ok(!pulse_tick(&p, false), "and then again");
	pulse_heard(&p);
	ok(!pulse_tick(&p, true), "answers come: there is nothing to ask");
	pulse_renews(&p);
	ok(pulse_tick(&p, true), "answers are due and none came: it is asked");
	pulse_renews(&p);
	ok(!pulse_is_there(&p), "no answer, and nothing known: not there");
	pulse_heard(&p);
	ok(pulse_is_there(&p), "another answer came meanwhile: there");

	pulse_begin(&p, fd);
	pulse_renews(&p);
	ok(pulse_is_there(&p), "its TCP has acknowledged just now: there");
	for (int i = 0; i < PULSE_TICKS; i++)
		pulse_tick(&p, true);
	ok(!pulse_is_there(&p), "but not for a lease without an answer");
	if (send(other, "y", 1, 0) != 1)
		return 1;
	ok(pulse_is_there(&p), "a byte came in: there");
	for (int i = 0; i < PULSE_TICKS; i++)
		pulse_tick(&p, true);
	ok(!pulse_is_there(&p), "and then no more: not");
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	pulse_begin(&p, udp);
	pulse_renews(&p);
	ok(!pulse_is_there(&p), "over UDP nothing but an answer counts");
	pulse_heard(&p);
	ok(pulse_is_there(&p), "and any does");
	close(udp);
	close(fd);
	close(other);
	close(fds[0]);
	close(fds[1]);
	return tap_done();
}
