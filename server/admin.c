// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * admin - who has which device, and to take it back: the service's side.
 *
 * A revocation ends the sessions at once, by which their controllers learn of
 * it, and is answered when the last of them is ENDED. Nobody is kept from
 * claiming the device again: who may not have it is for the exports file.
 */
#include "server/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/control.h"
#include "common/log.h"
#include "common/rpcsrv.h"
#include "common/text.h"
#include "server/target.h"

struct admin {
	struct target *target;
	struct control *control;
};

struct revoked {
	uint64_t handle;
	char busid[32];		/* as backend_info has it */
	char host[SESSION_HOST_MAX + 1];
};

/* What one who asked for it waits for. */
struct revocation {
	size_t n;
	struct revoked sessions[];
};

/* Does it have a device yet? */
static bool is_on(const struct session *s)
{
	return s->state != SESSION_STATE_ENDED;
}

/* ---- sessions ------------------------------------------------------------ */

static const char *state_name(const struct session *s)
{
	switch (s->state) {
	case SESSION_STATE_CLAIMING:
		return "claiming";
	case SESSION_STATE_ACTIVE:
		return "active";
	case SESSION_STATE_ENDING:
	case SESSION_STATE_RETURNING:
		return "ending";
	case SESSION_STATE_ENDED:
		return "ended";
	}
	return "?";
}

static json_t *hex_of(unsigned int id)
{
	char text[8];

	snprintf(text, sizeof(text), "%04x", id);
	return json_string(text);
}

static json_t *describe_device(const struct backend_info *info)
{
	char name[2 * sizeof(info->product)], serial[sizeof(info->serial)];

	text_device_name(info->manufacturer, info->product, name, sizeof(name));
	text_clean(info->serial, serial, sizeof(serial));
	return json_pack("{s:s, s:o, s:o, s:s, s:s}", "busid", info->busid,
			 "vendor", hex_of(descriptors_vendor(&info->descriptors)),
			 "product", hex_of(descriptors_product(&info->descriptors)),
			 "name", name, "serial", serial);
}

/* NULL: it has no connection. */
static const char *transport_of(const struct session *s)
{
	if (!s->conn)
		return NULL;
	return rpcsrv_conn_is_dgram(s->conn) ? "udp" : "tcp";
}

static json_t *describe_owner(const struct session *s, uint64_t now)
{
	uint64_t left = s->state == SESSION_STATE_ACTIVE && s->deadline > now ?
			(s->deadline - now) / 1000 : 0;

	return json_pack("{s:s, s:s, s:I, s:i, s:I, s:s?, s:s?}",
			 "host", s->host, "state", state_name(s), "since",
			 (json_int_t)(time(NULL) - (now - s->since) / 1000),
			 "lease", (int)s->lease, "lease_left", (json_int_t)left,
			 "connection", s->conn ? rpcsrv_conn_name(s->conn) : NULL,
			 "transport", transport_of(s));
}

static json_t *describe_traffic(const struct session *s)
{
	return json_pack("{s:{s:I, s:I, s:i}, s:{s:I, s:I}}",
			 "urbs", "in", (json_int_t)s->in.urbs,
			 "out", (json_int_t)s->out.urbs,
			 "window", (int)s->window.urbs,
			 "bytes", "in", (json_int_t)s->in.bytes,
			 "out", (json_int_t)s->out.bytes);
}

/* NULL: no memory. */
static json_t *describe(const struct session *s, uint64_t now)
{
	const struct device *dev = s->device;
	json_t *o = describe_device(dev->info);
	json_t *owner = describe_owner(s, now);
	json_t *traffic = describe_traffic(s);

	if (json_object_update(o, owner) || json_object_update(o, traffic)) {
		json_decref(o);
		o = NULL;
	}
	json_decref(owner);
	json_decref(traffic);
	return o;
}

/* Sorted as devices are, not by who called last. */
static json_t *list_sessions(const struct target *t)
{
	json_t *sessions = json_array();
	uint64_t now = target_now();
	const struct device *dev;
	const struct session *s;

	TAILQ_FOREACH(dev, &t->devices, link)
		if (dev->holder)
			json_array_append_new(sessions,
					      describe(dev->holder, now));
	/* of devices that have been unplugged */
	TAILQ_FOREACH(s, &t->sessions.list, link)
		if (is_on(s) && ((const struct device *)s->device)->gone)
			json_array_append_new(sessions, describe(s, now));
	return json_pack("{s:o}", "sessions", sessions);
}

