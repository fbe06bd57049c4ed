/* A core that goes on with what a killed process has left. The kill is a copy of the memory. */
#include <stdlib.h>

#include "../src/core_internal.h"
#include "core_fixture.h"

#define OUTS	    16
#define LOG_PACKETS 16
#define LOG_BYTES   4096
#define SSRC	    0x5eed

struct story {
	struct fixture fixture;
	uint64_t reader;
	size_t bytes;
	struct rtpfork_sounds *sounds;
};

static struct rtpfork_sdes key_of(uint8_t octet)
{
	struct rtpfork_sdes sdes = {.suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80")};
	memset(sdes.material, octet, sizeof sdes.material);
	return sdes;
}

static int resume(struct story *story, void *memory)
{
	struct fixture *fixture = &story->fixture;
	fixture->memory = memory;
	struct rtpfork_core_options options = fixture_options(fixture, OUTS);
	options.sounds = story->sounds;
	return rtpfork_core_resume(&options, LOG_PACKETS, LOG_BYTES, &fixture->core);
}

/* What is left of the process; the living core is gone without having settled anything. */
static void *killed(struct story *story)
{
	void *left = calloc(1, story->bytes);
	void *lived = story->fixture.memory;
	CHECK(left != NULL);
	memcpy(left, lived, story->bytes);
	rtpfork_core_free(story->fixture.core);
	free(lived);
	return left;
}

static void kill_and_resume(struct story *story)
{
	CHECK_EQ(resume(story, killed(story)), 0);
}

/* A call with SRTP towards the callee, whose caller is recorded by SRTP. */
static void begin(struct story *story)
{
	memset(story, 0, sizeof *story);
	struct fixture *fixture = &story->fixture;
	fixture->now_ns = 1000 * NS_PER_S;
	struct rtpfork_core_options options = fixture_options(fixture, OUTS);
	story->bytes = rtpfork_core_bytes(&options);
	fixture->memory = calloc(1, story->bytes);
	fixture_begin(fixture, OUTS);
	struct rtpfork_party party = fixture_party(&fixture->addresses[CALLEE]);
	party.send_key = key_of(1);
	party.receive_key = key_of(2);
	CHECK_EQ(rtpfork_core_connect(fixture->core, fixture->ids[CALLEE], &party), 0);
	story->reader = fixture_attach(fixture, SSRC);
	struct rtpfork_target target = fixture_target(fixture);
	target.send_key = key_of(3);
	CHECK_EQ(rtpfork_core_update(fixture->core, story->reader, &target), 0);
	fixture_live(fixture, story->reader, true);
}

static void end(struct story *story)
{
	rtpfork_core_free(story->fixture.core);
	free(story->fixture.memory);
	free(story->sounds);
}

static struct rtpfork_port_counters port_books(const struct story *story, int at)
{
	struct rtpfork_port_counters counters;
	CHECK_EQ(rtpfork_core_port_counters(story->fixture.core, story->fixture.ids[at], &counters),
		 0);
	return counters;
}

/* The first copy that was queued of a packet of the caller, or nothing. */
static uint16_t forked_sequence(struct story *story)
{
	rtpfork_core_fork(story->fixture.core);
	size_t count = 0;
	struct rtpfork_out *outs = rtpfork_core_outs(story->fixture.core, &count);
	for (size_t i = 0; i < count; i++)
		if (outs[i].kind == RTPFORK_OUT_FORK)
			return rtpfork_get_u16(outs[i].data + 2);
	return 0;
}

static void a_call_and_its_recording_go_on_with_the_next_packet(void)
{
	struct story story;
	begin(&story);
	for (uint16_t i = 0; i < 5; i++) {
		fixture_speak(&story.fixture, i, i * 160U);
		fixture_flush(&story.fixture);
	}
	kill_and_resume(&story);
	fixture_speak(&story.fixture, 5, 800);
	CHECK_EQ(forked_sequence(&story), 105);
	fixture_settle(&story.fixture, 0);
	struct rtpfork_port_counters port = port_books(&story, CALLER);
	CHECK_EQ(port.received, 6);
	CHECK_EQ(port.relayed, 6);
	CHECK_EQ(port.lost + port.dropped_restart + port.lost_restart, 0);
	struct rtpfork_reader_counters reader = fixture_books(&story.fixture, story.reader);
	CHECK_EQ(reader.delivered, 6);
	CHECK_EQ(reader.offered, 6);
	end(&story);
}

static void what_was_under_way_is_in_the_books_as_lost_by_the_restart(void)
{
	struct story story;
	begin(&story);
	fixture_speak(&story.fixture, 0, 0);
	fixture_flush(&story.fixture);
	fixture_speak(&story.fixture, 1, 160); /* neither relayed nor forked yet */
	kill_and_resume(&story);
	struct rtpfork_port_counters port = port_books(&story, CALLER);
	CHECK_EQ(port.received, 2);
	CHECK_EQ(port.relayed, 1);
	CHECK_EQ(port.dropped_restart, 1);
	struct rtpfork_reader_counters reader = fixture_books(&story.fixture, story.reader);
	CHECK_EQ(reader.offered, 2);
	CHECK_EQ(reader.delivered, 1);
	CHECK_EQ(reader.dropped_restart, 1);
	fixture_speak(&story.fixture, 4, 640); /* 2 and 3 were read by nobody */
	CHECK_EQ(forked_sequence(&story), 104);
	CHECK_EQ(port_books(&story, CALLER).lost_restart, 2);
	fixture_speak(&story.fixture, 6, 960);
	CHECK_EQ(port_books(&story, CALLER).lost_restart, 2);
	CHECK_EQ(port_books(&story, CALLER).lost, 3);
	end(&story);
}

static void no_index_of_a_key_is_used_again(void)
{
	struct story story;
	begin(&story);
	for (uint16_t i = 10; i < 20; i++)
		fixture_speak(&story.fixture, i, i * 160U), fixture_flush(&story.fixture);
	kill_and_resume(&story);
	for (uint16_t i = 0; i < 20; i++) {
		fixture_speak(&story.fixture, i, i * 160U);
		CHECK_EQ(forked_sequence(&story), 0);
		fixture_settle(&story.fixture, 0);
	}
	CHECK_EQ(port_books(&story, CALLER).relayed, 10);
	CHECK_EQ(port_books(&story, CALLER).dropped_send, 20);
	/* The same key given again is the same still. */
	struct rtpfork_target target = fixture_target(&story.fixture);
	target.send_key = key_of(3);
	CHECK_EQ(rtpfork_core_update(story.fixture.core, story.reader, &target), 0);
	fixture_speak(&story.fixture, 20, 3200);
	CHECK_EQ(forked_sequence(&story), 110);
	end(&story);
}

static void what_a_command_was_changing_is_closed_and_the_rest_goes_on(void)
{
	struct story story;
	begin(&story);
	struct rtpfork_core *core = story.fixture.core;
	core->ports[story.fixture.slots[CALLEE]].whole = false;
	kill_and_resume(&story);
	uint32_t slot = 0;
	core = story.fixture.core;
	CHECK_EQ(rtpfork_core_slot(core, story.fixture.ids[CALLEE], &slot), RTPFORK_EGONE);
	CHECK_EQ(rtpfork_core_slot(core, story.fixture.ids[CALLER], &slot), 0);
	CHECK_EQ(rtpfork_core_peer(core, story.fixture.ids[CALLER]), 0);
	uint64_t stream = 0;
	uint64_t via = 0;
	rtpfork_core_ends(core, story.reader, &stream, &via);
	CHECK(stream == story.fixture.ids[CALLER] && via == story.fixture.ids[VIA]);
	core->ports[story.fixture.slots[VIA]].whole = false;
	kill_and_resume(&story);
	rtpfork_core_ends(story.fixture.core, story.reader, &stream, &via);
	CHECK(stream == 0 && via == 0);
	fixture_speak(&story.fixture, 0, 0);
	CHECK_EQ(port_books(&story, CALLER).dropped_unbridged, 1);
	/* Their places are free again, and nothing of them is left. */
	uint64_t id = 0;
	for (int i = 0; i < 7; i++)
		CHECK_EQ(rtpfork_core_open(story.fixture.core, &id, &slot), 0);
	CHECK_EQ(rtpfork_core_open(story.fixture.core, &id, &slot), RTPFORK_EEXHAUSTED);
	CHECK_EQ(story.fixture.core->keys.free != 0, true);
	end(&story);
}

static void a_process_that_is_killed_while_it_takes_up_leaves_all_to_the_next(void)
{
	struct story story;
	begin(&story);
	for (uint16_t i = 0; i < 5; i++) {
		fixture_speak(&story.fixture, i, i * 160U);
		fixture_flush(&story.fixture);
	}
	story.fixture.memory = killed(&story);
	struct rtpfork_core_options options = fixture_options(&story.fixture, OUTS);
	story.fixture.core = story.fixture.memory;
	CHECK_EQ(core_set_up(story.fixture.core, &options, true), 0);
	kill_and_resume(&story);
	fixture_speak(&story.fixture, 5, 800);
	CHECK_EQ(forked_sequence(&story), 105);
	fixture_settle(&story.fixture, 0);
	CHECK_EQ(port_books(&story, CALLER).relayed, 6);
	uint64_t id = 0;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_core_open(story.fixture.core, &id, &slot), 0);
	CHECK_EQ(rtpfork_core_slot(story.fixture.core, id, &slot), 0);
	end(&story);
}

