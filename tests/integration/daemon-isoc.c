// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Isochronous transfers over the wire: usbip-rpcd with the fake device "isoc"
 * (server/backend_fake_isoc.c), every packet looked at, and the rules of
 * usbip.x that are theirs alone.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/caller.h"
#include "tests/isoc-pattern.h"
#include "tests/tap.h"

/* Vendor requests and faults of the fake devices: backend_fake_control.c. */
#define FAULT 0xe1
#define DELAY 0xe2
#define COUNTS 0xe5
#define STALL 1
#define SHORT 2
#define IO 3
#define OVERFLOW 4

#define IN 0x81
#define OUT 0x01
#define PACKETS 8
#define LENGTH 301		/* nothing falls into its place by chance */

static struct caller_daemon d;

/* A call under way, with all that it points to. */
struct isoc {
	struct caller_call call;
	usbip_isoc_args args;
	u_int lengths[USBIP_PACKETS_MAX];
	uint8_t *data;
};

/* PACKETS packets, OUT with the content for packet numbers from `first` on. */
static void prepare(struct isoc *i, struct caller *c, uint8_t endpoint,
		    uint32_t number, uint32_t first)
{
	u_int n = PACKETS * LENGTH;

	memset(i, 0, sizeof(*i));
	i->data = malloc(n);
	for (u_int k = 0; k < PACKETS; k++) {
		i->lengths[k] = LENGTH;
		isoc_fill(i->data + k * LENGTH, LENGTH, first + k);
	}
	i->args.submit = (usbip_submit){
		.session = c->session, .pipe = endpoint | USBIP_PIPE_ISO_ASAP,
		.number = number ? number : ++c->numbers[endpoint],
		.acked = c->acked[endpoint],
	};
	i->args.interval = 1;
	i->args.packets.packets_len = PACKETS;
	i->args.packets.packets_val = i->lengths;
	if (endpoint & 0x80) {
		i->args.buffer.type = USBIP_BUFFER_IN;
		i->args.buffer.usbip_buffer_u.length = n;
	} else {
		i->args.buffer.usbip_buffer_u.data.usbip_data_len = n;
		i->args.buffer.usbip_buffer_u.data.usbip_data_val = (char *)i->data;
	}
}

static void start(struct isoc *i, struct caller *c)
{
	caller_begin(c, &i->call);
	usbip_isoc_1(&i->args, &i->call.res.isoc, rpcclnt_handle(c->clnt));
}

/* Wait for the reply: the call's status. */
static usbip_stat wait_for(struct isoc *i)
{
	if (caller_wait(&i->call))
		return USBIP_HOST_ERROR;
	return i->call.res.isoc.status;
}

static const usbip_isoc_ok *reply(const struct isoc *i)
{
	return &i->call.res.isoc.usbip_isoc_res_u.done;
}

static void finish(struct isoc *i)
{
	caller_end(&i->call, (xdrproc_t)xdr_usbip_isoc_res);
	free(i->data);
}

static bool is_done(struct isoc *i, usbip_xfer xfer)
{
	return wait_for(i) == USBIP_OK && reply(i)->xfer == xfer &&
	       reply(i)->packets.packets_len == i->args.packets.packets_len;
}

static bool has_packet(const struct isoc *i, u_int k, usbip_xfer xfer,
		       u_int actual)
{
	const usbip_packet *p = &reply(i)->packets.packets_val[k];

	if (p->xfer == xfer && p->actual == actual)
		return true;
	printf("# packet %u: %d, %u bytes\n", k, (int)p->xfer, p->actual);
	return false;
}

/* From packet k on all went as asked; IN: with the bytes of packets `first`
 * + k ..., the data of the k before being `skip` bytes. */
static bool all_well(const struct isoc *i, u_int k, uint32_t first, u_int skip)
{
	const uint8_t *data =
		(const uint8_t *)reply(i)->data.usbip_data_val + skip;
	bool in = i->args.submit.pipe & 0x80;

	for (; k < reply(i)->packets.packets_len; k++) {
		if (!has_packet(i, k, USBIP_XFER_OK, i->lengths[k]))
			return false;
		if (in && !isoc_is(data, i->lengths[k], first + k))
			return false;
		data += i->lengths[k];
	}
	return true;
}

/* packets, wrong ones, times that it had run dry */
static void counts(struct caller *c, uint8_t endpoint, uint32_t out[3])
{
	uint8_t setup[8] = { 0xc0, COUNTS, 0, 0, endpoint, 0, 12, 0 }, b[12];
	int xfer;

	memset(out, 0xff, 12);
	if (caller_control(c, setup, b, &xfer) != 12)
		return;
	for (int i = 0; i < 3; i++)
		out[i] = b[4 * i] | b[4 * i + 1] << 8 | b[4 * i + 2] << 16 |
			 (uint32_t)b[4 * i + 3] << 24;
}

static void set_alternate(struct caller *c, unsigned int alternate)
{
	int xfer;

	caller_state(c, USBIP_SET_INTERFACE, alternate, 0, &xfer);
}

