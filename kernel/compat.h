/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - the differences between the kernels that this builds for
 *
 * The only place that looks at the version of the kernel.
 */
#ifndef URPC_COMPAT_H
#define URPC_COMPAT_H

#include <linux/version.h>

/* platform_driver.remove returned an int, always ignored, before 6.11. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define URPC_REMOVE_TYPE	int
#define URPC_REMOVE_RETURN	return 0
#else
#define URPC_REMOVE_TYPE	void
#define URPC_REMOVE_RETURN	return
#endif

#endif /* URPC_COMPAT_H */
