/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * xdr_inline - the words of what rpcgen makes, without libtirpc's calls.
 *
 * libtirpc takes three calls for each word of a message, which is most of the
 * work of a small one. A stream that lends its memory (XDR_INLINE) takes one;
 * where one does not, these do what libtirpc's do.
 */
#ifndef USBIP_RPC_XDR_INLINE_H
#define USBIP_RPC_XDR_INLINE_H

#include <rpc/rpc.h>

static inline bool_t xdr_inline_u_int(XDR *xdrs, u_int *value)
{
	int32_t *at;

	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	at = XDR_INLINE(xdrs, BYTES_PER_XDR_UNIT);
	if (!at)
		return xdr_u_int(xdrs, value);
	if (xdrs->x_op == XDR_ENCODE)
		IXDR_PUT_U_INT32(at, *value);
	else
		*value = IXDR_GET_U_INT32(at);
	return TRUE;
}

static inline bool_t xdr_inline_enum(XDR *xdrs, enum_t *value)
{
	return xdr_inline_u_int(xdrs, (u_int *)value);
}

static inline bool_t xdr_inline_u_quad_t(XDR *xdrs, u_quad_t *value)
{
	int32_t *at;

	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	at = XDR_INLINE(xdrs, 2 * BYTES_PER_XDR_UNIT);
	if (!at)
		return xdr_u_quad_t(xdrs, value);
	if (xdrs->x_op == XDR_ENCODE) {
		IXDR_PUT_U_INT32(at, *value >> 32);
		IXDR_PUT_U_INT32(at, *value);
	} else {
		*value = (u_quad_t)IXDR_GET_U_INT32(at) << 32;
		*value |= IXDR_GET_U_INT32(at);
	}
	return TRUE;
}

#define xdr_u_int xdr_inline_u_int
#define xdr_enum xdr_inline_enum
#define xdr_u_quad_t xdr_inline_u_quad_t

#endif
