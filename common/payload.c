// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * payload - the data of transfers (usbip_data) is not copied by XDR.
 */
#include "common/payload.h"

#include <assert.h>

#include "common/gather.h"
#include "common/record.h"
#include "rpc/usbip.h"
#include "rpc/xdr_inline.h"

void payload_decode(XDR *xdrs, struct record *rec, size_t offset)
{
	assert(offset <= rec->len && offset % BYTES_PER_XDR_UNIT == 0);
	xdrmem_create(xdrs, (char *)rec->data + offset, rec->len - offset,
		      XDR_DECODE);
}

static bool_t encode(XDR *xdrs, usbip_data *data)
{
	static const char zeros[BYTES_PER_XDR_UNIT];
	u_int len = data->usbip_data_len;

	if (len > USBIP_DATA_MAX || !xdr_u_int(xdrs, &len))
		return FALSE;
	if (len < GATHER_REF_MIN ||
	    !gather_ref(xdrs, data->usbip_data_val, len))
		return xdr_opaque(xdrs, data->usbip_data_val, len);
	return XDR_PUTBYTES(xdrs, zeros, RNDUP(len) - len);
}

/* XDR_INLINE lends out of the record here. Over another kind of stream
 * (xdrrec) it would lend a buffer that is soon used again: see payload.h. */
static bool_t decode(XDR *xdrs, usbip_data *data)
{
	u_int len = 0;
	int32_t *at;

	if (!xdr_u_int(xdrs, &len) || len > USBIP_DATA_MAX)
		return FALSE;
	at = XDR_INLINE(xdrs, RNDUP(len));
	if (!at)
		return FALSE;
	data->usbip_data_len = len;
	data->usbip_data_val = (char *)at;
	return TRUE;
}

bool_t xdr_usbip_data(XDR *xdrs, usbip_data *objp)
{
	/* xdr_free() leaves everything but x_op unset. */
	switch (xdrs->x_op) {
	case XDR_FREE:
		return TRUE;
	case XDR_ENCODE:
		return encode(xdrs, objp);
	case XDR_DECODE:
		return decode(xdrs, objp);
	}
	return FALSE;
}
