// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-urb - the promises of uapi/linux/usbip_rpc.h about URBs: what is read,
 * what may be written, what an unlink does and how long it takes
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include "tests/vm/hcd-ends.h"

static bool read_fails_and_stays(void *buf, size_t len, int code)
{
	uint32_t next = status_of(fd).next_len;

	return fails(read(fd, buf, len), code) &&
	       status_of(fd).next_len == next && readable(fd, 0);
}

static void test_submit(void)
{
	static uint8_t data[100];
	struct usbdevfs_urb *urb;
	uint8_t *pages;
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i + 1;
	ok(fails(read(fd, in.bytes, sizeof(in)), EAGAIN), "nothing to read");
	ok(!readable(fd, 0), "and poll says so");
	urb = submit(BULK_OUT, data, sizeof(data), USBDEVFS_URB_ZERO_PACKET);
	ok(readable(fd, 1000), "poll sees an URB");
	ok(status_of(fd).next_len == 152 && status_of(fd).queued == 1,
	   "STATUS knows its length");
	ok(read_fails_and_stays(in.bytes, 151, EMSGSIZE), "read of less");
	ok(read_fails_and_stays((void *)PAGE, PAGE, EFAULT), "read to nowhere");
	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(pages + PAGE, PAGE, PROT_NONE);
	ok(read_fails_and_stays(pages + PAGE - 60, 152, EFAULT),
	   "read to half of nowhere");
	/* a page that is not there yet is fetched */
	mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
	madvise(pages, 2 * PAGE, MADV_DONTNEED);
	ok(read(fd, pages + PAGE - 60, PAGE) == 152, "read");
	memcpy(in.bytes, pages + PAGE - 60, 152);
	munmap(pages, 2 * PAGE);
	note_message(&in.msg);
	ok(in.msg.type == USBIP_RPC_SUBMIT && in.msg.len == 152 &&
	   !in.msg.reserved && in.submit.endpoint == BULK_OUT &&
	   in.submit.transfer == USBIP_RPC_BULK && in.submit.length == 100 &&
	   in.submit.flags == USBIP_RPC_ZERO_PACKET && !in.submit.npackets &&
	   !in.submit.stream && !in.submit.interval, "SUBMIT's fields");
	ok(!memcmp(in.bytes + 48, data, 100) &&
	   !memcmp(in.bytes + 148, "\0\0\0\0", 4), "SUBMIT's data and padding");
	ok(status_of(fd).sent == 1 && !status_of(fd).queued, "it counts as sent");
	ok(send_complete(in.msg.id, 0, 100, 0), "COMPLETE");
	ok(reaped(urb, 1000, 0, 100), "the driver has it back");
}

static bool refuses(struct usbip_rpc_complete *c, size_t len)
{
	return fails(write(fd, c, len), EINVAL) && !reap(0);
}

static void test_bad_complete(void)
{
	static uint8_t data[16];
	struct usbdevfs_urb *urb = submit(BULK_IN, data, sizeof(data), 0);
	struct usbip_rpc_complete *c;
	uint64_t id;

	ok(read_one(1000) && in.submit.endpoint == BULK_IN &&
	   in.submit.length == 16 && in.msg.len == 48, "SUBMIT, IN");
	id = in.msg.id;
	c = complete(id, 0, 17, 17);
	ok(refuses(c, c->msg.len), "more data than wanted");
	c = complete(id, 0, 9, 8);
	ok(refuses(c, c->msg.len), "less data than it says");
	c = complete(id, 0, 8, 9);
	ok(refuses(c, c->msg.len), "more data than it says");
	c = complete(id, 0, 8, 8);
	c->msg.len -= 4;
	ok(refuses(c, c->msg.len), "a length that is no multiple of 8");
	c = complete(id, 0, 8, 8);
	ok(refuses(c, c->msg.len - 8), "a length beyond the end");
	c = complete(id, 0, 5, 5);
	out.bytes[sizeof(*c) + 5] = 1;
	ok(refuses(c, c->msg.len), "padding that is not zero");
	c = complete(id, 0, 0, 0);
	c->npackets = 1;
	ok(refuses(c, c->msg.len), "packets");
	c = complete(id, 0, 0, 0);
	c->msg.type = USBIP_RPC_WAKEUP;
	ok(refuses(c, c->msg.len), "a type that is reserved");
	ok(refuses(c, 16), "half a header");
	c = complete(id, 0, 8, 8);
	ok(fails(write(fd, (void *)PAGE, 48), EFAULT) && !reap(0), "from nowhere");
	ok(status_of(fd).sent == 1, "the URB is still to be answered");
	memcpy(out.bytes + sizeof(*c), "\1\2\3\4\5\6\7\10", 8);
	ok(write(fd, c, c->msg.len) == 48 && reaped(urb, 1000, 0, 8) &&
	   data[0] == 1 && data[7] == 8 && !data[8], "and is answered, short");
}

