// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * snapshot - an attachment at one moment, as JSON.
 */
#include "client/snapshot.h"

#include <unistd.h>

#include "client/deadline.h"
#include "common/text.h"

/* JSON has no place for bytes that are not UTF-8. */
static json_t *target_json(const struct snapshot *s)
{
	const struct claim_device *d = s->device;
	char name[160], host[256], asked[256];
	const uint8_t *desc;

	text_clean(s->host, host, sizeof(host));
	text_clean(s->asked, asked, sizeof(asked));
	if (!d)
		return json_pack("{s:s, s:s}", "host", host, "asked", asked);
	desc = d->descriptors.device;
	text_device_name(s->names->maker, s->names->product, name, sizeof(name));
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:i}",
			 "host", host, "asked", asked,
			 "busid", d->busid,
			 "vendor", json_sprintf("%04x", usb_get16(desc + 8)),
			 "product", json_sprintf("%04x", usb_get16(desc + 10)),
			 "name", name, "speed", usb_speed_text(d->speed),
			 "lease", (int)d->lease);
}

/* Of a session; null where there is none. */
static json_t *connection_json(const struct snapshot *s)
{
	const struct contact *c = s->contact;

	if (s->waits_since || !c->since)
		return json_null();
	if (c->there)
		return json_pack("{s:b, s:i}", "up", 1,
				 "seconds", (int)contact_seconds(c));
	return json_pack("{s:b, s:i, s:i, s:i}", "up", 0,
			 "seconds", (int)contact_seconds(c),
			 "attempts", (int)c->attempts,
			 "lease_left", (int)contact_lease_left(c));
}

static json_t *waiting_json(const struct snapshot *s)
{
	if (!s->waits_since)
		return json_null();
	return json_pack("{s:I, s:i, s:s}", "seconds",
			 (json_int_t)(deadline_in(0) - s->waits_since) / 1000,
			 "attempts", (int)s->attempts, "why", s->why);
}

static json_t *urbs_json(const struct snapshot *s)
{
	const struct port_stats *n = s->stats;

	if (!n)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
			 "in", (json_int_t)n->urbs_in,
			 "out", (json_int_t)n->urbs_out,
			 "outstanding", (json_int_t)s->outstanding,
			 "failed", (json_int_t)n->failed,
			 "unlinked", (json_int_t)n->unlinked,
			 "resent", (json_int_t)n->resent);
}

static json_t *isoc_json(const struct snapshot *s)
{
	const struct isoc_stats *n = s->isoc ? &s->isoc->stats : NULL;

	if (!n)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "in", (json_int_t)n->packets_in,
			 "out", (json_int_t)n->packets_out,
			 "failed", (json_int_t)n->failed,
			 "late", (json_int_t)n->late,
			 "lost", (json_int_t)n->lost,
			 "gaps", (json_int_t)n->gaps,
			 "dropped", (json_int_t)n->dropped,
			 "buffer_ms", (json_int_t)(s->isoc->ahead_us / 1000),
			 "ahead_ms", (json_int_t)(s->isoc->lent_us / 1000));
}

static json_t *bytes_json(const struct snapshot *s)
{
	const struct port_stats *n = s->stats;

	if (!n)
		return json_null();
	return json_pack("{s:I, s:I}", "in", (json_int_t)n->bytes_in,
			 "out", (json_int_t)n->bytes_out);
}

json_t *snapshot_json(const struct snapshot *s)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:b, s:I, s:s, s:s, s:s, s:o, "
			 "s:i, s:o, s:o, s:o, s:o, s:o}",
			 "port", (int)s->port,
			 "bus", (int)s->place->busnum,
			 "hub_port", (int)s->place->hubport,
			 "device", (int)s->devnum,
			 "pid", (int)getpid(),
			 "persist", s->persist,
			 "since", (json_int_t)s->since,
			 "state", s->state,
			 "session", s->session,
			 "transport", s->transport,
			 "connection", connection_json(s),
			 "reconnects", (int)s->reconnects,
			 "waiting", waiting_json(s),
			 "target", target_json(s),
			 "urbs", urbs_json(s),
			 "isochronous", isoc_json(s),
			 "bytes", bytes_json(s));
}
