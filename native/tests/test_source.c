/* Books of one RTP source (RFC 3550 A.1, A.3, A.8). */
#include "rtpfork/source.h"

#include "check.h"

#define MS	UINT64_C(1000000)
#define RATE	8000u
#define SAMPLES 160u /* of 20 ms */

static struct rtpfork_source source;
static struct rtpfork_source_totals totals;

static struct rtpfork_source_packet hear_at(uint32_t ssrc, uint16_t sequence, uint32_t timestamp,
					    uint64_t arrival_ns)
{
	struct rtpfork_rtp rtp = {.ssrc = ssrc, .sequence = sequence, .timestamp = timestamp};

	return rtpfork_source_receive(&source, &rtp, arrival_ns, RATE);
}

static enum rtpfork_source_verdict hear(uint16_t sequence)
{
	return hear_at(9, sequence, sequence * SAMPLES, sequence * 20 * MS).verdict;
}

static void expect(uint64_t received, uint64_t lost, uint64_t duplicate, uint64_t reordered)
{
	rtpfork_source_totals(&source, &totals);
	CHECK_EQ(totals.received, received);
	CHECK_EQ(totals.lost, lost);
	CHECK_EQ(totals.duplicate, duplicate);
	CHECK_EQ(totals.reordered, reordered);
}

static void steady_stream_has_clean_books(void)
{
	rtpfork_source_init(&source);
	expect(0, 0, 0, 0);
	CHECK_EQ(hear(100), RTPFORK_SOURCE_FIRST);
	for (uint16_t sequence = 101; sequence < 200; sequence++)
		CHECK_EQ(hear(sequence), RTPFORK_SOURCE_IN_ORDER);
	expect(100, 0, 0, 0);
	CHECK_EQ(totals.jitter_us, 0);
}

static void loss_is_taken_back_by_a_late_packet(void)
{
	rtpfork_source_init(&source);
	hear(100);
	CHECK_EQ(hear(104), RTPFORK_SOURCE_AHEAD);
	expect(2, 3, 0, 0);
	CHECK_EQ(hear(102), RTPFORK_SOURCE_REORDERED);
	expect(3, 2, 0, 1);
	CHECK_EQ(hear(102), RTPFORK_SOURCE_DUPLICATE);
	CHECK_EQ(hear(104), RTPFORK_SOURCE_DUPLICATE);
	expect(5, 2, 2, 1);
}

static void duplicates_hide_no_loss(void)
{
	rtpfork_source_init(&source);
	hear(100);
	hear(100);
	hear(102);
	hear(102);
	expect(4, 1, 2, 0);
}

static void packet_before_the_first_belongs_to_the_stream(void)
{
	rtpfork_source_init(&source);
	hear(100);
	CHECK_EQ(hear(98), RTPFORK_SOURCE_REORDERED);
	expect(2, 1, 0, 1);
	CHECK_EQ(hear(99), RTPFORK_SOURCE_REORDERED);
	expect(3, 0, 0, 2);
}

static void extended_sequence_goes_on_over_the_wrap(void)
{
	rtpfork_source_init(&source);
	CHECK_EQ(hear_at(9, 65534, 0, 0).extended, 65534);
	CHECK_EQ(hear_at(9, 1, 0, 0).extended, 65537);
	CHECK_EQ(hear_at(9, 65535, 0, 0).extended, 65535);
	CHECK_EQ(hear_at(9, 0, 0, 0).extended, 65536);
	expect(4, 0, 0, 2);
	for (uint32_t sequence = 2; sequence < 3 * 65536; sequence += 1000)
		CHECK_EQ(hear_at(9, (uint16_t)sequence, 0, 0).extended, 65536 + sequence);
}

static void extended_sequence_before_the_first_wrap_may_be_negative(void)
{
	rtpfork_source_init(&source);
	CHECK_EQ(hear_at(9, 0, 0, 0).extended, 0);
	CHECK_EQ(hear_at(9, 65535, 0, 0).extended, -1);
	expect(2, 0, 0, 1);
}

