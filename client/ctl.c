// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctl - the control socket of a helper.
 */
#include "config.h"

#include "client/ctl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/control.h"

#define PORTS_MAX	65536
/* Of a socket: unix(7). */
#define PATH_SIZE	108

struct ctl {
	struct ctl_config config;
	struct control *control;
	unsigned int port;
};

static int make_path(char *path, const char *dir, unsigned int port)
{
	int n = snprintf(path, PATH_SIZE, "%s/%u.sock", dir, port);

	return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

/* ---- the helper's side --------------------------------------------------- */

static void handle(struct control_peer *peer, const json_t *request, void *user)
{
	const char *verb = json_string_value(json_object_get(request, "request"));
	struct ctl *ctl = user;

	if (verb && !strcmp(verb, "status"))
		control_reply(peer, ctl->config.status(ctl->config.user));
	else if (verb && !strcmp(verb, "detach"))
		ctl->config.detach(ctl->config.user);	/* may free peer */
	else
		control_reply(peer, json_pack("{s:s}", "error",
					      "unknown request"));
}

static int take_port(struct ctl *ctl, unsigned int port)
{
	char path[PATH_SIZE];
	const struct control_config config = {
		.base = ctl->config.base,
		.path = path,
		.asked = handle,
		.user = ctl,
	};
	int r = make_path(path, ctl->config.dir, port);

	ctl->port = port;
	return r ? r : control_new(&ctl->control, &config);
}

static int take_any(struct ctl *ctl)
{
	int r = -EBUSY;

	if (ctl->config.port >= 0)
		return take_port(ctl, (unsigned int)ctl->config.port);
	for (unsigned int i = 0; i < PORTS_MAX && r == -EBUSY; i++)
		r = take_port(ctl, i);
	return r;
}

unsigned int ctl_port(const struct ctl *ctl)
{
	return ctl->port;
}

int ctl_new(struct ctl **ctlp, const struct ctl_config *config)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	int r;

	if (!ctl)
		return -ENOMEM;
	ctl->config = *config;
	r = take_any(ctl);
	if (r) {
		ctl_free(ctl);
		return r;
	}
	*ctlp = ctl;
	return 0;
}

void ctl_detached(struct ctl *ctl, bool released)
{
	struct control_peer *peer;

	control_withdraw(ctl->control);
	while ((peer = control_waiting(ctl->control, NULL)))
		control_reply(peer, json_pack("{s:b, s:b}", "ok", 1,
					      "released", released));
}

struct ctl *ctl_free(struct ctl *ctl)
{
	if (!ctl)
		return NULL;
	control_free(ctl->control);
	free(ctl);
	return NULL;
}

/* ---- the asking side ----------------------------------------------------- */

int ctl_ask(const char *dir, unsigned int port, const char *request,
	    unsigned int timeout_ms, json_t **replyp)
{
	char path[PATH_SIZE];
	int r = make_path(path, dir, port);

	return r ? r : control_ask(path, json_pack("{s:s}", "request", request),
				   timeout_ms, replyp);
}

void ctl_silent(struct failure *f, const char *dir, unsigned int port,
		int error)
{
	char path[PATH_SIZE], hint[80] = "";
	pid_t pid = make_path(path, dir, port) ? 0 : control_owner(path);

	if (pid > 0)
		snprintf(hint, sizeof(hint), "; if it hangs, kill -9 %d unplugs "
			 "the device", (int)pid);
	failure_set(f, error == -EACCES ? FAILURE_PERMISSION : FAILURE_OTHER,
		    "the helper of port %u does not answer: %s%s", port,
		    strerror(-error), hint);
}

static int compare_ports(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return (x > y) - (x < y);
}

int ctl_ports(const char *dir, unsigned int **portsp, size_t *np)
{
	_cleanup_(cleanup_free) unsigned int *ports = NULL;
	size_t n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	*portsp = NULL;
	*np = 0;
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		unsigned int port, *more;
		int end = 0;

		if (sscanf(e->d_name, "%u.sock%n", &port, &end) != 1 ||
		    !end || e->d_name[end])
			continue;
		more = reallocarray(ports, n + 1, sizeof(*ports));
		if (!more) {
			closedir(d);
			return -ENOMEM;
		}
		ports = more;
		ports[n++] = port;
	}
	closedir(d);
	if (n)
		qsort(ports, n, sizeof(*ports), compare_ports);
	*portsp = steal_ptr(ports);
	*np = n;
	return 0;
}
