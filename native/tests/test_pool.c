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
	uint8_t cells[2 * CELL_BYTES] = {0};
	struct pool pool;
	pool_init(&pool, cells, 2, CELL_BYTES);
	for (int round = 0; round < 2; round++) {
		uint32_t one = pool_take(&pool);
		uint32_t other = pool_take(&pool);
		CHECK(one != 0 && other != 0 && one != other);
		CHECK(holds_only(pool_at(&pool, one), 0, 0));
		CHECK(holds_only(pool_at(&pool, other), 0, 0));
		memset(pool_at(&pool, one), 0xd5, CELL_BYTES);
		memset(pool_at(&pool, other), 0xd5, CELL_BYTES);
		pool_give(&pool, one);
		CHECK(holds_only(pool_at(&pool, one), sizeof(uint32_t), 0));
		CHECK(holds_only(pool_at(&pool, other), 0, 0xd5));
		pool_give(&pool, other);
		pool_give(&pool, 0);
	}
}

static void a_full_pool_has_a_cell_again_when_one_is_given_back(void)
{
	uint8_t cells[2 * CELL_BYTES] = {0};
	struct pool pool;
	pool_init(&pool, cells, 2, CELL_BYTES);
	uint32_t one = pool_take(&pool);
	CHECK(pool_take(&pool) != 0);
	CHECK_EQ(pool_take(&pool), 0);
	pool_give(&pool, one);
	CHECK_EQ(pool_take(&pool), one);
}

static void nothing_is_left_of_a_pool_that_was_wiped(void)
{
	uint8_t cells[2 * CELL_BYTES] = {0};
	struct pool pool;
	pool_init(&pool, cells, 2, CELL_BYTES);
	memset(pool_at(&pool, pool_take(&pool)), 0xd5, CELL_BYTES);
	pool_wipe(&pool);
	CHECK(holds_only(cells, 0, 0));
}

int main(void)
{
	RUN(a_cell_begins_with_zeros_and_is_wiped_when_it_is_given_back);
	RUN(a_full_pool_has_a_cell_again_when_one_is_given_back);
	RUN(nothing_is_left_of_a_pool_that_was_wiped);
	return 0;
}
