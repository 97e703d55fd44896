// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ends HOST PORT DEVICE - how transfers end on a real controller: a gadget of
 * SourceSink and Loopback at super speed, claimed of a running usbip-rpcd. What
 * libusb and usbfs report here is not always what happened, so this is for what
 * fake devices can not show. As TAP; in the end it says "pull", and waits for
 * the device to go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define PACKET 1024
#define BUFFER 4096		/* of the loopback: it sends when one is full */

/* Bulk endpoints of the two interfaces. */
static uint8_t source, sink, loop_in, loop_out;

static bool find_endpoints(const usbip_descriptor *config)
{
	const uint8_t *p = (const uint8_t *)config->usbip_descriptor_val;
	const uint8_t *end = p + config->usbip_descriptor_len;
	int interface = -1;

	for (; p + 2 <= end && p[0] >= 2; p += p[0]) {
		if (p[1] == 4)
			interface = p[3] ? -1 : p[2];
		if (p[1] != 5 || interface < 0 || interface > 1)
			continue;
		if (p[2] & 0x80)
			*(interface ? &loop_in : &source) = p[2];
		else
			*(interface ? &loop_out : &sink) = p[2];
	}
	return source && sink && loop_in && loop_out;
}

/* Its result is x, with n bytes. */
static bool ends(struct caller_call *call, int x, int n, void *data)
{
	usbip_transfer_res *res = &call->res.transfer;
	int xfer = -1, actual = -1;

	if (caller_wait(call))
		return false;
	if (res->status == USBIP_OK) {
		xfer = res->usbip_transfer_res_u.done.xfer;
		actual = res->usbip_transfer_res_u.done.actual;
	} else if (res->status == USBIP_OK_DATA) {
		xfer = res->usbip_transfer_res_u.done_data.xfer;
		actual = res->usbip_transfer_res_u.done_data.data.usbip_data_len;
		if (data)
			memcpy(data, res->usbip_transfer_res_u.done_data.data
			       .usbip_data_val, actual);
	}
	caller_end(call, NULL);
	printf("# status %d, transfer %d, %d bytes\n", res->status, xfer, actual);
	return xfer == x && actual == n;
}

/* An IN transfer that is pending at the device. */
static void submit_pending(struct caller *c, struct caller_call *call,
			   uint32_t length)
{
	static const uint8_t get_config[8] = { 0x80, 8, 0, 0, 0, 0, 1, 0 };
	uint8_t value;
	int xfer;

	caller_submit_in(c, call, loop_in, length, 0);
	caller_control(c, get_config, &value, &xfer);	/* a round trip */
}

static void acknowledge(struct caller *c, uint8_t endpoint)
{
	c->acked[endpoint] = c->numbers[endpoint];
	caller_renew(c, endpoint, c->acked[endpoint]);
}

static void test_plain(struct caller *c)
{
	static uint8_t data[3 * PACKET];
	struct caller_call call;
	int xfer;

	ok(caller_bulk(c, source, data, sizeof(data), &xfer) == sizeof(data) &&
	   caller_bulk(c, sink, data, sizeof(data), &xfer) == sizeof(data),
	   "source and sink");
	ok(caller_bulk(c, sink, NULL, 0, &xfer) == 0, "an empty packet");
	caller_submit_in(c, &call, source, 100, 0);
	ok(caller_wait(&call) == RPC_SUCCESS &&
	   (call.res.transfer.usbip_transfer_res_u.done.xfer ==
	    USBIP_XFER_OVERFLOW), "a packet that does not fit: OVERFLOW");
	caller_end(&call, NULL);
	acknowledge(c, source);
	ok(caller_bulk(c, source, data, PACKET, &xfer) == PACKET,
	   "and the endpoint goes on");
}

static void test_halt(struct caller *c)
{
	const uint8_t halt[8] = { 2, 3, 0, 0, source, 0, 0, 0 };
	const uint8_t status[8] = { 0x82, 0, 0, 0, source, 0, 2, 0 };
	struct caller_call a, b;
	uint8_t data[2] = { 0 };
	int xfer;

	ok(!caller_control(c, halt, NULL, &xfer), "the device halts an endpoint");
	caller_submit_in(c, &a, source, PACKET, 0);
	caller_submit_in(c, &b, source, PACKET, 0);
	ok(ends(&a, USBIP_XFER_STALL, 0, NULL), "STALL");
	ok(caller_control(c, status, data, &xfer) == 2 && data[0] == 1 && !b.done,
	   "it is halted, and what is behind waits");
	ok(!caller_state(c, USBIP_CLEAR_HALT, source, 0, &xfer) &&
	   caller_control(c, status, data, &xfer) == 2 && !data[0],
	   "CLEAR_HALT");
	caller_renew(c, source, c->numbers[source] - 1);
	ok(ends(&b, USBIP_XFER_OK, PACKET, NULL), "acknowledged, it goes on");
	acknowledge(c, source);
}