static void test_both_ways(struct caller *c)
{
	uint32_t n[3];
	static struct isoc i;

	prepare(&i, c, OUT, 0, 0);
	start(&i, c);
	ok(is_done(&i, USBIP_XFER_SHUTDOWN) &&
	   has_packet(&i, 0, USBIP_XFER_MISSED, 0),
	   "in setting 0 there is no such endpoint: SHUTDOWN");
	finish(&i);
	set_alternate(c, 1);
	prepare(&i, c, OUT, 0, 0);
	start(&i, c);
	ok(is_done(&i, USBIP_XFER_OK) && all_well(&i, 0, 0, 0) &&
	   !reply(&i)->data.usbip_data_len, "OUT: each packet went");
	finish(&i);
	counts(c, OUT, n);
	ok(n[0] == PACKETS && !n[1], "and had the right bytes");
	prepare(&i, c, IN, 0, 0);
	start(&i, c);
	ok(is_done(&i, USBIP_XFER_OK) && all_well(&i, 0, 0, 0) &&
	   reply(&i)->data.usbip_data_len == PACKETS * LENGTH,
	   "IN: each packet came, with the right bytes");
	finish(&i);
}

static void test_large(struct caller *c)
{
	struct isoc *i = calloc(1, sizeof(*i));
	uint32_t n[3];
	u_int sum = 0;

	set_alternate(c, 1);
	prepare(i, c, OUT, 0, 0);
	i->data = realloc(i->data, USBIP_PACKETS_MAX * 1024);
	for (u_int k = 0; k < USBIP_PACKETS_MAX; k++) {
		i->lengths[k] = k;
		isoc_fill(i->data + sum, k, k);
		sum += k;
	}
	i->args.packets.packets_len = USBIP_PACKETS_MAX;
	i->args.buffer.usbip_buffer_u.data.usbip_data_len = sum;
	i->args.buffer.usbip_buffer_u.data.usbip_data_val = (char *)i->data;
	start(i, c);
	ok(is_done(i, USBIP_XFER_OK) && all_well(i, 0, 0, 0),
	   "1024 packets, each longer than the one before");
	counts(c, OUT, n);
	ok(n[0] == 1024 && !n[1], "went as they were");
	finish(i);
	free(i);
}

static void test_faults(struct caller *c)
{
	static const struct {
		const char *name;
		unsigned int fault;
		usbip_xfer xfer;
		u_int actual;
	} faults[] = {
		{ "short", SHORT, USBIP_XFER_OK, LENGTH / 2 },
		{ "damaged", IO, USBIP_XFER_MISSED, 0 },
		{ "stalled", STALL, USBIP_XFER_STALL, 0 },
		{ "too long", OVERFLOW, USBIP_XFER_OVERFLOW, 0 },
	};
	static struct isoc i;

	set_alternate(c, 1);
	for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
		caller_tell(c, FAULT, faults[f].fault, IN);
		prepare(&i, c, IN, 0, 0);
		start(&i, c);
		ok(is_done(&i, USBIP_XFER_OK) &&
		   has_packet(&i, 0, faults[f].xfer, faults[f].actual) &&
		   all_well(&i, 1, f * PACKETS, faults[f].actual),
		   "IN: one packet is %s, the others are as they should",
		   faults[f].name);
		finish(&i);
		caller_tell(c, FAULT, faults[f].fault, OUT);
		prepare(&i, c, OUT, 0, f * PACKETS);
		start(&i, c);
		ok(is_done(&i, USBIP_XFER_OK) &&
		   has_packet(&i, 0, faults[f].xfer, faults[f].actual) &&
		   all_well(&i, 1, 0, 0), "OUT: the same");
		finish(&i);
	}
}

/* Nobody waits for a missing number, and nobody executes it later. */
static void test_late(struct caller *c)
{
	uint32_t base = c->numbers[OUT], n[3];
	static struct isoc i[3];

	set_alternate(c, 1);
	prepare(&i[1], c, OUT, base + 2, 0);
	start(&i[1], c);
	ok(is_done(&i[1], USBIP_XFER_OK) && all_well(&i[1], 0, 0, 0),
	   "a number is missing: the one behind it is executed");
	prepare(&i[0], c, OUT, base + 1, 100);
	start(&i[0], c);
	ok(is_done(&i[0], USBIP_XFER_OK) &&
	   has_packet(&i[0], 0, USBIP_XFER_LATE, 0) &&
	   has_packet(&i[0], PACKETS - 1, USBIP_XFER_LATE, 0),
	   "it comes after all: its packets are LATE");
	counts(c, OUT, n);
	ok(n[0] == PACKETS && !n[1], "and were not executed");
	finish(&i[0]);
	prepare(&i[0], c, OUT, base + 1, 100);
	start(&i[0], c);
	ok(is_done(&i[0], USBIP_XFER_OK) &&
	   has_packet(&i[0], 0, USBIP_XFER_LATE, 0), "the kept reply says so too");
	finish(&i[0]);
	/* base + 3 is never sent */
	prepare(&i[2], c, OUT, base + 4, PACKETS);
	start(&i[2], c);
	ok(is_done(&i[2], USBIP_XFER_OK), "one more is lost");
	finish(&i[2]);
	caller_renew(c, OUT, base + 4);
	prepare(&i[2], c, OUT, base + 3, 0);
	start(&i[2], c);
	ok(wait_for(&i[2]) == USBIP_STALE, "and may be acknowledged with the rest");
	finish(&i[2]);
	finish(&i[1]);
	c->numbers[OUT] = c->acked[OUT] = base + 4;
}

