// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A name service that never answers, for LD_PRELOAD: whoever asks for the name
 * of an address hangs. To write an address in digits asks nobody.
 */
#include "config.h"

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

int getnameinfo(const struct sockaddr *sa, socklen_t len, char *host,
		socklen_t size, char *service, socklen_t service_size,
		int flags)
{
	int (*real)(const struct sockaddr *, socklen_t, char *, socklen_t,
		    char *, socklen_t, int) = dlsym(RTLD_NEXT, "getnameinfo");

	while (!(flags & NI_NUMERICHOST))
		pause();
	return real(sa, len, host, size, service, service_size, flags);
}
