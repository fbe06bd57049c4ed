/* Announcements: packets of the engine's own, in time, in clear and SRTP, and their end. */
#include "core_fixture.h"
#include "rtpfork/sound.h"

#define PAYLOAD 160
#define HEADER	12

static struct rtpfork_sound *ramp(size_t count)
{
	int16_t samples[1000];
	CHECK(count <= 1000);
	for (size_t i = 0; i < count; i++)
		samples[i] = (int16_t)(i * 10);
	return rtpfork_sound_new(samples, count);
}

static void announce(struct fixture *f, const struct rtpfork_sound *sound)
{
	struct rtpfork_announcement what = {
		.sound = sound,
		.law = RTPFORK_ALAW,
		.payload_type = 8,
		.first_sequence = 65535,
		.first_timestamp = 0xffffff60,
		.ssrc = 0x5eed,
	};
	CHECK_EQ(rtpfork_core_announce(f->core, f->ids[CALLER], &what, f->now_ns), 0);
}

static void a_sound_is_sent_in_frames_of_20_ms_and_its_end_is_told(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_sound *sound = ramp(400);
	CHECK_EQ(rtpfork_core_speaks_at(f.core), UINT64_MAX);
	announce(&f, sound);
	for (uint32_t frame = 0; frame < 3; frame++) {
		CHECK_EQ(rtpfork_core_speaks_at(f.core), f.now_ns);
		CHECK(!rtpfork_core_speak(f.core, f.now_ns));
		size_t count = 0;
		struct rtpfork_out *outs = rtpfork_core_outs(f.core, &count);
		CHECK_EQ(count, 1);
		CHECK_EQ(outs[0].port, f.slots[CALLER]);
		CHECK_EQ(outs[0].bytes, HEADER + PAYLOAD);
		CHECK(rtpfork_address_equal(outs[0].to, &f.addresses[CALLER]));
		CHECK_EQ(outs[0].data[1], (frame == 0 ? 0x80 : 0) | 8);
		CHECK_EQ(rtpfork_get_u16(outs[0].data + 2), (uint16_t)(65535 + frame));
		CHECK_EQ(rtpfork_get_u32(outs[0].data + 4), 0xffffff60 + PAYLOAD * frame);
		CHECK_EQ(rtpfork_get_u32(outs[0].data + 8), 0x5eed);
		for (uint32_t i = 0; i < PAYLOAD; i++) {
			uint32_t at = frame * PAYLOAD + i;
			int16_t sample = (int16_t)(at < 400 ? at * 10 : 0);
			CHECK_EQ(outs[0].data[HEADER + i],
				 rtpfork_g711_encode(RTPFORK_ALAW, sample));
		}
		fixture_settle(&f, 0);
		CHECK(!rtpfork_core_speak(f.core, f.now_ns + 19 * MS));
		rtpfork_core_outs(f.core, &count);
		CHECK_EQ(count, 0);
		CHECK_EQ(f.notice_count, 0);
		f.now_ns += 20 * MS;
	}
	CHECK(!rtpfork_core_speak(f.core, f.now_ns));
	CHECK_EQ(f.notice_count, 1);
	CHECK_EQ(f.notices[0].kind, RTPFORK_NOTICE_ANNOUNCED);
	CHECK_EQ(f.notices[0].id, f.ids[CALLER]);
	CHECK_EQ(rtpfork_core_speaks_at(f.core), UINT64_MAX);
	fixture_free(&f);
	rtpfork_sound_free(sound);
}

static void a_thread_that_was_held_up_sends_no_flood(void)
{
	struct fixture f;
	fixture_new(&f, 4);
	struct rtpfork_sound *sound = ramp(1000);
	announce(&f, sound);
	f.now_ns += 3600ULL * NS_PER_S;
	CHECK(rtpfork_core_speak(f.core, f.now_ns));
	size_t count = 0;
	rtpfork_core_outs(f.core, &count);
	CHECK_EQ(count, 4);
	fixture_settle(&f, 0);
	CHECK(!rtpfork_core_speak(f.core, f.now_ns));
	fixture_settle(&f, 0);
	fixture_free(&f);
	rtpfork_sound_free(sound);
}

static void a_port_that_closes_or_is_told_something_else_speaks_no_more(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_sound *sound = ramp(400);
	announce(&f, sound);
	announce(&f, sound);
	CHECK(!rtpfork_core_speak(f.core, f.now_ns));
	size_t count = 0;
	rtpfork_core_outs(f.core, &count);
	CHECK_EQ(count, 1);
	fixture_settle(&f, 0);
	struct rtpfork_port_counters books;
	struct rtpfork_log *garbage = NULL;
	CHECK_EQ(rtpfork_core_close(f.core, f.ids[CALLER], f.now_ns, &books, &garbage), 0);
	CHECK_EQ(rtpfork_core_speaks_at(f.core), UINT64_MAX);
	CHECK(!rtpfork_core_speak(f.core, f.now_ns + NS_PER_S));
	struct rtpfork_announcement none = {.sound = NULL};
	CHECK_EQ(rtpfork_core_announce(f.core, f.ids[CALLEE], &none, f.now_ns), RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_core_announce(f.core, f.ids[CALLER], &none, f.now_ns), RTPFORK_EGONE);
	CHECK_EQ(f.notice_count, 0);
	fixture_free(&f);
	rtpfork_sound_free(sound);
}

int main(void)
{
	RUN(a_sound_is_sent_in_frames_of_20_ms_and_its_end_is_told);
	RUN(a_thread_that_was_held_up_sends_no_flood);
	RUN(a_port_that_closes_or_is_told_something_else_speaks_no_more);
	return 0;
}
