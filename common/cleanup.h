/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cleanup - what a scope owns ends with it, unless it is handed over. */
#ifndef USBIP_COMMON_CLEANUP_H
#define USBIP_COMMON_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* For x_free() functions that take NULL: defines x_freep() to clean up by. */
#define CLEANUP_DEFINE(type, func)					\
	static inline void func##p(type **p)				\
	{								\
		if (*p)							\
			func(*p);					\
	}								\
	struct cleanup_needs_semicolon

static inline int steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

/* The value of pointer variable p, which is NULL afterwards. */
#define steal_ptr(p) ({							\
	__typeof__(p) steal_ = (p);					\
	(p) = NULL;							\
	steal_;								\
})

#endif
