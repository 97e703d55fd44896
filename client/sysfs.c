// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysfs - what the kernel has made of a device that was plugged in.
 */
#include "client/sysfs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define DESC_INTERFACE	4

/*
 * The interfaces that the kernel makes of a configuration: one for each number
 * that is described, and no more than the header says.
 */
static unsigned int interfaces_of(const uint8_t *config, size_t len)
{
	uint8_t seen[32] = { 0 };
	unsigned int n = 0;

	for (size_t i = 0; i + 2 <= len && config[i] >= 2; i += config[i]) {
		uint8_t number;

		if (i + config[i] > len || config[i + 1] != DESC_INTERFACE ||
		    config[i] < 9)
			continue;
		number = config[i + 2];
		n += !(seen[number / 8] & 1U << number % 8);
		seen[number / 8] |= (uint8_t)(1U << number % 8);
	}
	return n < config[4] ? n : config[4];
}

/* Entries "3-1:VALUE.N". */
static unsigned int count_interfaces(const char *dir,
				     const struct vhci_place *place,
				     unsigned int value)
{
	char prefix[64];
	unsigned int n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	if (!d)
		return 0;
	snprintf(prefix, sizeof(prefix), "%u-%u:%u.", place->busnum,
		 place->hubport, value);
	while ((e = readdir(d)))
		n += !strncmp(e->d_name, prefix, strlen(prefix));
	closedir(d);
	return n;
}

bool sysfs_is_configured(const char *dir, const struct vhci_place *place,
			 const struct answer_descriptors *descriptors)
{
	for (size_t i = 0; i < descriptors->n_configs; i++) {
		const uint8_t *config = descriptors->configs[i].bytes;
		size_t len = descriptors->configs[i].len;
		unsigned int n = len >= 9 ? interfaces_of(config, len) : 0;

		if (n && count_interfaces(dir, place, config[5]) >= n)
			return true;
	}
	return false;
}

/* An attribute of the device that has no lock, without the newline. */
static bool read_attr(const char *dir, const struct vhci_place *place,
		      const char *attr, char *text, size_t size)
{
	char path[256];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u-%u/%s", dir, place->busnum,
		 place->hubport, attr);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(text, (int)size, f);
	fclose(f);
	if (!ok)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return ok;
}

const char *sysfs_missing(const char *dir, const struct vhci_place *place)
{
	char text[16];

	if (!read_attr(dir, place, "idVendor", text, sizeof(text)))
		return "the kernel could not enumerate it (see dmesg)";
	if (read_attr(dir, place, "authorized", text, sizeof(text)) &&
	    !strcmp(text, "0"))
		return "it is not authorized (authorized_default, usbguard?)";
	return "the kernel set no configuration (see dmesg)";
}