/* The command that ended it is asked again of the next process, for the answer was not heard. */
static void what_had_ended_has_its_last_books_still(void)
{
	struct story story;
	begin(&story);
	for (uint16_t i = 0; i < 5; i++)
		fixture_speak(&story.fixture, i, i * 160U), fixture_flush(&story.fixture);
	struct rtpfork_reader_counters reader;
	struct rtpfork_port_counters port;
	struct rtpfork_log *garbage = NULL;
	uint64_t caller = story.fixture.ids[CALLER];
	struct rtpfork_core *core = story.fixture.core;
	CHECK_EQ(rtpfork_core_detach(core, story.reader, story.fixture.now_ns, &reader, &garbage),
		 0);
	CHECK_EQ(rtpfork_core_ended_port(core, caller, &port), RTPFORK_EGONE);
	CHECK_EQ(rtpfork_core_close(core, caller, story.fixture.now_ns, &port, &garbage), 0);
	rtpfork_log_free(garbage);
	kill_and_resume(&story);
	memset(&reader, 0, sizeof reader);
	memset(&port, 0, sizeof port);
	CHECK_EQ(rtpfork_core_ended_reader(story.fixture.core, story.reader, &reader), 0);
	CHECK_EQ(reader.delivered, 5);
	CHECK_EQ(rtpfork_core_ended_port(story.fixture.core, caller, &port), 0);
	CHECK_EQ(port.relayed, 5);
	end(&story);
}

