// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_marks - devices that a killed service did not give back.
 *
 * While a device is claimed there is a file with its bus id in MARKS, and its
 * device number in there. Who finds one at its start, and the same device
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
	char path[sizeof(MARKS) + NAME_MAX + 2];
	FILE *f;

	path_of(dev->info.busid, path, sizeof(path));
	mkdir(MARKS, 0700);
	f = fopen(path, "we");
	if (!f) {
		log_debug(LOG_TAG_DEVICE, "%s: %s", path, strerror(errno));
		return;
	}
	fprintf(f, "%u\n", dev->devnum);
	fclose(f);
}

void lusb_unmark(const char *busid)
{
	char path[sizeof(MARKS) + NAME_MAX + 2];

	path_of(busid, path, sizeof(path));
	unlink(path);
}

static unsigned int read_mark(const char *busid)
{
	char path[sizeof(MARKS) + NAME_MAX + 2];
	unsigned int devnum = 0;
	FILE *f;

	path_of(busid, path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%u", &devnum) != 1)
		devnum = 0;
	fclose(f);
	return devnum;
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
