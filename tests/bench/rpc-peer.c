// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpc-peer - what usbip-peer is to vhci_hcd, for usbip-rpc: a target as fast as
 * one can be, so that what is measured is module, helper and TCP.
 *
 * Stands for the one source/sink device that usbip-peer has, with the same
 * descriptors, and has no sessions, no order, no lease and no USB. It reads all
 * there is, and writes the replies to it with one call.
 *
 *	rpc-peer PORT		serve the connections to 127.0.0.1 PORT, one
 *				after the other
 *
 * It serves a benchmark: it trusts the helper that it talks to, whose calls
 * have an AUTH_NONE credential.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/usbip.h"
#include "tests/bench/peer.h"

#define LAST_FRAGMENT	0x80000000u
/* A word's place in a call, from its record mark on. */
enum { MARK, XID, PROC = 6, ARGS = 11 };
/* The same in the arguments of a transfer. */
enum { PIPE = 2, DATA = 5, SETUP = 5, DATA_BEHIND_SETUP = 7 };

static char device_descriptor[18] = {
	18, 1, 0x00, 0x02, 0xff, 0, 0, 64,
	0x25, 0x05, (char)0xa0, (char)0xa4, 0x00, 0x01, 0, 0, 0, 1,
};

static char config_descriptor[32] = {
	9, 2, 32, 0, 1, 3, 0, (char)0x80, 50,
	9, 4, 0, 0, 2, (char)0xff, 0, 0, 0,
	7, 5, (char)0x81, 2, 0x00, 0x02, 0,
	7, 5, 0x01, 2, 0x00, 0x02, 0,
};

static uint32_t word(const uint8_t *p, unsigned int at)
{
	uint32_t w;

	memcpy(&w, p + 4 * at, sizeof(w));
	return ntohl(w);
}

static void put_word(uint32_t w)
{
	w = htonl(w);
	memcpy(out + out_used, &w, sizeof(w));
	out_used += sizeof(w);
}

/* The head of a reply with `len` bytes of results. */
static void put_head(const uint8_t *call, size_t len)
{
	if (out_used + 28 + len > sizeof(out))
		errx(1, "output buffer too small");
	put_word(LAST_FRAGMENT | (uint32_t)(24 + len));
	put_word(word(call, XID));
	put_word(1);			/* REPLY */
	for (int i = 0; i < 4; i++)	/* accepted, no verifier, SUCCESS */
		put_word(0);
}

static void put_done(const uint8_t *call, uint32_t actual)
{
	put_head(call, 12);
	put_word(USBIP_OK);
	put_word(USBIP_XFER_OK);
	put_word(actual);
}

static void put_data(const uint8_t *call, uint32_t len)
{
	size_t padded = (len + 3) & ~3u;

	put_head(call, 12 + padded);
	put_word(USBIP_OK_DATA);
	put_word(USBIP_XFER_OK);
	put_word(len);
	memset(out + out_used, 0, padded);
	out_used += padded;
}

static void put_claim(const uint8_t *call)
{
	static char bytes[4096];
	usbip_descriptor config = { sizeof(config_descriptor),
				    config_descriptor };
	usbip_claim_res res = { .status = USBIP_OK };
	usbip_claim_ok *ok = &res.usbip_claim_res_u.claim;
	XDR xdrs;

	ok->session = 1;
	ok->boot[0] = 1;
	ok->lease = 30;
	ok->window_urbs = 256;
	ok->window_bytes = 16 << 20;
	ok->data_max = 4 << 20;
	ok->busid = (char[]){ "1-1" };
	ok->speed = USBIP_SPEED_HIGH;
	ok->configuration = 3;
	memcpy(ok->device, device_descriptor, sizeof(ok->device));
	ok->configs.configs_len = 1;
	ok->configs.configs_val = &config;
	xdrmem_create(&xdrs, bytes, sizeof(bytes), XDR_ENCODE);
	if (!xdr_usbip_claim_res(&xdrs, &res))
		errx(1, "CLAIM can not be encoded");
	put_head(call, xdr_getpos(&xdrs));
	memcpy(out + out_used, bytes, xdr_getpos(&xdrs));
	out_used += xdr_getpos(&xdrs);
}

/* BULK; and CONTROL, which is asked for nothing that has data. */
static void put_transfer(const uint8_t *call, unsigned int at)
{
	uint32_t len = word(call, at + 1);

	if (word(call, at) == USBIP_BUFFER_IN && len)
		put_data(call, len);
	else
		put_done(call, len);
}

static void answer(const uint8_t *call)
{
	switch (word(call, PROC)) {
	case USBIP_CLAIM:
		put_claim(call);
		break;
	case USBIP_BULK:
		put_transfer(call, ARGS + DATA);
		break;
	case USBIP_CONTROL:
		put_transfer(call, ARGS + DATA_BEHIND_SETUP);
		break;
	case USBIP_RENEW:
		put_head(call, 8);
		put_word(USBIP_OK);
		put_word(30);
		break;
	case USBIP_RELEASE:
	case USBIP_UNLINK:
		put_head(call, 4);
		put_word(USBIP_OK);
		break;
	case USBIP_EVENTS:	/* nothing ever happens */
		break;
	default:
		put_done(call, 0);
	}
}

/* The length of the record at the front, answered; 0: not all there. */
static size_t take(const uint8_t *p, size_t n)
{
	size_t len;

	if (n < 4)
		return 0;
	len = 4 + (word(p, MARK) & ~LAST_FRAGMENT);
	if (n < len)
		return 0;
	answer(p);
	return len;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1, fd;

	if (argc != 2)
		errx(2, "usage: rpc-peer PORT");
	sin.sin_port = htons((uint16_t)atoi(argv[1]));
	if (bind(l, (void *)&sin, sizeof(sin)) || listen(l, 1))
		err(1, "listen");
	while ((fd = accept(l, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve(fd, take);
		close(fd);
	}
	err(1, "accept");
}
