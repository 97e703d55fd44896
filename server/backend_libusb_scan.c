// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_libusb_scan - which devices are plugged in. Owns the list of them.
 *
 * sysfs says what there is, with descriptors and names as the kernel read
 * them, so that a look at a device costs no transfer and opens nothing; the
 * kernel's uevents say when to look again. libusb's own discovery depends on
 * udevd, which small systems and containers do not have. Where uevents do not
 * come either (another network namespace), LIST and CLAIM look.
 *
 * What a new device is called is read in a worker: the kernel answers that
 * under the device's lock, which it holds until drivers have been found for
 * it, and with a faulty device that takes seconds.
 */
#include "server/backend_libusb.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "server/worker.h"

#define SYSFS "/sys/bus/usb/devices"
#define HUB_CLASS 9
/* Seconds until it is tried again to look at SYSFS. */
#define BLIND_PAUSE 1
/* A device descriptor and eight configurations of the largest size. */
#define DESCRIPTORS_MAX (18 + 8 * 65535)

/* ---- one device --------------------------------------------------------- */

/* A file of the device; how many bytes, or -errno. */
static ssize_t read_attribute(const char *busid, const char *name, void *data,
			      size_t size)
{
	_cleanup_(cleanup_close) int fd = -1;
	size_t n = 0;
	char path[256];
	ssize_t r;

	snprintf(path, sizeof(path), SYSFS "/%s/%s", busid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (n < size && (r = read(fd, (char *)data + n, size - n)) != 0) {
		if (r < 0)
			return -errno;
		n += r;
	}
	return n;
}

/* A line of text, "" where there is none. */
static void read_text(const char *busid, const char *name, char *text,
		      size_t size)
{
	ssize_t n = read_attribute(busid, name, text, size - 1);

	text[n < 0 ? 0 : n] = 0;
	text[strcspn(text, "\n")] = 0;
}

static unsigned int read_number(const char *busid, const char *name)
{
	char text[32];

	read_text(busid, name, text, sizeof(text));
	return strtoul(text, NULL, 10);
}

static enum backend_speed read_speed(const char *busid)
{
	char text[32];

	read_text(busid, "speed", text, sizeof(text));
	if (!strcmp(text, "1.5"))
		return BACKEND_SPEED_LOW;
	switch (strtoul(text, NULL, 10)) {
	case 12:
		return BACKEND_SPEED_FULL;
	case 480:
		return BACKEND_SPEED_HIGH;
	case 5000:
		return BACKEND_SPEED_SUPER;
	case 10000:
	case 20000:
		return BACKEND_SPEED_SUPER_PLUS;
	default:
		return BACKEND_SPEED_UNKNOWN;
	}
}

static int read_descriptors(struct lusb_device *dev)
{
	_cleanup_(cleanup_free) uint8_t *data = malloc(DESCRIPTORS_MAX);
	struct descriptors *d = &dev->info.descriptors;
	const char *busid = dev->info.busid;
	ssize_t n;
	int r;

	if (!data)
		return -ENOMEM;
	n = read_attribute(busid, "descriptors", data, DESCRIPTORS_MAX);
	if (n < 0)
		return n;
	r = descriptors_parse(d, data, n);
	if (r)
		return r;
	/* since Linux 6.10; before, the claim asks the device */
	n = read_attribute(busid, "bos_descriptors", data, 65535);
	return n > 0 ? descriptors_set_bos(d, data, n) : 0;
}

static bool may_use(const struct lusb_device *dev)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", dev->busnum,
		 dev->devnum);
	return !access(path, R_OK | W_OK);
}

unsigned int lusb_scan_configuration(const struct lusb_device *dev)
{
	return read_number(dev->info.busid, "bConfigurationValue");
}

void lusb_device_free(struct lusb_device *dev)
{
	descriptors_deinit(&dev->info.descriptors);
	free(dev);
}

