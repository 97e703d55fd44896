// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * transfers [SECONDS] - BULK calls a second over loopback TCP, against
 * usbip-rpcd with a fake source and sink: engine, session, numbers and
 * replies, without a kernel and without USB. A line for each size, direction
 * and depth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/integration/caller.h"

#define DEPTH_MAX 64

struct slot {
	struct caller_call call;
	struct bench *b;
};

struct bench {
	struct caller c;
	uint8_t endpoint;
	uint32_t size;
	unsigned int depth, outstanding;
	unsigned long n;
	bool stop, failed, idle;
	uint8_t *data;
	struct slot slots[DEPTH_MAX];
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void on_done(const struct rpc_err *err, void *user);

static void submit(struct slot *slot)
{
	struct bench *b = slot->b;
	struct caller_call *call = &slot->call;
	struct caller *c = &b->c;

	call->bulk.submit.session = c->session;
	call->bulk.submit.pipe = b->endpoint;
	call->bulk.submit.number = ++c->numbers[b->endpoint];
	call->bulk.submit.acked = call->bulk.submit.number > b->depth ?
				  call->bulk.submit.number - b->depth : 0;
	if (b->endpoint & 0x80) {
		call->bulk.buffer.type = USBIP_BUFFER_IN;
		call->bulk.buffer.usbip_buffer_u.length = b->size;
	} else {
		call->bulk.buffer.type = USBIP_BUFFER_OUT;
		call->bulk.buffer.usbip_buffer_u.data.usbip_data_len = b->size;
		call->bulk.buffer.usbip_buffer_u.data.usbip_data_val =
			(char *)b->data;
	}
	memset(&call->res, 0, sizeof(call->res));
	rpcclnt_next(c->clnt, 0, on_done, slot);
	usbip_bulk_1(&call->bulk, &call->res.transfer, rpcclnt_handle(c->clnt));
	b->outstanding++;
}

static void on_done(const struct rpc_err *err, void *user)
{
	struct slot *slot = user;
	struct bench *b = slot->b;

	b->outstanding--;
	if (err->re_status || (slot->call.res.transfer.status != USBIP_OK &&
			       slot->call.res.transfer.status != USBIP_OK_DATA))
		b->failed = b->stop = true;
	b->n++;
	if (!b->stop)
		submit(slot);
	b->idle = b->stop && !b->outstanding;
}

static void measure(struct bench *b, uint8_t endpoint, uint32_t size,
		    unsigned int depth, double seconds)
{
	double from = now(), took;

	b->endpoint = endpoint;
	b->size = size;
	b->depth = depth;
	b->n = 0;
	b->stop = b->idle = false;
	for (unsigned int i = 0; i < depth; i++)
		submit(&b->slots[i]);
	caller_run(&b->c, seconds * 1000, &b->idle);
	took = now() - from;
	printf("%-3s %7u bytes, depth %2u: %8.0f calls/s %8.1f MB/s%s\n",
	       endpoint & 0x80 ? "IN" : "OUT", size, depth, b->n / took,
	       b->n * (double)size / took / 1e6, b->failed ? " FAILED" : "");
	b->stop = true;
	caller_run(&b->c, 5000, &b->idle);
	caller_renew(&b->c, endpoint, b->c.numbers[endpoint]);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 512, 16384, 65536, 1048576 };
	static struct caller_daemon d;
	static struct bench b;
	double seconds = argc > 1 ? atof(argv[1]) : 1;

	b.data = calloc(1, 1 << 20);
	for (int i = 0; i < DEPTH_MAX; i++)
		b.slots[i].b = &b;
	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&b.c, "127.0.0.1", d.port);
	if (caller_claim(&b.c, "2-1", 1, NULL))
		return 1;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned int depth = 1; depth <= 32; depth *= 32)
			for (int in = 0; in < 2; in++)
				measure(&b, in ? 0x81 : 0x01, sizes[i],
					sizes[i] > 65536 && depth > 8 ? 8 : depth,
					seconds);
	caller_close(&b.c);
	free(b.data);
	return caller_daemon_stop(&d) || b.failed;
}
