// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exports file: whatever is in it is read or refused, and what was read
 * answers for a device and a peer of each kind. No name is looked up.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend.h"
#include "server/exports.h"
#include "tests/fuzz/fuzz.h"

/* In place of the C library's. */
int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **res)
{
	return EAI_NONAME;
}

static const uint8_t stick[] = {
	18, 1, 0, 2, 0, 0, 0, 64, 0xf4, 0x46, 0x01, 0x00, 0, 1, 1, 2, 3, 1,
	9, 2, 18, 0, 1, 1, 0, 0x80, 50,
	9, 4, 0, 0, 0, 8, 6, 0x50, 0,
};

static void ask(const struct exports *ex)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct exports_options options;
	struct backend_info info;

	memset(&info, 0, sizeof(info));
	if (descriptors_parse(&info.descriptors, stick, sizeof(stick)))
		abort();
	strcpy(info.busid, "3-1.4");
	strcpy(info.serial, "A 1");
	inet_pton(AF_INET, "10.9.0.2", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::2", &v6.sin6_addr);
	exports_allow(ex, &info, (struct sockaddr *)&v4, NULL, &options);
	exports_allow(ex, &info, (struct sockaddr *)&v6, NULL, NULL);
	if (exports_allow(ex, &info, (struct sockaddr *)&v4, NULL, NULL) &&
	    !exports_count(ex))
		abort();	/* without a line nothing is allowed */
	descriptors_deinit(&info.descriptors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exports *ex = NULL;
	FILE *f;

	if (!size)
		return 0;
	f = fmemopen((void *)(uintptr_t)data, size, "r");
	if (!f)
		return 0;
	if (!exports_read(&ex, f, "fuzz"))
		ask(ex);
	exports_free(ex);
	fclose(f);
	return 0;
}
