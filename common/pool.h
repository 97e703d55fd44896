/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool - spare objects of one size, for those that are made and freed for
 * each call. With many calls outstanding, objects are freed a batch at a
 * time, which is what malloc()'s fast path is not made for: it took a third
 * of a small call.
 */
#ifndef USBIP_COMMON_POOL_H
#define USBIP_COMMON_POOL_H

#include <stddef.h>

/*
 * Spare objects at most; 0 where the address sanitizer is to see who uses
 * what is freed.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_SPARE_MAX 0
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POOL_SPARE_MAX 0
#endif
#ifndef POOL_SPARE_MAX
#define POOL_SPARE_MAX 256
#endif

struct pool_item;

struct pool {
	size_t size;			/* bytes of an object */
	unsigned int n_spare;
	struct pool_item *spare;
};

void pool_init(struct pool *pool, size_t size);
/* Frees what is spare. What was taken is not given back any more. */
void pool_deinit(struct pool *pool);
/* An object with any content; NULL: out of memory. */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *object);

#endif