/* In the worker. Of dev only what is its own. */
static int read_device(void *arg)
{
	struct lusb_device *dev = arg;
	struct backend_info *info = &dev->info;
	const char *busid = info->busid;
	int r;

	r = read_descriptors(dev);
	if (r)
		return r;
	if (info->descriptors.device[4] == HUB_CLASS)
		return 0;
	info->speed = read_speed(busid);
	info->configuration = read_number(busid, "bConfigurationValue");
	read_text(busid, "manufacturer", info->manufacturer,
		  sizeof(info->manufacturer));
	read_text(busid, "product", info->product, sizeof(info->product));
	read_text(busid, "serial", info->serial, sizeof(info->serial));
	info->usable = may_use(dev);
	return 0;
}

/* Tell of it, if it is still there and worth it; a hub is only remembered, so
 * that it is not read again. */
static void device_read(int r, void *arg)
{
	struct lusb_device *dev = arg;
	struct lusb *lusb = dev->lusb;

	dev->reading = false;
	if (!r && dev->info.descriptors.device[4] == HUB_CLASS)
		return;
	if (!r && read_number(dev->info.busid, "devnum") == dev->devnum)
		dev->device = lusb->sink->arrived(&dev->info, dev, lusb->user);
	else
		log_debug(LOG_TAG_DEVICE, "%s: left while it was looked at: %s",
			  dev->info.busid, strerror(-r));
	if (dev->device)
		return;
	TAILQ_REMOVE(&lusb->devices, dev, link);
	lusb_device_free(dev);
}

static void add_device(struct lusb *lusb, const char *busid,
		       unsigned int devnum)
{
	struct lusb_device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return;
	dev->lusb = lusb;
	dev->fd = dev->raw_fd = -1;
	dev->seen = dev->reading = true;
	strcpy(dev->info.busid, busid);
	dev->busnum = read_number(busid, "busnum");
	dev->devnum = devnum;
	TAILQ_INSERT_TAIL(&lusb->devices, dev, link);
	if (!lusb->started) {
		device_read(read_device(dev), dev);
		return;
	}
	if (worker_run(lusb->reader, read_device, device_read, dev)) {
		TAILQ_REMOVE(&lusb->devices, dev, link);
		lusb_device_free(dev);
	}
}

/* ---- all of them -------------------------------------------------------- */

/* "3-1.4", and not an interface, "3-1.4:1.0", or a root hub, "usb3". */
static bool is_device(const char *name)
{
	return isdigit((unsigned char)*name) && !strchr(name, ':') &&
	       strlen(name) < sizeof(((struct backend_info *)0)->busid);
}

static struct lusb_device *find_device(struct lusb *lusb, const char *busid)
{
	struct lusb_device *dev;

	TAILQ_FOREACH(dev, &lusb->devices, link)
		if (!strcmp(dev->info.busid, busid))
			return dev;
	return NULL;
}

static void look_at(struct lusb *lusb, const char *busid)
{
	struct lusb_device *dev = find_device(lusb, busid);
	unsigned int devnum = read_number(busid, "devnum");

	/* a device that is being reset has number 0 for a moment */
	if (dev && (!devnum || dev->devnum == devnum)) {
		dev->seen = true;
		if (!dev->reading)
			dev->info.usable = may_use(dev);
		return;
	}
	if (!dev && devnum)
		add_device(lusb, busid, devnum);
}

static bool remove_unseen(struct lusb *lusb)
{
	struct lusb_device *dev, *after;
	bool any = false;

	for (dev = TAILQ_FIRST(&lusb->devices); dev; dev = after) {
		after = TAILQ_NEXT(dev, link);
		if (dev->seen || dev->reading)	/* device_read() looks */
			continue;
		TAILQ_REMOVE(&lusb->devices, dev, link);
		if (dev->device)
			lusb->sink->left(dev->device);	/* it may be freed */
		else
			lusb_device_free(dev);		/* a hub */
		any = true;
	}
	return any;
}

