/* Which ports an I/O may relay by itself, and what the core makes of what it is told of. */
#include "core_fixture.h"

static struct fixture f;

static bool flow_of(int at, struct rtpfork_flow *flow)
{
	return rtpfork_core_flow(f.core, f.slots[at], flow);
}

static bool is_plain(int at)
{
	struct rtpfork_flow unused;
	return flow_of(at, &unused);
}

static void signal_party(int at, struct rtpfork_party party)
{
	CHECK_EQ(rtpfork_core_connect(f.core, f.ids[at], &party), 0);
}

/* Whether the core says that the flow of a port may be another; asks until it says no more. */
static bool says_changed(int at)
{
	uint32_t slot = 0;
	bool said = false;
	while (rtpfork_core_changed(f.core, &slot))
		said = said || slot == f.slots[at];
	return said;
}

/* The caller says |sequence| and the I/O has relayed it. */
static void relayed(uint16_t sequence, size_t held, uint64_t missed)
{
	size_t bytes = fixture_rtp(f.last, sequence, sequence * 160U, 1, 0);
	struct rtpfork_in in = {
		.port = f.slots[CALLER],
		.from = f.addresses[CALLER],
		.data = f.last,
		.bytes = bytes,
		.now_ns = f.now_ns,
		.relayed = true,
		.held = held,
		.missed = missed,
		.told = {.to = sequence, .missed = missed},
	};
	rtpfork_core_receive(f.core, &in);
}

static struct rtpfork_port_counters books(void)
{
	struct rtpfork_port_counters counters;
	CHECK_EQ(rtpfork_core_port_counters(f.core, f.ids[CALLER], &counters), 0);
	return counters;
}

static void a_strict_port_that_is_bridged_is_a_flow(void)
{
	struct rtpfork_flow flow;
	fixture_new(&f, 8);
	CHECK(flow_of(CALLER, &flow));
	CHECK(rtpfork_address_equal(&flow.source, &f.addresses[CALLER]));
	CHECK(rtpfork_address_equal(&flow.to, &f.addresses[CALLEE]));
	CHECK_EQ(flow.from, f.slots[CALLEE]);
	CHECK(!flow.keep);
	CHECK(!is_plain(VIA));
	fixture_free(&f);
}

static void a_learning_port_is_one_once_it_has_learned(void)
{
	struct rtpfork_party party = {.learn = true, .clock_rate = 8000};
	struct rtpfork_flow flow;
	fixture_new(&f, 8);
	party.remote = f.addresses[CALLER];
	signal_party(CALLER, party);
	CHECK(!is_plain(CALLER));
	says_changed(CALLER);
	size_t bytes = fixture_rtp(f.last, 1, 0, 1, 0);
	fixture_receive(&f, CALLER, STRANGER, f.last, bytes);
	fixture_settle(&f, 0);
	CHECK(says_changed(CALLER));
	CHECK(flow_of(CALLER, &flow));
	CHECK(rtpfork_address_equal(&flow.source, &f.addresses[STRANGER]));
	CHECK(flow_of(CALLEE, &flow));
	CHECK(rtpfork_address_equal(&flow.to, &f.addresses[STRANGER]));
	fixture_free(&f);
}

static void what_the_engine_must_touch_is_none(void)
{
	static const struct rtpfork_sound sound = {.count = 0};
	struct rtpfork_party plain;
	fixture_new(&f, 8);
	plain = fixture_party(&f.addresses[CALLEE]);
	struct rtpfork_party changed = plain;
	changed.send_key.suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80");
	signal_party(CALLEE, changed);
	CHECK(!is_plain(CALLER) && is_plain(CALLEE));
	changed = plain;
	changed.receive_key.suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80");
	signal_party(CALLEE, changed);
	CHECK(is_plain(CALLER) && !is_plain(CALLEE));
	changed = plain;
	changed.raw = true;
	signal_party(CALLEE, changed);
	CHECK(!is_plain(CALLER) && !is_plain(CALLEE));
	changed = plain;
	changed.remote =
		(struct rtpfork_address){0}; /* on hold: it is sent nothing, but may send */
	signal_party(CALLEE, changed);
	CHECK(!is_plain(CALLER) && is_plain(CALLEE));
	signal_party(CALLEE, plain);
	CHECK(is_plain(CALLER) && is_plain(CALLEE));
	struct rtpfork_tone tone = {.sound = &sound, .interval_ns = NS_PER_S};
	CHECK_EQ(rtpfork_core_set_tone(f.core, f.ids[CALLEE], &tone), 0);
	CHECK(says_changed(CALLER));
	CHECK(!is_plain(CALLER) && is_plain(CALLEE));
	fixture_free(&f);
}

