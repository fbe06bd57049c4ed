/* What a party or a stranger may try on a port, and what odd parties do. */
#include "core_fixture.h"
#include "rtpfork/rtcp.h"

#define EVENT_TYPE 101

/* Let |who|'s port be as |party| says. */
static int say(struct fixture *f, int who, const struct rtpfork_party *party)
{
	return rtpfork_core_connect(f->core, f->ids[who], party);
}

static struct rtpfork_sdes key_number(uint8_t number)
{
	struct rtpfork_sdes key = {.suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80")};
	memset(key.material, number, sizeof key.material);
	return key;
}

static struct rtpfork_port_counters books(const struct fixture *f, int who)
{
	struct rtpfork_port_counters counters;
	CHECK_EQ(rtpfork_core_port_counters(f->core, f->ids[who], &counters), 0);
	return counters;
}

/* What the caller says, as it leaves for the callee; how long it is. */
static size_t carry(struct fixture *f, uint16_t sequence, uint8_t *to)
{
	size_t count = 0;
	fixture_speak(f, sequence, sequence * 160U);
	struct rtpfork_out *out = rtpfork_core_outs(f->core, &count);
	size_t bytes = count == 0 ? 0 : out->bytes;
	if (count != 0)
		memcpy(to, out->data, bytes);
	fixture_settle(f, 0);
	return bytes;
}

/* SRTP */

/* RFC 4568 7.1.4, RFC 3711 9.1: a key that comes back after a hold without one, or after another,
 * has its roll-over counter and its replay list still. */
static void a_key_that_comes_back_goes_on_where_it_was(void)
{
	struct fixture f;
	uint8_t packet[256];
	fixture_new(&f, 16);
	for (uint8_t between = 0; between < 2; between++) {
		struct rtpfork_party party = fixture_party(&f.addresses[CALLEE]);
		party.send_key = key_number((uint8_t)(10 + 2 * between));
		CHECK_EQ(say(&f, CALLEE, &party), 0);
		CHECK_EQ(carry(&f, 20, packet), 182);
		if (between == 0)
			party.send_key.suite = NULL;
		else
			party.send_key = key_number(13);
		CHECK_EQ(say(&f, CALLEE, &party), 0);
		CHECK_EQ(carry(&f, 21, packet), between == 0 ? 172 : 182);
		party.send_key = key_number((uint8_t)(10 + 2 * between));
		CHECK_EQ(say(&f, CALLEE, &party), 0);
		CHECK_EQ(carry(&f, 20, packet), 0);
		CHECK_EQ(books(&f, CALLER).dropped_send, 1 + between);
		CHECK_EQ(carry(&f, 22, packet), 182);
	}
	fixture_free(&f);
}

/* RFC 3261 12.1: each fork of a call sends early media under a key of its own, then the first
 * answers after all. Its key goes on, and so does every other one that was heard meanwhile. */
static void the_key_of_the_first_of_four_forks_goes_on_when_it_answers(void)
{
	struct fixture f;
	uint8_t packet[256];
	fixture_new(&f, 16);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLEE]);
	static const uint8_t forks[] = {1, 2, 3, 4, 1, 3, 2, 4, 1};
	for (uint16_t i = 0; i < sizeof forks; i++) {
		party.send_key = key_number(forks[i]);
		CHECK_EQ(say(&f, CALLEE, &party), 0);
		CHECK_EQ(carry(&f, 20 + i, packet), 182);
		CHECK_EQ(carry(&f, 20 + i, packet), 0); /* would repeat the key stream */
	}
	CHECK_EQ(carry(&f, 20, packet), 0);
	fixture_free(&f);
}

static void a_key_that_was_left_longer_ago_is_not_sent_with_again(void)
{
	struct fixture f;
	uint8_t packet[256];
	fixture_new(&f, 16);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLEE]);
	for (uint8_t n = 1; n <= 5; n++) {
		party.send_key = key_number(n);
		CHECK_EQ(say(&f, CALLEE, &party), 0);
		CHECK_EQ(carry(&f, n, packet), 182);
	}
	party.send_key = key_number(1);
	CHECK_EQ(say(&f, CALLEE, &party), RTPFORK_EKEYSPENT);
	CHECK_EQ(carry(&f, 6, packet), 182);
	/* What is received with may be any: it is the party's. */
	for (uint8_t n = 1; n <= 6; n++) {
		party.send_key = key_number(5);
		party.receive_key = key_number(n % 6);
		CHECK_EQ(say(&f, CALLEE, &party), 0);
	}
	fixture_free(&f);
}

