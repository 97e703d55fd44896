// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper - the process that answers for one attached device.
 *
 * In the background it is a child that leaves its parent's session, reports
 * through a pipe how the attachment went, and lives on with the log in syslog.
 * A parent that goes away before that takes the attachment with it.
 *
 * The device may be a disk that the system writes to in order to get memory
 * free. So the helper must not wait for memory itself: its pages are locked,
 * and the kernel is told not to do I/O for its allocations.
 */
#include "config.h"

#include "client/helper.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/attachment.h"
#include "client/cdev.h"
#include "client/ctl.h"
#include "client/sysfs.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/record.h"

#ifndef PR_SET_IO_FLUSHER	/* Linux 5.6 */
#define PR_SET_IO_FLUSHER 57
#endif

/* Through the pipe, once. Less than PIPE_BUF, so it comes whole. */
struct report {
	bool attached;
	struct failure failure;		/* .text also has the good news */
};

struct helper {
	const struct helper_options *options;
	struct event_base *base;
	struct attachment *attachment;
	struct event *signals[3];
	struct event *parent;		/* goes away before it was told */
	int pipe;			/* -1: in the foreground, or told */
	struct failure end;
};

static void lock_memory(void)
{
	int flags = MCL_CURRENT | MCL_FUTURE;

#ifdef __SANITIZE_ADDRESS__
	flags |= MCL_ONFAULT;	/* its shadow is terabytes of nothing */
#endif
	if (mlockall(flags))
		log_debug(LOG_TAG_PORT, "mlockall: %m");
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		log_debug(LOG_TAG_PORT, "PR_SET_IO_FLUSHER: %m");
}

/* To whoever waits at the other end. */
static void tell_parent(struct helper *h, bool attached,
			const struct failure *f)
{
	struct report report;

	if (h->pipe < 0)
		return;
	memset(&report, 0, sizeof(report));
	report.attached = attached;
	report.failure = *f;
	event_del(h->parent);
	if (write(h->pipe, &report, sizeof(report)) != sizeof(report))
		log_debug(LOG_TAG_PORT, "nobody to report to: %m");
	close(h->pipe);
	h->pipe = -1;
}

/* From here on there is no terminal to write to. */
static void leave_terminal(void)
{
	_cleanup_(cleanup_close) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_open("usbip-rpc", true);
	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

/* Or waited for: to whoever asked it is all the same what there is to say. */
static void attached(const char *text, void *user)
{
	struct helper *h = user;
	struct failure f;

	if (h->pipe < 0) {
		if (h->options->attached)
			h->options->attached(text);
		return;
	}
	failure_set(&f, FAILURE_NONE, "%s", text);
	tell_parent(h, true, &f);
	leave_terminal();
	log_info("%s", text);
}

static void ended(const struct failure *why, void *user)
{
	struct helper *h = user;

	h->end = *why;
	tell_parent(h, false, why);
	event_base_loopbreak(h->base);
}

static void on_signal(evutil_socket_t number, short what, void *user)
{
	struct helper *h = user;

	attachment_detach(h->attachment, strsignal((int)number));
}

static void parent_left(evutil_socket_t fd, short what, void *user)
{
	struct helper *h = user;

	attachment_detach(h->attachment, "nobody waits for it any more");
}

static int watch(struct helper *h)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT };

	for (size_t i = 0; i < 3; i++) {
		h->signals[i] = evsignal_new(h->base, numbers[i], on_signal, h);
		if (!h->signals[i] || evsignal_add(h->signals[i], NULL))
			return -ENOMEM;
	}
	if (h->pipe < 0)
		return 0;
	/* The write end of a pipe gets readable, so to speak, by EPOLLERR. */
	h->parent = event_new(h->base, h->pipe, EV_READ, parent_left, h);
	return h->parent && !event_add(h->parent, NULL) ? 0 : -ENOMEM;
}

static void run(struct helper *h)
{
	const struct helper_options *o = h->options;
	const struct attachment_config config = {
		.base = h->base,
		.host = o->host,
		.device = o->device,
		.udp = o->udp,
		.tcp_port = o->tcp_port,
		.port = o->port,
		.isoc_ms = o->isoc_ms,
		.timeout_ms = o->timeout_s * 1000,
		.follow_ms = o->follow_s * 1000,
		.persist = o->persist,
		.ctl_dir = CTL_DIR,
		.sysfs_dir = SYSFS_USB,
		.open = cdev_open,
		.attached = attached,
		.waits = attached,
		.ended = ended,
		.user = h,
	};

	if (watch(h)) {
		failure_set(&h->end, FAILURE_OTHER, "out of memory");
		return;
	}
	if (attachment_new(&h->attachment, &config, &h->end))
		return;
	/* Until ended() knows better. */
	failure_set(&h->end, FAILURE_OTHER, "the helper's event loop failed");
	event_base_dispatch(h->base);
	h->attachment = attachment_free(h->attachment);
}

/* The helper's life. `fd`: where to report to, -1: there is nobody. */
static struct failure live(const struct helper_options *options, int fd)
{
	struct helper h = { .options = options, .pipe = fd };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	umask(077);
	record_tune_malloc();
	lock_memory();
	h.base = event_base_new();
	if (h.base)
		run(&h);
	else
		failure_set(&h.end, FAILURE_OTHER, "out of memory");
	if (h.base && h.pipe >= 0)
		tell_parent(&h, false, &h.end);
	for (size_t i = 0; i < 3; i++)
		if (h.signals[i])
			event_free(h.signals[i]);
	if (h.parent)
		event_free(h.parent);
	if (h.base)
		event_base_free(h.base);
	return h.end;
}

/* Only the pipe to the parent stays: what a script left open behind it, a lock
 * say, must not be held for as long as the device is attached. */
static int keep_pipe_alone(int fd)
{
	int kept = dup2(fd, STDERR_FILENO + 1);

	if (kept < 0)
		return fd;
	close_range((unsigned int)kept + 1, ~0U, 0);
	return kept;
}

static int become(const struct helper_options *options, int fd)
{
	struct failure end;

	fd = keep_pipe_alone(fd);
	setsid();
	if (chdir("/"))
		log_debug(LOG_TAG_PORT, "chdir: %m");
	end = live(options, fd);
	return end.code;
}

/* What the child says, or that it says nothing. */
static int await(const struct helper_options *options, int fd, pid_t pid,
		 struct failure *f)
{
	struct report report;
	ssize_t n;

	do
		n = read(fd, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(report)) {
		waitpid(pid, NULL, 0);
		failure_set(f, FAILURE_OTHER,
			    "the helper process ended without a word "
			    "(see the system's log)");
		return -1;
	}
	*f = report.failure;
	if (!report.attached)
		return -1;
	if (options->attached)
		options->attached(report.failure.text);
	return 0;
}

int helper_run(const struct helper_options *options, struct failure *f)
{
	int fds[2], r;
	pid_t pid;

	if (options->foreground) {
		*f = live(options, -1);
		return f->code ? -1 : 0;
	}
	if (pipe2(fds, O_CLOEXEC)) {
		failure_set(f, FAILURE_OTHER, "pipe: %s", strerror(errno));
		return -1;
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		_exit(become(options, fds[1]));
	}
	close(fds[1]);
	if (pid < 0)
		failure_set(f, FAILURE_OTHER, "fork: %s", strerror(errno));
	r = pid < 0 ? -1 : await(options, fds[0], pid, f);
	close(fds[0]);
	return r;
}
