// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-isoc - the promises of uapi/linux/usbip_rpc.h about isochronous URBs: the
 * packets of SUBMIT and COMPLETE, what is refused, and the schedule
 */
#include <sys/wait.h>
#include "tests/vm/hcd-ends.h"

#define ISOC_IN		0x85
#define ISOC_OUT	0x06
#define PACKETS		3
#define ROOM		100		/* of each packet in the buffer */

static const uint32_t lengths[PACKETS] = { 100, 7, 100 };
static uint8_t data[PACKETS * ROOM];

static const struct usbip_rpc_packet *asked(void)
{
	return (const void *)(in.bytes + sizeof(in.submit));
}

static struct usbip_rpc_packet *told(void)
{
	return (void *)(out.bytes + sizeof(struct usbip_rpc_complete));
}

static uint8_t *told_data(void)
{
	return (uint8_t *)(told() + PACKETS);
}

static struct usbdevfs_urb *submit_isoc(uint8_t endpoint, unsigned int flags)
{
	struct usbdevfs_urb *urb;

	urb = calloc(1, sizeof(*urb) +
		     PACKETS * sizeof(struct usbdevfs_iso_packet_desc));
	if (!urb)
		err(1, "calloc");
	urb->type = USBDEVFS_URB_TYPE_ISO;
	urb->endpoint = endpoint;
	urb->flags = flags;
	urb->buffer = data;
	urb->number_of_packets = PACKETS;
	for (int i = 0; i < PACKETS; i++)
		urb->iso_frame_desc[i].length = lengths[i];
	if (ioctl(node, USBDEVFS_SUBMITURB, urb))
		err(1, "SUBMITURB");
	return urb;
}

static bool has_packet(const struct usbdevfs_urb *urb, int i, int status,
		       unsigned int actual)
{
	const struct usbdevfs_iso_packet_desc *d = &urb->iso_frame_desc[i];

	if ((int)d->status == status && d->actual_length == actual)
		return true;
	printf("# packet %d: status %d, %u bytes\n", i, (int)d->status,
	       d->actual_length);
	return false;
}

static void test_out(void)
{
	struct usbip_rpc_complete *c;
	struct usbdevfs_urb *urb;
	bool right = true;

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = i;
	urb = submit_isoc(ISOC_OUT, USBDEVFS_URB_ISO_ASAP);
	ok(read_one(1000) && in.msg.len == 48 + 24 + 208 &&
	   in.submit.transfer == USBIP_RPC_ISOC &&
	   in.submit.endpoint == ISOC_OUT && in.submit.npackets == PACKETS &&
	   in.submit.length == 207 && in.submit.interval == 1 &&
	   in.submit.flags == USBIP_RPC_ISO_ASAP, "OUT: SUBMIT's fields");
	for (int i = 0; i < PACKETS; i++)
		right &= asked()[i].length == lengths[i] && !asked()[i].status;
	ok(right, "the packets' lengths");
	ok(!memcmp(asked() + PACKETS, data, 207) &&
	   !in.bytes[48 + 24 + 207], "the packets' data, and padding");
	c = complete(in.msg.id, 0, 107, 24);
	c->npackets = PACKETS;
	c->error_count = 2;
	memset(told(), 0, 24);
	told()[0].length = 100;
	told()[1].status = -EILSEQ;
	told()[2] = (struct usbip_rpc_packet){ 7, -EXDEV };
	ok(write(fd, c, c->msg.len) == 64 && reap(1000) == urb && !urb->status,
	   "it is answered; the URB itself is well");
	ok(urb->error_count == 2 && has_packet(urb, 0, 0, 100) &&
	   has_packet(urb, 1, -EILSEQ, 0) && has_packet(urb, 2, -EXDEV, 7),
	   "the driver sees each packet");
	free(urb);
}

/* A COMPLETE that is right: 30, 7 and 0 bytes, the last one with an error. */
static struct usbip_rpc_complete *good_in(uint64_t id)
{
	struct usbip_rpc_complete *c = complete(id, 0, 37, 24 + 37);

	c->npackets = PACKETS;
	c->error_count = 1;
	told()[0] = (struct usbip_rpc_packet){ 30, 0 };
	told()[1] = (struct usbip_rpc_packet){ 7, 0 };
	told()[2] = (struct usbip_rpc_packet){ 0, -ENOTDIR };
	memset(told_data(), 0xa1, 30);
	memset(told_data() + 30, 0xa2, 7);
	return c;
}

static bool refuses(struct usbip_rpc_complete *c, size_t len)
{
	return fails(write(fd, c, len), EINVAL) && !reap(0) &&
	       status_of(fd).sent == 1;
}

static void test_refused(uint64_t id)
{
	struct usbip_rpc_complete *c;

	c = good_in(id), c->npackets = 2;
	ok(refuses(c, c->msg.len), "a packet too few");
	c = good_in(id), c->npackets = 4;
	c->msg.len += 8;
	ok(refuses(c, c->msg.len), "a packet too many");
	c = good_in(id), c->npackets = 0x20000003;
	ok(refuses(c, c->msg.len), "packets whose bytes overflow");
	c = good_in(id), told()[1].length = 8;
	ok(refuses(c, c->msg.len), "a packet longer than asked for");
	c = good_in(id), told()[0].length = 29;
	ok(refuses(c, c->msg.len), "packets that are not the sum");
	c = good_in(id), told()[0].length = 0xffffffff;
	told()[1].length = 38;
	ok(refuses(c, c->msg.len), "packets whose sum overflows");
	c = good_in(id), c->error_count = 0;
	ok(refuses(c, c->msg.len), "an error that is not counted");
	c = good_in(id), c->error_count = 2;
	ok(refuses(c, c->msg.len), "one counted too many");
	c = good_in(id), c->start_frame = 1;
	ok(refuses(c, c->msg.len), "a start_frame");
	c = good_in(id), told_data()[37] = 1;
	ok(refuses(c, c->msg.len), "padding that is not zero");
	c = complete(id, 0, 37, 37);
	ok(refuses(c, c->msg.len), "data without packets");
	c = complete(id, 0, 0, 0);
	c->error_count = 1;
	ok(refuses(c, c->msg.len), "an error without packets");
}

