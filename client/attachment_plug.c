// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attachment_plug - a claimed device gets its number here, is plugged into the
 * controller, and is attached when the kernel has configured it.
 */
#include "client/attachment_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl.h"
#include "client/deadline.h"
#include "client/sysfs.h"
#include "common/text.h"
#include "common/log.h"

#define LOOK_EVERY_MS	50

/* Whoever asked has been told before: for the log. */
static void log_attached(const struct attachment *a, const char *text)
{
	const char *again = a->since ? " again" : "";
	char span[32];

	if (!a->waits_since) {
		log_info("%s%s", text, again);
		return;
	}
	text_duration((deadline_in(0) - a->waits_since) / 1000, span,
		      sizeof(span));
	log_info("%s%s, after %s", text, again, span);
}

static void attached(struct attachment *a)
{
	const uint8_t *d = session_device(a->session)->descriptors.device;
	char text[256], name[160];

	event_del(a->look);
	event_del(a->deadline);
	text_device_name(a->names.maker, a->names.product, name, sizeof(name));
	snprintf(text, sizeof(text),
		 "attached %04x:%04x %s%sfrom %s as port %u (bus %u-%u)",
		 usb_get16(d + 8), usb_get16(d + 10), name, *name ? " " : "",
		 a->config.host, ctl_port(a->ctl), a->place.busnum,
		 a->place.hubport);
	attachment_set_state(a, ATTACHMENT_ATTACHED);
	if (a->told)
		log_attached(a, text);
	else
		a->config.attached(text, a->config.user);
	a->told = true;
	a->slept = false;
	a->waits_since = 0;
	a->since = time(NULL);
}

void attachment_look(struct attachment *a)
{
	/* Until then, what is there may be left of the device before. */
	if (a->configured &&
	    sysfs_is_configured(a->config.sysfs_dir, &a->place,
				&session_device(a->session)->descriptors))
		attached(a);
	else
		attachment_set_timer(a->look, LOOK_EVERY_MS);
}

void attachment_late(struct attachment *a)
{
	struct failure f;

	if (a->state == ATTACHMENT_WAITING)
		failure_set(&f, FAILURE_OTHER, "%.220s%s%.220s", a->why.text,
			    a->refusal.text[0] ? "; " : "", a->refusal.text);
	else if (a->state == ATTACHMENT_ENUMERATING)
		failure_set(&f, FAILURE_ENUMERATION,
			    "%s from %s did not get ready within %u s: %s",
			    a->config.device, a->config.host,
			    a->config.timeout_ms / 1000,
			    sysfs_missing(a->config.sysfs_dir, &a->place));
	else
		failure_set(&f, FAILURE_UNREACHABLE,
			    "no claim of %s at %s within %u s",
			    a->config.device, a->config.host,
			    a->config.timeout_ms / 1000);
	attachment_lose(a, &f);
}

static json_t *ctl_status(void *user)
{
	return attachment_status(user);
}

static void ctl_detach(void *user)
{
	attachment_detach(user, "as asked");
}

int attachment_take_number(struct attachment *a, struct failure *f)
{
	const struct ctl_config ctl = {
		.base = a->config.base,
		.dir = a->config.ctl_dir,
		.port = a->config.port,
		.status = ctl_status,
		.detach = ctl_detach,
		.user = a,
	};
	int r = a->ctl ? 0 : ctl_new(&a->ctl, &ctl);

	if (!r)
		return 0;
	if (r == -EBUSY)
		failure_set(f, FAILURE_BUSY, "port %d is taken", ctl.port);
	else
		failure_set(f, FAILURE_OTHER, "no control socket in %s: %s",
			    ctl.dir, strerror(-r));
	return -1;
}

/* Where it was before, if it was and that is still free. */
static int plug_in(struct attachment *a, enum usb_speed speed)
{
	int before = a->placed ? (int)a->place.port : -1;
	int r = a->vhci->ops->plug(a->vhci, speed, before, &a->place);

	if (r == -ENOSPC && before >= 0)
		r = a->vhci->ops->plug(a->vhci, speed, -1, &a->place);
	if (!r)
		a->placed = true;
	return !r && event_add(a->readable, NULL) ? -ENOMEM : r;
}

int attachment_plug(struct attachment *a, struct failure *f)
{
	enum usb_speed speed = session_device(a->session)->speed;
	int r = plug_in(a, speed);

	if (!r) {
		a->configured = false;
		memset(&a->names, 0, sizeof(a->names));
		attachment_set_state(a, ATTACHMENT_ENUMERATING);
		attachment_set_timer(a->look, LOOK_EVERY_MS);
		if (a->told)
			attachment_set_timer(a->deadline, a->config.timeout_ms);
		return 0;
	}
	if (r == -ENOSPC)
		failure_set(f, FAILURE_BUSY,
			    "no free port for a device of %s: detach another, "
			    "or load usbip-rpc-vhci with more ports",
			    usb_speed_text(speed));
	else
		failure_set(f, FAILURE_OTHER,
			    "the controller does not take the device: %s",
			    r == -EAGAIN ? "the system is about to sleep" :
			    strerror(-r));
	return r;
}
