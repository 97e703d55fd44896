// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe [--hold] HOST PORT DEVICE - claim a device of a running usbip-rpcd, use it and
 * give it back. For a disk: INQUIRY, the first and the last 64 KiB read twice
 * and compared. As TAP. With --hold it only claims, says "held", and then how
 * the session ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define PIECE 65536

static uint8_t bulk_in, bulk_out;

/* One command of a disk; its status, or -1. */
static int scsi(struct caller *c, const uint8_t *cdb, void *data, uint32_t len)
{
	uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 1, 2, 3, 4 }, csw[13];
	int xfer;

	for (int i = 0; i < 4; i++)
		cbw[8 + i] = len >> (8 * i);
	cbw[12] = 0x80;
	cbw[14] = 10;
	memcpy(cbw + 15, cdb, 10);
	if (caller_bulk(c, bulk_out, cbw, sizeof(cbw), &xfer) != sizeof(cbw))
		return -1;
	if (len && caller_bulk(c, bulk_in, data, len, &xfer) < 0)
		return -1;
	if (caller_bulk(c, bulk_in, csw, sizeof(csw), &xfer) != sizeof(csw))
		return -1;
	return csw[12];
}

static int read_blocks(struct caller *c, uint32_t block, uint8_t *data)
{
	const uint8_t cdb[10] = { 0x28, 0, block >> 24, block >> 16, block >> 8,
				  block, 0, 0, PIECE / 512, 0 };

	return scsi(c, cdb, data, PIECE);
}

static void probe_disk(struct caller *c)
{
	static const uint8_t inquiry[10] = { 0x12, 0, 0, 0, 36 };
	static const uint8_t ready[10] = { 0 };
	static const uint8_t sense[10] = { 0x03, 0, 0, 0, 18 };
	static const uint8_t capacity[10] = { 0x25 };
	uint8_t answer[36], *a = malloc(PIECE), *b = malloc(PIECE);
	uint32_t last;
	int tries = 5;

	ok(!scsi(c, inquiry, answer, 36), "INQUIRY");
	printf("# %.28s\n", (char *)answer + 8);
	while (tries-- && scsi(c, ready, NULL, 0))
		scsi(c, sense, answer, 18);	/* unit attention */
	ok(!scsi(c, capacity, answer, 8), "READ CAPACITY");
	last = (uint32_t)answer[0] << 24 | answer[1] << 16 | answer[2] << 8 |
	       answer[3];
	printf("# %u blocks\n", last + 1);
	ok(!read_blocks(c, 0, a) && !read_blocks(c, 0, b) && !memcmp(a, b, PIECE),
	   "the first 64 KiB, twice");
	ok(!read_blocks(c, last + 1 - PIECE / 512, a), "the last 64 KiB");
	ok(read_blocks(c, last, a), "beyond the end is refused");
	free(a);
	free(b);
}

static void probe_control(struct caller *c, const uint8_t *device)
{
	static const uint8_t get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	static const uint8_t get_config[8] = { 0x80, 8, 0, 0, 0, 0, 1, 0 };
	static const uint8_t large[8] = { 0x80, 6, 0, 1, 0, 0, 0, 0xff };
	static const uint8_t unknown[8] = { 0x80, 6, 0, 0x77, 0, 0, 18, 0 };
	static uint8_t data[65536];
	int n, xfer;

	ok(caller_control(c, get_device, data, &xfer) == 18 &&
	   !memcmp(data, device, 18), "its device descriptor is CLAIM's");
	memset(data, 0, 18);
	n = caller_control(c, large, data, &xfer);
	/* QEMU's devices have a buffer of 4 KiB, and stall; its EHCI fails */
	ok((n == 18 && !memcmp(data, device, 18)) ||
	   (n == -1 && (xfer == USBIP_XFER_STALL || xfer == USBIP_XFER_IO)),
	   "also to one that asks for 65280 bytes: %d, %d", n, xfer);
	ok(caller_control(c, get_config, data, &xfer) == 1,
	   "GET_CONFIGURATION says %u", data[0]);
	ok(caller_control(c, unknown, data, &xfer) == -1 &&
	   xfer == USBIP_XFER_STALL, "a descriptor that is not there: STALL");
}

