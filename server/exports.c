// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exports - who may claim which device. Owns the table, and finds in it what
 * is asked; exports_read.c fills it.
 */
#include "server/exports_impl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/backend.h"
#include "server/peer.h"

/* ---- the table ---------------------------------------------------------- */

void exports_line_free(struct exports_line *line)
{
	struct exports_host *host;

	while ((host = STAILQ_FIRST(&line->hosts))) {
		STAILQ_REMOVE_HEAD(&line->hosts, link);
		free(host->name);
		free(host->resolved);
		free(host);
	}
	free(line->serial);
	free(line);
}

struct exports *exports_free(struct exports *ex)
{
	struct exports_line *line;

	if (!ex)
		return NULL;
	while ((line = STAILQ_FIRST(&ex->lines))) {
		STAILQ_REMOVE_HEAD(&ex->lines, link);
		exports_line_free(line);
	}
	free(ex->groups);
	free(ex);
	return NULL;
}

bool exports_need_names(const struct exports *ex)
{
	return ex->need_names;
}

const char *exports_netgroups(const struct exports *ex)
{
	return ex->groups ? ex->groups : "";
}

bool exports_has_group(const char *groups, const char *name)
{
	for (; *groups; groups += strlen(groups) + 1)
		if (!strcmp(groups, name))
			return true;
	return false;
}

size_t exports_count(const struct exports *ex)
{
	return ex->n;
}

/* ---- addresses ---------------------------------------------------------- */

bool exports_address_plain(struct exports_address *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family != AF_INET6 || memcmp(a->bytes, mapped, sizeof(mapped)))
		return false;
	a->family = AF_INET;
	memmove(a->bytes, a->bytes + 12, 4);
	memset(a->bytes + 4, 0, 12);
	return true;
}

bool exports_address(const struct sockaddr *sa, struct exports_address *a)
{
	const struct sockaddr_in6 *sin6 = (const void *)sa;
	const struct sockaddr_in *sin = (const void *)sa;

	memset(a, 0, sizeof(*a));
	a->family = sa->sa_family;
	if (sa->sa_family == AF_INET)
		memcpy(a->bytes, &sin->sin_addr, 4);
	else if (sa->sa_family == AF_INET6)
		memcpy(a->bytes, &sin6->sin6_addr, 16);
	else
		return false;
	exports_address_plain(a);
	return true;
}

static bool is_within(const struct exports_address *a,
		      const struct exports_address *network,
		      unsigned int prefix)
{
	unsigned int whole = prefix / 8, rest = prefix % 8;

	if (a->family != network->family ||
	    memcmp(a->bytes, network->bytes, whole))
		return false;
	if (!rest)
		return true;
	return !((a->bytes[whole] ^ network->bytes[whole]) >> (8 - rest));
}

/* ---- matching ----------------------------------------------------------- */

static bool has_class(const struct descriptors *d, unsigned int class)
{
	struct descriptor_interface interface;

	if (descriptors_class(d) >> 16 == class)
		return true;
	for (unsigned int i = 0; i < d->n_configs; i++) {
		struct descriptor_walk walk = { 0 };

		while (descriptor_next_interface(&d->configs[i], &walk,
						 &interface))
			if (interface.class_code >> 16 == class)
				return true;
	}
	return false;
}

static bool is_device(const struct exports_line *line,
		      const struct backend_info *info)
{
	const struct descriptors *d = &info->descriptors;

	switch (line->kind) {
	case EXPORTS_DEVICE_KIND_ANY:
		return true;
	case EXPORTS_DEVICE_KIND_BUSID:
		return !strcmp(line->busid, info->busid);
	case EXPORTS_DEVICE_KIND_ID:
		return descriptors_vendor(d) == line->vendor &&
		       descriptors_product(d) == line->product &&
		       (!line->serial || !strcmp(line->serial, info->serial));
	case EXPORTS_DEVICE_KIND_CLASS:
		return has_class(d, line->class);
	}
	return false;
}

static bool is_resolved(const struct exports_host *host,
			const struct exports_address *a)
{
	for (size_t i = 0; i < host->n_resolved; i++)
		if (is_within(a, &host->resolved[i],
			      a->family == AF_INET ? 32 : 128))
			return true;
	return false;
}

static bool is_in_domain(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	return n > d && !strcasecmp(name + n - d, domain);
}

static bool is_host(const struct exports_host *host,
		    const struct exports_address *a,
		    const struct peer_name *name)
{
	switch (host->kind) {
	case EXPORTS_HOST_KIND_ANY:
		return true;
	case EXPORTS_HOST_KIND_NETWORK:
		return a && is_within(a, &host->network, host->prefix);
	case EXPORTS_HOST_KIND_NAME:
		return (a && is_resolved(host, a)) ||
		       (name && !strcasecmp(name->name, host->name));
	case EXPORTS_HOST_KIND_DOMAIN:
		return name && is_in_domain(name->name, host->name);
	case EXPORTS_HOST_KIND_NETGROUP:
		return name && exports_has_group(name->groups, host->name);
	}
	return false;
}

/* The first that says so; NULL: nobody does. */
static const struct exports_host *find_host(const struct exports *ex,
					    const struct backend_info *info,
					    const struct sockaddr *peer,
					    const struct peer_name *name)
{
	const struct exports_line *line;
	const struct exports_host *host;
	struct exports_address address;
	bool known = exports_address(peer, &address);

	STAILQ_FOREACH(line, &ex->lines, link) {
		if (!is_device(line, info))
			continue;
		STAILQ_FOREACH(host, &line->hosts, link)
			if (is_host(host, known ? &address : NULL, name))
				return host;
	}
	return NULL;
}

bool exports_allow(const struct exports *ex, const struct backend_info *info,
		   const struct sockaddr *peer, const struct peer_name *name,
		   struct exports_options *options)
{
	const struct exports_host *host = find_host(ex, info, peer, name);

	if (host && options)
		*options = host->options;
	return host;
}

static bool is_by_name(const struct exports_host *host)
{
	switch (host->kind) {
	case EXPORTS_HOST_KIND_ANY:
	case EXPORTS_HOST_KIND_NETWORK:
		return false;
	case EXPORTS_HOST_KIND_NAME:
	case EXPORTS_HOST_KIND_DOMAIN:
	case EXPORTS_HOST_KIND_NETGROUP:
		return true;
	}
	return true;
}

static bool is_same(const struct exports_options *a,
		    const struct exports_options *b)
{
	return a->lease == b->lease && a->no_reset == b->no_reset;
}

bool exports_need_name(const struct exports *ex,
		       const struct backend_info *info,
		       const struct sockaddr *peer)
{
	const struct exports_host *host, *sure;
	const struct exports_line *line;

	sure = find_host(ex, info, peer, NULL);
	STAILQ_FOREACH(line, &ex->lines, link) {
		if (!is_device(line, info))
			continue;
		STAILQ_FOREACH(host, &line->hosts, link) {
			if (host == sure)
				return false;
			if (is_by_name(host) &&
			    !(sure && is_same(&host->options, &sure->options)))
				return true;
		}
	}
	return false;
}
