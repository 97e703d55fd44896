// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Isochronous URBs through the whole helper but for the module, against a real
 * usbip-rpcd with the fake device "isoc": attach-isoc PORT. A packet of it
 * takes 10 ms, which the helper takes for 1 ms.
 */
#include "config.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/attachment.h"
#include "tests/integration/kernel.h"
#include "tests/integration/proxy.h"
#include "tests/isoc-pattern.h"
#include "tests/tap.h"

#define WAIT_MS	20000
#define OUT	0x01
#define IN	0x81
#define LENGTH	192
#define PACKETS	6		/* of an URB */
#define QUEUE	3		/* URBs: 18 ms, as snd-usb-audio has at most */
#define DELAY	100		/* ms each way, of ten times as slow a clock */

enum { FAULT = 0xe1, COUNTS = 0xe5 };

static struct event_base *base;
static uint16_t daemon_port;
static char ctl_dir[] = "/tmp/usbip-ctl-XXXXXX";
static bool attached, ended;

static void on_attached(const char *text, void *user)
{
	attached = true;
}

static void on_ended(const struct failure *why, void *user)
{
	ended = true;
}

static bool wait_for(const bool *what)
{
	for (int i = 0; i < WAIT_MS / 10 && !*what; i++)
		kernel_run(10);
	return *what;
}

static struct attachment *attach(uint16_t port, unsigned int isoc_ms)
{
	const struct attachment_config config = {
		.base = base, .host = "127.0.0.1", .device = "1-1",
		.tcp_port = port, .port = -1, .timeout_ms = 10000,
		.isoc_ms = isoc_ms,
		.ctl_dir = ctl_dir, .sysfs_dir = kernel_sysfs(),
		.open = kernel_open, .attached = on_attached, .ended = on_ended,
	};
	struct attachment *a = NULL;
	struct failure f;

	attached = ended = false;
	if (attachment_new(&a, &config, &f)) {
		printf("# %s\n", f.text);
		return NULL;
	}
	for (int i = 0; i < WAIT_MS / 10 && !kernel_plugged() && !ended; i++)
		kernel_run(10);
	if (!kernel_plugged() || !kernel_enumerate() || !wait_for(&attached))
		return attachment_free(a);
	return a;
}

static void detach(struct attachment *a)
{
	attachment_detach(a, "the test is done");
	wait_for(&ended);
	attachment_free(a);
}

static const struct kernel_answer *request(const uint8_t *setup)
{
	return kernel_wait(kernel_control(setup, NULL), WAIT_MS);
}

static bool set_alternate(uint8_t alternate)
{
	const struct kernel_answer *a = request((const uint8_t[8]){
		0x01, 11, alternate, 0, 0, 0, 0, 0 });

	return a && !a->status;
}

/* Of the device: packets, wrong ones, times that it had run dry. */
static bool counts(uint8_t endpoint, uint32_t out[3])
{
	const struct kernel_answer *a = request((const uint8_t[8]){
		0xc0, COUNTS, 0, 0, endpoint, 0, 12, 0 });

	if (!a || a->actual != 12)
		return false;
	memcpy(out, a->data, 12);	/* little-endian, as tests are */
	return true;
}

/* How many URBs the device has carried out on the endpoint. */
static unsigned int executed(uint8_t endpoint)
{
	const struct kernel_answer *a = request((const uint8_t[8]){
		0xc0, 0xe0, 0, 0, endpoint, 0, 0, 0x10 });

	return a ? a->actual / 4 : 0;
}

static uint64_t submit_out(uint32_t *number)
{
	uint8_t data[PACKETS * LENGTH];

	for (int i = 0; i < PACKETS; i++)
		isoc_fill(data + i * LENGTH, LENGTH, (*number)++);
	return kernel_submit_isoc(OUT, data, PACKETS, LENGTH);
}

static bool went(const struct kernel_answer *a)
{
	if (!a || a->status || a->n_packets != PACKETS)
		return false;
	for (int i = 0; i < PACKETS; i++)
		if (a->packets[i].status || a->packets[i].length != LENGTH)
			return false;
	return true;
}

/* A driver with its short queue: does it see each URB go, in its turn? */
static bool play(unsigned int urbs)
{
	uint64_t ids[QUEUE];
	uint32_t number = 0;
	bool good = true;

	for (unsigned int n = 0; n < urbs + QUEUE; n++) {
		if (n >= QUEUE)
			good &= went(kernel_wait(ids[n % QUEUE], WAIT_MS));
		if (n < urbs)
			ids[n % QUEUE] = submit_out(&number);
	}
	return good;
}