/* There is no descriptor to look with, say: what can not be seen is not gone. */
static void look_later(struct lusb *lusb, int error)
{
	const struct timeval tv = { .tv_sec = BLIND_PAUSE };

	if (!lusb->blind)
		log_warning(SYSFS ": %s; what is plugged in or out is not seen until that is over",
			    strerror(error));
	lusb->blind = true;
	event_add(lusb->scan, &tv);
}

/* true: something left. */
static bool scan_once(struct lusb *lusb)
{
	struct lusb_device *dev;
	struct dirent *entry;
	DIR *dir = opendir(SYSFS);

	if (!dir && errno != ENOENT) {
		look_later(lusb, errno);
		return false;
	}
	lusb->blind = false;
	TAILQ_FOREACH(dev, &lusb->devices, link)
		dev->seen = false;
	while (dir && (entry = readdir(dir)))
		if (is_device(entry->d_name))
			look_at(lusb, entry->d_name);
	if (dir)
		closedir(dir);
	return remove_unseen(lusb);
}

/* At a port where one device left and another came, the second pass finds the
 * new one. */
void lusb_scan(struct lusb *lusb)
{
	if (scan_once(lusb))
		scan_once(lusb);
}

static void scan_later(evutil_socket_t fd, short what, void *arg)
{
	lusb_scan(arg);
}

/* ---- uevents ------------------------------------------------------------ */

/* The message is NAME=VALUE strings, each with its zero byte. */
static bool is_about_device(const char *message, size_t len)
{
	const char *end = message + len;

	for (const char *p = message; p < end; p += strlen(p) + 1)
		if (!strcmp(p, "DEVTYPE=usb_device"))
			return true;
	return false;
}

static void read_uevents(evutil_socket_t fd, short what, void *arg)
{
	struct lusb *lusb = arg;
	bool any = false;
	char message[3072];	/* the kernel makes 2 KiB at most */
	ssize_t n;

	while ((n = recv(fd, message, sizeof(message) - 1, 0)) != 0) {
		if (n < 0 && errno == ENOBUFS)
			any = true;	/* some were lost */
		else if (n < 0)
			break;
		message[n < 0 ? 0 : n] = 0;
		any |= n > 0 && is_about_device(message, n);
	}
	if (any)
		lusb_scan(lusb);
}

static int open_uevents(struct lusb *lusb)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	_cleanup_(cleanup_close) int fd = -1;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    NETLINK_KOBJECT_UEVENT);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	lusb->uevent = event_new(lusb->base, fd, EV_READ | EV_PERSIST,
				 read_uevents, lusb);
	if (!lusb->uevent || event_add(lusb->uevent, NULL))
		return -ENOMEM;
	lusb->uevents = steal_fd(&fd);
	return 0;
}

int lusb_scan_open(struct lusb *lusb)
{
	int r;

	lusb->scan = event_new(lusb->base, -1, 0, scan_later, lusb);
	if (!lusb->scan)
		return -ENOMEM;
	r = open_uevents(lusb);
	if (r)
		log_warning("no events from the kernel: %s; devices are looked for when they are asked for",
			    strerror(-r));
	if (access(SYSFS, R_OK))
		log_warning(SYSFS ": %s; this system has no USB",
			    strerror(errno));
	r = worker_new(&lusb->reader, lusb->base);
	if (r)
		return r;
	lusb_scan(lusb);
	lusb->started = true;
	return 0;
}

void lusb_scan_close(struct lusb *lusb)
{
	struct lusb_device *dev;

	worker_free(lusb->reader);

	while ((dev = TAILQ_FIRST(&lusb->devices))) {
		TAILQ_REMOVE(&lusb->devices, dev, link);
		lusb_device_free(dev);
	}
	if (lusb->uevent)
		event_free(lusb->uevent);
	if (lusb->uevents >= 0)
		close(lusb->uevents);
	if (lusb->scan)
		event_free(lusb->scan);
}
