// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_marks - devices that a killed service did not give back.
 *
 * While a device is claimed there is a link with its bus id in MARKS, to its
 * device number: a link needs no room where /run is full. Who finds one at its start, and the same device
 * still plugged in, claims it once and gives it back: with that the device is
 * reset and its own drivers have it again.
 *
 * Where the folder can not be written to (not root) there are no marks, and
 * such a device stays without drivers until it is claimed the next time.
 */
#include "server/backend_libusb.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define MARKS "/run/usbip-rpcd"

static void path_of(const char *busid, char *path, size_t size)
{
	snprintf(path, size, MARKS "/%s", busid);
}

void lusb_mark(const struct lusb_device *dev)
{
	char path[sizeof(MARKS) + NAME_MAX + 2], number[16];

	path_of(dev->info.busid, path, sizeof(path));
	snprintf(number, sizeof(number), "%u", dev->devnum);
	mkdir(MARKS, 0700);
	unlink(path);
	if (symlink(number, path))
		log_debug(LOG_TAG_DEVICE, "%s: %s", path, strerror(errno));
}

void lusb_unmark(const char *busid)
{
	char path[sizeof(MARKS) + NAME_MAX + 2];

	path_of(busid, path, sizeof(path));
	unlink(path);
}

static unsigned int read_mark(const char *busid)
{
	char path[sizeof(MARKS) + NAME_MAX + 2], number[16];
	ssize_t n;

	path_of(busid, path, sizeof(path));
	n = readlink(path, number, sizeof(number) - 1);
	number[n < 0 ? 0 : n] = 0;
	return strtoul(number, NULL, 10);
}

static void give_back(struct lusb *lusb, const char *busid)
{
	unsigned int devnum = read_mark(busid);
	struct lusb_device *dev;

	TAILQ_FOREACH(dev, &lusb->devices, link)
		if (dev->device && !strcmp(dev->info.busid, busid) &&
		    dev->devnum == devnum)
			break;
	if (!dev) {
		lusb_unmark(busid);	/* it is not there any more */
		return;
	}
	log_info("%s: was left claimed by a service that was killed; it is given back",
		 busid);
	if (!lusb_claim(dev))
		lusb_release(dev, true);
}

void lusb_give_back_left(struct lusb *lusb)
{
	struct dirent *entry;
	DIR *dir = opendir(MARKS);

	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			give_back(lusb, entry->d_name);
	if (dir)
		closedir(dir);
}
