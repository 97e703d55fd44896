/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exports - the table itself, for exports.c and exports_read.c; nothing else
 * includes this.
 */
#ifndef USBIP_SERVER_EXPORTS_IMPL_H
#define USBIP_SERVER_EXPORTS_IMPL_H

#include <stdint.h>
#include <sys/queue.h>

#include "server/exports.h"

enum exports_device_kind {
	EXPORTS_DEVICE_KIND_ANY,
	EXPORTS_DEVICE_KIND_BUSID,
	EXPORTS_DEVICE_KIND_ID,		/* VID:PID, and serial if not NULL */
	EXPORTS_DEVICE_KIND_CLASS,
};

enum exports_host_kind {
	EXPORTS_HOST_KIND_ANY,
	EXPORTS_HOST_KIND_NETWORK,	/* also a single address */
	EXPORTS_HOST_KIND_NAME,
	EXPORTS_HOST_KIND_DOMAIN,	/* name begins with the dot */
	EXPORTS_HOST_KIND_NETGROUP,
};

struct exports_address {
	sa_family_t family;
	uint8_t bytes[16];
};

struct exports_host {
	STAILQ_ENTRY(exports_host) link;
	enum exports_host_kind kind;
	char *name;
	struct exports_address network;
	unsigned int prefix;
	struct exports_address *resolved;	/* NAME: its addresses */
	size_t n_resolved;
	struct exports_options options;
};

struct exports_line {
	STAILQ_ENTRY(exports_line) link;
	enum exports_device_kind kind;
	char busid[32];
	unsigned int vendor, product, class;
	char *serial;
	STAILQ_HEAD(, exports_host) hosts;
};

struct exports {
	STAILQ_HEAD(, exports_line) lines;
	size_t n;
	bool need_names;
	char *groups;			/* each once, or NULL */
	size_t groups_len;		/* without the zero byte at the end */
};

/* An IPv4 address in IPv6's clothes becomes an IPv4 address; true: it was. */
bool exports_address_plain(struct exports_address *a);
/* Likewise. false: no address of IPv4 or IPv6. */
bool exports_address(const struct sockaddr *sa, struct exports_address *a);
/* groups: see peer_names_groups(). */
bool exports_has_group(const char *groups, const char *name);
void exports_line_free(struct exports_line *line);

#endif