/* Bulk endpoints of the first disk interface of the first configuration. */
static bool find_disk(const usbip_descriptor *config)
{
	const uint8_t *p = (const uint8_t *)config->usbip_descriptor_val;
	const uint8_t *end = p + config->usbip_descriptor_len;
	bool disk = false;

	for (; p + 2 <= end && p[0] >= 2; p += p[0]) {
		if (p[1] == 4)
			disk = p[5] == 8 && p[7] == 0x50;
		if (p[1] == 5 && disk && p[2] & 0x80)
			bulk_in = p[2];
		else if (p[1] == 5 && disk)
			bulk_out = p[2];
	}
	return bulk_in && bulk_out;
}

static void probe_state(struct caller *c, unsigned int configuration)
{
	usbip_set_configuration_args config = { 0 };
	usbip_reset_args reset = { 0 };
	struct caller_call call;

	config.configuration = configuration;
	config.submit.session = reset.submit.session = c->session;
	config.submit.number = ++c->numbers[0];
	config.submit.acked = reset.submit.acked = c->acked[0];
	caller_begin(c, &call);
	usbip_set_configuration_1(&config, &call.res.state,
				  rpcclnt_handle(c->clnt));
	ok(!caller_wait(&call) && !call.res.state.status &&
	   !call.res.state.usbip_state_res_u.done.xfer, "SET_CONFIGURATION");
	caller_end(&call, NULL);
	reset.submit.number = ++c->numbers[0];
	caller_begin(c, &call);
	usbip_reset_1(&reset, &call.res.state, rpcclnt_handle(c->clnt));
	ok(!caller_wait(&call) && !call.res.state.status &&
	   !call.res.state.usbip_state_res_u.done.xfer, "RESET");
	caller_end(&call, NULL);
	c->acked[0] = c->numbers[0];
}

/* Until the session ends; which usbip_stat it is then. */
static void hold(struct caller *c)
{
	usbip_stat stat;

	puts("held");
	fflush(stdout);
	do {
		caller_run(c, 500, &c->closed);
		stat = c->closed ? USBIP_HOST_ERROR : caller_renew(c, 0, 0);
	} while (stat == USBIP_OK);
	printf("session %d\n", stat);
}

int main(int argc, char **argv)
{
	bool holds = argc > 1 && !strcmp(argv[1], "--hold");
	struct caller_call claim;
	usbip_claim_ok *got;
	struct caller c;
	usbip_stat stat;

	argv += holds;
	if (argc - holds != 4) {
		fputs("usage: probe [--hold] HOST PORT DEVICE\n", stderr);
		return 2;
	}
	caller_open(&c, argv[1], atoi(argv[2]));
	stat = caller_claim(&c, argv[3], getpid() & 0xff, &claim);
	ok(stat == USBIP_OK, "CLAIM %s (%d)", argv[3], stat);
	if (stat != USBIP_OK)
		return tap_done();
	if (holds) {
		caller_end(&claim, (xdrproc_t)xdr_usbip_claim_res);
		hold(&c);
		return 0;
	}
	got = &claim.res.claim.usbip_claim_res_u.claim;
	printf("# %s, speed %d, %u configurations, %u bytes of BOS\n",
	       got->busid, got->speed, got->configs.configs_len,
	       got->bos.usbip_descriptor_len);
	probe_control(&c, (uint8_t *)got->device);
	if (got->configs.configs_len && find_disk(got->configs.configs_val))
		probe_disk(&c);
	probe_state(&c, got->configuration);
	if (bulk_in)
		probe_disk(&c);
	ok(caller_release(&c) == USBIP_OK, "RELEASE");
	caller_end(&claim, (xdrproc_t)xdr_usbip_claim_res);
	caller_close(&c);
	return tap_done();
}
