/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exports - who may claim which device: usbip-rpc-exports(5). What no line
 * allows is not allowed.
 */
#ifndef USBIP_SERVER_EXPORTS_H
#define USBIP_SERVER_EXPORTS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

struct backend_info;
struct exports;
struct peer_name;

/* Of the line that allows. */
struct exports_options {
	unsigned int lease;		/* seconds; 0: the daemon's */
	bool no_reset;			/* at the end of a session */
};

/*
 * Read a table. -errno: it could not be read or has errors; what is
 * wrong was logged, with file and line. Resolves host names: may block for long.
 */
int exports_load(struct exports **exportsp, const char *file);
/* As that, from an open file; `name` is for messages. */
int exports_read(struct exports **exportsp, FILE *f, const char *name);
struct exports *exports_free(struct exports *ex);

/* Are there lines that need the peer's name? */
bool exports_need_names(const struct exports *ex);
/* The netgroups that lines name, for peer_names_groups(). */
const char *exports_netgroups(const struct exports *ex);
/* Does what this peer may have of this device depend on its name? No, where
 * lines with its address come first, or say the same. */
bool exports_need_name(const struct exports *ex,
		       const struct backend_info *info,
		       const struct sockaddr *peer);
/* Lines that export something. */
size_t exports_count(const struct exports *ex);

/*
 * May this peer claim this device? name: the peer's, or NULL if it
 * has none or is not known. options: NULL or of the first line that says so.
 */
bool exports_allow(const struct exports *ex, const struct backend_info *info,
		   const struct sockaddr *peer, const struct peer_name *name,
		   struct exports_options *options);

#endif
