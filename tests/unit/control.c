// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket: who may have its name, who is asked, and answers that
 * are long, or late, or do not come.
 */
#include "config.h"

#include "common/control.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"

#define LONG	300000		/* more than a socket takes at once */

static char dir[] = "/tmp/usbip-control-XXXXXX";
static char path[64], lock[64];
static struct event_base *base;

static void handle(struct control_peer *peer, const json_t *request, void *user)
{
	const char *verb = json_string_value(json_object_get(request, "request"));
	char *text;

	if (verb && !strcmp(verb, "late")) {
		control_keep(peer, strdup("late"));
	} else if (verb && !strcmp(verb, "long")) {
		text = calloc(1, LONG + 1);
		memset(text, 'x', LONG);
		control_reply(peer, json_pack("{s:s}", "text", text));
		free(text);
	} else if (verb && !strcmp(verb, "nothing")) {
		control_reply(peer, NULL);
	} else {
		control_reply(peer, json_pack("{s:i}", "n", 1));
	}
}

static int take(struct control **controlp)
{
	const struct control_config config = {
		.base = base,
		.path = path,
		.asked = handle,
	};

	*controlp = NULL;
	return control_new(controlp, &config);
}

/* Ask in a process of its own: it waits. Its exit code: -r, or 100 and with
 * `length` the text is so long. */
static pid_t begin_ask(const char *verb, size_t length, unsigned int ms)
{
	pid_t pid = fork();
	json_t *reply = NULL;
	int r;

	if (pid)
		return pid;
	r = control_ask(path, json_pack("{s:s}", "request", verb), ms, &reply);
	_exit(r ? -r : json_string_length(json_object_get(reply, "text")) ==
		       length ? 100 : 101);
}

static int end_ask(pid_t pid)
{
	int status = 0;

	while (!waitpid(pid, &status, WNOHANG)) {
		const struct timeval tv = { 0, 5000 };

		event_base_loopexit(base, &tv);
		event_base_dispatch(base);
	}
	return WEXITSTATUS(status);
}

static int ask(const char *verb, size_t length)
{
	return end_ask(begin_ask(verb, length, 60000));
}

/* As a program leaves it that was killed. */
static void leave_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	close(fd);
}

/* What is no JSON, and what does not end: the answer, or "". */
static void send_raw(const char *text, size_t n, char *answer)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ssize_t got = -1;

	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	while (n--)
		send(fd, text, strlen(text), MSG_NOSIGNAL);
	for (int i = 0; i < 200 && got < 0; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		got = recv(fd, answer, 64, MSG_DONTWAIT);
		if (got < 0 && errno != EAGAIN)
			break;
		usleep(1000);
	}
	answer[got > 0 ? got : 0] = 0;
	close(fd);
}

static int count_waiting(struct control *control)
{
	struct control_peer *peer;
	int n = 0;

	for (peer = control_waiting(control, NULL); peer;
	     peer = control_waiting(control, peer))
		n++;
	return n;
}

static void test_late(struct control *control)
{
	pid_t one = begin_ask("late", 0, 60000), other = begin_ask("late", 0, 60000);
	pid_t gone = begin_ask("late", 0, 200);
	struct control_peer *peer;

	ok(end_ask(gone) == ETIMEDOUT, "an answer that does not come: a time-out");
	while (count_waiting(control) != 2)
		event_base_loop(base, EVLOOP_ONCE);
	ok(true, "who has gone does not wait any more");
	peer = control_waiting(control, NULL);
	ok(!strcmp(control_kept(peer), "late"), "who waits is known, with what for");
	while ((peer = control_waiting(control, NULL)))
		control_reply(peer, json_object());
	ok(end_ask(one) == 100 && end_ask(other) == 100, "and is answered late");
}

int main(void)
{
	struct control *a, *b;
	char answer[65];
	struct stat st;

	base = event_base_new();
	if (!base || !mkdtemp(dir) || rmdir(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/x.sock", dir);
	snprintf(lock, sizeof(lock), "%s/lock", dir);
	ok(ask("short", 0) == ENOENT, "nobody is there");
	ok(!take(&a), "the first has the name");
	ok(!stat(dir, &st) && (st.st_mode & 0777) == 0700 &&
	   !stat(path, &st) && (st.st_mode & 0777) == 0600,
	   "folder and socket are private");
	ok(take(&b) == -EBUSY, "the second has not");
	ok(ask("short", 0) == 100, "nor does the first lose it");
	ok(ask("long", LONG) == 100, "a long answer arrives");
	ok(ask("nothing", 0) == EPROTO, "no memory for an answer: no hang");
	send_raw("what?\n", 1, answer);
	ok(!strcmp(answer, "{\"error\":\"not JSON\"}\n"), "no JSON");
	send_raw("[1,2]\n", 1, answer);
	ok(*answer == '{', "no object");
	send_raw("{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{", 64, answer);
	ok(!*answer, "one that does not end is not read for ever");
	test_late(a);
	control_withdraw(a);
	ok(ask("short", 0) == ENOENT, "withdrawn");
	control_free(a);
	leave_socket();
	ok(ask("short", 0) == ECONNREFUSED, "nobody is behind a dead one's");
	ok(!take(&a) && ask("short", 0) == 100, "which is taken over");
	control_free(a);
	ok(stat(path, &st) && errno == ENOENT, "nothing is left");
	unlink(lock);
	rmdir(dir);
	event_base_free(base);
	return tap_done();
}
