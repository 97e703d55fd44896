// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach-ends PORT - what the kernel is told of how transfers end, and bulk
 * streams: the whole helper but for the module, against a real usbip-rpcd with
 * fake devices.
 */
#include "config.h"

#include "tests/integration/attach.h"

/* Faults of the fake devices, backend_fake.h; and those who end transfers. */
enum {
	OVERFLOW = 4, PARTIAL = 8, CUT, SHUTDOWN, NO_MEMORY, INVAL,
	NOBODY = 0, UNLINK, DRAIN,
};

#define LENGTH 1024

/* What a local controller would say (urb->status, urb->actual_length). */
static const struct end {
	const char *name;
	uint8_t endpoint;
	uint16_t fault, by;
	int status;
	uint32_t actual;
} ends[] = {
	{ "short", 0x81, SHORT, NOBODY, 0, LENGTH / 2 },
	{ "stall", 0x81, STALL, NOBODY, -EPIPE, 0 },
	{ "stall, out", 0x01, STALL, NOBODY, -EPIPE, 0 },
	{ "bus error", 0x81, IO, NOBODY, -EPROTO, 0 },
	{ "bus error in the middle", 0x81, PARTIAL, NOBODY, -EPROTO, LENGTH / 2 },
	{ "bus error in the middle, out", 0x01, PARTIAL, NOBODY, -EPROTO,
	  LENGTH / 2 },
	{ "overflow", 0x81, OVERFLOW, NOBODY, -EOVERFLOW, LENGTH },
	{ "no such endpoint any more", 0x81, SHUTDOWN, NOBODY, -ESHUTDOWN, 0 },
	{ "no memory at the target", 0x81, NO_MEMORY, NOBODY, -ENOMEM, 0 },
	{ "what can not be carried out", 0x81, INVAL, NOBODY, -EINVAL, 0 },
	{ "unlinked", 0x81, HANG, UNLINK, -ECONNRESET, 0 },
	{ "unlinked in the middle", 0x81, CUT, UNLINK, -ECONNRESET, LENGTH / 2 },
	{ "unlinked in the middle, out", 0x01, CUT, UNLINK, -ECONNRESET,
	  LENGTH / 2 },
	{ "drained in the middle", 0x81, CUT, DRAIN, -ECONNRESET, LENGTH / 2 },
	{ "drained", 0x81, HANG, DRAIN, -ECONNRESET, 0 },
};

static bool has_data(const struct kernel_answer *a)
{
	for (uint32_t i = 0; i < a->actual; i++)
		if (a->data[i] != 0xfa)
			return false;
	return true;
}

static void test_end(const struct end *end)
{
	static const uint8_t set_interface[8] = { 1, 11 };
	uint8_t clear_halt[8] = { 2, 1, 0, 0, end->endpoint };
	const struct kernel_answer *a;
	uint64_t id;

	inject(FAULT, end->endpoint, end->fault);
	id = kernel_submit(end->endpoint, USB_TRANSFER_BULK, 0, NULL, LENGTH);
	if (end->by)
		inject(DELAY, end->endpoint, 0);	/* it is under way */
	if (end->by == UNLINK)
		kernel_unlink(id);
	if (end->by == DRAIN)
		request(set_interface, NULL);
	a = kernel_wait(id, WAIT_MS);
	ok(a && a->status == end->status && a->actual == end->actual &&
	   (!(end->endpoint & USB_DIR_IN) || has_data(a)),
	   "%s: %d, %u bytes", end->name, a ? a->status : 1, a ? a->actual : 0);
	if (end->fault == STALL)
		request(clear_halt, NULL);
	a = kernel_wait(kernel_submit(end->endpoint, USB_TRANSFER_BULK, 0, NULL,
				      LENGTH), WAIT_MS);
	ok(a && !a->status && a->actual == LENGTH, "%s: the next one is done",
	   end->name);
}

static void test_ends(void)
{
	static const uint8_t get_device[8] = { 0xc0, 0x5c, 0, 0, 0, 0, 4 };
	struct attachment *a = attach("1-3", daemon_port);
	uint8_t data[64];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		test_end(&ends[i]);
	inject(FAULT, 0, STALL);
	ok(request(get_device, data) == -EPIPE, "control: stall");
	inject(FAULT, 0, IO);
	ok(request(get_device, data) == -EPROTO, "control: bus error");
	inject(FAULT, 0, INVAL);
	ok(request(get_device, data) == -EPIPE,
	   "control: what can not be carried out is a stall");
	ok(kernel_plugged() && !kernel_twice(), "one bad URB is one bad URB");
	detach(a);
}

/* Streams end in any order, also when a connection is lost under them. */
static void test_streams(void)
{
	static const uint8_t loopback[8] = { 0, 9, 2 };
	const uint32_t both = 1U << 17 | 1U << 1;
	struct attachment *a = attach("2-1", proxy_begin(base, daemon_port));
	const struct kernel_answer *r;
	uint64_t in[17], out[17];
	uint8_t data[3000];
	int good = 0;

	ok(a && !request(loopback, NULL), "a device with streams, at super speed");
	r = kernel_wait(kernel_streams(both, 32), WAIT_MS);
	ok(r && !r->status && r->actual == 16, "16 streams for the 32 wanted");
	for (uint16_t s = 1; s <= 16; s++)
		in[s] = kernel_submit_stream(0x81, s, NULL, sizeof(data));
	proxy_cut_after(20000);
	for (uint16_t s = 16; s; s--) {
		memset(data, s, sizeof(data));
		out[s] = kernel_submit_stream(0x01, s, data, sizeof(data));
	}
	for (uint16_t s = 1; s <= 16; s++) {
		r = kernel_wait(out[s], WAIT_MS);
		good += r && !r->status && r->actual == sizeof(data);
		r = kernel_wait(in[s], WAIT_MS);
		good += r && !r->status && r->actual == sizeof(data) &&
			r->data[0] == s && r->data[2999] == s;
	}
	ok(good == 32 && proxy_accepted() > 1 && !kernel_twice(),
	   "each has its data, once, over a lost connection (%d of 32)", good);
	proxy_cut_after(0);
	r = kernel_wait(kernel_submit_stream(0x81, 17, NULL, 8), WAIT_MS);
	ok(r && r->status == -EINVAL, "there is no stream 17");
	r = kernel_wait(kernel_streams(both, 4), WAIT_MS);
	ok(r && r->status == -EINVAL, "twice is refused, and not by a stall");
	r = kernel_wait(kernel_streams(both, 0), WAIT_MS);
	ok(r && !r->status, "freed");
	r = kernel_wait(kernel_submit_stream(0x01, 1, data, 8), WAIT_MS);
	ok(r && r->status == -EINVAL, "then they are refused");
	detach(a);
	kernel_begin(base);
	proxy_end();
	kernel_end();
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	begin_test(argv[1]);
	test_ends();
	test_streams();
	end_test();
	return tap_done();
}
