// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * capture DEVICE FRAMES SECONDS - take frames from the fake camera by V4L2, and
 * look at every word of them (tests/camera-pattern.h). Their order is that of
 * their sequence numbers: uvcvideo copies by work on several processors, and
 * hands out as first what is copied first. It ends after so many
 * frames or seconds, whichever is first, and prints "# begun" when it has the
 * first; last: frames, how many are missing between them, how many are of
 * parts of several frames, and how many have a wrong word. Exit status: 0
 * nothing wrong, 1 something was, 2 usage, 3 the device is gone.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/camera-pattern.h"

#define PACKET_WORDS (CAMERA_WORDS / CAMERA_PACKETS)
#define BUFFERS 16		/* 1.6 s, for a machine that has other work */
#define FRAMES_MAX 1000
#define TYPE V4L2_BUF_TYPE_VIDEO_CAPTURE

static const uint8_t *buffers[BUFFERS];
static int fd;
static unsigned int n_frames, n_missing, n_torn, n_wrong;
static struct taken {
	uint32_t sequence, frame;	/* the driver's; of the first word */
} taken[FRAMES_MAX];

static void request(unsigned long what, void *arg, const char *name)
{
	if (ioctl(fd, what, arg) < 0)
		err(1, "%s", name);
}

static void set_format(void)
{
	struct v4l2_format f = { .type = TYPE };

	f.fmt.pix.width = CAMERA_WIDTH;
	f.fmt.pix.height = CAMERA_HEIGHT;
	f.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	request(VIDIOC_S_FMT, &f, "VIDIOC_S_FMT");
	if (f.fmt.pix.width != CAMERA_WIDTH ||
	    f.fmt.pix.height != CAMERA_HEIGHT ||
	    f.fmt.pix.pixelformat != V4L2_PIX_FMT_YUYV ||
	    f.fmt.pix.sizeimage != CAMERA_FRAME)
		errx(1, "it has not the format of the fake camera");
}

static void begin(void)
{
	struct v4l2_requestbuffers r = { .count = BUFFERS, .type = TYPE,
					 .memory = V4L2_MEMORY_MMAP };
	int type = TYPE;

	request(VIDIOC_REQBUFS, &r, "VIDIOC_REQBUFS");
	if (r.count != BUFFERS)
		errx(1, "%u buffers", r.count);
	for (unsigned int i = 0; i < BUFFERS; i++) {
		struct v4l2_buffer b = { .index = i, .type = TYPE,
					 .memory = V4L2_MEMORY_MMAP };

		request(VIDIOC_QUERYBUF, &b, "VIDIOC_QUERYBUF");
		buffers[i] = mmap(NULL, b.length, PROT_READ, MAP_SHARED, fd,
				  b.m.offset);
		if (buffers[i] == MAP_FAILED)
			err(1, "mmap");
		request(VIDIOC_QBUF, &b, "VIDIOC_QBUF");
	}
	request(VIDIOC_STREAMON, &type, "VIDIOC_STREAMON");
}

/*
 * May this be the word number i behind that one? A video frame is known by one
 * bit of its number and by its size: so where packets are lost, the driver may
 * make a whole one of parts of several. Each part is of packets, as they were
 * sent, and none comes again.
 */
static bool goes_on(uint32_t i, uint32_t frame, uint32_t m,
		    uint32_t last_frame, uint32_t last_m)
{
	if (frame == last_frame && m == last_m + 1)
		return true;
	return i % PACKET_WORDS == 0 && m % PACKET_WORDS == 0 &&
	       (frame > last_frame || (frame == last_frame && m > last_m));
}

static void look_at(const uint8_t *data, uint32_t n, uint32_t sequence)
{
	bool torn = false, wrong = n != CAMERA_FRAME;
	uint32_t first, frame, m, last, last_m;

	first = last = camera_frame(data, &m);
	last_m = m - 1;
	wrong |= m % PACKET_WORDS != 0;
	torn |= m != 0;
	for (uint32_t i = 0; i < n / 4 && !wrong; i++) {
		frame = camera_frame(data + 4 * i, &m);
		wrong = !goes_on(i, frame, m, last, last_m);
		torn |= frame != last || m != last_m + 1;
		last = frame;
		last_m = m;
	}
	if (wrong && !n_wrong)
		printf("# %u bytes of frame %u, wrong at %u of frame %u\n", n,
		       first, last_m, last);
	if (!n_frames)
		puts("# begun");
	fflush(stdout);
	taken[n_frames++] = (struct taken){ sequence, first };
	n_torn += torn;
	n_wrong += wrong;
}

static int by_sequence(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void look_at_order(void)
{
	qsort(taken, n_frames, sizeof(taken[0]), by_sequence);
	for (unsigned int i = 1; i < n_frames; i++) {
		if (taken[i].frame > taken[i - 1].frame) {
			n_missing += taken[i].frame - taken[i - 1].frame - 1;
			continue;
		}
		printf("# frame %u behind %u, sequence %u behind %u\n",
		       taken[i].frame, taken[i - 1].frame, taken[i].sequence,
		       taken[i - 1].sequence);
		n_wrong++;
	}
}

/* A device that goes is told by whichever of these comes next. */
static void must_stream(unsigned long what, void *arg, const char *name)
{
	if (ioctl(fd, what, arg) >= 0)
		return;
	printf("# %s: %s\n", name, strerror(errno));
	exit(3);
}

static bool take_frame(int timeout_ms)
{
	struct v4l2_buffer b = { .type = TYPE, .memory = V4L2_MEMORY_MMAP };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	must_stream(VIDIOC_DQBUF, &b, "VIDIOC_DQBUF");
	/* empty with this flag: handed back as the device goes */
	if (b.bytesused || !(b.flags & V4L2_BUF_FLAG_ERROR))
		look_at(buffers[b.index], b.bytesused, b.sequence);
	must_stream(VIDIOC_QBUF, &b, "VIDIOC_QBUF");
	return true;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	unsigned int frames = argc == 4 ? atoi(argv[2]) : 0;
	int type = TYPE;
	int64_t end;

	if (!frames || frames > FRAMES_MAX)
		errx(2, "usage: capture DEVICE FRAMES SECONDS");
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", argv[1]);
	set_format();
	begin();
	end = now_ms() + atoi(argv[3]) * 1000ll;
	while (n_frames < frames && now_ms() < end)
		if (!take_frame(end - now_ms()))
			break;
	must_stream(VIDIOC_STREAMOFF, &type, "VIDIOC_STREAMOFF");
	look_at_order();
	printf("frames %u missing %u torn %u wrong %u\n", n_frames, n_missing,
	       n_torn, n_wrong);
	return n_wrong != 0;
}
