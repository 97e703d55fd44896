// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpc - use the USB devices of other machines. This file owns the table
 * of commands and what they have in common.
 */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command.h"
#include "common/log.h"

static const struct command *const commands[] = {
	&cmd_list,
	&cmd_attach,
	&cmd_port,
	&cmd_detach,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

int command_fail(const struct failure *f)
{
	fprintf(stderr, "usbip-rpc: %s\n", f->text);
	return f->code;
}

int command_misuse(const struct command *self, const char *format, ...)
{
	va_list ap;

	fputs("usbip-rpc: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nTry: usbip-rpc %s --help\n", self->name);
	return FAILURE_USAGE;
}

int command_help(const struct command *self)
{
	fputs(self->usage, stdout);
	return 0;
}

int command_debug(const struct command *self, const char *tags)
{
	if (!log_enable(tags))
		return 0;
	return command_misuse(self, "no such debug tag in \"%s\": there are %s",
			      tags, log_tag_names());
}

int command_number(const char *text, unsigned long low, unsigned long high,
		   unsigned int *valuep)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < low || value > high)
		return -EINVAL;
	*valuep = (unsigned int)value;
	return 0;
}

int command_proto(const char *text, bool *udpp)
{
	*udpp = !strcmp(text, "udp");
	return *udpp || !strcmp(text, "tcp") ? 0 : -EINVAL;
}

static void print_usage(FILE *f)
{
	fputs("Usage: usbip-rpc COMMAND [ARGUMENT...]\n"
	      "Use the USB devices of other machines.\n\n", f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("  help     show this, or the help of a command\n"
	      "  version  show the version\n\n"
	      "usbip-rpc COMMAND --help tells more; see also usbip-rpc(1).\n",
	      f);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int no_command(const char *name)
{
	fprintf(stderr, "usbip-rpc: no command \"%s\"\n", name);
	print_usage(stderr);
	return FAILURE_USAGE;
}

/* NULL: of usbip-rpc itself, and so of what has no other. */
static int help(const char *name)
{
	const struct command *command = name ? find_command(name) : NULL;

	if (command)
		return command_help(command);
	if (name && strcmp(name, "help") && strcmp(name, "version"))
		return no_command(name);
	print_usage(stdout);
	return 0;
}

static int run(int argc, char **argv)
{
	const char *name = argv[1];
	const struct command *command;

	if (!strcmp(name, "help") || !strcmp(name, "--help") ||
	    !strcmp(name, "-h"))
		return help(argc > 2 ? argv[2] : NULL);
	if (!strcmp(name, "version") || !strcmp(name, "--version") ||
	    !strcmp(name, "-V")) {
		puts("usbip-rpc " PACKAGE_VERSION);
		return 0;
	}
	command = find_command(name);
	if (!command)
		return no_command(name);
	return command->run(argc - 1, argv + 1, command);
}

/* A result that could not be written is no result. */
static int close_stdout(int code)
{
	if (!fclose(stdout) || code)
		return code;
	fprintf(stderr, "usbip-rpc: standard output: %s\n", strerror(errno));
	return FAILURE_OTHER;
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	log_open("usbip-rpc", false);
	/* Large buffers come and go: not back to the kernel each time. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	if (argc < 2) {
		print_usage(stderr);
		return FAILURE_USAGE;
	}
	return close_stdout(run(argc, argv));
}
