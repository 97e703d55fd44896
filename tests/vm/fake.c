// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake DEVICE tell REQUEST VALUE INDEX - say something to a fake device
 * fake DEVICE ask REQUEST WORDS - so many words of 32 bits that it answers
 *
 * These are vendor requests to the device, which no driver minds: see
 * server/backend_fake_control.c for their numbers. DEVICE is its file below
 * /dev/bus/usb.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define TIMEOUT_MS	5000
#define WORDS_MAX	64

static uint16_t number(const char *text)
{
	return strtoul(text, NULL, 0);
}

int main(int argc, char **argv)
{
	struct usbdevfs_ctrltransfer request = { .timeout = TIMEOUT_MS };
	uint8_t data[4 * WORDS_MAX];
	int fd, n;

	if (argc == 6 && !strcmp(argv[2], "tell")) {
		request.bRequestType = 0x40;
		request.wValue = number(argv[4]);
		request.wIndex = number(argv[5]);
	} else if (argc == 5 && !strcmp(argv[2], "ask") &&
		   number(argv[4]) <= WORDS_MAX) {
		request.bRequestType = 0xc0;
		request.wLength = 4 * number(argv[4]);
		request.data = data;
	} else {
		errx(2, "usage: fake DEVICE tell REQUEST VALUE INDEX\n"
			"       fake DEVICE ask REQUEST WORDS");
	}
	request.bRequest = number(argv[3]);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", argv[1]);
	n = ioctl(fd, USBDEVFS_CONTROL, &request);
	if (n < 0)
		err(1, "request %#x", request.bRequest);
	for (int i = 0; i + 4 <= n; i += 4)
		printf("%s%u", i ? " " : "",
		       data[i] | data[i + 1] << 8 | data[i + 2] << 16 |
		       (unsigned int)data[i + 3] << 24);
	if (n)
		puts("");
	return 0;
}
