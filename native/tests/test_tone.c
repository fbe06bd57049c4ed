/* Tones in what a party is sent: G.711, when they sound, who hears them and who does not. */
#include "core_fixture.h"
#include "rtpfork/sound.h"

#define PAYLOAD 160
#define HEADER	12
#define FRAME	(20 * MS)

static void g711_comes_back_as_it_went(void)
{
	for (int law = RTPFORK_ULAW; law <= RTPFORK_ALAW; law++)
		for (int code = 0; code < 256; code++) {
			int16_t sample = rtpfork_g711_decode((enum rtpfork_law)law, (uint8_t)code);
			uint8_t again = rtpfork_g711_encode((enum rtpfork_law)law, sample);
			/* Mu-law has two codes for nothing. */
			CHECK_EQ(again, law == RTPFORK_ULAW && code == 0x7f ? 0xff : code);
		}
	CHECK_EQ(rtpfork_g711_decode(RTPFORK_ULAW, 0x80), 32124);
	CHECK_EQ(rtpfork_g711_decode(RTPFORK_ULAW, 0x00), -32124);
	CHECK_EQ(rtpfork_g711_decode(RTPFORK_ALAW, 0xaa), 32256);
	CHECK_EQ(rtpfork_g711_decode(RTPFORK_ALAW, 0x2a), -32256);
	for (int law = RTPFORK_ULAW; law <= RTPFORK_ALAW; law++)
		for (int sample = INT16_MIN; sample <= INT16_MAX; sample++) {
			int16_t back = rtpfork_g711_decode(
				(enum rtpfork_law)law,
				rtpfork_g711_encode((enum rtpfork_law)law, (int16_t)sample));
			int off = back > sample ? back - sample : sample - back;
			CHECK(off <= 8 + (sample < 0 ? -sample : sample) / 16);
		}
}

static struct rtpfork_sound *steady(size_t count, int16_t value)
{
	int16_t samples[1000];
	CHECK(count <= 1000);
	for (size_t i = 0; i < count; i++)
		samples[i] = value;
	return rtpfork_sound_new(samples, count);
}

static struct rtpfork_tone tone_of(const struct rtpfork_sound *sound, bool recorded)
{
	return (struct rtpfork_tone){
		.sound = sound,
		.interval_ns = 200 * MS,
		.recorded = recorded,
		.type_count = 1,
		.types = {{.payload_type = 0, .law = RTPFORK_ULAW}},
	};
}

/* One frame of silence from the caller at |frame|; what the callee gets of it. */
static const uint8_t *hear(struct fixture *f, uint16_t frame, uint8_t payload_type)
{
	static uint8_t packet[HEADER + PAYLOAD];
	fixture_rtp(packet, frame, PAYLOAD * (uint32_t)frame, 1, payload_type);
	memset(packet + HEADER, 0xff, PAYLOAD);
	f->now_ns += FRAME;
	fixture_receive(f, CALLER, CALLER, packet, sizeof packet);
	size_t count = 0;
	struct rtpfork_out *outs = rtpfork_core_outs(f->core, &count);
	CHECK_EQ(count, 1);
	CHECK_EQ(outs[0].bytes, sizeof packet);
	CHECK_BYTES(outs[0].data, packet, HEADER);
	static uint8_t heard[PAYLOAD];
	memcpy(heard, outs[0].data + HEADER, PAYLOAD);
	return heard;
}

static size_t loud(const uint8_t *payload)
{
	size_t count = 0;
	for (size_t i = 0; i < PAYLOAD; i++)
		count += rtpfork_g711_decode(RTPFORK_ULAW, payload[i]) > 500;
	return count;
}

static void a_tone_sounds_at_once_and_then_in_intervals(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_sound *sound = steady(400, 1000);
	struct rtpfork_tone tone = tone_of(sound, false);
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
	for (uint16_t frame = 0; frame < 24; frame++) {
		size_t expected[] = {160, 160, 80, 0, 0, 0, 0, 0, 0, 0};
		CHECK_EQ(loud(hear(&f, frame, 0)), expected[frame % 10]);
		fixture_settle(&f, 0);
		/* The same again, as when a party is on hold in between, changes no interval. */
		CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
	}
	struct rtpfork_port_counters books;
	CHECK_EQ(rtpfork_core_port_counters(f.core, f.ids[CALLEE], &books), 0);
	CHECK_EQ(books.tones, 3);
	tone.sound = NULL;
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
	CHECK_EQ(loud(hear(&f, 30, 0)), 0);
	fixture_settle(&f, 0);
	fixture_free(&f);
	rtpfork_sound_free(sound);
}

