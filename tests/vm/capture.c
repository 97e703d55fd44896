// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * capture DEVICE FRAMES SECONDS - take frames from the fake camera by V4L2, and
 * look at every word of them (tests/camera-pattern.h). It ends after so many
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

#define BUFFERS 16		/* 1.6 s, for a machine that has other work */
#define TYPE V4L2_BUF_TYPE_VIDEO_CAPTURE

static const uint8_t *buffers[BUFFERS];
static int fd;
static unsigned int n_frames, n_missing, n_torn, n_wrong;
static uint32_t next_frame;

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

static void queue_buffer(unsigned int i)
{
	struct v4l2_buffer b = { .index = i, .type = TYPE,
				 .memory = V4L2_MEMORY_MMAP };

	if (ioctl(fd, VIDIOC_QBUF, &b) && errno != ENODEV)
		err(1, "VIDIOC_QBUF");
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
		queue_buffer(i);
	}
	request(VIDIOC_STREAMON, &type, "VIDIOC_STREAMON");
}

static void look_at(const uint8_t *data, uint32_t n)
{
	bool torn = false, wrong = n != CAMERA_FRAME;
	uint32_t frame, first, m;

	first = camera_frame(data, &m);
	for (uint32_t i = 0; i < n / 4 && !wrong; i++) {
		frame = camera_frame(data + 4 * i, &m);
		wrong = m != i || frame < first;
		torn |= frame != first;
	}
	wrong |= first < next_frame;
	if (wrong && !n_wrong)
		printf("# %u bytes of frame %u, wanted is %u\n", n, first,
		       next_frame);
	if (n_frames++ && !wrong)
		n_missing += first - next_frame;
	else
		puts("# begun");
	fflush(stdout);
	n_torn += torn;
	n_wrong += wrong;
	next_frame = first + 1;
}

static bool take_frame(int timeout_ms)
{
	struct v4l2_buffer b = { .type = TYPE, .memory = V4L2_MEMORY_MMAP };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	if (ioctl(fd, VIDIOC_DQBUF, &b) < 0) {
		printf("# VIDIOC_DQBUF: %s\n", strerror(errno));
		exit(3);
	}
	look_at(buffers[b.index], b.bytesused);
	queue_buffer(b.index);
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

	if (!frames)
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
	request(VIDIOC_STREAMOFF, &type, "VIDIOC_STREAMOFF");
	printf("frames %u missing %u torn %u wrong %u\n", n_frames, n_missing,
	       n_torn, n_wrong);
	return n_wrong != 0;
}
