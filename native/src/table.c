/* A free list over never-used slots first, so that memory is touched only when it is needed. */
#include "table.h"

#include <string.h>

#include "rtpfork/errors.h"

#define GENERATION_MASK ((1U << RTPFORK_GENERATION_BITS) - 1)

int rtpfork_table_init(struct rtpfork_table *table, enum rtpfork_id_kind kind, uint32_t thread,
		       uint32_t capacity, struct rtpfork_table_entry *entries)
{
	memset(table, 0, sizeof *table);
	if (capacity == 0 || capacity > RTPFORK_MAX_SLOTS || thread >= RTPFORK_MAX_THREADS)
		return RTPFORK_EARGUMENT;
	table->kind = kind;
	table->thread = thread;
	table->capacity = capacity;
	table->free_head = capacity;
	table->entries = entries;
	return 0;
}

int rtpfork_table_resume(struct rtpfork_table *table, uint32_t high_water)
{
	if (high_water > table->capacity)
		return RTPFORK_EDAMAGED;
	table->high_water = high_water;
	for (uint32_t slot = high_water; slot-- > 0;) {
		struct rtpfork_table_entry *entry = &table->entries[slot];
		if (entry->generation > GENERATION_MASK)
			return RTPFORK_EDAMAGED;
		if ((entry->generation & 1) != 0)
			continue;
		entry->next_free = table->free_head;
		table->free_head = slot;
	}
	return 0;
}

int rtpfork_table_take(struct rtpfork_table *table, uint32_t *slot)
{
	if (table->free_head != table->capacity) {
		*slot = table->free_head;
		table->free_head = table->entries[*slot].next_free;
	} else if (table->high_water != table->capacity) {
		*slot = table->high_water++;
	} else {
		return RTPFORK_EEXHAUSTED;
	}
	struct rtpfork_table_entry *entry = &table->entries[*slot];
	entry->generation = (entry->generation + 1) & GENERATION_MASK;
	return 0;
}

void rtpfork_table_give(struct rtpfork_table *table, uint32_t slot)
{
	table->entries[slot].generation = (table->entries[slot].generation + 1) & GENERATION_MASK;
	table->entries[slot].next_free = table->free_head;
	table->free_head = slot;
}

bool rtpfork_table_used(const struct rtpfork_table *table, uint32_t slot)
{
	return slot < table->high_water && (table->entries[slot].generation & 1) != 0;
}

uint64_t rtpfork_table_id(const struct rtpfork_table *table, uint32_t slot)
{
	uint64_t id = (uint64_t)table->kind;
	id = id << RTPFORK_THREAD_BITS | table->thread;
	id = id << RTPFORK_GENERATION_BITS | table->entries[slot].generation;
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
