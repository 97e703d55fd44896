// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * isoc - a driver, by usbfs, of the isochronous endpoints of hcd-dev.c. It
 * looks at every byte of every packet.
 *
 *   isoc [-m] DEVICE in|out URBS PACKETS LENGTH
 *
 * Sends or receives URBS of so many PACKETS of LENGTH bytes, several at a time.
 * -m: the device was told -m, so that some of its packets are short, and some
 * fail. Exit: 0 all was as it should, 1 not, 2 usage.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include "tests/isoc-pattern.h"

#define DEPTH		6
#define PACKETS_MAX	128	/* of usbfs */

struct run {
	int node;
	bool faulty;
	bool in;
	unsigned int urbs, packets, length;
	struct usbdevfs_urb *ring[DEPTH];
	uint32_t next;			/* number of the next packet */
	unsigned int bad, failed, shorter;
};

static void complain(struct run *r, unsigned int i, const char *what)
{
	if (r->bad++ < 10)
		printf("# packet %u, %u of its URB: %s\n", r->next, i, what);
}

/* The next packet from the device, as hcd-dev.c makes it. */
static void check_in(struct run *r, const struct usbdevfs_iso_packet_desc *d,
		     const uint8_t *data, unsigned int i)
{
	unsigned int want = d->length;
	bool fails = r->faulty && r->next % 16 == 9;

	if (r->faulty && r->next % 8 == 5)
		want /= 2;
	if (fails)
		want = 0;
	r->failed += fails;
	r->shorter += !fails && want < d->length;
	if (!!d->status != fails)
		complain(r, i, strerror(-(int)d->status));
	else if (d->actual_length != want)
		complain(r, i, "its length is wrong");
	else if (!isoc_is(data, want, r->next))
		complain(r, i, "its bytes are wrong");
	r->next++;
}

static void check_out(struct run *r, const struct usbdevfs_iso_packet_desc *d,
		      unsigned int i)
{
	if (d->status)
		complain(r, i, strerror(-(int)d->status));
	else if (d->actual_length != d->length)
		complain(r, i, "was not sent whole");
}

static void check_urb(struct run *r, const struct usbdevfs_urb *urb)
{
	unsigned int failed = r->failed, sum = 0;
	const uint8_t *data = urb->buffer;

	if (urb->status)
		complain(r, 0, strerror(-urb->status));
	for (int i = 0; i < urb->number_of_packets; i++) {
		const struct usbdevfs_iso_packet_desc *d;

		d = &urb->iso_frame_desc[i];
		if (r->in)
			check_in(r, d, data, i);
		else
			check_out(r, d, i);
		data += d->length;
		sum += d->actual_length;
	}
	if (urb->error_count != (int)(r->failed - failed))
		complain(r, 0, "error_count is wrong");
	/* usbfs tells the bytes that it copies out for IN */
	if (!r->in && urb->actual_length != (int)sum)
		complain(r, 0, "actual_length is wrong");
}

static void submit(struct run *r, struct usbdevfs_urb *urb)
{
	uint8_t *buffer = urb->buffer;

	memset(urb, 0, sizeof(*urb));
	urb->type = USBDEVFS_URB_TYPE_ISO;
	urb->flags = USBDEVFS_URB_ISO_ASAP;
	urb->endpoint = r->in ? 0x85 : 0x06;
	urb->buffer = buffer;
	urb->buffer_length = r->packets * r->length;
	urb->number_of_packets = r->packets;
	for (unsigned int i = 0; i < r->packets; i++) {
		urb->iso_frame_desc[i] = (struct usbdevfs_iso_packet_desc){
			.length = r->length,
		};
		if (!r->in)
			isoc_fill(buffer + i * r->length, r->length, r->next++);
	}
	if (r->in)
		memset(buffer, 0xee, urb->buffer_length);
	if (ioctl(r->node, USBDEVFS_SUBMITURB, urb))
		err(1, "SUBMITURB");
}

static void run(struct run *r)
{
	unsigned int n = 0, done;

	for (; n < DEPTH && n < r->urbs; n++)
		submit(r, r->ring[n]);
	for (done = 0; done < r->urbs; done++) {
		struct usbdevfs_urb *urb;

		if (ioctl(r->node, USBDEVFS_REAPURB, &urb))
			err(1, "REAPURB");
		if (urb != r->ring[done % DEPTH])
			complain(r, 0, "its URB came out of order");
		check_urb(r, urb);
		if (n < r->urbs) {
			submit(r, urb);
			n++;
		}
	}
}

static void open_device(struct run *r, const char *path)
{
	struct usbdevfs_disconnect_claim claim = { .interface = 0 };
	struct usbdevfs_setinterface alternate = { .altsetting = 1 };

	r->node = open(path, O_RDWR | O_CLOEXEC);
	if (r->node < 0)
		err(1, "%s", path);
	if (ioctl(r->node, USBDEVFS_DISCONNECT_CLAIM, &claim))
		err(1, "%s: claim", path);
	if (ioctl(r->node, USBDEVFS_SETINTERFACE, &alternate))
		err(1, "%s: alternate setting 1", path);
	for (int i = 0; i < DEPTH; i++) {
		r->ring[i] = calloc(1, sizeof(*r->ring[i]) + r->packets *
				    sizeof(struct usbdevfs_iso_packet_desc));
		if (!r->ring[i])
			err(1, "calloc");
		r->ring[i]->buffer = malloc(r->packets * r->length);
		if (!r->ring[i]->buffer)
			err(1, "malloc");
	}
}

int main(int argc, char **argv)
{
	struct run r = { .node = -1 };

	if (argc > 1 && !strcmp(argv[1], "-m")) {
		r.faulty = true;
		argc--;
		argv++;
	}
	if (argc != 6)
		errx(2, "usage: isoc [-m] DEVICE in|out URBS PACKETS LENGTH");
	r.in = !strcmp(argv[2], "in");
	r.urbs = atoi(argv[3]);
	r.packets = atoi(argv[4]);
	r.length = atoi(argv[5]);
	if (!r.urbs || !r.packets || r.packets > PACKETS_MAX || r.length < 4)
		errx(2, "1 to %d packets of 4 bytes and more", PACKETS_MAX);
	open_device(&r, argv[1]);
	run(&r);
	printf("%u packets, %u short, %u failed, %u wrong\n",
	       r.urbs * r.packets, r.shorter, r.failed, r.bad);
	return r.bad ? 1 : 0;
}
