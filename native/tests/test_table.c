/* Ids of slots that are used again and again. */
#include "../src/table.h"

#include "check.h"
#include "rtpfork/errors.h"

static void an_id_is_never_zero_fits_53_bits_and_names_its_thread(void)
{
	static struct rtpfork_table_entry entries[RTPFORK_MAX_SLOTS];
	struct rtpfork_table table;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_READER, 63, RTPFORK_MAX_SLOTS, entries), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	uint64_t id = rtpfork_table_id(&table, slot);
	CHECK(id != 0 && id < 1ULL << 53);
	CHECK_EQ(rtpfork_id_thread(id), 63);
}

static void stale_and_foreign_ids_are_gone(void)
{
	struct rtpfork_table_entry entries[2][4] = {0};
	struct rtpfork_table ports;
	struct rtpfork_table readers;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_table_init(&ports, RTPFORK_ID_PORT, 0, 4, entries[0]), 0);
	CHECK_EQ(rtpfork_table_init(&readers, RTPFORK_ID_READER, 0, 4, entries[1]), 0);
	CHECK_EQ(rtpfork_table_take(&ports, &slot), 0);
	CHECK_EQ(rtpfork_table_take(&readers, &slot), 0);
	uint64_t id = rtpfork_table_id(&ports, slot);
	CHECK_EQ(rtpfork_table_find(&ports, id, &slot), 0);
	CHECK_EQ(rtpfork_table_find(&readers, id, &slot), RTPFORK_EGONE);
	CHECK_EQ(rtpfork_table_find(&ports, id + 1, &slot), RTPFORK_EGONE);
	CHECK_EQ(rtpfork_table_find(&ports, 0, &slot), RTPFORK_EGONE);
	CHECK_EQ(rtpfork_table_find(&ports, UINT64_MAX, &slot), RTPFORK_EGONE);
	rtpfork_table_give(&ports, slot);
	CHECK_EQ(rtpfork_table_find(&ports, id, &slot), RTPFORK_EGONE);
	CHECK_EQ(rtpfork_table_take(&ports, &slot), 0);
	CHECK_EQ(rtpfork_table_find(&ports, id, &slot), RTPFORK_EGONE);
}

static void a_full_table_refuses_until_a_slot_is_given_back(void)
{
	struct rtpfork_table_entry entries[2] = {0};
	struct rtpfork_table table;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, 0, 2, entries), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), RTPFORK_EEXHAUSTED);
	rtpfork_table_give(&table, 0);
	CHECK(!rtpfork_table_used(&table, 0));
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	CHECK_EQ(slot, 0);
}

static void slots_are_taken_up_as_they_were_left(void)
{
	struct rtpfork_table_entry entries[4] = {0};
	struct rtpfork_table table;
	struct rtpfork_table again;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, 0, 4, entries), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	uint64_t id = rtpfork_table_id(&table, 2);
	rtpfork_table_give(&table, 1);
	CHECK_EQ(rtpfork_table_init(&again, RTPFORK_ID_PORT, 0, 4, entries), 0);
	CHECK_EQ(rtpfork_table_resume(&again, 5), RTPFORK_EDAMAGED);
	CHECK_EQ(rtpfork_table_resume(&again, table.high_water), 0);
	CHECK_EQ(rtpfork_table_find(&again, id, &slot), 0);
	CHECK(!rtpfork_table_used(&again, 1));
	CHECK_EQ(rtpfork_table_take(&again, &slot), 0);
	CHECK_EQ(slot, 1);
	CHECK_EQ(rtpfork_table_take(&again, &slot), 0);
	CHECK_EQ(slot, 3);
	CHECK_EQ(rtpfork_table_take(&again, &slot), RTPFORK_EEXHAUSTED);
}

static void odd_sizes_are_refused(void)
{
	struct rtpfork_table table;
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, 0, 0, NULL), RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, 0, RTPFORK_MAX_SLOTS + 1, NULL),
		 RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, RTPFORK_MAX_THREADS, 1, NULL),
		 RTPFORK_EARGUMENT);
}

int main(void)
{
	RUN(an_id_is_never_zero_fits_53_bits_and_names_its_thread);
	RUN(stale_and_foreign_ids_are_gone);
	RUN(a_full_table_refuses_until_a_slot_is_given_back);
	RUN(slots_are_taken_up_as_they_were_left);
	RUN(odd_sizes_are_refused);
	return 0;
}
