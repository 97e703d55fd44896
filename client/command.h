/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * command - the commands of usbip-rpc. Each gets its own argv, its name
 * first, and returns the exit code (client/failure.h).
 */
#ifndef USBIP_CLIENT_COMMAND_H
#define USBIP_CLIENT_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "client/failure.h"

struct command {
	const char *name;
	const char *summary;		/* a line for the list of commands */
	const char *usage;		/* the whole of its --help */
	int (*run)(int argc, char **argv, const struct command *self);
};

extern const struct command cmd_list, cmd_attach, cmd_port, cmd_detach;

/* "usbip-rpc: TEXT" on standard error. Returns the exit code. */
int command_fail(const struct failure *f);
/* The same for a wrong command line, with a hint at --help. */
int command_misuse(const struct command *self, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* --help: on standard output. Returns 0. */
int command_help(const struct command *self);
/* -d TAGS. 0, or the exit code. */
int command_debug(const struct command *self, const char *tags);
/* A number from `low` to `high`. 0, or -EINVAL. */
int command_number(const char *text, unsigned long low, unsigned long high,
		   unsigned int *valuep);
/* --proto tcp or udp. 0, or -EINVAL. */
int command_proto(const char *text, bool *udpp);

#endif
