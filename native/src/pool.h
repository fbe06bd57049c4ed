/* Cells of one size for a packet thread, named by numbers from 1: reserved by the caller, touched
 * only when they are taken, wiped when they are given back. */
#ifndef RTPFORK_POOL_H
#define RTPFORK_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint8_t *cells;
	size_t cell_bytes;
	uint32_t capacity;
	uint32_t high_water; /* no cell above it was ever taken */
	uint32_t free;	     /* begins with the number of the next one; 0: none */
};

/* |cells| are |capacity| times |cell_bytes| zeros, of which a cell has at least four. */
void pool_init(struct pool *pool, uint8_t *cells, uint32_t capacity, size_t cell_bytes);

/* Wipe all cells. */
void pool_wipe(struct pool *pool);

/* The number of a cell of zeros. 0: all are taken. */
uint32_t pool_take(struct pool *pool);

/* Wipe a cell and give it back. 0 is allowed. */
void pool_give(struct pool *pool, uint32_t number);

/* The cell |number|, which is not 0. */
static inline void *pool_at(const struct pool *pool, uint32_t number)
{
	return pool->cells + (size_t)(number - 1) * pool->cell_bytes;
}

#endif
