// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The char device's messages, over a socket whose packets are reads and
 * writes.
 */
#include "client/cdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usbip_rpc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tap.h"

static struct vhci *v;
static int kernel;			/* the other end */
static uint8_t packet[300000];

static size_t n_submits, n_unlinks, n_resets;
static struct vhci_streams last_streams;
static struct vhci_submit last;
static uint64_t last_id;

static void on_submit(const struct vhci_submit *s, void *user)
{
	n_submits++;
	last = *s;
}

static void on_unlink(uint64_t id, void *user)
{
	n_unlinks++;
	last_id = id;
}

static void on_reset(uint64_t id, void *user)
{
	n_resets++;
	last_id = id;
}

static void on_streams(const struct vhci_streams *s, void *user)
{
	last_streams = *s;
}

static size_t put_submit(size_t at, uint64_t id, uint8_t endpoint,
			 uint32_t length, bool with_data)
{
	size_t data = with_data ? (length + 7) & ~7U : 0;
	struct usbip_rpc_submit m = {
		.msg = {
			.len = (uint32_t)(sizeof(m) + data),
			.type = USBIP_RPC_SUBMIT,
			.id = id,
		},
		.endpoint = endpoint,
		.transfer = USBIP_RPC_BULK,
		.flags = USBIP_RPC_SHORT_NOT_OK | USBIP_RPC_ISO_ASAP,
		.length = length,
		.interval = 7,
		.stream = 3,
	};

	memcpy(packet + at, &m, sizeof(m));
	memset(packet + at + sizeof(m), (int)id, data);
	return at + sizeof(m) + data;
}

static size_t put_msg(size_t at, uint16_t type, uint64_t id)
{
	struct usbip_rpc_msg m = { .len = sizeof(m), .type = type, .id = id };

	memcpy(packet + at, &m, sizeof(m));
	return at + sizeof(m);
}

static int give(size_t len)
{
	if (send(kernel, packet, len, 0) != (ssize_t)len)
		abort();
	return v->ops->receive(v);
}

static void test_requests(void)
{
	size_t n;

	n = put_submit(0, 5, 0x02, 13, true);
	n = put_msg(n, USBIP_RPC_UNLINK, 5);
	n = put_submit(n, 6, 0x81, 4096, false);
	n = put_msg(n, USBIP_RPC_RESET, 9);
	ok(give(n) == 1 && n_submits == 2 && n_unlinks == 1 && n_resets == 1,
	   "several at once");
	ok(last.id == 6 && last.endpoint == 0x81 && last.length == 4096 &&
	   last.transfer == USB_TRANSFER_BULK && last.interval == 7 &&
	   last.flags == VHCI_SHORT_NOT_OK && !last.data && last.stream == 3 &&
	   last_id == 9,
	   "as they were sent");
	give(put_submit(0, 7, 0x02, 5000, true));
	ok(last.data && last.data[0] == 7 && last.data[4999] == 7 && last.buf,
	   "OUT data");
	struct vhci_buf *kept = vhci_buf_ref(last.buf);
	const uint8_t *data = last.data;
	for (uint64_t i = 0; i < 30; i++)
		give(put_submit(0, 20 + i, 0x02, 50000, true));
	ok(data[0] == 7 && data[4999] == 7, "which stays while it is kept");
	vhci_buf_unref(kept);
	ok(v->ops->receive(v) == 0, "nothing more");
}

static size_t put_isoc(uint64_t id, uint32_t length, uint32_t npackets)
{
	struct usbip_rpc_packet packets[3] = { { 5, 0 }, { 0, 0 }, { 8, 0 } };
	struct usbip_rpc_submit m = {
		.msg = { .len = sizeof(m) + sizeof(packets) + 16,
			 .type = USBIP_RPC_SUBMIT, .id = id },
		.endpoint = 0x02, .transfer = USBIP_RPC_ISOC,
		.flags = USBIP_RPC_ISO_ASAP, .length = length, .interval = 4,
		.npackets = npackets, .start_frame = 77,
	};

	memset(packet, 0xab, m.msg.len);
	memcpy(packet, &m, sizeof(m));
	memcpy(packet + sizeof(m), packets, sizeof(packets));
	return m.msg.len;
}

static void test_packets(void)
{
	static const struct vhci_packet packets[3] = {
		{ 3, 0 }, { 0, -EXDEV }, { 8, 0 },
	};
	static uint8_t got[128], data[11] = "0123456789";
	struct usbip_rpc_complete m;

	give(put_isoc(5, 13, 3));
	ok(last.id == 5 && last.transfer == USB_TRANSFER_ISOC &&
	   last.n_packets == 3 && last.packets[2].length == 8 &&
	   last.start_frame == 77 && last.flags == VHCI_ISO_ASAP &&
	   last.data[0] == 0xab, "packets, and data behind them");
	n_submits = 0;
	give(put_isoc(6, 14, 3));
	give(put_isoc(7, 13, 2));
	give(put_isoc(8, 13, 6));
	ok(!n_submits, "packets that are not the length, nor there");
	if (v->ops->flush(v) || recv(kernel, got, sizeof(got), 0) < 0)
		abort();
	if (v->ops->complete(v, &(struct vhci_complete){
			.id = 5, .actual = 11, .data = data,
			.n_packets = 3, .packets = packets }) ||
	    v->ops->flush(v))
		abort();
	ok(recv(kernel, got, sizeof(got), 0) == 40 + 24 + 16 &&
	   !memcmp(got + 40, packets, 24) && !memcmp(got + 64, data, 11) &&
	   !memcmp(got + 75, "\0\0\0\0", 5), "an answer has them, too");
	memcpy(&m, got, sizeof(m));
	ok(m.msg.len == 80 && m.npackets == 3 && m.error_count == 1 &&
	   m.actual == 11, "and counts the errors");
}