/* ---- taking back --------------------------------------------------------- */

static bool is_over(const struct target *t, const struct revoked *r)
{
	const struct session *s;

	TAILQ_FOREACH(s, &t->sessions.list, link)
		if (s->handle == r->handle)
			return !is_on(s);
	return true;			/* forgotten already */
}

/* Answer, if all of it is over. */
static void try_answer(struct admin *admin, struct control_peer *peer)
{
	const struct revocation *rev = control_kept(peer);
	json_t *list;

	for (size_t i = 0; i < rev->n; i++)
		if (!is_over(admin->target, &rev->sessions[i]))
			return;
	list = json_array();
	for (size_t i = 0; i < rev->n; i++)
		json_array_append_new(list, json_pack(
			"{s:s, s:s}", "busid", rev->sessions[i].busid,
			"host", rev->sessions[i].host));
	control_reply(peer, json_pack("{s:o}", "revoked", list));
}

void admin_returned(struct admin *admin)
{
	struct control_peer *peer, *next;

	if (!admin)
		return;
	for (peer = control_waiting(admin->control, NULL); peer; peer = next) {
		next = control_waiting(admin->control, peer);
		if (control_kept(peer))
			try_answer(admin, peer);
	}
}

static bool is_meant(const struct session *s, const char *name)
{
	return is_on(s) && (!strcmp(name, "all") ||
			    target_is_named(s->device, name));
}

static void note(struct revoked *r, const struct session *s)
{
	const struct device *dev = s->device;

	r->handle = s->handle;
	strcpy(r->busid, dev->info->busid);
	strcpy(r->host, s->host);
}

/* All that the name means; NULL: no memory. */
static struct revocation *collect(struct target *t, const char *name)
{
	struct revocation *rev = calloc(1, sizeof(*rev) + t->sessions.n *
					   sizeof(rev->sessions[0]));
	const struct session *s;

	if (!rev)
		return NULL;
	TAILQ_FOREACH(s, &t->sessions.list, link)
		if (is_meant(s, name))
			note(&rev->sessions[rev->n++], s);
	return rev;
}

static json_t *list_candidates(const struct revocation *rev)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rev->n; i++)
		json_array_append_new(list,
				      json_string(rev->sessions[i].busid));
	return json_pack("{s:o}", "candidates", list);
}

static void revoke_all(struct target *t, const struct revocation *rev)
{
	struct session *s, *after;

	for (size_t i = 0; i < rev->n; i++)
		for (s = TAILQ_FIRST(&t->sessions.list); s; s = after) {
			after = TAILQ_NEXT(s, link);
			if (s->handle == rev->sessions[i].handle)
				target_revoke(t, s);
		}
}

static void revoke(struct admin *admin, struct control_peer *peer,
		   const char *name)
{
	struct revocation *rev = collect(admin->target, name);

	if (!rev) {
		control_reply(peer, NULL);
		return;
	}
	if (rev->n > 1 && strcmp(name, "all")) {
		control_reply(peer, list_candidates(rev));
		free(rev);
		return;
	}
	/* answered below, and not when the first of several is over */
	revoke_all(admin->target, rev);
	control_keep(peer, rev);
	try_answer(admin, peer);
}

/* ---- the socket ---------------------------------------------------------- */

static void handle(struct control_peer *peer, const json_t *request, void *user)
{
	const char *verb = json_string_value(json_object_get(request, "request"));
	const char *device = json_string_value(json_object_get(request, "device"));
	struct admin *admin = user;

	if (verb && !strcmp(verb, "sessions"))
		control_reply(peer, list_sessions(admin->target));
	else if (verb && !strcmp(verb, "revoke") && device)
		revoke(admin, peer, device);
	else
		control_reply(peer, json_pack("{s:s}", "error",
					      "unknown request"));
}

int admin_new(struct admin **adminp, struct event_base *base,
	      struct target *target, const char *path)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	const struct control_config config = {
		.base = base,
		.path = path,
		.asked = handle,
		.user = admin,
	};
	int r;

	if (!admin)
		return -ENOMEM;
	admin->target = target;
	r = control_new(&admin->control, &config);
	if (r) {
		free(admin);
		return r;
	}
	*adminp = admin;
	return 0;
}

struct admin *admin_free(struct admin *admin)
{
	if (!admin)
		return NULL;
	control_free(admin->control);
	free(admin);
	return NULL;
}
