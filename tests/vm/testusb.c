// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * testusb - run one case of the kernel's usbtest driver on one device.
 *
 *   testusb /dev/bus/usb/BBB/DDD CASE COUNT LENGTH VARY SGLEN
 *
 * Prints the microseconds that the kernel took. Exit: 0 passed, 1 failed,
 * 2 usage, 77 the device has not got what the case needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* drivers/usb/misc/usbtest.c has this, and no header does */
struct usbtest_param_64 {
	unsigned int test_num;
	unsigned int iterations;
	unsigned int length;
	unsigned int vary;
	unsigned int sglen;
	long long duration_sec;
	long long duration_usec;
};

#define USBTEST_REQUEST_64 _IOWR('U', 100, struct usbtest_param_64)

static int parse(const char *text, unsigned int *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n > 0x7fffffff)
		return -EINVAL;
	*value = (unsigned int)n;
	return 0;
}

int main(int argc, char **argv)
{
	struct usbtest_param_64 param = { 0 };
	unsigned int *const fields[] = {
		&param.test_num, &param.iterations, &param.length, &param.vary,
		&param.sglen,
	};
	struct usbdevfs_ioctl wrapper = {
		.ifno = 0,
		.ioctl_code = (int)USBTEST_REQUEST_64,
		.data = &param,
	};
	int fd;

	if (argc != 7)
		goto usage;
	for (int i = 0; i < 5; i++)
		if (parse(argv[2 + i], fields[i]))
			goto usage;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	if (ioctl(fd, USBDEVFS_IOCTL, &wrapper) < 0) {
		int error = errno;

		printf("case %u: %s\n", param.test_num, strerror(error));
		return error == EOPNOTSUPP ? 77 : 1;
	}
	printf("%lld\n", param.duration_sec * 1000000 + param.duration_usec);
	close(fd);
	return 0;
usage:
	fprintf(stderr, "usage: %s DEVICE CASE COUNT LENGTH VARY SGLEN\n",
		argv[0]);
	return 2;
}
