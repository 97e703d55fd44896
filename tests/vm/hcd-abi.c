// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-abi - the promises of uapi/linux/usbip_rpc.h about files and devices: who
 * may what and when, coming and going, resets, waiting. For those about URBs
 * see hcd-urb.c.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/userfaultfd.h>
#include "tests/vm/hcd-ends.h"

static void test_hello(void)
{
	struct usbip_rpc_hello h = {};
	struct usbip_rpc_status s;
	int f = open("/dev/" USBIP_RPC_DEVICE, O_RDWR | O_CLOEXEC);

	ok(f >= 0, "open");
	ok(fails(read(f, in.bytes, sizeof(in)), EPROTO), "read before HELLO");
	ok(fails(write(f, out.bytes, 40), EPROTO), "write before HELLO");
	ok(fails(ioctl(f, USBIP_RPC_IOC_STATUS, &s), EPROTO), "STATUS before HELLO");
	ok(fails(ioctl(f, USBIP_RPC_IOC_HELLO, &h), EINVAL), "HELLO with version 0");
	h.version = 1;
	h.flags = 1;
	ok(fails(ioctl(f, USBIP_RPC_IOC_HELLO, &h), EINVAL), "HELLO with a flag");
	ok(fails(ioctl(f, USBIP_RPC_IOC_HELLO, NULL), EFAULT), "HELLO with NULL");
	h.version = 77;
	h.flags = 0;
	ok(!ioctl(f, USBIP_RPC_IOC_HELLO, &h) && h.version == 1,
	   "HELLO agrees on version 1");
	ok(h.features & USBIP_RPC_FEATURE_ISOC, "the module takes isochronous URBs");
	ok(fails(ioctl(f, USBIP_RPC_IOC_HELLO, &h), EBUSY), "HELLO twice");
	ok(fails(ioctl(f, _IO(USBIP_RPC_IOC_MAGIC, 99)), ENOTTY), "unknown ioctl");
	close(f);
}

static void test_permission(void)
{
	pid_t pid = fork();

	if (!pid) {
		int f = setuid(65534) ? -2 :
			open("/dev/" USBIP_RPC_DEVICE, O_RDWR | O_CLOEXEC);

		_exit(f == -1 && (errno == EPERM || errno == EACCES) ? 0 : 1);
	} else {
		int st = 1;

		waitpid(pid, &st, 0);
		ok(!st, "open without CAP_SYS_ADMIN is refused");
	}
}

static void test_attach(void)
{
	struct usbip_rpc_attach a = {}, good = { .speed = dev.speed };
	int other = open_port();
	double start;

	fd = open_port();
	ok(fails(read(fd, in.bytes, sizeof(in)), ENOTCONN), "read without a device");
	complete(1, 0, 0, 0);
	ok(fails(write(fd, out.bytes, 40), ENOTCONN), "write without a device");
	ok(fails(ioctl(fd, USBIP_RPC_IOC_DETACH), ENOTCONN), "DETACH without a device");
	ok(!status_of(fd).attached, "STATUS without a device");
	ok(fails(ioctl(fd, USBIP_RPC_IOC_ATTACH, &a), EINVAL), "ATTACH with speed 0");
	a.speed = USBIP_RPC_SPEED_SUPER_PLUS + 1;
	ok(fails(ioctl(fd, USBIP_RPC_IOC_ATTACH, &a), EINVAL), "ATTACH with speed 6");
	a = good, a.flags = 1U << 31;
	ok(fails(ioctl(fd, USBIP_RPC_IOC_ATTACH, &a), EINVAL), "ATTACH with a flag");
	a = good, a.reserved[1] = 1;
	ok(fails(ioctl(fd, USBIP_RPC_IOC_ATTACH, &a), EINVAL), "ATTACH with reserved");
	a = good, a.port = 1000;
	start = now();
	ok(fails(ioctl(fd, USBIP_RPC_IOC_ATTACH, &a), ENOSPC) && now() - start < 1,
	   "ATTACH to a port that there is not");
	plug();
	ok(port.busnum && port.hubport && port.message_max >= sizeof(in.submit),
	   "ATTACH: port %u is %u-%u", port.port, port.busnum, port.hubport);
	a = good;
	ok(fails(ioctl(fd, USBIP_RPC_IOC_ATTACH, &a), EBUSY), "ATTACH twice");
	a = good, a.port = port.port + 1;
	ok(fails(ioctl(other, USBIP_RPC_IOC_ATTACH, &a), ENOSPC),
	   "ATTACH to a port in use");
	close(other);
	ok(enumerate(), "the kernel enumerates and configures the device");
	ok(!saw_set_address, "SET_ADDRESS is not sent");
	ok(status_of(fd).attached && status_of(fd).devnum > 1 &&
	   status_of(fd).busnum == port.busnum, "STATUS of the device");
	open_node();
}