/* RFC 3550 A.1: MAX_DROPOUT and MAX_MISORDER. */
static void jump_needs_a_second_packet_in_a_row(void)
{
	rtpfork_source_init(&source);
	hear(1000);
	CHECK_EQ(hear(3999), RTPFORK_SOURCE_AHEAD);
	expect(2, 2998, 0, 0);
	CHECK_EQ(hear(6999), RTPFORK_SOURCE_JUMP);
	CHECK_EQ(hear(3899), RTPFORK_SOURCE_JUMP);
	CHECK_EQ(hear(3900), RTPFORK_SOURCE_REORDERED);
	CHECK_EQ(hear(3800), RTPFORK_SOURCE_JUMP);
	CHECK_EQ(hear(3801), RTPFORK_SOURCE_RESTART);
	expect(4, 2997, 0, 1);
	CHECK_EQ(totals.jumps, 3);
	CHECK_EQ(hear(3802), RTPFORK_SOURCE_IN_ORDER);
	CHECK_EQ(hear(3703), RTPFORK_SOURCE_REORDERED);
}

static void lone_jump_changes_nothing(void)
{
	rtpfork_source_init(&source);
	hear(1000);
	CHECK_EQ(hear(20000), RTPFORK_SOURCE_JUMP);
	CHECK_EQ(hear(1001), RTPFORK_SOURCE_IN_ORDER);
	CHECK_EQ(hear(20001), RTPFORK_SOURCE_JUMP);
	expect(2, 0, 0, 0);
}

static void new_ssrc_begins_anew_and_the_books_go_on(void)
{
	struct rtpfork_source_packet packet;

	rtpfork_source_init(&source);
	CHECK(!hear_at(9, 100, 0, 0).ssrc_changed);
	hear_at(9, 103, 0, 0);
	packet = hear_at(10, 60000, 0, 0);
	CHECK_EQ(packet.verdict, RTPFORK_SOURCE_FIRST);
	CHECK(packet.ssrc_changed);
	CHECK_EQ(packet.extended, 60000);
	CHECK(!hear_at(10, 60002, 0, 0).ssrc_changed);
	expect(4, 3, 0, 0);
}

/* RFC 3550 A.8: a 16th of each change of transit. */
static void jitter_follows_the_arrival_times(void)
{
	uint64_t late_ns = 0;

	rtpfork_source_init(&source);
	hear_at(9, 0, 0, 0);
	hear_at(9, 1, SAMPLES, 20 * MS + 2 * MS);
	rtpfork_source_totals(&source, &totals);
	CHECK_EQ(totals.jitter_us, 125); /* 16 samples of 2 ms, a 16th */
	for (uint16_t sequence = 2; sequence < 500; sequence++) {
		late_ns = sequence % 2 ? 2 * MS : 0;
		hear_at(9, sequence, sequence * SAMPLES, sequence * 20 * MS + late_ns);
	}
	rtpfork_source_totals(&source, &totals);
	CHECK(totals.jitter_us >= 1900 && totals.jitter_us <= 2000);
}

static void untimed_packets_leave_the_jitter_alone(void)
{
	struct rtpfork_rtp event = {.ssrc = 9, .sequence = 1, .timestamp = 77777};

	rtpfork_source_init(&source);
	hear_at(9, 0, 0, 0);
	rtpfork_source_receive(&source, &event, 25 * MS, 0);
	hear_at(9, 2, 2 * SAMPLES, 40 * MS);
	rtpfork_source_totals(&source, &totals);
	CHECK_EQ(totals.jitter_us, 0);
	CHECK_EQ(totals.received, 3);
}

