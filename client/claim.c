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

static int copy_bytes(uint8_t **bytesp, size_t *lenp, const void *bytes,
		      size_t len)
{
	*bytesp = malloc(len + 1);
	if (!*bytesp)
		return -ENOMEM;
	if (!len)
		return 0;
	memcpy(*bytesp, bytes, len);
	*lenp = len;
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
		const usbip_descriptor *c = &ok->configs.configs_val[i];

		if (copy_bytes(&a->configs[i].bytes, &a->configs[i].len,
			       c->usbip_descriptor_val, c->usbip_descriptor_len))
			return -ENOMEM;
		a->n_configs++;
	}
	return copy_bytes(&a->bos.bytes, &a->bos.len,
			  ok->bos.usbip_descriptor_val,
			  ok->bos.usbip_descriptor_len);
}

/* How many the device says that it has, as far as they are told. */
static size_t n_configs(const uint8_t device[USB_DEVICE_DESC_SIZE])
{
	uint8_t n = device[17];		/* bNumConfigurations */

	return n < USBIP_CONFIGS_MAX ? n : USBIP_CONFIGS_MAX;
}

bool claim_is_cut(const usbip_claim_ok *ok)
{
	return !ok->configs.configs_len &&
	       n_configs((const uint8_t *)ok->device);
}

/* wTotalLength of what is there; 0: it is none of that type, or is cut. */
static size_t total_length(uint8_t type, const uint8_t *bytes, size_t len)
{
	size_t total = len < 4 || bytes[1] != type ? 0 : usb_get16(bytes + 2);

	return total >= 4 && total <= len ? total : 0;
}

int claim_take_descriptors(struct claim_device *d, const uint8_t *bytes,
			   size_t len)
{
	struct answer_descriptors *a = &d->descriptors;
	size_t at = sizeof(a->device), total;

	if (len < at || memcmp(bytes, a->device, at))
		return -EPROTO;
	for (size_t i = 0; i < n_configs(a->device); i++, at += total) {
		total = total_length(USB_DESC_CONFIGURATION, bytes + at,
				     len - at);
		/* one that the device did not give is not there */
		if (!total && i)
			break;
		if (!total)
			return -EPROTO;
		if (copy_bytes(&a->configs[i].bytes, &a->configs[i].len,
			       bytes + at, total))
			return -ENOMEM;
		a->n_configs++;
	}
	if (at == len)
		return 0;
	total = total_length(USB_DESC_BOS, bytes + at, len - at);
	if (!total)
		return -EPROTO;
	free(a->bos.bytes);
	return copy_bytes(&a->bos.bytes, &a->bos.len, bytes + at, total);
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
		failure_set(f, FAILURE_BUSY, "%s at %s is in use by %s%s%s%s",
			    device, host,
			    holder->host[0] ? holder->host : "somebody",
			    holder->since ? ", for " : "",
			    holder->since ? text : "",
			    holder->since ? " now" : "");
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
