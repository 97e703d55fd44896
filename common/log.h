/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log - messages for people, to standard error or to syslog.
 *
 *   error    this session, device or program is lost
 *   warning  unexpected, and survived
 *   info     start, stop, attach, detach
 *   debug    by tag (-d TAG[,TAG]), off
 * Whatever fails is logged once, where it is handled.
 */
#ifndef USBIP_COMMON_LOG_H
#define USBIP_COMMON_LOG_H

#include <stdbool.h>
#include <stdio.h>

enum log_tag {
	LOG_TAG_RPC,		/* calls and replies */
	LOG_TAG_NET,		/* connections */
	LOG_TAG_SESSION,
	LOG_TAG_DEVICE,
	LOG_TAG_URB,
	LOG_TAG_PORT,
	LOG_TAG_N
};

extern unsigned int log_tags;	/* bit per tag; written by log_enable() only */

/* `name` for the front of each line; to syslog if `syslog`, else to stderr.
 * On stderr under systemd (JOURNAL_STREAM) lines carry <N> priorities. */
void log_open(const char *name, bool use_syslog);
/* "rpc,urb" or "all"; -EINVAL: an unknown tag, nothing changed. */
int log_enable(const char *tags);
/* The names of all tags, "rpc,net,...", for --help. */
const char *log_tag_names(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug_(enum log_tag tag, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Arguments are evaluated only where the tag is on. */
#define log_debug(tag, ...) do {					\
	if (log_tags & (1U << (tag)))					\
		log_debug_(tag, __VA_ARGS__);				\
} while (0)

#endif
