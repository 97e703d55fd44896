// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole helper but for the module, by datagrams, against a real usbip-rpcd
 * with fake devices and through a network that is as bad as it is told to be:
 * attach-udp PORT DAEMON-PID. The daemon's lease is 3 s.
 */
#include "config.h"

#include <netinet/in.h>

#define ATTACH_UDP true
#include "tests/integration/attach.h"
#include "tests/integration/udp-relay.h"
#include "tests/isoc-pattern.h"

/* 5 % lost, 10 % in another order, 2 % twice, 30 ms +- 10 ms. */
static const struct udp_relay_faults bad = { 5, 10, 2, 30, 10, 0 };

/* A request to the fake device, after the faults are over: the numbers that
 * were executed on the endpoint. Are they 1 to n, each once, in order? */
static bool executed_once(uint8_t endpoint, uint32_t n)
{
	static uint8_t list[4096];
	int len = request((const uint8_t[8]){ 0xc0, 0xe0, 0, 0, endpoint, 0, 0,
			  0x10 }, list);
	uint32_t number = n;

	if (len < (int)(4 * n))
		return false;
	for (int i = len - 4; number; i -= 4, number--)
		if (((uint32_t)list[i] | (uint32_t)list[i + 1] << 8 |
		     (uint32_t)list[i + 2] << 16) != number)
			return false;
	return true;
}

static int64_t isoc_count(const struct attachment *a, const char *name)
{
	json_t *o = attachment_status(a);
	int64_t n = json_integer_value(json_object_get(
		json_object_get(o, "isochronous"), name));

	json_decref(o);
	return n;
}

static void test_reach(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);
	struct attachment *a;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		abort();
	kernel_begin(base);
	a = begin("1-2", ntohs(addr.sin_port));
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_UNREACHABLE &&
	   strstr(fate.why.text, "nobody answers at UDP port"), "%s",
	   fate.why.text);
	attachment_free(a);
	close(fd);
	a = begin("1-2", ntohs(addr.sin_port));
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_UNREACHABLE &&
	   strstr(fate.why.text, "refuses UDP port"), "%s", fate.why.text);
	attachment_free(a);
	a = begin("9-9", daemon_port);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_NOT_FOUND, "%s",
	   fate.why.text);
	attachment_free(a);
	a = begin("1-6", daemon_port);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_PERMISSION, "%s",
	   fate.why.text);
	attachment_free(a);
	kernel_end();
}

/* What OUT took comes back by IN, in order: a byte that is lost, twice or in
 * another place is seen. False: it is not the same. */
static bool loop(uint32_t total, uint32_t size, unsigned int seed)
{
	static uint8_t out[65536], in[65536];
	uint64_t outs[64], ins[64];
	uint32_t n = 0, at = 0;

	for (uint32_t i = 0; i < total; i++)
		out[i] = (uint8_t)(i * 31 + (i >> 8) + seed);
	for (; at < total && n < 64; at += size, n++) {
		uint32_t len = total - at < size ? total - at : size;

		outs[n] = kernel_submit(0x01, USB_TRANSFER_BULK, 0, out + at, len);
		ins[n] = kernel_submit(0x81, USB_TRANSFER_BULK, 0, NULL, len);
	}
	at = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct kernel_answer *r = kernel_wait(ins[i], WAIT_MS);
		const struct kernel_answer *o = kernel_wait(outs[i], WAIT_MS);

		if (!r || r->status || !o || o->status)
			return false;
		memcpy(in + at, r->data, r->actual);
		at += r->actual;
	}
	return at == total && !memcmp(in, out, total);
}

static bool set_configuration(uint8_t value)
{
	return request((const uint8_t[8]){ 0, 9, value, 0, 0, 0, 0, 0 },
		       NULL) == 0;
}

static void test_good_network(void)
{
	struct attachment *a = attach("1-2", daemon_port);
	json_t *o = a ? attachment_status(a) : NULL;
	uint8_t data[512];

	ok(a && !strcmp(json_string_value(json_object_get(o, "transport")), "udp"),
	   "attached over UDP: %s", fate.text);
	json_decref(o);
	if (!a)
		return;
	ok(request((const uint8_t[8]){ 0x80, 6, 2, 3, 9, 4, 255, 0 }, data) > 4,
	   "strings come from the device");
	ok(set_configuration(2) && loop(1, 1, 1) && loop(20000, 511, 2) &&
	   loop(65536, 16384, 3), "bulk data there and back");
	ok(!kernel_twice(), "each URB is answered once");
	detach(a);
	ok(fate.why.code == FAILURE_NONE, "detached");
}

