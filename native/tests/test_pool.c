/* Cells that secrets are kept in. */
#include "../src/pool.h"

#include <stdbool.h>

#include "check.h"

#define CELL_BYTES 64

static bool holds_only(const uint8_t *cell, size_t from, uint8_t value)
{
	while (from < CELL_BYTES && cell[from] == value)
		from++;
	return from == CELL_BYTES;
}

static void a_cell_begins_with_zeros_and_is_wiped_when_it_is_given_back(void)
{
	struct pool pool;
	CHECK_EQ(pool_init(&pool, 2, CELL_BYTES), 0);
	for (int round = 0; round < 2; round++) {
		uint8_t *one = pool_take(&pool);
		uint8_t *other = pool_take(&pool);
		CHECK(one && other && one != other);
		CHECK(holds_only(one, 0, 0) && holds_only(other, 0, 0));
		memset(one, 0xd5, CELL_BYTES);
		memset(other, 0xd5, CELL_BYTES);
		pool_give(&pool, one);
		CHECK(holds_only(one, sizeof(void *), 0));
		CHECK(holds_only(other, 0, 0xd5));
		pool_give(&pool, other);
		pool_give(&pool, NULL);
	}
	pool_destroy(&pool);
}

static void a_full_pool_has_a_cell_again_when_one_is_given_back(void)
{
	struct pool pool;
	CHECK_EQ(pool_init(&pool, 2, CELL_BYTES), 0);
	void *one = pool_take(&pool);
	CHECK(pool_take(&pool) != NULL);
	CHECK(pool_take(&pool) == NULL);
	pool_give(&pool, one);
	CHECK(pool_take(&pool) == one);
	pool_destroy(&pool);
}

int main(void)
{
	RUN(a_cell_begins_with_zeros_and_is_wiped_when_it_is_given_back);
	RUN(a_full_pool_has_a_cell_again_when_one_is_given_back);
	return 0;
}