/* Frames: without a gap as long as something is queued, with one else. */
static void test_frames(struct caller *c)
{
	static struct isoc i[3];
	uint32_t f[3], n[3];

	set_alternate(c, 1);
	caller_tell(c, DELAY, 20, OUT);
	for (int k = 0; k < 3; k++) {
		prepare(&i[k], c, OUT, 0, k * PACKETS);
		if (k < 2)
			start(&i[k], c);
	}
	is_done(&i[0], USBIP_XFER_OK);
	ok(is_done(&i[1], USBIP_XFER_OK), "two URBs are queued");
	start(&i[2], c);
	ok(is_done(&i[2], USBIP_XFER_OK), "and one comes when they are done");
	for (int k = 0; k < 3; k++) {
		f[k] = reply(&i[k])->start_frame;
		finish(&i[k]);
	}
	ok(f[1] == f[0] + PACKETS, "the second begins where the first ends");
	ok(f[2] != f[1] + PACKETS, "the third does not: there was a gap");
	counts(c, OUT, n);
	ok(n[0] == 3 * PACKETS && !n[1] && n[2] == 1, "the device saw it, too");
	caller_tell(c, DELAY, 0, OUT);
	c->acked[OUT] = c->numbers[OUT];
}

static void test_cancel(struct caller *c)
{
	static struct isoc i[2];

	set_alternate(c, 1);
	caller_tell(c, DELAY, 1000, IN);
	prepare(&i[0], c, IN, 0, 0);
	prepare(&i[1], c, IN, 0, 0);
	start(&i[0], c);
	start(&i[1], c);
	ok(caller_unlink(c, IN, c->numbers[IN]) == USBIP_OK &&
	   is_done(&i[1], USBIP_XFER_CANCELLED) && !i[0].call.done &&
	   !reply(&i[1])->data.usbip_data_len, "UNLINK of the second of two");
	set_alternate(c, 1);
	ok(is_done(&i[0], USBIP_XFER_CANCELLED),
	   "SET_INTERFACE cancels the other");
	finish(&i[0]);
	finish(&i[1]);
	caller_tell(c, DELAY, 0, IN);
	c->acked[IN] = c->numbers[IN];
}

static void refused(struct caller *c, struct isoc *i, const char *name)
{
	start(i, c);
	ok(wait_for(i) == USBIP_INVAL, "%s: INVAL", name);
	finish(i);
}

static void test_refused(struct caller *c)
{
	struct caller_call bulk;
	static struct isoc i;
	int xfer;

	prepare(&i, c, OUT, 0, 0);
	i.lengths[3]++;
	refused(c, &i, "packets of more bytes than there are");
	prepare(&i, c, IN, 0, 0);
	i.lengths[3]--;
	refused(c, &i, "packets of fewer bytes than are asked for");
	prepare(&i, c, IN, 0, 0);
	i.lengths[0] = 0xffffffff;
	i.lengths[1] = 2 * LENGTH + 1;
	refused(c, &i, "packets whose sum overflows");
	prepare(&i, c, IN, 0, 0);
	i.args.packets.packets_len = 0;
	i.args.buffer.usbip_buffer_u.length = 0;
	refused(c, &i, "no packets");
	prepare(&i, c, OUT, 0, 0);
	i.args.submit.pipe |= USBIP_PIPE_ZERO_PACKET;
	refused(c, &i, "a flag of other types");
	prepare(&i, c, OUT, 0, 0);
	i.args.submit.pipe ^= OUT ^ IN;
	i.args.submit.number = ++c->numbers[IN];
	i.args.submit.acked = c->acked[IN];
	c->numbers[OUT]--;
	refused(c, &i, "data of the wrong way");
	prepare(&i, c, OUT, 0, 0);
	i.args.submit.pipe = 0;
	refused(c, &i, "endpoint 0");
	c->numbers[OUT]--;
	caller_submit_in(c, &bulk, IN, 8, 0);
	ok(caller_result(&bulk, NULL, 0, &xfer) == -2 && xfer == USBIP_INVAL,
	   "BULK to an isochronous endpoint: INVAL");
	prepare(&i, c, IN, 0, 0);
	start(&i, c);
	ok(is_done(&i, USBIP_XFER_OK), "the numbers go on behind all of that");
	finish(&i);
}

int main(void)
{
	static struct caller c;

	caller_daemon_start(&d, "* *\n", "device 1-1 isoc\n", NULL);
	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-1", 1, NULL) == USBIP_OK, "CLAIM");
	test_both_ways(&c);
	test_large(&c);
	test_faults(&c);
	test_late(&c);
	test_frames(&c);
	test_cancel(&c);
	test_refused(&c);
	ok(caller_release(&c) == USBIP_OK, "RELEASE");
	caller_close(&c);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
