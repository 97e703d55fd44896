// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-streams - the promises of uapi/linux/usbip_rpc.h about bulk streams. The
 * driver asks for them by usbfs, in a thread of its own, as it waits.
 */
#include <pthread.h>
#include <signal.h>
#include "tests/vm/hcd-ends.h"

#define BOTH	(1U << 17 | 1U << 2)	/* BULK_IN and BULK_OUT */
#define MOST	HCD_DEV_STREAMS

struct want {
	pthread_t thread;
	unsigned long request;
	unsigned int streams;
	long ret;			/* of the ioctl; or -errno */
	bool done;
};

static void *ask(void *arg)
{
	static const uint8_t eps[] = { BULK_IN, BULK_OUT };
	struct usbdevfs_streams *s = calloc(1, sizeof(*s) + sizeof(eps));
	struct want *w = arg;

	s->num_streams = w->streams;
	s->num_eps = sizeof(eps);
	memcpy(s->eps, eps, sizeof(eps));
	w->ret = ioctl(node, w->request, s);
	if (w->ret < 0)
		w->ret = -errno;
	free(s);
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void begin(struct want *w, unsigned long request, unsigned int streams)
{
	*w = (struct want){ .request = request, .streams = streams };
	pthread_create(&w->thread, NULL, ask, w);
}

static long end(struct want *w)
{
	pthread_join(w->thread, NULL);
	return w->ret;
}

/* The next message is that, of both endpoints, and wants so many. */
static bool reads(uint16_t type, uint32_t streams)
{
	const struct usbip_rpc_streams *s = (const void *)in.bytes;

	return read_one(5000) && s->msg.type == type && s->msg.len == 24 &&
	       !s->msg.reserved && s->endpoints == BOTH &&
	       s->streams == streams;
}

/* ALLOC_STREAMS from begin to end: what the driver got. */
static long alloc(unsigned int wanted, int status, uint32_t granted)
{
	struct want w;

	begin(&w, USBDEVFS_ALLOC_STREAMS, wanted);
	if (!reads(USBIP_RPC_ALLOC_STREAMS, wanted < MOST ? wanted : MOST))
		printf("# no ALLOC_STREAMS\n");
	send_complete(in.msg.id, status, granted, 0);
	return end(&w);
}

static long free_streams(void)
{
	struct want w;

	begin(&w, USBDEVFS_FREE_STREAMS, 0);
	if (!reads(USBIP_RPC_FREE_STREAMS, 0))
		printf("# no FREE_STREAMS\n");
	send_complete(in.msg.id, 0, 0, 0);
	return end(&w);
}

static void test_hello(void)
{
	struct usbip_rpc_hello h = { .version = 1 };
	int f = open("/dev/" USBIP_RPC_DEVICE, O_RDWR | O_CLOEXEC);

	ok(!ioctl(f, USBIP_RPC_IOC_HELLO, &h) &&
	   h.features & USBIP_RPC_FEATURE_STREAMS, "HELLO says that it has streams");
	close(f);
}

static bool refuses(uint64_t id, int status, uint32_t actual, uint32_t data)
{
	struct usbip_rpc_complete *c = complete(id, status, actual, data);

	return fails(write(fd, c, c->msg.len), EINVAL);
}

static void test_alloc(void)
{
	struct want w;
	uint64_t id;

	begin(&w, USBDEVFS_ALLOC_STREAMS, 32);
	ok(reads(USBIP_RPC_ALLOC_STREAMS, MOST),
	   "ALLOC_STREAMS: no more are asked for than the device has");
	id = in.msg.id;
	ok(refuses(id, 0, 0, 0) && refuses(id, 0, MOST + 1, 0) &&
	   refuses(id, -EINVAL, 1, 0) && refuses(id, 0, 8, 8) && !w.done,
	   "answers that make no sense");
	ok(send_complete(id, 0, 8, 0) && end(&w) == 8, "8 are granted");
	begin(&w, USBDEVFS_ALLOC_STREAMS, 4);
	ok(end(&w) == -EINVAL && !readable(fd, 0),
	   "the core refuses them twice");
}

/* The status of a submit that the controller does not take, else 0. */
static int try_stream(unsigned int stream)
{
	static uint8_t data[64];
	static struct usbdevfs_urb urb;	/* it may be taken */

	urb = (struct usbdevfs_urb){
		.type = USBDEVFS_URB_TYPE_BULK,
		.endpoint = BULK_IN,
		.stream_id = stream,
		.buffer = data,
		.buffer_length = sizeof(data),
	};
	return ioctl(node, USBDEVFS_SUBMITURB, &urb) ? -errno : 0;
}

static struct usbdevfs_urb *submit_on(unsigned int stream, uint8_t *data)
{
	struct usbdevfs_urb *urb = calloc(1, sizeof(*urb));

	urb->type = USBDEVFS_URB_TYPE_BULK;
	urb->endpoint = BULK_IN;
	urb->stream_id = stream;
	urb->buffer = data;
	urb->buffer_length = 64;
	if (ioctl(node, USBDEVFS_SUBMITURB, urb))
		err(1, "SUBMITURB");
	return urb;
}

static void test_urbs(void)
{
	static uint8_t data[2][64];
	struct usbdevfs_urb *one, *two;
	uint64_t id[2];

	ok(try_stream(0) == -EINVAL && try_stream(9) == -EINVAL &&
	   try_stream(8 + 65536) == -EINVAL,
	   "URBs without a stream, and of one that is not there");
	one = submit_on(1, data[0]);
	two = submit_on(8, data[1]);
	ok(read_one(1000) && in.submit.stream == 1, "SUBMIT has the stream");
	id[0] = in.msg.id;
	ok(read_one(1000) && in.submit.stream == 8, "of each");
	id[1] = in.msg.id;
	complete(id[1], 0, 64, 64);
	memset(out.bytes + sizeof(struct usbip_rpc_complete), 0x88, 64);
	ok(write(fd, out.bytes, 104) == 104 && reaped(two, 1000, 0, 64) &&
	   data[1][63] == 0x88, "streams end in any order");
	ok(send_complete(id[0], -EPIPE, 0, 0) && reaped(one, 1000, -EPIPE, 0),
	   "and each as it likes");
}

static void test_free(void)
{
	static uint8_t data[64];
	struct usbdevfs_urb *urb;

	ok(!free_streams(), "FREE_STREAMS");
	urb = submit(BULK_IN, data, 64, 0);
	ok(read_one(1000) && !in.submit.stream &&
	   send_complete(in.msg.id, 0, 0, 0) && reaped(urb, 1000, 0, 0),
	   "then URBs have none");
	ok(try_stream(1) == 0 && read_one(1000) && !in.submit.stream &&
	   send_complete(in.msg.id, 0, 0, 0) && reap(1000),
	   "usbfs drops what is no stream");
	ok(alloc(4, -EINVAL, 0) == -EINVAL, "refused with -EINVAL");
	ok(alloc(4, -ENOTDIR, 0) == -EPROTO, "a strange status is -EPROTO");
	ok(alloc(4, 0, 4) == 4 && !free_streams(), "and it works as before");
}

static void wake(int sig)
{
}

/* A driver that does not wait any longer. */
static void test_given_up(void)
{
	struct sigaction sa = { .sa_handler = wake };
	struct want w;
	uint64_t id, dropped;

	sigaction(SIGUSR1, &sa, NULL);
	begin(&w, USBDEVFS_ALLOC_STREAMS, 4);
	ok(readable(fd, 5000), "ALLOC_STREAMS that nobody reads");
	pthread_kill(w.thread, SIGUSR1);
	ok(end(&w) == -EINTR && !readable(fd, 0),
	   "a signal ends it, and nobody hears of it");

	begin(&w, USBDEVFS_ALLOC_STREAMS, 4);
	ok(reads(USBIP_RPC_ALLOC_STREAMS, 4), "one that is not answered");
	id = in.msg.id;
	pthread_kill(w.thread, SIGUSR1);
	ok(end(&w) == -EINTR && reads(USBIP_RPC_FREE_STREAMS, 0),
	   "a signal ends it, and what may be there is freed");
	dropped = status_of(fd).dropped;
	ok(send_complete(id, 0, 4, 0) && status_of(fd).dropped == dropped + 1,
	   "a late answer is dropped");
	ok(send_complete(in.msg.id, 0, 0, 0) &&
	   status_of(fd).dropped == dropped + 1, "the other is not");

	begin(&w, USBDEVFS_ALLOC_STREAMS, 4);
	ok(reads(USBIP_RPC_ALLOC_STREAMS, 4) && end(&w) == -ETIMEDOUT &&
	   reads(USBIP_RPC_FREE_STREAMS, 0), "so does time");
	send_complete(in.msg.id, 0, 0, 0);
	ok(alloc(4, 0, 4) == 4, "and it works as before");

	begin(&w, USBDEVFS_FREE_STREAMS, 0);
	ok(reads(USBIP_RPC_FREE_STREAMS, 0) && end(&w) == 0,
	   "FREE_STREAMS that is not answered is none the less done");
	send_complete(in.msg.id, 0, 0, 0);
}

static void *reset(void *unused)
{
	return (void *)(long)ioctl(node, USBDEVFS_RESET);
}

static void test_reset(void)
{
	int freed = 0, resets = 0;
	bool in_order = true;
	pthread_t thread;
	void *ret;

	ok(alloc(4, 0, 4) == 4, "with streams");
	pthread_create(&thread, NULL, reset, NULL);
	while (read_one(3000)) {
		freed += in.msg.type == USBIP_RPC_FREE_STREAMS;
		resets += in.msg.type == USBIP_RPC_RESET;
		in_order &= freed >= resets;
		serve();
	}
	pthread_join(thread, &ret);
	/* the core takes the interface from usbfs for it */
	ok(!ret && freed == 1 && resets == 1 && in_order,
	   "a reset: they are freed before it");
	close(node);
	open_node();
	ok(try_stream(1) == 0 && read_one(1000) && !in.submit.stream &&
	   send_complete(in.msg.id, 0, 0, 0) && reap(1000), "and are gone");
	ok(alloc(4, 0, 4) == 4 && !free_streams(), "until there are new ones");
}

static void test_detach(void)
{
	struct want w, unread;
	double start;

	begin(&w, USBDEVFS_ALLOC_STREAMS, 4);
	ok(reads(USBIP_RPC_ALLOC_STREAMS, 4), "a driver waits");
	start = now();
	ioctl(fd, USBIP_RPC_IOC_DETACH);
	ok(end(&w) == -ESHUTDOWN && now() - start < 3, "DETACH ends that at once");
	begin(&unread, USBDEVFS_ALLOC_STREAMS, 4);
	ok(end(&unread) < 0, "and none waits for what is gone");
	close(node);
}

int main(void)
{
	alarm(120);
	dev.speed = USBIP_RPC_SPEED_SUPER;
	test_hello();
	fd = open_port();
	plug();
	ok(enumerate(), "a device at super speed");
	open_node();
	test_alloc();
	test_urbs();
	test_free();
	test_given_up();
	test_reset();
	test_detach();
	ok(ids_grow, "no id came twice");
	return tap_done();
}