static void what_is_killed_while_it_ends_has_books_that_add_up(void)
{
	struct story story;
	begin(&story);
	fixture_speak(&story.fixture, 0, 0);
	fixture_flush(&story.fixture);
	fixture_speak(&story.fixture, 1, 160);
	struct rtpfork_core *core = story.fixture.core;
	uint64_t caller = story.fixture.ids[CALLER];
	core->ports[story.fixture.slots[CALLER]].whole = false;
	kill_and_resume(&story);
	struct rtpfork_reader_counters reader;
	struct rtpfork_port_counters port;
	CHECK_EQ(rtpfork_core_ended_port(story.fixture.core, caller, &port), 0);
	CHECK_EQ(port.received, 2);
	CHECK_EQ(port.relayed, 1);
	CHECK_EQ(port.dropped_restart, 1);
	CHECK_EQ(rtpfork_core_ended_reader(story.fixture.core, story.reader, &reader), 0);
	CHECK_EQ(reader.offered, 2);
	CHECK_EQ(reader.delivered, 1);
	CHECK_EQ(reader.dropped_restart, 1);
	end(&story);
}

/* Such a port may have anything in it. */
static void a_port_that_was_just_being_opened_costs_no_other(void)
{
	struct story story;
	begin(&story);
	uint64_t id = 0;
	uint32_t slot = 0;
	CHECK_EQ(rtpfork_core_open(story.fixture.core, &id, &slot), 0);
	memset(&story.fixture.core->ports[slot], 0, sizeof(struct port));
	kill_and_resume(&story);
	CHECK_EQ(rtpfork_core_slot(story.fixture.core, id, &slot), RTPFORK_EGONE);
	fixture_speak(&story.fixture, 0, 0);
	CHECK_EQ(forked_sequence(&story), 100);
	fixture_settle(&story.fixture, 0);
	end(&story);
}