/* A tag of another length makes no other key: its key stream is the same. */
static void another_suite_does_not_make_a_used_key_new(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLEE]);
	party.send_key = key_number(1);
	CHECK_EQ(say(&f, CALLEE, &party), 0);
	party.send_key.suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_32");
	CHECK_EQ(say(&f, CALLEE, &party), RTPFORK_EKEYSPENT);
	fixture_free(&f);
}

static void nothing_is_passed_on_in_clear_to_who_speaks_srtp(void)
{
	struct fixture f;
	uint8_t rtcp[8] = {0x80, RTPFORK_RTCP_RR, 0, 1, 0, 0, 0, 1};
	fixture_new(&f, 16);
	fixture_receive(&f, CALLER, CALLER, rtcp, sizeof rtcp);
	CHECK_EQ(fixture_settle(&f, 0), 1);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLEE]);
	party.send_key = key_number(1);
	CHECK_EQ(say(&f, CALLEE, &party), 0);
	fixture_receive(&f, CALLER, CALLER, rtcp, sizeof rtcp);
	CHECK_EQ(fixture_settle(&f, 0), 0);
	CHECK_EQ(books(&f, CALLER).dropped_malformed, 1);
	fixture_free(&f);
}

/* whose it is */

/* A party on hold has no address for a while; its place is not free meanwhile. */
static void what_was_learned_lasts_over_a_hold(void)
{
	struct fixture f;
	uint8_t packet[172];
	fixture_new(&f, 16);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLER]);
	party.learn = true;
	CHECK_EQ(say(&f, CALLER, &party), 0);
	fixture_rtp(packet, 1, 160, 1, 0);
	fixture_receive(&f, CALLER, STRANGER, packet, sizeof packet);
	fixture_settle(&f, 0);
	struct rtpfork_party held = party;
	memset(&held.remote, 0, sizeof held.remote);
	for (uint16_t i = 0; i < 2; i++) {
		CHECK_EQ(say(&f, CALLER, i == 0 ? &held : &party), 0);
		fixture_rtp(packet, (uint16_t)(2 + i), 320, 1, 0);
		fixture_receive(&f, CALLER, SRS, packet, sizeof packet);
		CHECK_EQ(books(&f, CALLER).dropped_foreign, i + 1);
		CHECK_EQ(books(&f, CALLER).received, 1);
	}
	/* Signalled to be elsewhere, it is learned anew. */
	party.remote = f.addresses[CALLEE];
	CHECK_EQ(say(&f, CALLER, &party), 0);
	fixture_receive(&f, CALLER, SRS, packet, sizeof packet);
	CHECK_EQ(books(&f, CALLER).received, 2);
	fixture_free(&f);
}

/* RFC 3264 8.4: a party that holds by an address of zeros takes nothing, but its music goes on. */
static void who_holds_is_still_heard_from_the_place_it_had(void)
{
	struct fixture f;
	uint8_t packet[172];
	fixture_new(&f, 16);
	struct rtpfork_party held = fixture_party(&f.addresses[CALLER]);
	memset(&held.remote, 0, sizeof held.remote);
	CHECK_EQ(say(&f, CALLER, &held), 0);
	fixture_rtp(packet, 1, 160, 1, 0);
	fixture_receive(&f, CALLER, CALLER, packet, sizeof packet);
	fixture_settle(&f, 0);
	CHECK_EQ(books(&f, CALLER).received, 1);
	CHECK_EQ(books(&f, CALLER).relayed, 1);
	fixture_receive(&f, CALLER, STRANGER, packet, sizeof packet);
	CHECK_EQ(books(&f, CALLER).dropped_foreign, 1);
	fixture_free(&f);
}

/* RFC 5761 4: only multiplexing forbids payload types that with a marker look like RTCP. */
static void payload_types_that_look_like_rtcp_are_media_without_multiplexing(void)
{
	struct fixture f;
	uint8_t packet[172];
	fixture_new(&f, 16);
	fixture_rtp(packet, 1, 160, 1, 0x80 | 80);
	fixture_receive(&f, CALLER, CALLER, packet, sizeof packet);
	CHECK_EQ(books(&f, CALLER).received, 1);
	CHECK_EQ(fixture_settle(&f, 0), 1);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLER]);
	party.rtcp_mux = true;
	CHECK_EQ(say(&f, CALLER, &party), 0);
	fixture_rtp(packet, 2, 320, 1, 0x80 | 80);
	fixture_receive(&f, CALLER, CALLER, packet, sizeof packet);
	CHECK_EQ(books(&f, CALLER).received, 1);
	CHECK_EQ(books(&f, CALLER).rtcp_received, 1);
	fixture_free(&f);
}