static void test_in(void)
{
	struct usbdevfs_urb *urb;
	struct usbip_rpc_complete *c;

	memset(data, 0xee, sizeof(data));
	urb = submit_isoc(ISOC_IN, USBDEVFS_URB_ISO_ASAP);
	ok(read_one(1000) && in.msg.len == 48 + 24 && in.submit.length == 207 &&
	   asked()[1].length == 7, "IN: SUBMIT has packets and no data");
	test_refused(in.msg.id);
	c = good_in(in.msg.id);
	ok(write(fd, c, c->msg.len) == (ssize_t)c->msg.len &&
	   reap(1000) == urb && !urb->status && urb->error_count == 1 &&
	   has_packet(urb, 0, 0, 30) && has_packet(urb, 1, 0, 7) &&
	   has_packet(urb, 2, -EPROTO, 0),
	   "it is answered; a strange status is -EPROTO");
	ok(data[0] == 0xa1 && data[29] == 0xa1 && data[100] == 0xa2 &&
	   data[106] == 0xa2, "each packet is at its place");
	free(urb);
}

static void test_no_packets(void)
{
	struct usbdevfs_urb *urb = submit_isoc(ISOC_IN, 0);
	double start;

	read_one(1000);
	ok(!in.submit.flags, "without ISO_ASAP");
	ok(send_complete(in.msg.id, -EPROTO, 0, 0) && reap(1000) == urb &&
	   urb->status == -EPROTO && urb->error_count == PACKETS &&
	   has_packet(urb, 0, -EXDEV, 0) && has_packet(urb, 2, -EXDEV, 0),
	   "an answer without packets: none was carried out");
	free(urb);
	urb = submit_isoc(ISOC_IN, 0);
	read_one(1000);
	start = now();
	ioctl(node, USBDEVFS_DISCARDURB, urb); /* waits for the end */
	ok(now() - start < 4 && reap(1000) == urb && urb->status == -ENOENT &&
	   urb->error_count == PACKETS && has_packet(urb, 1, -EXDEV, 0),
	   "nor where none is given and the URB is unlinked");
	free(urb);
}

/*
 * Submit @n URBs, the last one after a pause, and see where they begin. They
 * are answered at the end.
 */
static void queue(int frames[], int n, unsigned int flags, unsigned int us)
{
	uint64_t ids[8];

	for (int i = 0; i < n; i++) {
		submit_isoc(ISOC_OUT, flags);
		if (!read_one(1000))
			err(1, "read");
		frames[i] = in.submit.start_frame;
		ids[i] = in.msg.id;
		usleep(i == n - 2 ? us : 0);
	}
	for (int i = 0; i < n; i++) {
		send_complete(ids[i], 0, 0, 0);
		free(reap(1000));
	}
}

/* @modulus: of the counter; each URB takes PACKETS of its units. */
static void test_schedule(const char *name, int modulus)
{
	int f[4], late, paused;

	queue(f, 3, USBDEVFS_URB_ISO_ASAP, 0);
	ok(f[0] >= 0 && f[0] < modulus &&
	   (f[1] - f[0] + modulus) % modulus >= PACKETS,
	   "%s: an URB begins where the one before ends, or later", name);
	queue(f, 3, 0, 200000);
	late = (f[2] - f[1] + modulus) % modulus;
	ok((f[1] - f[0] + modulus) % modulus == PACKETS && late == PACKETS,
	   "%s: without ISO_ASAP it keeps its place, however late", name);
	queue(f, 3, USBDEVFS_URB_ISO_ASAP, 200000);
	late = (f[2] - f[1] + modulus) % modulus;
	ok(late > PACKETS, "%s: with it, it begins anew (%d later)", name, late);
	queue(f, 1, 0, 0);
	usleep(100000);
	queue(f + 1, 1, 0, 0);
	paused = (f[1] - f[0] + modulus) % modulus;
	/* the first may have been scheduled some ahead */
	ok(paused >= modulus / 2048 * 50,
	   "%s: nor does it keep it without anything queued (%d later)", name, paused);
}

static void attach(uint32_t speed)
{
	struct usbdevfs_setinterface alternate = { .altsetting = 1 };
	pid_t pid;

	dev.speed = speed;
	plug();
	ok(enumerate(), "a device");
	open_node();
	pid = fork();
	if (!pid)
		_exit(!!ioctl(node, USBDEVFS_SETINTERFACE, &alternate));
	while (dev.alternate != 1 && read_one(1000))
		serve();
	waitpid(pid, NULL, 0);
}

int main(void)
{
	alarm(120);
	fd = open_port();
	attach(USBIP_RPC_SPEED_HIGH);
	test_out();
	test_in();
	test_no_packets();
	test_schedule("microframes", 2048 * 8);
	close(node);
	ioctl(fd, USBIP_RPC_IOC_DETACH);
	attach(USBIP_RPC_SPEED_FULL);
	test_schedule("frames", 2048);
	return tap_done();
}