/* An answer cut into pieces of one byte, and a bad one behind good ones. */
static void test_write(void)
{
	static uint8_t data[3][16];
	struct usbdevfs_urb *urb[3];
	struct usbip_rpc_complete *c;
	struct iovec iov[56];
	uint64_t id[3], dropped;
	int i;

	for (i = 0; i < 3; i++) {
		urb[i] = submit(BULK_IN, data[i], 16, 0);
		if (!read_one(1000))
			err(1, "read");
		id[i] = in.msg.id;
	}
	c = complete(id[0], 0, 16, 16);
	memset(c + 1, 0x5a, 16);
	for (i = 0; i < 56; i++)
		iov[i] = (struct iovec){ out.bytes + i, 1 };
	ok(writev(fd, iov, 56) == 56 && reaped(urb[0], 1000, 0, 16) &&
	   data[0][0] == 0x5a && data[0][15] == 0x5a, "an iovec cut anywhere");

	dropped = status_of(fd).dropped;
	ok(send_complete(id[0], 0, 16, 16) && send_complete(1000000, 0, 0, 0) &&
	   status_of(fd).dropped == dropped + 2,
	   "answers to what is not outstanding are dropped and counted");

	c = complete(id[1], -EPIPE, 0, 0);
	memcpy(out.bytes + 40, out.bytes, 40);
	((struct usbip_rpc_complete *)(out.bytes + 40))->msg.id = id[2];
	((struct usbip_rpc_complete *)(out.bytes + 40))->actual = 99;
	ok(write(fd, c, 80) == 40 && reaped(urb[1], 1000, -EPIPE, 0) && !reap(0),
	   "a bad message ends the write behind the good ones");
	ok(send_complete(id[2], -ENOTDIR, 0, 0) &&
	   reaped(urb[2], 1000, -EPROTO, 0), "a strange status is -EPROTO");
}

static void test_batch(void)
{
	static uint8_t data[8][64];
	struct usbdevfs_urb *urb[8];
	size_t at = 0, end = 0;
	ssize_t n;
	int i;

	for (i = 0; i < 8; i++)
		urb[i] = submit(BULK_IN, data[i], 64, 0);
	n = read(fd, in.bytes, 7 * 48 + 47);
	ok(n == 7 * 48, "read gives as many whole messages as fit");
	n = read(fd, in.bytes + n, sizeof(in) - n);
	ok(n == 48, "and then the rest");
	for (at = 0; at < 8 * 48; at += 48) {
		struct usbip_rpc_msg *m = (void *)(in.bytes + at);
		struct usbip_rpc_complete c = {
			.msg = { 104, USBIP_RPC_COMPLETE, 0, m->id },
			.actual = 64,
		};

		note_message(m);
		memcpy(out.bytes + end, &c, sizeof(c));
		memset(out.bytes + end + sizeof(c), at / 48 + 1, 64);
		end += 104;
	}
	ok(write(fd, out.bytes, end) == (ssize_t)end, "write takes them all");
	for (i = 0; i < 8; i++)
		ok(reaped(urb[i], 1000, 0, 64) && data[i][0] == i + 1 &&
		   data[i][63] == i + 1, "URB %d of 8, in order", i + 1);
}

/* Big transfers lie in scatterlists. */
static void test_sg(void)
{
	size_t len = 1 << 20, i;
	uint8_t *data = malloc(len);
	struct usbdevfs_urb *urb;

	for (i = 0; i < len; i++)
		data[i] = i * 7 / 3;
	urb = submit(BULK_OUT, data, len, 0);
	ok(read_one(1000) && in.submit.length == len &&
	   !memcmp(in.bytes + 48, data, len), "1 MiB out");
	send_complete(in.msg.id, 0, len, 0);
	ok(reaped(urb, 1000, 0, len), "and back");
	urb = submit(BULK_IN, data, len, 0);
	if (!read_one(1000))
		err(1, "read");
	complete(in.msg.id, 0, len - 3, len - 3);
	for (i = 0; i < len - 3; i++)
		out.bytes[40 + i] = i * 5 / 3;
	ok(write(fd, out.bytes, 40 + len) == (ssize_t)(40 + len) &&
	   reaped(urb, 1000, 0, len - 3) &&
	   !memcmp(data, out.bytes + 40, len - 3), "1 MiB less 3 in");
	free(data);
}