static void test_streams(void)
{
	struct usbip_rpc_streams m = {
		.msg = {
			.len = sizeof(m),
			.type = USBIP_RPC_ALLOC_STREAMS,
			.id = 31,
		},
		.endpoints = 0x20002,
		.streams = 16,
	};

	memcpy(packet, &m, sizeof(m));
	give(sizeof(m));
	ok(last_streams.id == 31 && last_streams.endpoints == 0x20002 &&
	   last_streams.streams == 16, "ALLOC_STREAMS");
	m.msg.type = USBIP_RPC_FREE_STREAMS;
	m.msg.id = 32;
	memcpy(packet, &m, sizeof(m));
	give(sizeof(m));
	ok(last_streams.id == 32 && last_streams.endpoints == 0x20002 &&
	   !last_streams.streams, "FREE_STREAMS wants none, whatever it says");
}

static void test_nonsense(void)
{
	struct usbip_rpc_msg m = { .len = 24, .type = 999, .id = 1 };
	struct usbip_rpc_complete c;

	memset(packet, 0, 24);
	memcpy(packet, &m, sizeof(m));
	ok(give(24) == 1, "an unknown message is passed over");
	m.len = 12;
	memcpy(packet, &m, sizeof(m));
	ok(give(16) == -EBADMSG, "a length that is no multiple of 8");
	m.len = 64;
	memcpy(packet, &m, sizeof(m));
	ok(give(16) == -EBADMSG, "a length beyond the end");
	m.len = 0;
	memcpy(packet, &m, sizeof(m));
	ok(give(16) == -EBADMSG, "no length");
	n_submits = 0;
	put_submit(0, 8, 0x02, 1 << 20, false);
	ok(give(sizeof(struct usbip_rpc_submit)) == 1 && !n_submits,
	   "OUT data that is not there");
	ok(!v->ops->flush(v) && recv(kernel, &c, sizeof(c), 0) == sizeof(c) &&
	   c.msg.id == 8 && c.status == -EINVAL, "is refused");
}

static int n_kept;

static void *keep(void *arg)
{
	n_kept++;
	return arg;
}

static void unkeep(void *kept)
{
	n_kept--;
}

static void answer(uint64_t id, int status, const uint8_t *data, uint32_t n)
{
	struct vhci_complete done = {
		.id = id,
		.status = status,
		.actual = n,
		.data = data,
		.keep = keep,
		.unkeep = unkeep,
		.keep_arg = packet,
	};

	if (v->ops->complete(v, &done))
		abort();
}

static void test_answers(void)
{
	static uint8_t data[9000], got[300000];
	struct usbip_rpc_complete m;
	size_t at = 0, sizes[] = { 0, 3, 4095, 4096, 8999 };
	bool good = true;
	ssize_t n;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13);
	for (size_t i = 0; i < 5; i++)
		answer(100 + i, i ? 0 : -EPIPE, data, (uint32_t)sizes[i]);
	ok(n_kept == 2, "large data is not copied");
	ok(!v->ops->flush(v) && !n_kept, "and given back when it is written");
	n = recv(kernel, got, sizeof(got), 0);
	for (size_t i = 0; i < 5; i++) {
		size_t padded = (sizes[i] + 7) & ~(size_t)7;

		memcpy(&m, got + at, sizeof(m));
		good = good && m.msg.id == 100 + i && m.actual == sizes[i] &&
		       m.msg.type == USBIP_RPC_COMPLETE &&
		       m.status == (i ? 0 : -EPIPE) &&
		       m.msg.len == sizeof(m) + padded &&
		       !memcmp(got + at + sizeof(m), data, sizes[i]);
		for (size_t j = sizes[i]; j < padded; j++)
			good = good && !got[at + sizeof(m) + j];
		at += m.msg.len;
	}
	ok(good && (size_t)n == at, "one write, each message whole and padded");

	/* More pieces than one writev() takes. */
	for (uint64_t i = 0; i < 400; i++)
		answer(1000 + i, 0, i % 2 ? data : NULL, i % 2 ? 4097 : 0);
	pid_t pid = fork();
	if (!pid)
		_exit(v->ops->flush(v) != 0);
	uint64_t next = 1000;
	while (next < 1400 && good) {
		n = recv(kernel, got, sizeof(got), 0);
		for (at = 0; at < (size_t)n; at += m.msg.len, next++) {
			memcpy(&m, got + at, sizeof(m));
			good = good && m.msg.id == next;
		}
		good = good && at == (size_t)n;
	}
	ok(good, "many answers, no message cut in two");
	answer(1, 0, data, 5000);
	v->ops->unplug(v);
	ok(!v->ops->flush(v) && recv(kernel, got, 1, MSG_DONTWAIT) < 0,
	   "what was not written when it was unplugged is not");
}

int main(void)
{
	static const struct vhci_events events = {
		.submit = on_submit,
		.unlink = on_unlink,
		.reset = on_reset,
		.streams = on_streams,
	};
	int fds[2];
	struct failure f;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) ||
	    fcntl(fds[0], F_SETFL, O_NONBLOCK))
		return 1;
	kernel = fds[1];
	if (cdev_adopt(&v, fds[0], &events))
		return 1;
	test_requests();
	test_packets();
	test_streams();
	test_nonsense();
	fcntl(fds[0], F_SETFL, 0);
	test_answers();
	v->ops->free(v);
	close(kernel);
	if (access("/dev/usbip-rpc-vhci", F_OK))
		ok(cdev_open(&v, &events, &f) == -ENOENT &&
		   f.code == FAILURE_MODULE && strstr(f.text, "modprobe"),
		   "%s", f.text);
	return tap_done();
}
