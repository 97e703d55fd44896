// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who gets which port number, and what is listed.
 */
#include "config.h"

#include "client/ctl.h"

#include <errno.h>
#include <event2/event.h>
#include <regex.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/tap.h"

static char dir[] = "/tmp/usbip-ctl-XXXXXX";
static struct event_base *base;

static json_t *status(void *user)
{
	return NULL;
}

static void detach(void *user)
{
}

static int take(struct ctl **ctlp, int port)
{
	const struct ctl_config config = {
		.base = base,
		.dir = dir,
		.port = port,
		.status = status,
		.detach = detach,
	};

	*ctlp = NULL;
	return ctl_new(ctlp, &config);
}

/* As a helper leaves it that was killed. */
static void leave_socket(unsigned int port)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%u.sock", dir, port);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	close(fd);
}

static size_t count(unsigned int *ports)
{
	unsigned int *p;
	size_t n;

	if (ctl_ports(dir, &p, &n))
		return 99;
	for (size_t i = 0; i < n && i < 4; i++)
		ports[i] = p[i];
	free(p);
	return n;
}

static bool is_like(const char *text, const char *pattern)
{
	regex_t regex;
	bool is;

	if (regcomp(&regex, pattern, REG_NOSUB))
		abort();
	is = !regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return is;
}

int main(void)
{
	struct ctl *a, *b, *c, *d;
	unsigned int ports[4];
	json_t *o = NULL;
	char path[64], want[80];
	struct failure f;
	struct stat st;
	int r;

	base = event_base_new();
	if (!base || !mkdtemp(dir) || rmdir(dir))
		return 1;
	ok(count(ports) == 0, "no folder, no ports");
	ok(!take(&a, -1) && ctl_port(a) == 0, "the first is 0");
	ok(!stat(dir, &st) && (st.st_mode & 0777) == 0700, "the folder is private");
	ok(!take(&b, -1) && ctl_port(b) == 1, "then 1");
	ok(take(&c, 1) == -EBUSY, "1 is taken");
	ok(!take(&c, 10) && ctl_port(c) == 10, "10 is not");
	ok(count(ports) == 3 && ports[0] == 0 && ports[1] == 1 && ports[2] == 10,
	   "listed in order");
	a = ctl_free(a);
	ok(!take(&a, -1) && ctl_port(a) == 0, "what was given back is taken again");
	snprintf(want, sizeof(want), "port 0 does not answer: .* kill -9 %d ",
		 (int)getpid());
	r = ctl_ask(dir, 0, "status", 100, &o);
	ctl_silent(&f, dir, 0, r);
	ok(r == -ETIMEDOUT && is_like(f.text, want), "one that hangs is named: %s",
	   f.text);
	leave_socket(2);
	ok(ctl_ask(dir, 2, "status", 100, &o) == -ECONNREFUSED,
	   "nobody is behind a dead helper's");
	ok(!take(&d, -1) && ctl_port(d) == 2, "which is taken over");
	ok(ctl_ask(dir, 3, "status", 100, &o) == -ENOENT, "nor where there is none");
	ctl_free(a);
	ctl_free(b);
	ctl_free(c);
	ctl_free(d);
	ok(count(ports) == 0, "nothing is left");
	snprintf(path, sizeof(path), "%s/lock", dir);
	unlink(path);
	rmdir(dir);
	event_base_free(base);
	return tap_done();
}
