/* RFC 7866 8.2.3, RFC 3550 5.1: under which header a packet goes to the SRS. */
#include "rtpfork/reader.h"

#include "check.h"

#define MS 1000000ULL

/* a small language for tables */

enum what { PACKET, PAUSE, RESUME, OVERRUN };

struct step {
	enum what what;
	uint64_t at_ms;
	uint32_t run;
	int64_t extended;
	uint32_t timestamp;
	uint8_t payload_type; /* 0 mapped to 8, 101 an event mapped to 102, others not mapped */
	bool stale;
	/* Expected, for a packet that is sent. */
	bool sent;
	uint16_t out_sequence;
	uint32_t out_timestamp;
	bool out_marker;
};

static struct rtpfork_reader make(uint16_t first_sequence, uint32_t first_timestamp)
{
	struct rtpfork_reader reader;
	rtpfork_reader_init(&reader, 77, 8000, first_sequence, first_timestamp, 0);
	reader.map[0] = 8;
	reader.map[101] = 102;
	rtpfork_reader_set_live(&reader, true);
	return reader;
}

static uint64_t accounted(const struct rtpfork_reader_counters *counters)
{
	return counters->delivered + counters->skipped_paused + counters->skipped_event +
	       counters->skipped_comfort_noise + counters->skipped_format +
	       counters->dropped_stale + counters->dropped_overrun + counters->dropped_full +
	       counters->dropped_send;
}

static void run_step(struct rtpfork_reader *reader, const struct step *step)
{
	struct rtpfork_logged packet = {
		.payload_type = step->payload_type,
		.event = step->payload_type == 101,
		.stale = step->stale,
		.run = step->run,
		.extended = step->extended,
		.timestamp = step->timestamp,
		.arrival_ns = step->at_ms * MS,
	};
	struct rtpfork_rtp_rewrite to = {0};
	bool sent = rtpfork_reader_take(reader, &packet, &to);
	CHECK_EQ(sent, step->sent);
	if (!sent)
		return;
	CHECK_EQ(to.ssrc, 77);
	CHECK_EQ(to.sequence, step->out_sequence);
	CHECK_EQ(to.timestamp, step->out_timestamp);
	CHECK_EQ(to.marker, step->out_marker);
	CHECK_EQ(to.payload_type, step->payload_type == 101 ? 102 : 8);
	rtpfork_reader_settle(reader, 0, 160);
}

static void run(struct rtpfork_reader *reader, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		switch (steps[i].what) {
		case PACKET:
			run_step(reader, &steps[i]);
			break;
		case PAUSE:
		case RESUME:
			rtpfork_reader_set_live(reader, steps[i].what == RESUME);
			break;
		case OVERRUN:
			rtpfork_reader_overrun(reader, 5);
			break;
		}
		CHECK_EQ(accounted(&reader->counters), reader->counters.offered);
	}
}

#define RUN_STEPS(reader, steps) run(&(reader), steps, sizeof(steps) / sizeof *(steps))

/* what must be true */

static void gaps_of_the_source_stay_gaps_over_the_wrap(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 65534, 100, 0, false, true, 65535, 5000, true},
		{PACKET, 20, 1, 65535, 260, 0, false, true, 0, 5160, false},
		{PACKET, 80, 1, 65538, 740, 0, false, true, 3, 5640, false},
	};
	struct rtpfork_reader reader = make(65535, 5000);
	RUN_STEPS(reader, steps);
}

static void reordered_packets_keep_their_places(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 20, 1, 12, 320, 0, false, true, 3, 320, false},
		{PACKET, 40, 1, 11, 160, 0, false, true, 2, 160, false},
		{PACKET, 60, 1, 13, 480, 0, false, true, 4, 480, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
}

static void what_is_older_than_the_first_packet_is_stale(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 1600, 0, false, true, 1, 0, true},
		{PACKET, 20, 1, 9, 1440, 0, false, false, 0, 0, false},
		{PACKET, 20, 1, 10, 1600, 0, true, false, 0, 0, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
	CHECK_EQ(reader.counters.dropped_stale, 2);
}

