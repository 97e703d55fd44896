// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A name service that never answers, for LD_PRELOAD: whoever asks for the name
 * of an address, or with NO_NETGROUPS in the environment if a name is in a
 * netgroup, hangs. To write an address in digits asks nobody.
 */
#include "config.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

int innetgr(const char *group, const char *host, const char *user,
	    const char *domain)
{
	for (;;)
		pause();
}

int getnameinfo(const struct sockaddr *sa, socklen_t len, char *host,
		socklen_t size, char *service, socklen_t service_size,
		int flags)
{
	int (*real)(const struct sockaddr *, socklen_t, char *, socklen_t,
		    char *, socklen_t, int) = dlsym(RTLD_NEXT, "getnameinfo");

	while (!(flags & NI_NUMERICHOST) && !getenv("NO_NETGROUPS"))
		pause();
	return real(sa, len, host, size, service, service_size, flags);
}
