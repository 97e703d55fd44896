// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * failure - why a command could not do what it was asked.
 */
#include "client/failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/text.h"

void failure_set(struct failure *f, enum failure_code code,
		 const char *format, ...)
{
	char text[sizeof(f->text)];
	va_list ap;

	f->code = code;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_clean(text, f->text, sizeof(f->text));
}
