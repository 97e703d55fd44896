// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_use - is a device in use by its own system, so that taking
 * it away would lose data? That is known of disks: one that is mounted, or
 * swapped to, or part of something larger, can not be opened exclusively.
 */
#include "server/backend_libusb.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"

/* usb device / interface / host / target / lun / block / disk, and hubs. */
#define DEPTH_MAX 16

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_disk_in_use(const char *name)
{
	_cleanup_(cleanup_close) int fd = -1;
	char path[NAME_MAX + 8];

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 && errno == EBUSY;
}

/* Look below an open folder of sysfs; it is consumed. in_block: its folders
 * are disks. */
static bool is_used_below(struct lusb_device *dev, int fd, bool in_block,
			  int depth)
{
	_cleanup_(close_dir) DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int sub;

	if (!dir) {
		close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;	/* links lead out of the device */
		if (in_block && is_disk_in_use(entry->d_name)) {
			log_warning("%s: its disk %s is in use here (mounted?); it is not given away",
				    dev->info.busid, entry->d_name);
			return true;
		}
		if (in_block || depth == DEPTH_MAX)
			continue;
		sub = openat(dirfd(dir), entry->d_name,
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (sub >= 0 && is_used_below(dev, sub,
					      !strcmp(entry->d_name, "block"),
					      depth + 1))
			return true;
	}
	return false;
}

bool lusb_is_in_use(struct lusb_device *dev)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s",
		 dev->info.busid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && is_used_below(dev, fd, false, 0);
}
