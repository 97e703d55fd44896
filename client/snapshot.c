// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * snapshot - an attachment at one moment, as JSON.
 */
#include "client/snapshot.h"

#include <unistd.h>

#include "common/text.h"

/* JSON has no place for bytes that are not UTF-8. */
static json_t *target_json(const struct snapshot *s)
{
	const struct claim_device *d = s->device;
	const uint8_t *desc = d->descriptors.device;
	char name[160], host[256];

	text_device_name(s->names->maker, s->names->product, name, sizeof(name));
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:i}",
			 "host", text_clean(s->host, host, sizeof(host)),
			 "busid", d->busid,
			 "vendor", json_sprintf("%04x", usb_get16(desc + 8)),
			 "product", json_sprintf("%04x", usb_get16(desc + 10)),
			 "name", name, "speed", usb_speed_text(d->speed),
			 "lease", (int)d->lease);
}

static json_t *urbs_json(const struct snapshot *s)
{
	const struct port_stats *n = s->stats;

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
	const struct isoc_stats *n = &s->isoc->stats;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "in", (json_int_t)n->packets_in,
			 "out", (json_int_t)n->packets_out,
			 "failed", (json_int_t)n->failed,
			 "late", (json_int_t)n->late,
			 "lost", (json_int_t)n->lost,
			 "gaps", (json_int_t)n->gaps,
			 "buffer_ms", (json_int_t)(s->isoc->ahead_us / 1000),
			 "ahead_ms", (json_int_t)(s->isoc->lent_us / 1000));
}

json_t *snapshot_json(const struct snapshot *s)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:s, s:s, s:s, s:i, "
			 "s:o, s:o, s:o, s:{s:I, s:I}}",
			 "port", (int)s->port,
			 "bus", (int)s->place->busnum,
			 "hub_port", (int)s->place->hubport,
			 "device", (int)s->devnum,
			 "pid", (int)getpid(),
			 "since", (json_int_t)s->since,
			 "state", s->state,
			 "session", s->session,
			 "transport", s->transport,
			 "reconnects", (int)s->reconnects,
			 "target", target_json(s),
			 "urbs", urbs_json(s),
			 "isochronous", isoc_json(s),
			 "bytes",
			 "in", (json_int_t)s->stats->bytes_in,
			 "out", (json_int_t)s->stats->bytes_out);
}