/* ---- a bad network ------------------------------------------------------- */

static bool control_data(unsigned int seed)
{
	uint8_t out[512], in[512];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + seed);
	return request((const uint8_t[8]){ 0x40, 0x5b, 0, 0, 0, 0, 0, 2 }, out) ==
	       512 &&
	       request((const uint8_t[8]){ 0xc0, 0x5c, 0, 0, 0, 0, 0, 2 }, in) ==
	       512 && !memcmp(in, out, 512);
}

/* Many at once on both bulk and both interrupt endpoints. */
static bool all_endpoints(void)
{
	static const uint8_t endpoints[] = { 0x01, 0x81, 0x02, 0x82 };
	uint64_t ids[80];
	bool good = true;

	for (size_t i = 0; i < 80; i++)
		ids[i] = kernel_submit(endpoints[i % 4], i % 4 < 2 ?
				       USB_TRANSFER_BULK : USB_TRANSFER_INTERRUPT,
				       0, NULL, i % 4 < 2 ? 2048 : 64);
	for (size_t i = 0; i < 80; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);

		good = good && r && !r->status &&
		       r->actual == (i % 4 < 2 ? 2048 : 64);
		if (i % 8 == 0)
			udp_relay_stray();
	}
	return good;
}

/* Some are unlinked, in the middle of their pieces too. */
static bool unlinks(void)
{
	uint64_t ids[24];
	int answered = 0;

	for (size_t i = 0; i < 24; i++)
		ids[i] = kernel_submit(i % 2 ? 0x81 : 0x01, USB_TRANSFER_BULK, 0,
				       NULL, 20000);
	kernel_run(40);
	for (size_t i = 24; i; i--)
		kernel_unlink(ids[i - 1]);
	for (size_t i = 0; i < 24; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);

		answered += r && (!r->status || r->status == -ECONNRESET);
	}
	return answered == 24;
}

static void test_bad_network(unsigned int seed)
{
	uint16_t port = udp_relay_begin(base, daemon_port, seed);
	const struct udp_relay_counts *n = udp_relay_counts();
	struct attachment *a;

	udp_relay_faults(&bad);
	a = attach("1-2", port);
	ok(a, "seed %u: %s", seed, fate.text);
	if (!a)
		return;
	ok(control_data(seed), "control data there and back");
	ok(all_endpoints(), "bulk and interrupt, both ways");
	ok(executed_once(0x01, 20) && executed_once(0x81, 20) &&
	   executed_once(0x02, 20) && executed_once(0x82, 20),
	   "each was executed once, in order");
	ok(set_configuration(2) && loop(30000, 1000, seed) &&
	   loop(65536, 32768, seed), "what is written is what is read");
	ok(set_configuration(3) && unlinks(), "unlinked: all are answered");
	for (int i = 0; i < 20; i++)
		udp_relay_stray();
	ok(control_data(seed + 1) && !kernel_twice(), "each URB once");
	ok(n->lost && n->doubled && n->reordered && udp_relay_sockets() == 1,
	   "over one socket, and %u of %u were lost", n->lost,
	   n->relayed + n->lost);
	detach(a);
	udp_relay_end();
}

/* A path that is narrower than the link, and says nothing. */
static void test_narrow_path(void)
{
	static const struct udp_relay_faults narrow = { .mtu = 1300 };
	uint16_t port = udp_relay_begin(base, daemon_port, 1);
	struct attachment *a = attach("1-2", port);

	udp_relay_faults(&narrow);
	ok(a && set_configuration(2) && loop(65536, 20000, 9),
	   "larger datagrams vanish: smaller ones go");
	ok(udp_relay_counts()->too_large && udp_relay_sockets() == 1,
	   "after %u of the others", udp_relay_counts()->too_large);
	ok(loop(65536, 20000, 10), "in pieces, %u datagrams",
	   udp_relay_counts()->relayed);
	if (a)
		detach(a);
	udp_relay_end();
}

