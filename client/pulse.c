// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pulse - whether the other end of a connection is still there.
 *
 * TCP finds out by itself, but late: when a route comes back after seconds it
 * waits for as long again before it sends once more, and a new connection is
 * there much sooner. So where answers are due and nothing comes, the other end
 * is asked, and a connection that is dead is given up after seconds.
 *
 * A slow link is not a dead one: a RENEW may stand behind megabytes of OUT
 * data, and its answer behind megabytes that were read. As long as replies
 * come, or data moves either way, it is there. An other end whose TCP takes
 * everything and which says nothing to it is not, after a lease.
 *
 * Over UDP replies are all that there is: RENEW does not wait behind anything
 * there, and is sent again until its time is over.
 */
#include "client/pulse.h"

#include <linux/tcp.h>	/* has all of tcp_info */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static int get_info(const struct pulse *p, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, info, &len);
}

/* Since the last look: did data come in, or go out with more behind it? */
static void look_for_data(struct pulse *p, const struct tcp_info *info)
{
	if (info->tcpi_bytes_received != p->received ||
	    (info->tcpi_bytes_acked != p->acked &&
	     (info->tcpi_unacked || info->tcpi_notsent_bytes)))
		p->silent = 0;
	p->received = info->tcpi_bytes_received;
	p->acked = info->tcpi_bytes_acked;
}

void pulse_begin(struct pulse *p, int fd)
{
	memset(p, 0, sizeof(*p));
	p->fd = fd;
}

void pulse_heard(struct pulse *p)
{
	p->heard++;
	p->silent = 0;
}

bool pulse_tick(struct pulse *p, bool waiting)
{
	bool quiet = p->heard == p->at_tick;
	struct tcp_info info;

	p->at_tick = p->heard;
	p->ticks++;
	p->silent++;
	if (!get_info(p, &info))
		look_for_data(p, &info);
	return p->ticks >= PULSE_TICKS / 3 || (waiting && quiet);
}

void pulse_renews(struct pulse *p)
{
	p->ticks = 0;
	p->at_renew = p->heard;
}

bool pulse_is_there(struct pulse *p)
{
	struct tcp_info info;

	if (p->heard != p->at_renew)
		return true;
	if (get_info(p, &info))
		return false;
	look_for_data(p, &info);
	if (p->silent >= PULSE_TICKS)
		return false;
	return !p->silent || info.tcpi_last_ack_recv < PULSE_TIMEOUT_MS;
}