static void *reset(void *unused)
{
	return (void *)(long)ioctl(node, USBDEVFS_RESET);
}

/* Serve a reset until there is a RESET: true. */
static bool serve_until_reset(void)
{
	while (read_one(3000)) {
		if (in.msg.type == USBIP_RPC_RESET)
			return in.msg.len == 16;
		if (in.submit.setup[1] != USB_REQ_GET_DESCRIPTOR)
			printf("# request %02x before RESET\n",
			       in.submit.setup[1]);
		serve();
	}
	return false;
}

/*
 * Without an answer the core's own time for the next request, 5 s, ends with
 * ours, and it takes the device for lost and enumerates it again.
 */
static void test_reset(bool answer)
{
	bool answered = answer;
	pthread_t thread;
	double start;
	void *ret;
	int n = 0;

	dev.config = 0;
	pthread_create(&thread, NULL, reset, NULL);
	ok(serve_until_reset(), "a driver's reset is told");
	start = now();
	ok(!readable(fd, 300) && status_of(fd).queued == 1,
	   "URBs are held until it is answered");
	if (answer) {
		complete(in.msg.id, 0, 0, 8);
		ok(fails(write(fd, out.bytes, 48), EINVAL),
		   "an answer with data is none");
		ok(send_complete(in.msg.id, 0, 0, 0), "it is answered");
	}
	while (read_one(answer ? 500 : 6000)) {
		n += in.msg.type == USBIP_RPC_RESET;
		serve();
		answer = true;
	}
	ok(now() - start < 8, "URBs go on after %.1f s", now() - start);
	pthread_join(thread, &ret);
	if (answered) {
		ok(!ret && !n, "the reset succeeds, and was told once");
		return;
	}
	close(node);
	ok(enumerate(), "the device is enumerated again");
	open_node();
}

static void *block_in_read(void *buf)
{
	ssize_t n;

	fcntl(fd, F_SETFL, 0);
	n = read(fd, buf, PAGE);
	return (void *)(n < 0 ? (long)-errno : (long)n);
}

static void test_blocking(void)
{
	static uint8_t data[64], buf[PAGE];
	struct usbip_rpc_msg *m = (void *)buf;
	struct usbdevfs_urb *urb;
	pthread_t thread;
	void *ret;

	pthread_create(&thread, NULL, block_in_read, buf);
	usleep(100000);
	urb = submit(BULK_IN, data, 64, 0);
	pthread_join(thread, &ret);
	ok((long)ret == 48 && m->type == USBIP_RPC_SUBMIT,
	   "an URB wakes a blocked read");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	note_message(m);
	send_complete(m->id, 0, 0, 0);
	ok(reaped(urb, 1000, 0, 0), "and is answered");
}

/*
 * A reader that waits for its own buffer holds no URB: the driver can have it
 * back at once.
 */
