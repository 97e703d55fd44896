// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-fuzz [SEED [SECONDS]] - a helper that has gone mad
 *
 * Threads share one open file: they read, answer rightly, wrongly and twice,
 * write noise, attach, detach, ask for the status and reset, while the kernel
 * enumerates what is there and a thread uses it by usbfs. What matters is what
 * the kernel's log says; this only checks that the end comes, and that a well
 * behaved device works afterwards on the same file.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <linux/usbdevice_fs.h>
#include <linux/usbip_rpc.h>
#include "tests/tap.h"
#include "tests/vm/hcd-dev.h"

#define N_THREADS	3
#define BUF_SIZE	(HCD_DEV_IN_MAX + 65536)

static int fd;
static uint32_t busnum, devnum;
static unsigned long counts[5];	/* reads, answers, noise, URBs, streams */
static time_t end;
static bool driver_done;

struct fuzz {
	unsigned int seed;
	bool sane;
	struct hcd_dev dev;
	uint8_t *in, *out;
	uint64_t ids[64];	/* seen lately */
	unsigned int n_ids;
};

static unsigned int rnd(struct fuzz *f, unsigned int n)
{
	return rand_r(&f->seed) % n;
}

/* Numbers at which code likes to go wrong. */
static uint32_t odd_number(struct fuzz *f)
{
	static const uint32_t numbers[] = {
		0, 1, 7, 8, 15, 16, 39, 40, 41, 47, 48, 4095, 4096, 65535,
		0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff,
	};

	return rnd(f, 3) ? numbers[rnd(f, sizeof(numbers) / 4)] :
			   (uint32_t)rand_r(&f->seed);
}

static void attach(struct fuzz *f)
{
	struct usbip_rpc_attach a = { .speed = 1 + rnd(f, 5) };

	if (f->sane)
		a.speed = USBIP_RPC_SPEED_HIGH;
	else if (!rnd(f, 8))
		a.port = odd_number(f) % 64;
	if (ioctl(fd, USBIP_RPC_IOC_ATTACH, &a))
		return;
	__atomic_store_n(&f->dev.speed, a.speed, __ATOMIC_RELAXED);
	__atomic_store_n(&busnum, a.busnum, __ATOMIC_RELAXED);
}

static void do_ioctl(struct fuzz *f)
{
	struct usbip_rpc_hello h = { .version = odd_number(f) };
	struct usbip_rpc_status s;

	switch (rnd(f, 100)) {
	case 0:
		ioctl(fd, USBIP_RPC_IOC_DETACH);
		break;
	case 1:
		ioctl(fd, USBIP_RPC_IOC_HELLO, &h);
		break;
	case 2:
		ioctl(fd, odd_number(f), odd_number(f));
		break;
	default:
		if (!ioctl(fd, USBIP_RPC_IOC_STATUS, &s))
			__atomic_store_n(&devnum, s.devnum, __ATOMIC_RELAXED);
		attach(f);
	}
}

static void mutate(struct fuzz *f, struct usbip_rpc_complete *c)
{
	struct usbip_rpc_packet *p;

	switch (rnd(f, 12)) {
	case 0:
		c->msg.len = odd_number(f);
		break;
	case 1:
		c->msg.type = odd_number(f);
		break;
	case 2:
		c->msg.reserved = odd_number(f);
		break;
	case 3:
		c->msg.id = f->n_ids ? f->ids[rnd(f, f->n_ids)] : odd_number(f);
		break;
	case 4:
		c->status = odd_number(f);
		break;
	case 5:
		c->actual = odd_number(f);
		break;
	case 6:
		c->npackets = odd_number(f);
		break;
	case 7:
		c->error_count = odd_number(f);
		break;
	case 8:
		if (c->npackets) {
			p = (struct usbip_rpc_packet *)(c + 1);
			p[rnd(f, c->npackets)].length = odd_number(f);
		}
		break;
	case 9:
		((uint8_t *)c)[rnd(f, sizeof(*c))] ^= 1 << rnd(f, 8);
		break;
	}
}

static void send_bytes(struct fuzz *f, size_t len)
{
	struct iovec iov[3];
	size_t a, b;

	if (f->sane || rnd(f, 4)) {
		if (write(fd, f->out, len) < 0)
			return;
		return;
	}
	a = rnd(f, len + 1);
	b = a + rnd(f, len - a + 1);
	iov[0] = (struct iovec){ f->out, a };
	iov[1] = (struct iovec){ f->out + a, b - a };
	iov[2] = (struct iovec){ rnd(f, 20) ? f->out + b : NULL, len - b };
	if (writev(fd, iov, 3) < 0)
		return;
}

/* Most of these have to go well, or there is never anything but enumeration. */
static bool is_control(const struct usbip_rpc_msg *m)
{
	return m->type != USBIP_RPC_SUBMIT ||
	       ((const struct usbip_rpc_submit *)m)->transfer ==
	       USBIP_RPC_CONTROL;
}

