/* Telephone events (RFC 4733 2.3, 2.5). */
#include "rtpfork/event.h"

#include "check.h"
#include "rtpfork/errors.h"

static struct rtpfork_event_tracker tracker;
static struct rtpfork_event_ended ended[RTPFORK_EVENT_ENDED_MAX];

static size_t hear(uint32_t timestamp, uint8_t code, uint16_t duration, bool end)
{
	struct rtpfork_event event = {.code = code, .end = end, .volume = 10, .duration = duration};

	return rtpfork_event_receive(&tracker, timestamp, &event, ended);
}

static void expect(size_t i, uint8_t code, uint32_t timestamp, uint32_t duration, bool end_lost)
{
	CHECK_EQ(ended[i].code, code);
	CHECK_EQ(ended[i].timestamp, timestamp);
	CHECK_EQ(ended[i].duration, duration);
	CHECK_EQ(ended[i].end_lost, end_lost);
}

static void payload_is_decoded(void)
{
	const uint8_t payload[] = {11, 0x8a, 0x03, 0x20};
	struct rtpfork_event event;

	CHECK_EQ(rtpfork_event_parse(payload, sizeof payload, &event), RTPFORK_OK);
	CHECK_EQ(event.code, 11);
	CHECK(event.end);
	CHECK_EQ(event.volume, 10);
	CHECK_EQ(event.duration, 800);
	for (size_t bytes = 0; bytes < sizeof payload; bytes++)
		CHECK_EQ(rtpfork_event_parse(payload, bytes, &event), RTPFORK_ETRUNCATED);
}

/* RFC 4733 2.5.1.4: the end is sent three times. */
static void event_is_told_once_however_often_its_end_comes(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(1000, 5, 160, false), 0);
	CHECK_EQ(hear(1000, 5, 320, false), 0);
	CHECK_EQ(hear(1000, 5, 480, true), 1);
	expect(0, 5, 1000, 480, false);
	CHECK_EQ(hear(1000, 5, 480, true), 0);
	CHECK_EQ(hear(1000, 5, 480, true), 0);
	CHECK_EQ(hear(1000, 5, 320, false), 0);
	CHECK_EQ(rtpfork_event_flush(&tracker, ended), 0);
}

static void same_digit_twice_is_two_events(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(1000, 5, 480, true), 1);
	CHECK_EQ(hear(3000, 5, 480, true), 1);
	expect(0, 5, 3000, 480, false);
}

static void lost_end_is_told_by_the_next_event(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(1000, 5, 160, false), 0);
	CHECK_EQ(hear(3000, 6, 160, false), 1);
	expect(0, 5, 1000, 160, true);
	CHECK_EQ(hear(5000, 7, 320, true), 2);
	expect(0, 6, 3000, 160, true);
	expect(1, 7, 5000, 320, false);
}

static void lost_end_is_told_when_the_stream_ends(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(rtpfork_event_flush(&tracker, ended), 0);
	CHECK_EQ(hear(1000, 5, 160, false), 0);
	CHECK_EQ(rtpfork_event_flush(&tracker, ended), 1);
	expect(0, 5, 1000, 160, true);
	CHECK_EQ(rtpfork_event_flush(&tracker, ended), 0);
	CHECK_EQ(hear(1000, 5, 320, true), 0);
}

static void late_packets_of_an_older_event_are_ignored(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(1000, 5, 480, true), 1);
	CHECK_EQ(hear(3000, 6, 160, false), 0);
	CHECK_EQ(hear(1000, 5, 480, true), 0);
	CHECK_EQ(hear(3000, 6, 320, true), 1);
	expect(0, 6, 3000, 320, false);
}

static void disorder_does_not_shorten_an_event(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(1000, 5, 640, false), 0);
	CHECK_EQ(hear(1000, 5, 480, false), 0);
	CHECK_EQ(rtpfork_event_flush(&tracker, ended), 1);
	expect(0, 5, 1000, 640, true);
}

/* RFC 4733 2.5.1.3. */
static void long_event_in_segments_is_one(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(1000, 5, 0xffff, false), 0);
	CHECK_EQ(hear(1000 + 0xffff, 5, 160, false), 0);
	CHECK_EQ(hear(1000 + 0xffff, 5, 0xffff, false), 0);
	CHECK_EQ(hear(1000 + 2 * 0xffff, 5, 320, true), 1);
	expect(0, 5, 1000, 2 * 0xffff + 320, false);
}

static void timestamp_may_wrap(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(0xffffff00, 5, 160, true), 1);
	CHECK_EQ(hear(0x00000100, 6, 160, true), 1);
	CHECK_EQ(hear(0xffffff00, 5, 160, true), 0);
}

/* A clock that was set back far is no late packet. */
static void event_after_a_step_back_of_the_clock_is_heard(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(3000000000, 5, 160, true), 1);
	CHECK_EQ(hear(1000, 6, 160, true), 1);
	expect(0, 6, 1000, 160, false);
}

static void another_code_at_the_same_time_is_not_believed(void)
{
	rtpfork_event_reset(&tracker);
	CHECK_EQ(hear(1000, 5, 160, false), 0);
	CHECK_EQ(hear(1000, 6, 160, true), 0);
	CHECK_EQ(hear(1000, 5, 320, true), 1);
	expect(0, 5, 1000, 320, false);
}

int main(void)
{
	RUN(payload_is_decoded);
	RUN(event_is_told_once_however_often_its_end_comes);
	RUN(same_digit_twice_is_two_events);
	RUN(lost_end_is_told_by_the_next_event);
	RUN(lost_end_is_told_when_the_stream_ends);
	RUN(late_packets_of_an_older_event_are_ignored);
	RUN(disorder_does_not_shorten_an_event);
	RUN(long_event_in_segments_is_one);
	RUN(timestamp_may_wrap);
	RUN(event_after_a_step_back_of_the_clock_is_heard);
	RUN(another_code_at_the_same_time_is_not_believed);
	return 0;
}
