/* Slots named by ids that cannot be confused after re-use: slot, generation, owner thread, kind. */
#ifndef RTPFORK_TABLE_H
#define RTPFORK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* An id fits 53 bits, so that it survives any JSON reader. */
#define RTPFORK_SLOT_BITS	20
#define RTPFORK_GENERATION_BITS 26
#define RTPFORK_THREAD_BITS	6
#define RTPFORK_MAX_THREADS	(1U << RTPFORK_THREAD_BITS)
#define RTPFORK_MAX_SLOTS	(1U << RTPFORK_SLOT_BITS)

enum rtpfork_id_kind { RTPFORK_ID_PORT = 0, RTPFORK_ID_READER = 1 };

/* One slot. */
struct rtpfork_table_entry {
	uint32_t generation; /* odd: in use */
	uint32_t next_free;
};

struct rtpfork_table {
	uint32_t capacity;
	uint32_t high_water; /* no slot at or above it was ever taken */
	uint32_t free_head;  /* capacity: the free list is empty */
	uint32_t thread;
	enum rtpfork_id_kind kind;
	struct rtpfork_table_entry *entries;
};

/* |entries| are |capacity| zeros, the caller's. RTPFORK_EARGUMENT: nothing was made. */
int rtpfork_table_init(struct rtpfork_table *table, enum rtpfork_id_kind kind, uint32_t thread,
		       uint32_t capacity, struct rtpfork_table_entry *entries);

/* Take the slots below |high_water| up as their generations say. RTPFORK_EDAMAGED: they say nothing
 * that can be. */
int rtpfork_table_resume(struct rtpfork_table *table, uint32_t high_water);

/* Take a free slot. RTPFORK_EEXHAUSTED: all are taken. */
int rtpfork_table_take(struct rtpfork_table *table, uint32_t *slot);

/* Give a slot back; from now on its old id is stale. */
void rtpfork_table_give(struct rtpfork_table *table, uint32_t slot);

bool rtpfork_table_used(const struct rtpfork_table *table, uint32_t slot);

/* The id of a taken slot; never 0. */
uint64_t rtpfork_table_id(const struct rtpfork_table *table, uint32_t slot);

/* The slot of |id|. RTPFORK_EGONE: stale, of another thread or kind, or never given out. */
int rtpfork_table_find(const struct rtpfork_table *table, uint64_t id, uint32_t *slot);

/* The thread that an id names; the id need not be valid. */
uint32_t rtpfork_id_thread(uint64_t id);

#endif
