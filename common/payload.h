/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * payload - the data of transfers (usbip_data) is not copied by XDR.
 *
 * This brings the xdr_usbip_data() that replaces the generated one: decoded,
 * it points into the record; encoded into a gather, it is sent from where it
 * is; freed, it is left alone.
 */
#ifndef USBIP_COMMON_PAYLOAD_H
#define USBIP_COMMON_PAYLOAD_H

#include <stddef.h>
#include <rpc/rpc.h>

struct record;

/*
 * Decode rec from byte `offset`, a multiple of four within it, by xdrs.
 * Payloads that are decoded live as long as rec. Everything that decodes
 * goes through here, so that a program always has xdr_usbip_data() of this
 * file: the linker takes a weak symbol where nothing asks for another.
 */
void payload_decode(XDR *xdrs, struct record *rec, size_t offset);

#endif