static void answer(struct fuzz *f, const struct usbip_rpc_msg *m)
{
	struct usbip_rpc_complete *c = (void *)f->out, right;
	struct hcd_dev_end done = {};
	uint32_t len;

	if (m->type == USBIP_RPC_SUBMIT) {
		const struct usbip_rpc_submit *s = (const void *)m;

		done = hcd_dev_submit(&f->dev, s, (const uint8_t *)(s + 1),
				      f->out + sizeof(*c));
	}
	if (m->type == USBIP_RPC_ALLOC_STREAMS)
		done.actual = ((const struct usbip_rpc_streams *)m)->streams;
	memset(c, 0, sizeof(*c));
	c->msg.len = (sizeof(*c) + done.body + 7) & ~7U;
	memset(f->out + sizeof(*c) + done.body, 0,
	       c->msg.len - sizeof(*c) - done.body);
	c->msg.type = USBIP_RPC_COMPLETE;
	c->msg.id = m->id;
	c->status = done.status;
	c->actual = done.actual;
	c->npackets = done.npackets;
	c->error_count = done.error_count;
	len = c->msg.len;
	f->ids[rnd(f, 64)] = m->id;
	f->n_ids = 64;
	if (!f->sane && !rnd(f, is_control(m) ? 300 : 20))
		return; /* never */
	if (!f->sane && !rnd(f, is_control(m) ? 100 : 3)) {
		right = *c;
		mutate(f, c);
		send_bytes(f, rnd(f, 4) ? len : rnd(f, len + 8));
		*c = right; /* what was refused is still to be answered */
	}
	send_bytes(f, len);
	if (!f->sane && !rnd(f, 10))
		send_bytes(f, len); /* twice */
	__atomic_fetch_add(&counts[1], 1, __ATOMIC_RELAXED);
}

static void read_and_answer(struct fuzz *f)
{
	size_t size = f->sane || rnd(f, 4) ? BUF_SIZE : rnd(f, 256);
	ssize_t n, at = 0;

	n = read(fd, !f->sane && !rnd(f, 50) ? NULL : f->in, size);
	if (n <= 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		poll(&p, 1, 5);
		return;
	}
	__atomic_fetch_add(&counts[0], 1, __ATOMIC_RELAXED);
	for (; at < n; at += ((struct usbip_rpc_msg *)(f->in + at))->len)
		if (((struct usbip_rpc_msg *)(f->in + at))->type !=
		    USBIP_RPC_UNLINK || f->sane || rnd(f, 2))
			answer(f, (struct usbip_rpc_msg *)(f->in + at));
}

static void noise(struct fuzz *f)
{
	size_t len = rnd(f, 512), i;

	for (i = 0; i < len; i++)
		f->out[i] = rnd(f, 3) ? 0 : rnd(f, 256);
	if (rnd(f, 2) && len >= 40) {
		struct usbip_rpc_complete *c = (void *)f->out;

		c->msg.len = len & ~7U;
		c->msg.type = USBIP_RPC_COMPLETE;
		c->msg.reserved = 0;
		c->reserved = 0;
	}
	send_bytes(f, len);
	__atomic_fetch_add(&counts[2], 1, __ATOMIC_RELAXED);
}

static void *be_helper(void *arg)
{
	struct fuzz *f = arg;

	/* the driver may be in a request that takes long without answers */
	while (!__atomic_load_n(&driver_done, __ATOMIC_RELAXED)) {
		f->sane = time(NULL) >= end;
		if (f->sane || rnd(f, 30))
			read_and_answer(f);
		else
			do_ioctl(f);
		if (!f->sane && !rnd(f, 20))
			noise(f);
	}
	return NULL;
}

/* Isochronous URBs, of packets that are too large at times. */
static void use_isoc(struct fuzz *f, int node)
{
	struct usbdevfs_setinterface alternate = { .altsetting = 1 };
	size_t size = sizeof(struct usbdevfs_urb) +
		      64 * sizeof(struct usbdevfs_iso_packet_desc);
	struct usbdevfs_urb *urb = calloc(1, size), *done;
	unsigned int i, round;

	if (!urb || ioctl(node, USBDEVFS_SETINTERFACE, &alternate)) {
		free(urb);
		return;
	}
	for (round = 0; round < 20; round++) {
		urb->type = USBDEVFS_URB_TYPE_ISO;
		urb->flags = rnd(f, 2) ? USBDEVFS_URB_ISO_ASAP : 0;
		urb->endpoint = rnd(f, 2) ? 0x85 : 0x06;
		urb->buffer = f->in;
		urb->number_of_packets = 1 + rnd(f, 64);
		for (i = 0; i < 64; i++)
			urb->iso_frame_desc[i].length = rnd(f, 1040);
		if (ioctl(node, USBDEVFS_SUBMITURB, urb))
			continue;
		counts[3]++;
		usleep(rnd(f, 2000));
		if (rnd(f, 2))
			ioctl(node, USBDEVFS_DISCARDURB, urb);
		for (i = 0; i < 3000 && ioctl(node, USBDEVFS_REAPURBNDELAY,
					      &done); i++)
			usleep(1000);
		if (i == 3000)
			break;
	}
	/* what was not reaped may still be written to: it is not freed */
	if (round == 20)
		free(urb);
}

