// SPDX-License-Identifier: GPL-2.0-or-later
/* pool - spare objects of one size. */
#include "common/pool.h"

#include <stdlib.h>

struct pool_item {
	struct pool_item *next;
};

void pool_init(struct pool *pool, size_t size)
{
	*pool = (struct pool){ .size = size };
}

void pool_deinit(struct pool *pool)
{
	struct pool_item *item;

	while ((item = pool->spare)) {
		pool->spare = item->next;
		free(item);
	}
	pool->n_spare = 0;
}

void *pool_take(struct pool *pool)
{
	struct pool_item *item = pool->spare;

	if (!item)
		return malloc(pool->size);
	pool->spare = item->next;
	pool->n_spare--;
	return item;
}

void pool_give(struct pool *pool, void *object)
{
	struct pool_item *item = object;

	if (pool->n_spare + 1 > POOL_SPARE_MAX) {
		free(item);
		return;
	}
	item->next = pool->spare;
	pool->spare = item;
	pool->n_spare++;
}
