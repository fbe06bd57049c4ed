/* A free list through the cells themselves, over never-used ones. */
#include "pool.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "rtpfork/errors.h"

int pool_init(struct pool *pool, size_t capacity, size_t cell_bytes)
{
	*pool = (struct pool){.cell_bytes = cell_bytes, .capacity = capacity};
	pool->cells = calloc(capacity, cell_bytes);
	return pool->cells ? 0 : RTPFORK_ENOMEM;
}

void pool_destroy(struct pool *pool)
{
	if (pool->cells)
		OPENSSL_cleanse(pool->cells, pool->high_water * pool->cell_bytes);
	free(pool->cells);
	pool->cells = NULL;
}

void *pool_take(struct pool *pool)
{
	void *cell = pool->free;
	if (cell) {
		memcpy(&pool->free, cell, sizeof pool->free);
		memset(cell, 0, sizeof pool->free);
	} else if (pool->high_water < pool->capacity) {
		cell = pool->cells + pool->high_water++ * pool->cell_bytes;
	}
	return cell;
}

void pool_give(struct pool *pool, void *cell)
{
	if (!cell)
		return;
	OPENSSL_cleanse(cell, pool->cell_bytes);
	memcpy(cell, &pool->free, sizeof pool->free);
	pool->free = cell;
}
