// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log - what the code under test says is a line of the schedule.
 */
#include "common/log.h"

#include <stdarg.h>

#include "tests/sim/sim.h"

unsigned int log_tags;

static void say(const char *format, va_list ap)
{
	char text[400];

	if (!sim_verbose)
		return;
	vsnprintf(text, sizeof(text), format, ap);
	sim_note("                                   | %s", text);
}

#define SAY do {							\
	va_list ap;							\
									\
	va_start(ap, format);						\
	say(format, ap);						\
	va_end(ap);							\
} while (0)

void log_error(const char *format, ...)
{
	SAY;
}

void log_warning(const char *format, ...)
{
	SAY;
}

void log_info(const char *format, ...)
{
	SAY;
}

void log_debug_(enum log_tag tag, const char *format, ...)
{
	SAY;
}