/* Streams of both bulk endpoints, or no longer; refused at high speed. */
static void want_streams(struct fuzz *f, int node, bool alloc)
{
	static const uint8_t eps[] = { 0x81, 0x02 };
	uint64_t room[(sizeof(struct usbdevfs_streams) + sizeof(eps) + 7) / 8] = {};
	struct usbdevfs_streams *s = (void *)room;

	s->num_streams = alloc ? 2 + rnd(f, HCD_DEV_STREAMS) : 0;
	s->num_eps = sizeof(eps);
	memcpy(s->eps, eps, sizeof(eps));
	if (ioctl(node, alloc ? USBDEVFS_ALLOC_STREAMS : USBDEVFS_FREE_STREAMS,
		  s) > 0)
		counts[4]++;
}

/* Use the device as long as it is there: URBs, some of them discarded. */
static void use_node(struct fuzz *f, int node)
{
	struct usbdevfs_disconnect_claim claim = {};
	struct usbdevfs_urb urb[8] = {}, *done;
	unsigned int i, round;

	ioctl(node, USBDEVFS_DISCONNECT_CLAIM, &claim);
	if (rnd(f, 2)) {
		use_isoc(f, node);
		return;
	}
	for (round = 0; round < 20; round++) {
		if (!round || !rnd(f, 4))
			want_streams(f, node, !round || rnd(f, 2));
		for (i = 0; i < 8; i++) {
			urb[i].stream_id = rnd(f, HCD_DEV_STREAMS + 2);
			urb[i].type = USBDEVFS_URB_TYPE_BULK;
			urb[i].endpoint = rnd(f, 2) ? 0x81 : 0x02;
			urb[i].buffer = f->in;
			urb[i].buffer_length = rnd(f, 4) ? rnd(f, 2000) :
							   rnd(f, 200000);
			if (ioctl(node, USBDEVFS_SUBMITURB, &urb[i]) &&
			    errno != EINVAL)
				return;	/* of no stream, or of one */
			counts[3]++;
		}
		usleep(rnd(f, 2000));
		for (i = 0; i < 8; i++)
			if (rnd(f, 2))
				ioctl(node, USBDEVFS_DISCARDURB, &urb[i]);
		for (i = 0; i < 100 && ioctl(node, USBDEVFS_REAPURBNDELAY,
					     &done) != -1; i++)
			;
	}
	if (!rnd(f, 4))
		ioctl(node, USBDEVFS_RESET);
}

static void *be_driver(void *arg)
{
	struct fuzz *f = arg;
	char path[64];
	int node;

	while (time(NULL) < end) {
		snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u",
			 __atomic_load_n(&busnum, __ATOMIC_RELAXED),
			 __atomic_load_n(&devnum, __ATOMIC_RELAXED));
		node = open(path, O_RDWR | O_CLOEXEC);
		if (node < 0) {
			usleep(20000);
			continue;
		}
		use_node(f, node);
		close(node);
	}
	__atomic_store_n(&driver_done, true, __ATOMIC_RELAXED);
	return NULL;
}

static void init_fuzz(struct fuzz *f, unsigned int seed)
{
	f->seed = seed;
	f->dev.speed = USBIP_RPC_SPEED_HIGH;
	f->in = malloc(BUF_SIZE);
	f->out = malloc(BUF_SIZE);
	if (!f->in || !f->out)
		err(1, "malloc");
}

int main(int argc, char **argv)
{
	struct usbip_rpc_hello hello = { .version = USBIP_RPC_ABI_VERSION };
	unsigned int seed = argc > 1 ? atoi(argv[1]) : time(NULL), i;
	unsigned int seconds = argc > 2 ? atoi(argv[2]) : 20;
	static struct fuzz fuzz[N_THREADS + 1];
	pthread_t threads[N_THREADS + 1];

	printf("# seed %u\n", seed);
	fd = open("/dev/" USBIP_RPC_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, USBIP_RPC_IOC_HELLO, &hello))
		err(1, "/dev/" USBIP_RPC_DEVICE);
	end = time(NULL) + seconds;
	alarm(seconds + 60);
	for (i = 0; i <= N_THREADS; i++) {
		init_fuzz(&fuzz[i], seed + i);
		pthread_create(&threads[i], NULL,
			       i == N_THREADS ? be_driver : be_helper, &fuzz[i]);
	}
	attach(&fuzz[0]);
	for (i = 0; i <= N_THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("# %lu reads, %lu answers, %lu times noise, %lu URBs, "
	       "%lu times streams\n", counts[0], counts[1], counts[2],
	       counts[3], counts[4]);
	ok(counts[0] && counts[1] && counts[2], "there was something to it");

	ioctl(fd, USBIP_RPC_IOC_DETACH);
	memset(&fuzz[0].dev, 0, sizeof(fuzz[0].dev));
	fuzz[0].sane = true;
	attach(&fuzz[0]);
	end = time(NULL) + 15;
	while (time(NULL) < end && !fuzz[0].dev.config)
		read_and_answer(&fuzz[0]);
	ok(fuzz[0].dev.config == 1, "a sane device works on the same file");
	close(fd);
	return tap_done();
}