static void a_tone_is_added_to_the_voice_and_never_wraps(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_sound *sound = steady(160, 30000);
	struct rtpfork_tone tone = tone_of(sound, true);
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
	uint8_t packet[HEADER + PAYLOAD];
	fixture_rtp(packet, 1, PAYLOAD, 1, 0);
	memset(packet + HEADER, rtpfork_g711_encode(RTPFORK_ULAW, -8000), PAYLOAD / 2);
	memset(packet + HEADER + PAYLOAD / 2, 0x80, PAYLOAD / 2);
	fixture_receive(&f, CALLER, CALLER, packet, sizeof packet);
	int16_t sum = rtpfork_g711_decode(RTPFORK_ULAW, packet[HEADER]);
	CHECK(sum > 21000 && sum < 23000);
	CHECK_EQ(packet[HEADER + PAYLOAD - 1], 0x80);
	fixture_settle(&f, 0);
	fixture_free(&f);
	rtpfork_sound_free(sound);
}

static void readers_get_what_was_said_unless_the_tone_is_recorded(void)
{
	for (int recorded = 0; recorded < 2; recorded++) {
		struct fixture f;
		fixture_new(&f, 16);
		fixture_live(&f, fixture_attach(&f, 7), true);
		struct rtpfork_sound *sound = steady(400, 1000);
		struct rtpfork_tone tone = tone_of(sound, recorded);
		CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
		CHECK_EQ(loud(hear(&f, 1, 0)), PAYLOAD);
		CHECK(!rtpfork_core_fork(f.core));
		size_t count = 0;
		struct rtpfork_out *outs = rtpfork_core_outs(f.core, &count);
		CHECK_EQ(count, 2);
		CHECK_EQ(outs[1].kind, RTPFORK_OUT_FORK);
		CHECK_EQ(loud(outs[1].data + HEADER), recorded ? PAYLOAD : 0);
		fixture_settle(&f, 0);
		fixture_free(&f);
		rtpfork_sound_free(sound);
	}
}

static void other_payload_types_and_the_other_party_stay_as_they_are(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_sound *sound = steady(400, 1000);
	struct rtpfork_tone tone = tone_of(sound, false);
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLER], &tone), 0);
	CHECK_EQ(loud(hear(&f, 1, 0)), 0);
	fixture_settle(&f, 0);
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
	CHECK_EQ(loud(hear(&f, 2, 101)), 0);
	fixture_settle(&f, 0);
	CHECK_EQ(loud(hear(&f, 3, 0)), PAYLOAD);
	fixture_settle(&f, 0);
	tone.type_count = RTPFORK_MAX_TONE_TYPES + 1;
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_core_set_tone(f.core, 12345, &tone), RTPFORK_EGONE);
	fixture_free(&f);
	rtpfork_sound_free(sound);
}

static void a_party_that_cannot_be_sent_to_is_not_said_to_have_heard(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_sound *sound = steady(400, 1000);
	struct rtpfork_tone tone = tone_of(sound, false);
	struct rtpfork_party held = {.clock_rate = 8000};
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
	CHECK_EQ(rtpfork_core_connect(f.core, f.ids[CALLEE], &held), 0);
	uint8_t packet[HEADER + PAYLOAD];
	fixture_rtp(packet, 1, PAYLOAD, 1, 0);
	fixture_receive(&f, CALLER, CALLER, packet, sizeof packet);
	struct rtpfork_port_counters books;
	CHECK_EQ(rtpfork_core_port_counters(f.core, f.ids[CALLEE], &books), 0);
	CHECK_EQ(books.tones, 0);
	fixture_free(&f);
	rtpfork_sound_free(sound);
}

int main(void)
{
	RUN(g711_comes_back_as_it_went);
	RUN(a_tone_sounds_at_once_and_then_in_intervals);
	RUN(a_tone_is_added_to_the_voice_and_never_wraps);
	RUN(readers_get_what_was_said_unless_the_tone_is_recorded);
	RUN(other_payload_types_and_the_other_party_stay_as_they_are);
	RUN(a_party_that_cannot_be_sent_to_is_not_said_to_have_heard);
	return 0;
}
