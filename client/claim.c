// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * claim - what CLAIM answers, in the terms of this side.
 */
#include "client/claim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/status.h"
#include "common/text.h"

/* A lease of more is none; and in ms it fits into 32 bits. */
#define LEASE_MAX	86400

_Static_assert(USB_CONFIGS_MAX == USBIP_CONFIGS_MAX, "configurations fit");

unsigned int claim_lease(unsigned int told)
{
	return told < 1 ? 1 : told < LEASE_MAX ? told : LEASE_MAX;
}

static int copy_bytes(uint8_t **bytesp, size_t *lenp, const usbip_descriptor *d)
{
	*bytesp = malloc(d->usbip_descriptor_len + 1);
	if (!*bytesp)
		return -ENOMEM;
	if (!d->usbip_descriptor_len)
		return 0;
	memcpy(*bytesp, d->usbip_descriptor_val, d->usbip_descriptor_len);
	*lenp = d->usbip_descriptor_len;
	return 0;
}

/* The XDR routines bound the lengths; what must not be 0 is looked at here. */
int claim_learn(struct claim_device *d, const usbip_claim_ok *ok)
{
	struct answer_descriptors *a = &d->descriptors;

	if (!ok->session || !ok->lease || !ok->window_urbs || !ok->data_max)
		return -EPROTO;
	if (ok->speed < USBIP_SPEED_LOW || ok->speed > USBIP_SPEED_SUPER_PLUS)
		return -EPROTO;
	text_clean(ok->busid, d->busid, sizeof(d->busid));
	d->speed = (enum usb_speed)ok->speed;
	d->configuration = (uint8_t)ok->configuration;
	d->lease = claim_lease(ok->lease);
	d->window.urbs = ok->window_urbs;
	d->window.bytes = ok->window_bytes;
	d->window.data_max = ok->data_max < USBIP_DATA_MAX ?
			     ok->data_max : USBIP_DATA_MAX;
	memcpy(a->device, ok->device, sizeof(a->device));
	for (u_int i = 0; i < ok->configs.configs_len; i++) {
		if (copy_bytes(&a->configs[i].bytes, &a->configs[i].len,
			       &ok->configs.configs_val[i]))
			return -ENOMEM;
		a->n_configs++;
	}
	return copy_bytes(&a->bos.bytes, &a->bos.len, &ok->bos);
}

/* "3-1 3-2": the bus ids that an ambiguous name may mean. */
static void list_candidates(char *text, size_t size, const usbip_claim_res *res)
{
	const usbip_busid *id = res->usbip_claim_res_u.candidates.candidates_val;
	u_int n = res->usbip_claim_res_u.candidates.candidates_len;
	size_t len = 0;

	text[0] = '\0';
	for (u_int i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s",
					i ? " " : "", id[i]);
}

void claim_refused(struct failure *f, const usbip_claim_res *res,
		   const char *host, const char *device)
{
	const usbip_holder *holder = &res->usbip_claim_res_u.holder;
	char text[256];

	switch (res->status) {
	case USBIP_BUSY:
		text_duration(holder->since, text, sizeof(text));
		failure_set(f, FAILURE_BUSY,
			    "%s at %s is in use by %s, for %s now", device, host,
			    holder->host[0] ? holder->host : "somebody", text);
		return;
	case USBIP_AMBIGUOUS:
		list_candidates(text, sizeof(text), res);
		failure_set(f, FAILURE_NOT_FOUND,
			    "%s has several devices %s, name one by its bus id: "
			    "%s", host, device, text);
		f->lasting = true;
		return;
	case USBIP_NO_PERMISSION:
		failure_set(f, FAILURE_PERMISSION,
			    "%s at %s is not exported to this host: it takes a "
			    "line in /etc/usbip-rpc/exports there", device,
			    host);
		return;
	case USBIP_NO_DEVICE:
		failure_set(f, FAILURE_NOT_FOUND,
			    "%s has no device %s: see usbip-rpc list -r %s",
			    host, device, host);
		return;
	default:
		failure_set(f, FAILURE_OTHER, "claim %s at %s: %s", device,
			    host, status_text(res->status));
	}
}

int claim_read(struct claim_device *d, const struct rpc_err *err,
	       const usbip_claim_res *res, const char *host,
	       const char *device, struct failure *f)
{
	int r;

	if (err->re_status != RPC_SUCCESS) {
		status_rpc_failure(f, err, host);
		return -1;
	}
	if (res->status != USBIP_OK) {
		claim_refused(f, res, host, device);
		return -1;
	}
	r = claim_learn(d, &res->usbip_claim_res_u.claim);
	if (!r)
		return 0;
	failure_set(f, FAILURE_OTHER, "claim %s at %s: %s", device, host,
		    strerror(-r));
	return -1;
}
