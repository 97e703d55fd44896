// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log - messages for people. Owns where they go and which tags are on.
 */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/text.h"

unsigned int log_tags;

static const char *const tag_names[LOG_TAG_N] = {
	[LOG_TAG_RPC] = "rpc",
	[LOG_TAG_NET] = "net",
	[LOG_TAG_SESSION] = "session",
	[LOG_TAG_DEVICE] = "device",
	[LOG_TAG_URB] = "urb",
	[LOG_TAG_PORT] = "port",
};

static const char *log_name = "usbip-rpc";
static bool to_syslog;
static bool with_priority;	/* <N> before a line, as sd-daemon(3) has it */

void log_open(const char *name, bool use_syslog)
{
	log_name = name;
	to_syslog = use_syslog;
	with_priority = !use_syslog && getenv("JOURNAL_STREAM");
	if (use_syslog)
		openlog(name, LOG_PID, LOG_DAEMON);
}

const char *log_tag_names(void)
{
	static char names[64];

	if (names[0])
		return names;
	for (size_t i = 0; i < LOG_TAG_N; i++) {
		if (i)
			strcat(names, ",");
		strcat(names, tag_names[i]);
	}
	return names;
}

/* The bit of the tag that text begins with, length given; 0: unknown. */
static unsigned int tag_bit(const char *text, size_t len)
{
	if (len == 3 && !memcmp(text, "all", 3))
		return (1U << LOG_TAG_N) - 1;
	for (size_t i = 0; i < LOG_TAG_N; i++)
		if (strlen(tag_names[i]) == len && !memcmp(text, tag_names[i], len))
			return 1U << i;
	return 0;
}

int log_enable(const char *tags)
{
	unsigned int bits = 0;

	for (;;) {
		size_t len = strcspn(tags, ",");
		unsigned int bit = tag_bit(tags, len);

		if (!bit)
			return -EINVAL;
		bits |= bit;
		if (!tags[len])
			break;
		tags += len + 1;
	}
	log_tags |= bits;
	return 0;
}

__attribute__((format(printf, 3, 0)))
static void put(int priority, const char *tag, const char *format, va_list ap)
{
	char raw[1024], text[sizeof(raw)];

	vsnprintf(raw, sizeof(raw), format, ap);
	/* Names come from peers and devices: no line and no escape of theirs. */
	text_clean(raw, text, sizeof(text));
	if (to_syslog) {
		syslog(priority, "%s%s%s", tag, *tag ? ": " : "", text);
		return;
	}
	if (with_priority)
		fprintf(stderr, "<%d>%s%s%s\n", priority, tag, *tag ? ": " : "", text);
	else
		fprintf(stderr, "%s: %s%s%s\n", log_name, tag, *tag ? ": " : "", text);
}

void log_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put(LOG_ERR, "", format, ap);
	va_end(ap);
}

void log_warning(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put(LOG_WARNING, "", format, ap);
	va_end(ap);
}

void log_info(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put(LOG_INFO, "", format, ap);
	va_end(ap);
}

void log_debug_(enum log_tag tag, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put(LOG_DEBUG, tag_names[tag], format, ap);
	va_end(ap);
}