static void test_unlink(void)
{
	static uint8_t data[64];
	struct usbdevfs_urb *urb;
	double start;
	uint64_t id;

	urb = submit(BULK_IN, data, 64, 0);
	ioctl(node, USBDEVFS_DISCARDURB, urb);
	ok(reaped(urb, 1000, -ENOENT, 0) && !readable(fd, 0),
	   "unlinked before it was read: nobody hears of it");

	urb = submit(BULK_IN, data, 64, 0);
	read_one(1000);
	id = in.msg.id;
	start = now();
	ioctl(node, USBDEVFS_DISCARDURB, urb); /* waits for the end */
	ok(now() - start > 1.5 && now() - start < 4,
	   "unlinked and not answered: back after %.1f s", now() - start);
	ok(reaped(urb, 1000, -ENOENT, 0), "with nothing");
	ok(status_of(fd).timed_out == 1 && status_of(fd).unlinked == 2,
	   "and counted");
	ok(!readable(fd, 0), "its UNLINK is gone with it");
	ok(send_complete(id, 0, 0, 0) && status_of(fd).sent == 0, "a late answer");
}

static void *discard(void *urb)
{
	ioctl(node, USBDEVFS_DISCARDURB, urb);
	return NULL;
}

static void test_unlink_answered(void)
{
	static uint8_t data[64];
	struct usbdevfs_urb *urb = submit(BULK_IN, data, 64, 0);
	pthread_t thread;
	uint64_t id;

	read_one(1000);
	id = in.msg.id;
	pthread_create(&thread, NULL, discard, urb);
	ok(read_one(1000) && in.msg.type == USBIP_RPC_UNLINK &&
	   in.msg.len == 16 && in.msg.id == id, "UNLINK names the SUBMIT");
	complete(id, -ECONNRESET, 24, 24);
	memset(out.bytes + 40, 0x77, 24);
	ok(write(fd, out.bytes, 64) == 64, "it is answered with some data");
	pthread_join(thread, NULL);
	ok(reaped(urb, 1000, -ENOENT, 24) && data[23] == 0x77 && !data[24],
	   "which the driver gets");
}

/*
 * usbfs unlinks what continues a transfer that has come short. A round in which
 * handlers take longer than promised for says nothing.
 */
static void test_handlers_promise(void)
{
	static uint8_t data[4][64];
	int i, round, got = 0, want = 0;
	bool in_time;
	uint64_t id[4];
	double start;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < 4; i++) {
			submit(BULK_IN, data[i], 64, i ?
			       USBDEVFS_URB_BULK_CONTINUATION |
			       USBDEVFS_URB_SHORT_NOT_OK :
			       USBDEVFS_URB_SHORT_NOT_OK);
			if (!read_one(1000))
				err(1, "read");
			id[i] = in.msg.id;
		}
		start = now();
		send_complete(id[0], 0, 8, 8);
		in_time = now() - start < 0.02;
		want += in_time ? 3 : 0;
		for (i = 1; i < 4 && readable(fd, in_time ? 0 : 1000); i++)
			if (read_one(0) && in.msg.type == USBIP_RPC_UNLINK)
				got += in_time;
		for (i = 1; i < 4; i++)
			send_complete(id[i], -ECONNRESET, 0, 0);
		for (i = 0; i < 4; i++)
			free(reap(1000));
	}
	ok(got == want, "UNLINKs can be read when write has returned (%d of %d)",
	   got, want);
}

int main(void)
{
	alarm(120);
	fd = open_port();
	plug();
	ok(enumerate(), "a device");
	open_node();
	test_submit();
	test_bad_complete();
	test_write();
	test_batch();
	test_sg();
	test_unlink();
	test_unlink_answered();
	test_handlers_promise();
	ok(ids_grow && !saw_set_address, "no id came twice, nor SET_ADDRESS");
	return tap_done();
}
