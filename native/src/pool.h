/* Cells of one size for a packet thread: reserved at once, touched only when they are taken, wiped
 * when they are given back. */
#ifndef RTPFORK_POOL_H
#define RTPFORK_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint8_t *cells;
	size_t cell_bytes;
	size_t capacity;
	size_t high_water; /* no cell at or above it was ever taken */
	void *free;	   /* begins with a pointer to the next one */
};

/* |cell_bytes| is a multiple of a pointer's size. RTPFORK_ENOMEM: nothing was made. */
int pool_init(struct pool *pool, size_t capacity, size_t cell_bytes);

/* Wipe and free all cells. */
void pool_destroy(struct pool *pool);

/* A cell of zeros. NULL: all are taken. */
void *pool_take(struct pool *pool);

/* Wipe |cell| and give it back. NULL is allowed. */
void pool_give(struct pool *pool, void *cell);

#endif
