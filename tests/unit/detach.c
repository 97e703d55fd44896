// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What `usbip-rpc detach` makes of what a helper answers. Stands in for ctl.c
 * and main.c.
 */
#include "client/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "tests/tap.h"

static const char *answer;		/* of every port; NULL: */
static int error;
static struct failure told;

int ctl_ask(const char *dir, unsigned int port, const char *request,
	    unsigned int timeout_ms, json_t **replyp)
{
	if (!answer)
		return error;
	*replyp = json_loads(answer, 0, NULL);
	return 0;
}

int ctl_ports(const char *dir, unsigned int **portsp, size_t *np)
{
	*portsp = calloc(2, sizeof(**portsp));
	(*portsp)[1] = 1;
	*np = 2;
	return 0;
}

void ctl_silent(struct failure *f, const char *dir, unsigned int port, int r)
{
	failure_set(f, FAILURE_OTHER, "silent: %s", strerror(-r));
}

int command_fail(const struct failure *f)
{
	told = *f;
	return f->code;
}

int command_misuse(const struct command *self, const char *format, ...)
{
	return FAILURE_USAGE;
}

int command_help(const struct command *self)
{
	return 0;
}

int command_debug(const struct command *self, const char *tags)
{
	return 0;
}

int command_number(const char *text, unsigned long low, unsigned long high,
		   unsigned int *valuep)
{
	*valuep = (unsigned int)atoi(text);
	return 0;
}

static int detach(const char *all_or_port)
{
	char name[] = "detach", option[16];
	char *argv[] = { name, option, NULL };

	snprintf(option, sizeof(option), "%s", all_or_port);
	memset(&told, 0, sizeof(told));
	optind = 0;
	return cmd_detach.run(2, argv, &cmd_detach);
}

int main(void)
{
	static const struct {
		const char *answer;
		int error, code;
		const char *text;
	} cases[] = {
		{ "{\"ok\":true,\"released\":true}", 0, FAILURE_NONE, "" },
		{ "{\"ok\":true,\"released\":false}", 0,
		  FAILURE_UNREACHABLE, "has not confirmed" },
		{ "{}", 0, FAILURE_OTHER, "silent" },
		{ NULL, -ETIMEDOUT, FAILURE_OTHER, "silent" },
		{ NULL, -ENOENT, FAILURE_NOT_FOUND, "nothing is attached" },
		{ NULL, -EACCES, FAILURE_PERMISSION, "root" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		answer = cases[i].answer;
		error = cases[i].error;
		ok(detach("-p7") == cases[i].code &&
		   strstr(told.text, cases[i].text), "%s: %s",
		   answer ? answer : strerror(-error), told.text);
		ok(detach("--all") == (error == -ENOENT ? 0 : cases[i].code),
		   "the same of all");
	}
	return tap_done();
}