/* usbfs would say COMPLETED with 0 bytes, or NO_DEVICE, without the drain. */
static void test_drained(struct caller *c, const usbip_claim_ok *claim)
{
	static const struct {
		const char *name;
		rpcproc_t proc;
		unsigned int interface;
	} calls[] = {
		{ "SET_INTERFACE", USBIP_SET_INTERFACE, 1 },
		{ "CLEAR_HALT", USBIP_CLEAR_HALT, 0 },
		{ "SET_CONFIGURATION", USBIP_SET_CONFIGURATION, 0 },
		{ "RESET", USBIP_RESET, 0 },
	};
	struct caller_call call;
	unsigned int value;
	int xfer;

	for (size_t i = 0; i < 4; i++) {
		value = i == 1 ? loop_in : i == 2 ? claim->configuration : 0;
		submit_pending(c, &call, PACKET);
		ok(!caller_state(c, calls[i].proc, value, calls[i].interface,
				 &xfer), "%s under a pending transfer",
		   calls[i].name);
		ok(ends(&call, USBIP_XFER_CANCELLED, 0, NULL),
		   "which was CANCELLED for it");
		acknowledge(c, loop_in);
	}
}

static void test_partial(struct caller *c)
{
	static uint8_t out[BUFFER], in[4 * BUFFER];
	struct caller_call call;
	int xfer;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = i * 7 + (i >> 8);
	ok(caller_bulk(c, loop_out, out, BUFFER, &xfer) == BUFFER, "a buffer out");
	submit_pending(c, &call, sizeof(in));
	ok(caller_unlink(c, loop_in, c->numbers[loop_in]) == USBIP_OK &&
	   ends(&call, USBIP_XFER_CANCELLED, BUFFER, in) &&
	   !memcmp(in, out, BUFFER), "UNLINK in the middle: CANCELLED, with it");
	acknowledge(c, loop_in);
}

static void submit_flags(struct caller *c, struct caller_call *call,
			 uint8_t endpoint, const void *data, uint32_t length,
			 uint32_t flags)
{
	usbip_data *to = &call->bulk.buffer.usbip_buffer_u.data;

	call->bulk.submit = (usbip_submit){ c->session, endpoint | flags,
		++c->numbers[endpoint], c->acked[endpoint] };
	call->bulk.buffer.type = USBIP_BUFFER_OUT;
	to->usbip_data_len = length;
	to->usbip_data_val = (char *)(uintptr_t)data;
	caller_begin(c, call);
	usbip_bulk_1(&call->bulk, &call->res.transfer, rpcclnt_handle(c->clnt));
}

/* The loopback sends a buffer that is not full when a packet was short. */
static void test_zero_packet(struct caller *c)
{
	static uint8_t data[2 * PACKET], got[BUFFER];
	struct caller_call out, in;

	memset(data, 0x5a, sizeof(data));
	submit_pending(c, &in, sizeof(got));
	submit_flags(c, &out, loop_out, data, PACKET, 0);
	ok(ends(&out, USBIP_XFER_OK, PACKET, NULL), "whole packets");
	caller_run(c, 200, &in.done);
	ok(!in.done, "are no end");
	submit_flags(c, &out, loop_out, data, PACKET, USBIP_PIPE_ZERO_PACKET);
	ok(ends(&out, USBIP_XFER_OK, PACKET, NULL) &&
	   ends(&in, USBIP_XFER_OK, 2 * PACKET, got) && got[2047] == 0x5a,
	   "with ZERO_PACKET they are");
	acknowledge(c, loop_in);
	acknowledge(c, loop_out);
}

static void test_pulled(struct caller *c)
{
	struct caller_call calls[2];
	bool right = true;
	usbip_stat stat;

	caller_submit_in(c, &calls[0], loop_in, PACKET, 0);
	submit_pending(c, &calls[1], PACKET);
	puts("pull");
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		caller_run(c, 30000, &calls[i].done);
		/* IO, where the controller was faster than the news */
		right &= ends(&calls[i], USBIP_XFER_SHUTDOWN, 0, NULL) ||
			 calls[i].res.transfer.usbip_transfer_res_u.done.xfer ==
			 USBIP_XFER_IO;
	}
	ok(right, "pulled: what was pending fails");
	for (int i = 0; i < 100; i++) {
		stat = caller_renew(c, 0, 0);
		if (stat != USBIP_OK)
			break;
		caller_run(c, 100, NULL);
	}
	ok(stat == USBIP_GONE, "and the session is GONE");
}

int main(int argc, char **argv)
{
	static struct caller c;
	static struct caller_call claim;
	const usbip_claim_ok *got;

	if (argc != 4) {
		fputs("usage: ends HOST PORT DEVICE\n", stderr);
		return 2;
	}
	caller_open(&c, argv[1], atoi(argv[2]));
	if (caller_claim(&c, argv[3], 7, &claim) != USBIP_OK)
		return 1;
	got = &claim.res.claim.usbip_claim_res_u.claim;
	ok(got->configs.configs_len && find_endpoints(got->configs.configs_val),
	   "a gadget: %02x %02x %02x %02x", source, sink, loop_in, loop_out);
	test_plain(&c);
	test_halt(&c);
	test_drained(&c, got);
	test_partial(&c);
	test_zero_packet(&c);
	test_pulled(&c);
	caller_end(&claim, (xdrproc_t)xdr_usbip_claim_res);
	caller_close(&c);
	return tap_done();
}