/* The network is gone for a while, with pieces under way. */
static void test_outage(void)
{
	uint16_t port = udp_relay_begin(base, daemon_port, 2);
	struct attachment *a = attach("1-2", port);
	uint64_t ids[40];
	int good = 0;

	for (size_t i = 0; i < 40; i++)
		ids[i] = kernel_submit(i % 2 ? 0x81 : 0x01, USB_TRANSFER_BULK, 0,
				       NULL, 8192);
	kernel_run(5);
	udp_relay_dead(true);
	kernel_run(1800);
	udp_relay_dead(false);
	for (size_t i = 0; i < 40; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);

		good += r && !r->status && r->actual == 8192;
	}
	ok(good == 40 && !kernel_twice(), "%d of 40 URBs survive an outage", good);
	ok(executed_once(0x81, 20) && executed_once(0x01, 20),
	   "each executed once, in order");
	udp_relay_dead(true);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_OTHER &&
	   !kernel_plugged(), "one longer than the lease is not survived: %s",
	   fate.why.text);
	if (a)
		detach(a);
	udp_relay_end();
}

/* ---- isochronous --------------------------------------------------------- */

#define PACKETS	6
#define LENGTH	192

/* Packets of URBs that ended: there, or lost, and nothing between. */
static bool check_isoc(const struct kernel_answer *r, bool *lost)
{
	if (!r || r->status || r->n_packets != PACKETS)
		return false;
	*lost = r->packets[0].status == -EXDEV;
	for (int i = 0; i < PACKETS; i++)
		if (*lost ? r->packets[i].status != -EXDEV || r->packets[i].length :
		    r->packets[i].status || r->packets[i].length != LENGTH)
			return false;
	return true;
}

static void test_isoc(void)
{
	/* What changes its place comes late, which is not what is meant here. */
	static const struct udp_relay_faults faults = { 5, 0, 2, 30, 0, 0 };
	uint16_t port = udp_relay_begin(base, daemon_port, 3);
	struct attachment *a = attach("1-4", port);
	unsigned int n_lost = 0, ended = 0;
	uint64_t ids[120];
	bool good = true, in_order = true;
	uint32_t number = 0;

	if (!a || request((const uint8_t[8]){ 1, 11, 1, 0, 0, 0, 0, 0 }, NULL))
		abort();
	udp_relay_faults(&faults);
	for (size_t i = 0; i < 8; i++)
		ids[i] = kernel_submit_isoc(0x81, NULL, PACKETS, LENGTH);
	for (size_t i = 0; i < 120; i++) {
		const struct kernel_answer *r = kernel_wait(ids[i], WAIT_MS);
		bool lost = false;

		ended += !!r;
		good = good && check_isoc(r, &lost);
		n_lost += lost;
		if (r && !lost && r->data) {
			in_order = in_order && isoc_number(r->data) >= number &&
				   isoc_is(r->data, LENGTH, isoc_number(r->data));
			number = isoc_number(r->data) + PACKETS;
		}
		if (i + 8 < 120)
			ids[i + 8] = kernel_submit_isoc(0x81, NULL, PACKETS,
							LENGTH);
	}
	ok(ended == 120 && good, "%u of 120 isochronous URBs end", ended);
	ok(in_order, "with what the device had sent, in its order");
	ok(n_lost && n_lost < 60, "%u of them are lost, or come too late", n_lost);
	ok(isoc_count(a, "lost") + isoc_count(a, "late") == n_lost * PACKETS,
	   "which is counted (%u)", (unsigned int)isoc_count(a, "lost"));
	detach(a);
	udp_relay_end();
}

static void test_daemon_dies(pid_t daemon)
{
	struct attachment *a = attach("1-2", daemon_port);

	kill(daemon, SIGKILL);
	ok(wait_for(&fate.ended) && fate.why.code == FAILURE_OTHER &&
	   !kernel_plugged(), "the daemon is killed: %s", fate.why.text);
	detach(a);
}

int main(int argc, char **argv)
{
	static const unsigned int seeds[] = { 1, 7, 1000003 };

	if (argc != 3)
		return 2;
	begin_test(argv[1]);
	test_reach();
	test_good_network();
	for (size_t i = 0; i < 3; i++)
		test_bad_network(seeds[i]);
	test_narrow_path();
	test_outage();
	test_isoc();
	test_daemon_dies((pid_t)atoi(argv[2]));
	end_test();
	return tap_done();
}
