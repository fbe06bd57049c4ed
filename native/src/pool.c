/* A free list through the cells themselves, over never-used ones. */
#include "pool.h"

#include <openssl/crypto.h>
#include <string.h>

void pool_init(struct pool *pool, uint8_t *cells, uint32_t capacity, size_t cell_bytes)
{
	*pool = (struct pool){.cells = cells, .cell_bytes = cell_bytes, .capacity = capacity};
}

void pool_wipe(struct pool *pool)
{
	OPENSSL_cleanse(pool->cells, pool->high_water * pool->cell_bytes);
}

uint32_t pool_take(struct pool *pool)
{
	uint32_t number = pool->free;
	if (number != 0) {
		void *cell = pool_at(pool, number);
		memcpy(&pool->free, cell, sizeof pool->free);
		memset(cell, 0, sizeof pool->free);
	} else if (pool->high_water < pool->capacity) {
		number = ++pool->high_water;
	}
	return number;
}

void pool_give(struct pool *pool, uint32_t number)
{
	if (number == 0)
		return;
	void *cell = pool_at(pool, number);
	OPENSSL_cleanse(cell, pool->cell_bytes);
	memcpy(cell, &pool->free, sizeof pool->free);
	pool->free = number;
}