static void test_userfault(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage zero = {};
	static uint8_t data[64];
	struct usbdevfs_urb *urb;
	pthread_t thread;
	double start;
	void *page, *ret;
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api)) {
		ok(true, "a blocked copy # SKIP no userfaultfd");
		return;
	}
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)page;
	range.range.len = PAGE;
	if (ioctl(uffd, UFFDIO_REGISTER, &range))
		err(1, "UFFDIO_REGISTER");
	urb = submit(BULK_IN, data, 64, 0);
	pthread_create(&thread, NULL, block_in_read, page);
	usleep(200000);
	start = now();
	ioctl(node, USBDEVFS_DISCARDURB, urb);
	ok(now() - start < 0.5 && reaped(urb, 1000, -ENOENT, 0),
	   "a reader that is stuck in its own memory holds no URB");
	urb = submit(BULK_IN, data, 64, 0);
	zero.range = range.range;
	ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
	pthread_join(thread, &ret);
	ok((long)ret == 48, "and reads when it is there");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	note_message(page);
	send_complete(((struct usbip_rpc_msg *)page)->id, 0, 0, 0);
	ok(reaped(urb, 1000, 0, 0), "and answers");
	close(uffd);
	munmap(page, PAGE);
}

static void test_detach(void)
{
	static uint8_t data[2][64], buf[PAGE];
	struct usbdevfs_urb *urb[2];
	pthread_t thread;
	uint64_t before;
	double start;
	void *ret;

	urb[0] = submit(BULK_IN, data[0], 64, 0);
	read_one(1000);
	before = in.msg.id;
	pthread_create(&thread, NULL, block_in_read, buf);
	usleep(100000);
	start = now();
	ok(!ioctl(fd, USBIP_RPC_IOC_DETACH), "DETACH");
	pthread_join(thread, &ret);
	ok((long)ret == -ENOTCONN, "a blocked read ends with it");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ok(reaped(urb[0], 1000, -ESHUTDOWN, 0) && now() - start < 1,
	   "its URBs are given back at once");
	ok(fails(read(fd, buf, PAGE), ENOTCONN), "there is nothing to read");
	ok(!status_of(fd).attached, "STATUS says so");
	close(node);
	plug();
	ok(enumerate(), "the same file attaches again");
	ok(in.msg.id > before && ids_grow, "ids are never used again");
	open_node();
	urb[1] = submit(BULK_IN, data[1], 64, 0);
	read_one(1000);
	ok(send_complete(before, 0, 0, 0) && !reap(0) &&
	   send_complete(in.msg.id, 0, 0, 0) && reaped(urb[1], 1000, 0, 0),
	   "an answer from before is dropped");
}

static void test_last_close(void)
{
	static uint8_t data[64];
	struct usbdevfs_urb *urb = submit(BULK_IN, data, 64, 0);
	pid_t pid;
	int copy;

	copy = dup(fd);
	close(fd);
	fd = copy;
	ok(read_one(1000) && in.msg.type == USBIP_RPC_SUBMIT, "dup keeps the device");
	pid = fork();
	if (!pid) {
		close(node);
		pause();
	}
	close(fd);
	usleep(100000);
	ok(!reap(0), "fork keeps the device");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(reaped(urb, 1000, -ESHUTDOWN, 0), "the last close unplugs it");
	close(node);
}

/* The same port, as a helper wants it after an outage. */
static void test_same_port(void)
{
	struct usbip_rpc_attach a;
	int i, same = 0;

	fd = open_port();
	plug();
	for (i = 0; i < 5; i++) {
		enumerate();
		ioctl(fd, USBIP_RPC_IOC_DETACH);
		a = (struct usbip_rpc_attach){
			.speed = dev.speed, .port = port.port + 1,
		};
		dev.config = 0;
		same += !ioctl(fd, USBIP_RPC_IOC_ATTACH, &a) &&
			a.port == port.port;
	}
	ok(same == 5, "the wanted port, again and again (%d of 5)", same);
	ok(enumerate(), "and the device works");
	close(fd);
}

int main(void)
{
	alarm(120);
	test_hello();
	test_permission();
	test_attach();
	test_reset(true);
	test_reset(false);
	test_blocking();
	test_userfault();
	test_detach();
	test_last_close();
	test_same_port();
	return tap_done();
}
