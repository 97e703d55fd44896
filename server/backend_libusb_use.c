// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_use - is a device in use by its own system, so that taking
 * it away would lose data? That is known of disks: one that is mounted, or
 * swapped to, or part of something larger, can not be opened exclusively. Of
 * one that this user may not open at all nothing is known.
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

/* Why a disk is not to be taken away, or NULL. */
static const char *use_of_disk(const char *name)
{
	_cleanup_(cleanup_close) int fd = -1;
	char path[NAME_MAX + 8];

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		return NULL;
	switch (errno) {
	case EBUSY:
		return "in use here (mounted?)";
	case EACCES:
	case EPERM:
		return "not for this user to open, and may be in use";
	default:
		return NULL;
	}
}

/* Look below an open folder of sysfs; it is consumed. in_block: its folders
 * are disks. */
static bool is_used_below(struct lusb_device *dev, int fd, bool in_block,
			  int depth)
{
	_cleanup_(close_dir) DIR *dir = fdopendir(fd);
	struct dirent *entry;
	const char *use;
	int sub;

	if (!dir) {
		close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;	/* links lead out of the device */
		use = in_block ? use_of_disk(entry->d_name) : NULL;
		if (use) {
			log_warning("%s: its disk %s is %s; it is not given away",
				    dev->info.busid, entry->d_name, use);
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
