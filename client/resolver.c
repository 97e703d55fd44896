// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolver - the addresses of a host, from the system's name service.
 *
 * getaddrinfo() blocks for as long as the name service likes, and can not be
 * given up. So a child calls it, which can be killed, and writes what it gets
 * into a pipe. A thread could not be ended; and what the system's modules for
 * names load and leave behind stays out of a helper, whose memory is locked.
 *
 * What is an address already is known at once, without a child.
 */
#include "config.h"

#include "client/resolver.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct resolver {
	struct event *event;
	int fd;				/* of the child's pipe; -1: no child */
	pid_t pid;
	struct resolver_answer answer;
	resolver_fn done;
	void *user;
};

/* So it is written at once, or not at all. */
_Static_assert(sizeof(struct resolver_answer) <= PIPE_BUF, "in one piece");

static int look_up(const char *host, int flags, struct resolver_answer *answer)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags,
	};
	struct addrinfo *list, *a;
	int error = getaddrinfo(host, NULL, &hints, &list);

	if (error)
		return error;
	for (a = list; a && answer->n < RESOLVER_MAX; a = a->ai_next) {
		struct resolver_addr *to = &answer->addrs[answer->n++];

		memcpy(&to->addr, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
	}
	freeaddrinfo(list);
	return 0;
}

/* ---- the child ------------------------------------------------------------ */

static void run_child(const char *host, struct resolver_answer *answer, int fd)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTERM };
	int out = dup2(fd, STDERR_FILENO + 1);

	/* The parent's handlers are not for here. */
	for (size_t i = 0; i < 3; i++)
		signal(signals[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The last close of the parent's files must be the parent's. */
	close_range(STDERR_FILENO + 2, ~0U, 0);
	answer->error = look_up(host, AI_ADDRCONFIG, answer);
	/* AI_ADDRCONFIG hides loopback addresses where there is no network. */
	if (answer->error == EAI_NONAME || answer->error == EAI_ADDRFAMILY)
		answer->error = look_up(host, 0, answer);
	_exit(write(out, answer, sizeof(*answer)) != sizeof(*answer));
}

/* ---- the parent ----------------------------------------------------------- */

static void reap(struct resolver *r)
{
	if (r->fd < 0)
		return;
	close(r->fd);
	r->fd = -1;
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void answered(evutil_socket_t fd, short what, void *user)
{
	struct resolver *r = user;

	/* A child that ends without a word has failed for good. */
	if (fd >= 0 && read(fd, &r->answer, sizeof(r->answer)) !=
	    sizeof(r->answer)) {
		r->answer.error = EAI_FAIL;
		r->answer.n = 0;
	}
	reap(r);
	/* The callback may free r. */
	r->done(&r->answer, r->user);
}

static int start_child(struct resolver *r, const char *host)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	r->pid = fork();
	if (!r->pid)
		run_child(host, &r->answer, fds[1]);
	close(fds[1]);
	if (r->pid > 0) {
		r->fd = fds[0];
		return 0;
	}
	close(fds[0]);
	return -EAGAIN;
}

int resolver_new(struct resolver **rp, struct event_base *base,
		 const char *host, resolver_fn done, void *user)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int error = 0;

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->done = done;
	r->user = user;
	if (look_up(host, AI_NUMERICHOST, &r->answer))
		error = start_child(r, host);
	if (!error) {
		r->event = event_new(base, r->fd, r->fd < 0 ? 0 : EV_READ,
				     answered, r);
		if (!r->event || (r->fd >= 0 && event_add(r->event, NULL)))
			error = -ENOMEM;
	}
	if (error) {
		resolver_free(r);
		return error;
	}
	if (r->fd < 0)
		event_active(r->event, EV_TIMEOUT, 1);
	*rp = r;
	return 0;
}

struct resolver *resolver_free(struct resolver *r)
{
	if (!r)
		return NULL;
	reap(r);
	if (r->event)
		event_free(r->event);
	free(r);
	return NULL;
}