static void every_end_of_a_flow_is_said(void)
{
	struct rtpfork_port_counters counters;
	struct rtpfork_log *garbage = NULL;
	fixture_new(&f, 8);
	CHECK(says_changed(CALLER));
	CHECK(!says_changed(CALLER));
	signal_party(CALLEE, fixture_party(&f.addresses[STRANGER]));
	CHECK(says_changed(CALLER));
	CHECK_EQ(rtpfork_core_close(f.core, f.ids[CALLEE], f.now_ns, &counters, &garbage), 0);
	CHECK(says_changed(CALLER));
	CHECK(!is_plain(CALLER) && !is_plain(CALLEE));
	fixture_free(&f);
}

static void payloads_are_wanted_while_a_reader_copies(void)
{
	struct rtpfork_flow flow;
	fixture_new(&f, 8);
	uint64_t reader = fixture_attach(&f, 7);
	CHECK(flow_of(CALLER, &flow) && !flow.keep);
	says_changed(CALLER);
	fixture_live(&f, reader, true);
	CHECK(says_changed(CALLER));
	CHECK(flow_of(CALLER, &flow) && flow.keep);
	fixture_live(&f, reader, false);
	CHECK(says_changed(CALLER));
	CHECK(flow_of(CALLER, &flow) && !flow.keep);
	fixture_detach(&f, reader);
	CHECK(says_changed(CALLER));
	fixture_free(&f);
}

static void what_was_relayed_is_accounted_and_copied_and_not_sent_again(void)
{
	fixture_new(&f, 8);
	uint64_t reader = fixture_attach(&f, 7);
	fixture_live(&f, reader, true);
	relayed(1, 172, 0);
	relayed(3, 172, 0);
	size_t count = 0;
	rtpfork_core_outs(f.core, &count);
	CHECK_EQ(count, 0);
	CHECK_EQ(fixture_flush(&f), 2);
	CHECK_EQ(books().received, 2);
	CHECK_EQ(books().received_octets, 320);
	CHECK_EQ(books().relayed, 2);
	CHECK_EQ(books().lost, 1);
	CHECK_EQ(fixture_books(&f, reader).delivered, 2);
	CHECK_EQ(f.notice_count, 1);
	CHECK_EQ(f.notices[0].kind, RTPFORK_NOTICE_FIRST_PACKET);
	CHECK(rtpfork_address_equal(&f.notices[0].first.source, &f.addresses[CALLER]));
	fixture_free(&f);
}

static void a_packet_of_which_only_the_header_is_there_is_accounted_and_copied_nowhere(void)
{
	fixture_new(&f, 8);
	uint64_t reader = fixture_attach(&f, 7);
	fixture_live(&f, reader, true);
	relayed(1, 16, 0);
	CHECK_EQ(fixture_flush(&f), 0);
	CHECK_EQ(books().received_octets, 160);
	CHECK_EQ(fixture_books(&f, reader).skipped_paused, 1);
	fixture_free(&f);
}

static void what_the_io_could_not_tell_of_is_an_overrun_of_the_readers_and_no_loss(void)
{
	fixture_new(&f, 8);
	uint64_t reader = fixture_attach(&f, 7);
	fixture_live(&f, reader, true);
	relayed(1, 172, 0);
	relayed(12, 172, 8); /* and two were lost on the way here */
	fixture_flush(&f);
	CHECK_EQ(books().received, 10);
	CHECK_EQ(books().relayed, 10);
	CHECK_EQ(books().lost, 2);
	CHECK_EQ(fixture_books(&f, reader).offered, 10);
	CHECK_EQ(fixture_books(&f, reader).delivered, 2);
	CHECK_EQ(fixture_books(&f, reader).dropped_overrun, 8);
	CHECK_EQ(rtpfork_core_told(f.core, f.slots[CALLER])->missed, 8);
	struct rtpfork_in last = {
		.port = f.slots[CALLER], .relayed = true, .missed = 3, .told = {99, 11}};
	rtpfork_core_receive(f.core, &last);
	CHECK_EQ(rtpfork_core_told(f.core, f.slots[CALLER])->to, 99);
	CHECK_EQ(rtpfork_core_told(f.core, f.slots[CALLER])->missed, 11);
	CHECK_EQ(books().received, 13);
	CHECK_EQ(fixture_books(&f, reader).dropped_overrun, 11);
	fixture_free(&f);
}

int main(void)
{
	RUN(a_strict_port_that_is_bridged_is_a_flow);
	RUN(a_learning_port_is_one_once_it_has_learned);
	RUN(what_the_engine_must_touch_is_none);
	RUN(every_end_of_a_flow_is_said);
	RUN(payloads_are_wanted_while_a_reader_copies);
	RUN(what_was_relayed_is_accounted_and_copied_and_not_sent_again);
	RUN(a_packet_of_which_only_the_header_is_there_is_accounted_and_copied_nowhere);
	RUN(what_the_io_could_not_tell_of_is_an_overrun_of_the_readers_and_no_loss);
	return 0;
}
