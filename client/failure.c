// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * failure - why a command could not do what it was asked.
 */
#include "client/failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/text.h"

static bool is_lasting(enum failure_code code)
{
	switch (code) {
	case FAILURE_USAGE:
	case FAILURE_PERMISSION:
	case FAILURE_MODULE:
	case FAILURE_VERSION:
		return true;
	case FAILURE_NONE:
	case FAILURE_OTHER:
	case FAILURE_UNREACHABLE:
	case FAILURE_BUSY:
	case FAILURE_NOT_FOUND:
	case FAILURE_ENUMERATION:
		break;
	}
	return false;
}

void failure_set(struct failure *f, enum failure_code code,
		 const char *format, ...)
{
	char text[sizeof(f->text)];
	va_list ap;

	f->code = code;
	f->lasting = is_lasting(code);
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_clean(text, f->text, sizeof(f->text));
}