static void jitter_knows_the_wrap_of_the_timestamp(void)
{
	uint64_t far_ns = UINT64_C(1) << 62;

	rtpfork_source_init(&source);
	for (uint16_t sequence = 0; sequence < 100; sequence++)
		hear_at(9, sequence, 0xfffff000u + sequence * SAMPLES, far_ns + sequence * 20 * MS);
	rtpfork_source_totals(&source, &totals);
	CHECK_EQ(totals.jitter_us, 0);
}

/* RFC 3550 A.3, 6.4.1. */
static void report_counts_as_the_rfc_does(void)
{
	struct rtpfork_rtcp_block block;

	rtpfork_source_init(&source);
	CHECK(!rtpfork_source_report(&source, &block));
	for (uint16_t sequence = 0; sequence < 100; sequence++) {
		if (sequence % 4 != 3)
			hear_at(9, (uint16_t)(65500 + sequence), 0, 0);
	}
	hear_at(9, (uint16_t)(65500 + 99), 0, 0);
	CHECK(rtpfork_source_report(&source, &block));
	CHECK_EQ(block.ssrc, 9);
	CHECK_EQ(block.cumulative_lost, 24);
	CHECK_EQ(block.fraction_lost, 24 * 256 / 100);
	CHECK_EQ(block.extended_highest_sequence, 65599);
	hear_at(9, (uint16_t)(65500 + 100), 0, 0);
	CHECK(rtpfork_source_report(&source, &block));
	CHECK_EQ(block.fraction_lost, 0);
	for (int i = 0; i < 30; i++)
		hear_at(9, (uint16_t)(65500 + 100), 0, 0);
	CHECK(rtpfork_source_report(&source, &block));
	CHECK_EQ(block.cumulative_lost, -6);
	CHECK_EQ(block.fraction_lost, 0);
	for (uint16_t step = 1; step <= 50; step++)
		hear_at(9, (uint16_t)(65600 + step * 2999), 0, 0);
	CHECK(rtpfork_source_report(&source, &block));
	CHECK_EQ(block.fraction_lost, 255);
}

/* Whatever comes, the books agree with a list of everything heard. */
static void books_agree_with_a_list(void)
{
	static bool heard[20000];
	uint64_t received = 0, unique = 0;
	int64_t highest = 500, lowest = 500;
	uint32_t random = 7;

	memset(heard, 0, sizeof heard);
	rtpfork_source_init(&source);
	for (int turn = 0; turn < 15000 && highest < 19900; turn++) {
		random = random * 1664525u + 1013904223u;
		int64_t index = highest + (int64_t)((random >> 8) % 64) - 60;
		if (turn == 0)
			index = 500;
		hear_at(9, (uint16_t)(60000 + index), 0, 0);
		received++;
		unique += !heard[index];
		heard[index] = true;
		highest = index > highest ? index : highest;
		lowest = index < lowest ? index : lowest;
		rtpfork_source_totals(&source, &totals);
		CHECK_EQ(totals.received, received);
		CHECK_EQ(totals.duplicate, received - unique);
		CHECK_EQ(totals.lost, (uint64_t)(highest - lowest + 1) - unique);
	}
	CHECK(highest > 1000);
}

int main(void)
{
	RUN(steady_stream_has_clean_books);
	RUN(loss_is_taken_back_by_a_late_packet);
	RUN(duplicates_hide_no_loss);
	RUN(packet_before_the_first_belongs_to_the_stream);
	RUN(extended_sequence_goes_on_over_the_wrap);
	RUN(extended_sequence_before_the_first_wrap_may_be_negative);
	RUN(jump_needs_a_second_packet_in_a_row);
	RUN(lone_jump_changes_nothing);
	RUN(new_ssrc_begins_anew_and_the_books_go_on);
	RUN(jitter_follows_the_arrival_times);
	RUN(untimed_packets_leave_the_jitter_alone);
	RUN(jitter_knows_the_wrap_of_the_timestamp);
	RUN(report_counts_as_the_rfc_does);
	RUN(books_agree_with_a_list);
	return 0;
}