static void a_pause_takes_no_sequence_number_and_all_its_time(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 7000, true},
		{PAUSE, .at_ms = 5},
		{PACKET, 20, 1, 11, 160, 0, false, false, 0, 0, false},
		{PACKET, 980, 1, 59, 7840, 0, false, false, 0, 0, false},
		{RESUME, .at_ms = 990},
		{PACKET, 1000, 1, 60, 8000, 0, false, true, 2, 7000 + 8000, true},
		{PACKET, 1020, 1, 61, 8160, 0, false, true, 3, 7000 + 8160, false},
		{PACKET, 1025, 1, 59, 7840, 0, true, false, 0, 0, false},
	};
	struct rtpfork_reader reader = make(1, 7000);
	RUN_STEPS(reader, steps);
	CHECK_EQ(reader.counters.skipped_paused, 2);
	CHECK_EQ(reader.counters.dropped_stale, 1);
}

static void what_was_spoken_in_a_pause_is_withheld_also_when_it_comes_after_it(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 7000, true},
		{PAUSE, .at_ms = 5},
		{PACKET, 60, 1, 13, 480, 0, false, false, 0, 0, false},
		{PACKET, 65, 1, 900, 9999, 0, true, false, 0, 0, false},
		{RESUME, .at_ms = 70},
		{PACKET, 71, 1, 12, 320, 0, false, false, 0, 0, false},
		{PACKET, 72, 1, 11, 160, 0, false, false, 0, 0, false},
		{PACKET, 80, 1, 15, 800, 0, false, true, 2, 7640, true},
		{PACKET, 85, 1, 9, 65376, 0, false, false, 0, 0, false},
		{PACKET, 100, 1, 16, 960, 0, false, true, 3, 7800, false},
		{PACKET, 120, 2, 11, 160, 0, false, true, 4, 7960, true},
	};
	struct rtpfork_reader reader = make(1, 7000);
	RUN_STEPS(reader, steps);
	CHECK_EQ(reader.counters.skipped_paused, 5);
	CHECK_EQ(reader.counters.dropped_stale, 0);
}

static void a_new_source_follows_by_one_and_by_the_wall_clock(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 20, 1, 11, 160, 0, false, true, 2, 160, false},
		{PACKET, 520, 2, 40000, 999999, 0, false, true, 3, 4160, true},
		{PACKET, 540, 2, 40001, 1000159, 0, false, true, 4, 4320, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
}

static void time_never_goes_back_when_a_new_source_comes_at_once(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 1, 1, 11, 160, 0, false, true, 2, 160, false},
		{PACKET, 2, 2, 1, 0, 0, false, true, 3, 168, true},
	};
	static const struct step earlier[] = {
		{PACKET, 100, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 120, 1, 11, 1600, 0, false, true, 2, 1600, false},
		{PACKET, 110, 2, 1, 0, 0, false, true, 3, 1601, true},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
	reader = make(1, 0);
	RUN_STEPS(reader, earlier);
}

static void withheld_packets_leave_no_gap(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 20, 1, 11, 160, 101, false, false, 0, 0, false},
		{PACKET, 20, 1, 12, 160, 101, false, false, 0, 0, false},
		{PACKET, 40, 1, 13, 320, 0, false, true, 2, 320, false},
		{PACKET, 60, 1, 14, 480, 18, false, false, 0, 0, false},
		{PACKET, 80, 1, 15, 640, 0, false, true, 3, 640, false},
		/* Late from before what was withheld: its number was given to another. */
		{PACKET, 81, 1, 12, 320, 0, false, false, 0, 0, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
	CHECK_EQ(reader.counters.skipped_event, 2);
	CHECK_EQ(reader.counters.skipped_format, 1);
	CHECK_EQ(reader.counters.dropped_stale, 1);
}

