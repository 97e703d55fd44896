// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arguments as the target decodes them, and results as the controller does:
 * the first byte says which. What was decoded is encoded again, and that must
 * be decodable to the same bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "common/gather.h"
#include "common/payload.h"
#include "common/record.h"
#include "rpc/usbip.h"
#include "tests/fuzz/fuzz.h"

#define T(type) (xdrproc_t)xdr_usbip_##type
static const xdrproc_t types[] = {
	T(list_args), T(list_res), T(events_args), T(events_res), T(claim_args),
	T(claim_res), T(session_args), T(stat_res), T(renew_args), T(renew_res),
	T(control_args), T(bulk_args), T(interrupt_args), T(isoc_args),
	T(transfer_res), T(isoc_res), T(urb), T(set_configuration_args),
	T(set_interface_args), T(clear_halt_args), T(reset_args), T(suspend_args),
	T(streams_args), T(state_res), T(stage_args), T(fetch_args), T(fetch_res),
};

/* Any of the types; the largest one fits. */
union value {
	usbip_list_res list_res;
	usbip_claim_res claim_res;
	usbip_isoc_args isoc_args;
	usbip_isoc_res isoc_res;
	uint64_t room[64];
};

static struct record *encode(xdrproc_t xdr, union value *v)
{
	struct gather *g = gather_new(NULL, true);
	struct iovec iov[2 * GATHER_REFS + 1];
	struct record *rec;
	XDR xdrs;
	int n;

	gather_xdr(g, &xdrs);
	if (!xdr(&xdrs, v) || gather_finish(g))
		abort();
	rec = malloc(sizeof(*rec) + gather_len(g));
	*rec = (struct record){ .refs = 1 };
	n = gather_iovec(g, 4, iov, 2 * GATHER_REFS + 1);
	for (int i = 0; i < n; i++) {
		memcpy(rec->data + rec->len, iov[i].iov_base, iov[i].iov_len);
		rec->len += iov[i].iov_len;
	}
	gather_free(g);
	return rec;
}

static bool decode(xdrproc_t xdr, struct record *rec, union value *v)
{
	XDR xdrs;

	memset(v, 0, sizeof(*v));
	payload_decode(&xdrs, rec, 0);
	return xdr(&xdrs, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record *rec, *second, *third;
	union value v, again;
	xdrproc_t xdr;

	if (!size)
		return 0;
	xdr = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	rec = malloc(sizeof(*rec) + size);
	*rec = (struct record){ .refs = 1, .len = size - 1 };
	memcpy(rec->data, data + 1, size - 1);
	if (decode(xdr, rec, &v)) {
		second = encode(xdr, &v);
		if (!decode(xdr, second, &again))
			abort();
		third = encode(xdr, &again);
		if (second->len != third->len || memcmp(second->data, third->data, second->len))
			abort();
		xdr_free(xdr, &again);
		record_unref(second);
		record_unref(third);
	}
	xdr_free(xdr, &v);
	record_unref(rec);
	return 0;
}
