/* Ids of slots that are used again and again. */
#include "../src/table.h"

#include "check.h"
#include "rtpfork/errors.h"

static void an_id_is_never_zero_fits_53_bits_and_names_its_thread(void)
{
	struct rtpfork_table table;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_READER, 63, RTPFORK_MAX_SLOTS), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	uint64_t id = rtpfork_table_id(&table, slot);
	CHECK(id != 0 && id < 1ULL << 53);
	CHECK_EQ(rtpfork_id_thread(id), 63);
	rtpfork_table_destroy(&table);
}

static void stale_and_foreign_ids_are_gone(void)
{
	struct rtpfork_table ports;
	struct rtpfork_table readers;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_table_init(&ports, RTPFORK_ID_PORT, 0, 4), 0);
	CHECK_EQ(rtpfork_table_init(&readers, RTPFORK_ID_READER, 0, 4), 0);
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
	rtpfork_table_destroy(&ports);
	rtpfork_table_destroy(&readers);
}

static void a_full_table_refuses_until_a_slot_is_given_back(void)
{
	struct rtpfork_table table;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, 0, 2), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	CHECK_EQ(rtpfork_table_take(&table, &slot), RTPFORK_EEXHAUSTED);
	rtpfork_table_give(&table, 0);
	CHECK(!rtpfork_table_used(&table, 0));
	CHECK_EQ(rtpfork_table_take(&table, &slot), 0);
	CHECK_EQ(slot, 0);
	rtpfork_table_destroy(&table);
}

static void odd_sizes_are_refused(void)
{
	struct rtpfork_table table;
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, 0, 0), RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, 0, RTPFORK_MAX_SLOTS + 1),
		 RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_table_init(&table, RTPFORK_ID_PORT, RTPFORK_MAX_THREADS, 1),
		 RTPFORK_EARGUMENT);
}

int main(void)
{
	RUN(an_id_is_never_zero_fits_53_bits_and_names_its_thread);
	RUN(stale_and_foreign_ids_are_gone);
	RUN(a_full_table_refuses_until_a_slot_is_given_back);
	RUN(odd_sizes_are_refused);
	return 0;
}