/* The same for what comes: is each packet there, and whole? */
static bool record(unsigned int urbs)
{
	const struct kernel_answer *a;
	uint64_t ids[QUEUE];
	uint32_t number = 0;
	bool good = true;

	for (unsigned int n = 0; n < urbs + QUEUE; n++) {
		if (n >= QUEUE) {
			a = kernel_wait(ids[n % QUEUE], WAIT_MS);
			good &= went(a);
			for (int i = 0; good && i < PACKETS; i++)
				good &= isoc_is(a->data + i * LENGTH, LENGTH,
						number++);
		}
		if (n < urbs)
			ids[n % QUEUE] = kernel_submit_isoc(IN, NULL, PACKETS,
							    LENGTH);
	}
	return good;
}

/* What `port` says of it. */
static json_int_t told(const struct attachment *a, const char *what)
{
	json_t *status = attachment_status(a);
	json_int_t n = json_integer_value(json_object_get(
		json_object_get(status, "isochronous"), what));

	json_decref(status);
	return n;
}

/* How often the device ran dry in so many URBs; -1: it failed. */
static int stream(const char *name, uint16_t port, unsigned int isoc_ms,
		  uint8_t endpoint)
{
	const unsigned int urbs = 40;
	bool out = endpoint == OUT;
	uint32_t n[3] = { 0 };
	struct attachment *a;
	unsigned int before;

	kernel_begin(base);
	a = attach(port, isoc_ms);
	ok(a && set_alternate(1), "%s: attached", name);
	before = executed(endpoint);
	ok(out ? play(urbs) : record(urbs),
	   "%s: the driver has each URB back, in order", name);
	ok(counts(endpoint, n) && !n[1], "%s: no packet is wrong", name);
	printf("# %s: ran dry %u times, %lld gaps, %lld dropped\n", name, n[2],
	       (long long)told(a, "gaps"), (long long)told(a, "dropped"));
	ok(told(a, "gaps") == n[2], "%s: the gaps that are counted are those "
	   "that were", name);
	ok(set_alternate(0), "%s: the driver leaves", name);
	if (out)
		ok(executed(OUT) == before + urbs,
		   "%s: all was played to its end before that", name);
	ok(!kernel_twice(), "%s: no URB came back twice", name);
	detach(a);
	kernel_end();
	return (int)n[2];
}

static void test_buffer(void)
{
	uint16_t port = proxy_begin(base, daemon_port);
	int far, buffered;

	proxy_delay(DELAY);
	far = stream("OUT, far away", port, 0, OUT);
	buffered = stream("OUT, far away, buffer", port, 60, OUT);
	ok(far > 5, "without a buffer the device runs dry, %d times", far);
	ok(!buffered, "with one it does not");
	far = stream("IN, far away", port, 0, IN);
	buffered = stream("IN, far away, buffer", port, 60, IN);
	ok(far > 5, "IN: without a buffer, too, %d times", far);
	ok(!buffered, "IN: with one it does not");
	proxy_end();
}

static void test_in(void)
{
	const struct kernel_answer *a;
	struct attachment *at;
	bool good = true;

	kernel_begin(base);
	at = attach(daemon_port, 0);
	ok(at && set_alternate(1), "attached");
	for (uint32_t n = 0; n < 20 * PACKETS; n += PACKETS) {
		a = kernel_wait(kernel_submit_isoc(IN, NULL, PACKETS, LENGTH),
				WAIT_MS);
		good &= went(a);
		for (uint32_t i = 0; good && i < PACKETS; i++)
			good &= isoc_is(a->data + i * LENGTH, LENGTH, n + i);
	}
	ok(good, "IN: each packet, and each byte of it");
	request((const uint8_t[8]){ 0x40, FAULT, 2, 0, IN, 0, 0, 0 });
	a = kernel_wait(kernel_submit_isoc(IN, NULL, PACKETS, LENGTH), WAIT_MS);
	ok(a && a->actual == (PACKETS - 1) * LENGTH + LENGTH / 2 &&
	   a->packets[0].length == LENGTH / 2 &&
	   isoc_is(a->data + LENGTH / 2, LENGTH, 20 * PACKETS + 1),
	   "a packet is short, and the next follows at once");
	detach(at);
	kernel_end();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	daemon_port = (uint16_t)atoi(argv[1]);
	base = event_base_new();
	if (!base || !mkdtemp(ctl_dir))
		return 1;
	test_in();
	test_buffer();
	rmdir(ctl_dir);
	event_base_free(base);
	return tap_done();
}
