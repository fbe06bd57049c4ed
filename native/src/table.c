/* A free list over never-used slots first, so that memory is touched only when it is needed. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "rtpfork/errors.h"

#define GENERATION_MASK ((1U << RTPFORK_GENERATION_BITS) - 1)

int rtpfork_table_init(struct rtpfork_table *table, enum rtpfork_id_kind kind, uint32_t thread,
		       uint32_t capacity)
{
	memset(table, 0, sizeof *table);
	if (capacity == 0 || capacity > RTPFORK_MAX_SLOTS || thread >= RTPFORK_MAX_THREADS)
		return RTPFORK_EARGUMENT;
	table->kind = kind;
	table->thread = thread;
	table->capacity = capacity;
	table->free_head = capacity;
	table->generation = calloc(capacity, sizeof *table->generation);
	table->next_free = calloc(capacity, sizeof *table->next_free);
	if (!table->generation || !table->next_free) {
		rtpfork_table_destroy(table);
		return RTPFORK_ENOMEM;
	}
	return 0;
}

void rtpfork_table_destroy(struct rtpfork_table *table)
{
	free(table->generation);
	free(table->next_free);
	table->generation = NULL;
	table->next_free = NULL;
}

int rtpfork_table_take(struct rtpfork_table *table, uint32_t *slot)
{
	if (table->free_head != table->capacity) {
		*slot = table->free_head;
		table->free_head = table->next_free[*slot];
	} else if (table->high_water != table->capacity) {
		*slot = table->high_water++;
	} else {
		return RTPFORK_EEXHAUSTED;
	}
	table->generation[*slot] = (table->generation[*slot] + 1) & GENERATION_MASK;
	return 0;
}

void rtpfork_table_give(struct rtpfork_table *table, uint32_t slot)
{
	table->generation[slot] = (table->generation[slot] + 1) & GENERATION_MASK;
	table->next_free[slot] = table->free_head;
	table->free_head = slot;
}

bool rtpfork_table_used(const struct rtpfork_table *table, uint32_t slot)
{
	return slot < table->high_water && (table->generation[slot] & 1) != 0;
}

uint64_t rtpfork_table_id(const struct rtpfork_table *table, uint32_t slot)
{
	uint64_t id = (uint64_t)table->kind;
	id = id << RTPFORK_THREAD_BITS | table->thread;
	id = id << RTPFORK_GENERATION_BITS | table->generation[slot];
	return id << RTPFORK_SLOT_BITS | slot;
}

int rtpfork_table_find(const struct rtpfork_table *table, uint64_t id, uint32_t *slot)
{
	uint32_t candidate = (uint32_t)(id & (RTPFORK_MAX_SLOTS - 1));
	if (!rtpfork_table_used(table, candidate) || rtpfork_table_id(table, candidate) != id)
		return RTPFORK_EGONE;
	*slot = candidate;
	return 0;
}

uint32_t rtpfork_id_thread(uint64_t id)
{
	return (uint32_t)(id >> (RTPFORK_SLOT_BITS + RTPFORK_GENERATION_BITS)) &
	       (RTPFORK_MAX_THREADS - 1);
}