static void a_sound_goes_on_where_it_was(void)
{
	static int16_t loud[400];
	struct story story;
	begin(&story);
	for (size_t i = 0; i < 400; i++)
		loud[i] = 20000;
	story.sounds = calloc(1, rtpfork_sounds_bytes());
	const struct rtpfork_sound *sound = rtpfork_sounds_keep(story.sounds, loud, 400);
	CHECK(sound && rtpfork_sounds_keep(story.sounds, loud, 400) == sound);
	CHECK(rtpfork_sounds_keep(story.sounds, loud, 399) != sound);
	struct rtpfork_announcement what = {.sound = sound, .first_sequence = 7};
	CHECK_EQ(rtpfork_core_announce(story.fixture.core, story.fixture.ids[CALLER], &what,
				       story.fixture.now_ns),
		 0);
	CHECK(!rtpfork_core_speak(story.fixture.core, story.fixture.now_ns));
	kill_and_resume(&story);
	fixture_settle(&story.fixture, 0);
	what.sound = rtpfork_sounds_find(story.sounds, sound->number);
	CHECK_EQ(rtpfork_core_announce(story.fixture.core, story.fixture.ids[CALLER], &what,
				       story.fixture.now_ns),
		 0);
	story.fixture.now_ns += 20 * MS;
	CHECK(!rtpfork_core_speak(story.fixture.core, story.fixture.now_ns));
	size_t count = 0;
	struct rtpfork_out *outs = rtpfork_core_outs(story.fixture.core, &count);
	CHECK_EQ(count, 1);
	CHECK_EQ(rtpfork_get_u16(outs[0].data + 2), 8);
	fixture_settle(&story.fixture, 0);
	end(&story);
}

static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252ULL;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* A little of everything, so that all that was taken up is looked at. */
static void use(struct story *story)
{
	struct fixture *fixture = &story->fixture;
	struct rtpfork_core *core = fixture->core;
	uint8_t packet[172];
	for (uint16_t i = 0; i < 3; i++) {
		uint32_t slot = 0;
		for (uint64_t id; (id = rtpfork_core_each_port(core, &slot)) != 0;) {
			struct rtpfork_in in = {.port = slot - 1, .data = packet};
			in.from = fixture->addresses[(slot - 1) % 3];
			in.bytes = fixture_rtp(packet, (uint16_t)(100 + i), i * 160U, 1, 0);
			in.now_ns = fixture->now_ns += 20 * MS;
			rtpfork_core_receive(core, &in);
			while (rtpfork_core_fork(core))
				rtpfork_core_settle(core, fixture->now_ns);
			rtpfork_core_settle(core, fixture->now_ns);
		}
		while (rtpfork_core_tick(core, fixture->now_ns + 60 * NS_PER_S))
			rtpfork_core_settle(core, fixture->now_ns);
		rtpfork_core_settle(core, fixture->now_ns);
		fixture->notice_count = 0;
	}
}

/* Wherever a bit is wrong: it is taken up and harms nobody, or it is refused. */
static void damaged_memory_is_refused_or_harmless(void)
{
	struct story story;
	begin(&story);
	for (uint16_t i = 0; i < 5; i++)
		fixture_speak(&story.fixture, i, i * 160U), fixture_flush(&story.fixture);
	struct rtpfork_core *core = story.fixture.core;
	size_t begins[] = {0, (size_t)((uint8_t *)core->ports - (uint8_t *)core),
			   (size_t)((uint8_t *)core->forks - (uint8_t *)core),
			   (size_t)(core->keys.cells - (uint8_t *)core)};
	uint8_t *left = killed(&story);
	uint8_t *damaged = malloc(story.bytes);
	int refused = 0;
	for (int round = 0; round < 1500; round++) {
		memcpy(damaged, left, story.bytes);
		for (uint64_t wrongs = 1 + next_random() % 4; wrongs > 0; wrongs--) {
			size_t at = begins[next_random() % 4] + next_random() % 4096;
			damaged[at] = (uint8_t)next_random();
		}
		if (resume(&story, damaged) != 0) {
			refused++;
			continue;
		}
		use(&story);
		rtpfork_core_free(story.fixture.core);
	}
	CHECK(refused > 100 && refused < 1400);
	free(damaged);
	free(left);
}

int main(void)
{
	RUN(a_call_and_its_recording_go_on_with_the_next_packet);
	RUN(what_was_under_way_is_in_the_books_as_lost_by_the_restart);
	RUN(no_index_of_a_key_is_used_again);
	RUN(what_a_command_was_changing_is_closed_and_the_rest_goes_on);
	RUN(a_process_that_is_killed_while_it_takes_up_leaves_all_to_the_next);
	RUN(what_had_ended_has_its_last_books_still);
	RUN(what_is_killed_while_it_ends_has_books_that_add_up);
	RUN(a_port_that_was_just_being_opened_costs_no_other);
	RUN(a_sound_goes_on_where_it_was);
	RUN(damaged_memory_is_refused_or_harmless);
	return 0;
}