/* books */

static void what_came_before_a_reader_is_in_its_books(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	uint64_t readers[2];
	for (uint16_t i = 0; i < 30; i++) {
		if (i % 10 == 5 && i < 20) {
			readers[i / 10] = fixture_attach(&f, i);
			fixture_live(&f, readers[i / 10], i < 10);
		}
		fixture_speak(&f, i == 8 ? 7 : i, i * 160U);
		fixture_flush(&f);
	}
	for (int i = 0; i < 2; i++) {
		struct rtpfork_reader_counters reader = fixture_books(&f, readers[i]);
		CHECK_EQ(reader.before_attach, 5 + 10 * i);
		CHECK_EQ(reader.before_attach + reader.offered, books(&f, CALLER).received);
	}
	fixture_free(&f);
}

/* telephone events */

static void press(struct fixture *f, uint16_t sequence, uint32_t timestamp, uint32_t ssrc, bool end)
{
	fixture_rtp(f->last, sequence, timestamp, ssrc, EVENT_TYPE);
	memcpy(f->last + 12, end ? "\x05\x8a\x01\x40" : "\x05\x0a\x01\x40", 4);
	fixture_receive(f, CALLER, CALLER, f->last, 16);
	fixture_flush(f);
}

static size_t presses(const struct fixture *f)
{
	size_t count = 0;
	for (size_t i = 0; i < f->notice_count; i++)
		count += f->notices[i].kind == RTPFORK_NOTICE_DTMF;
	return count;
}

static void new_events(struct fixture *f)
{
	fixture_new(f, 16);
	struct rtpfork_party party = fixture_party(&f->addresses[CALLER]);
	party.event_types[0] = EVENT_TYPE;
	party.event_type_count = 1;
	CHECK_EQ(say(f, CALLER, &party), 0);
}

static void an_event_left_open_by_a_new_source_is_noticed(void)
{
	struct fixture f;
	new_events(&f);
	press(&f, 1, 8000, 1, false);
	press(&f, 700, 90000, 2, false);
	CHECK_EQ(presses(&f), 1);
	fixture_free(&f);
}

/* The same SSRC, everything else begins anew and below: its keys are heard all the same. */
static void events_after_a_restart_of_the_source_are_noticed(void)
{
	struct fixture f;
	new_events(&f);
	press(&f, 60000, 2000000000, 1, true);
	fixture_speak(&f, 10, 160);
	fixture_speak(&f, 11, 320);
	press(&f, 12, 480, 1, true);
	CHECK_EQ(presses(&f), 2);
	fixture_free(&f);
}

static void a_flood_of_events_is_counted_and_not_reported(void)
{
	struct fixture f;
	new_events(&f);
	for (uint16_t i = 0; i < 1000; i++) {
		f.now_ns += MS;
		press(&f, i, i * 800U, 1, true);
	}
	CHECK(presses(&f) <= 101);
	CHECK_EQ(presses(&f) + books(&f, CALLER).dtmf_unreported, 1000);
	f.notice_count = 0;
	f.now_ns += 2 * NS_PER_S;
	press(&f, 1000, 900000, 1, true);
	CHECK_EQ(presses(&f), 1);
	fixture_free(&f);
}

int main(void)
{
	RUN(a_key_that_comes_back_goes_on_where_it_was);
	RUN(the_key_of_the_first_of_four_forks_goes_on_when_it_answers);
	RUN(a_key_that_was_left_longer_ago_is_not_sent_with_again);
	RUN(another_suite_does_not_make_a_used_key_new);
	RUN(nothing_is_passed_on_in_clear_to_who_speaks_srtp);
	RUN(what_was_learned_lasts_over_a_hold);
	RUN(who_holds_is_still_heard_from_the_place_it_had);
	RUN(payload_types_that_look_like_rtcp_are_media_without_multiplexing);
	RUN(what_came_before_a_reader_is_in_its_books);
	RUN(an_event_left_open_by_a_new_source_is_noticed);
	RUN(events_after_a_restart_of_the_source_are_noticed);
	RUN(a_flood_of_events_is_counted_and_not_reported);
	return 0;
}