/* RFC 3389 4: payload type 13. An SRS that did not accept it loses no speech. */
static void comfort_noise_is_not_counted_as_a_format_that_was_lost(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 20, 1, 11, 160, 13, false, false, 0, 0, false},
		{PACKET, 400, 1, 12, 3200, 0, false, true, 2, 3200, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
	CHECK_EQ(reader.counters.skipped_comfort_noise, 1);
	CHECK_EQ(reader.counters.skipped_format, 0);
	struct rtpfork_rtp_rewrite to = {0};
	const struct rtpfork_logged noise = {.payload_type = 13, .run = 1, .extended = 13};
	reader.map[13] = 13;
	CHECK(rtpfork_reader_take(&reader, &noise, &to));
	CHECK_EQ(reader.counters.skipped_comfort_noise, 1);
}

static void loss_before_what_is_withheld_stays_a_gap(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 60, 1, 13, 480, 101, false, false, 0, 0, false},
		{PACKET, 80, 1, 14, 640, 0, false, true, 4, 640, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
}

static void wanted_events_keep_their_timestamp(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PACKET, 20, 1, 11, 160, 101, false, true, 2, 160, false},
		{PACKET, 40, 1, 12, 160, 101, false, true, 3, 160, false},
		{PACKET, 60, 1, 13, 480, 0, false, true, 4, 480, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	reader.events = true;
	RUN_STEPS(reader, steps);
	CHECK_EQ(reader.counters.skipped_event, 0);
}

static void an_overrun_is_a_gap_and_is_named(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{OVERRUN, .at_ms = 10},
		{PACKET, 120, 1, 16, 960, 0, false, true, 7, 960, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
	CHECK_EQ(reader.counters.dropped_overrun, 5);
}

static void days_of_pause_are_counted_to_the_tick(void)
{
	static const struct step steps[] = {
		{PACKET, 0, 1, 10, 0, 0, false, true, 1, 0, true},
		{PAUSE, .at_ms = 5},
		{RESUME, .at_ms = 10},
		/* 30 days: 2.0736e10 ticks, modulo 2^32. */
		{PACKET, 2592000000ULL, 1, 11, 160, 0, false, true, 2,
		 (uint32_t)(2592000000ULL * 8), true},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
}

/* RTP-25: jitter does not move the clock, the packet with the least delay ties it. */
static void the_mapping_follows_the_least_delayed_packet(void)
{
	static const struct step steps[] = {
		{PACKET, 30, 1, 1, 0, 0, false, true, 1, 0, true},
		{PACKET, 45, 1, 2, 160, 0, false, true, 2, 160, false},
		{PACKET, 40, 1, 3, 320, 0, false, true, 3, 320, false},
		{PACKET, 95, 1, 4, 480, 0, false, true, 4, 480, false},
	};
	struct rtpfork_reader reader = make(1, 0);
	RUN_STEPS(reader, steps);
	CHECK_EQ(rtpfork_reader_timestamp_at(&reader, 100 * MS), 320 + 480);
	CHECK_EQ(rtpfork_reader_timestamp_at(&reader, 30 * MS), 320 - 80);
	static const struct step later[] = {
		{PACKET, 125, 1, 5, 640, 0, false, true, 5, 640, false},
	};
	RUN_STEPS(reader, later);
	CHECK_EQ(rtpfork_reader_timestamp_at(&reader, 125 * MS), 640);
}

int main(void)
{
	RUN(gaps_of_the_source_stay_gaps_over_the_wrap);
	RUN(reordered_packets_keep_their_places);
	RUN(what_is_older_than_the_first_packet_is_stale);
	RUN(a_pause_takes_no_sequence_number_and_all_its_time);
	RUN(what_was_spoken_in_a_pause_is_withheld_also_when_it_comes_after_it);
	RUN(a_new_source_follows_by_one_and_by_the_wall_clock);
	RUN(time_never_goes_back_when_a_new_source_comes_at_once);
	RUN(withheld_packets_leave_no_gap);
	RUN(comfort_noise_is_not_counted_as_a_format_that_was_lost);
	RUN(loss_before_what_is_withheld_stays_a_gap);
	RUN(wanted_events_keep_their_timestamp);
	RUN(an_overrun_is_a_gap_and_is_named);
	RUN(days_of_pause_are_counted_to_the_tick);
	RUN(the_mapping_follows_the_least_delayed_packet);
	return 0;
}
