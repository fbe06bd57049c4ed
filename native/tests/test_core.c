/* The packet path in virtual time: order of outs, books, reports, notices. */
#include <errno.h>

#include "core_fixture.h"
#include "rtpfork/rtcp.h"

static void relays_come_before_copies_and_carry_the_very_octets(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	fixture_live(&f, fixture_attach(&f, 7), true);
	uint8_t packets[3][172];
	for (uint16_t i = 0; i < 3; i++) {
		fixture_rtp(packets[i], (uint16_t)(65534 + i), 160U * i, 1, 0);
		fixture_receive(&f, CALLER, CALLER, packets[i], 172);
	}
	CHECK(!rtpfork_core_fork(f.core));
	size_t count = 0;
	struct rtpfork_out *outs = rtpfork_core_outs(f.core, &count);
	CHECK_EQ(count, 6);
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(outs[i].kind, RTPFORK_OUT_RTP);
		CHECK(outs[i].data == packets[i]);
		CHECK(rtpfork_address_equal(outs[i].to, &f.addresses[CALLEE]));
		CHECK_EQ(outs[i].port, f.slots[CALLEE]);
		CHECK_EQ(outs[3 + i].kind, RTPFORK_OUT_FORK);
		CHECK_EQ(outs[3 + i].port, f.slots[VIA]);
		CHECK_EQ(rtpfork_get_u16(outs[3 + i].data + 2), 100 + i);
		CHECK_EQ(rtpfork_get_u32(outs[3 + i].data + 4), 5000 + 160 * i);
		CHECK_EQ(rtpfork_get_u32(outs[3 + i].data + 8), 7);
		CHECK_BYTES(outs[3 + i].data + 12, packets[i] + 12, 160);
	}
	fixture_settle(&f, 0);
	fixture_free(&f);
}

/* 1500-byte packets must pass too, and a reader that falls behind is told what it missed. */
static void copies_wait_for_room_and_an_overrun_is_counted(void)
{
	struct fixture f;
	fixture_new(&f, 2);
	uint64_t slow = fixture_attach(&f, 7);
	fixture_live(&f, slow, true);
	for (uint16_t i = 0; i < 40; i++) {
		fixture_speak(&f, i, 160U * i);
		fixture_settle(&f, 0);
	}
	CHECK_EQ(fixture_flush(&f), 16);
	struct rtpfork_reader_counters books = fixture_books(&f, slow);
	CHECK_EQ(books.offered, 40);
	CHECK_EQ(books.delivered, 16);
	CHECK_EQ(books.dropped_overrun, 24);
	uint8_t big[1500];
	fixture_rtp(big, 41, 160 * 41, 1, 0);
	memset(big + 172, 1, sizeof big - 172);
	fixture_receive(&f, CALLER, CALLER, big, sizeof big);
	CHECK_EQ(fixture_flush(&f), 2);
	CHECK_EQ(fixture_books(&f, slow).delivered_octets, 16 * 160 + 1488);
	fixture_free(&f);
}

static void a_slow_reader_costs_another_nothing(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	uint64_t paused = fixture_attach(&f, 7);
	uint64_t live = fixture_attach(&f, 8);
	fixture_live(&f, live, true);
	fixture_speak(&f, 1, 160);
	CHECK_EQ(fixture_flush(&f), 2);
	CHECK_EQ(fixture_books(&f, live).delivered, 1);
	CHECK_EQ(fixture_books(&f, paused).skipped_paused, 1);
	fixture_detach(&f, paused);
	fixture_settle(&f, 0);
	fixture_speak(&f, 2, 320);
	CHECK_EQ(fixture_flush(&f), 2);
	CHECK_EQ(fixture_books(&f, live).delivered, 2);
	fixture_free(&f);
}

static void what_is_said_in_a_pause_is_not_kept_in_memory(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_identity identity = {.ssrc = 7, .clock_rate = 8000, .cname = "c25hbWU"};
	struct rtpfork_target target = fixture_target(&f);
	struct rtpfork_log *log = rtpfork_log_new(16, 4096);
	const struct rtpfork_log *kept = log;
	struct rtpfork_logged packet;
	uint64_t reader = 0;
	CHECK_EQ(rtpfork_core_attach(f.core, f.ids[CALLER], f.ids[VIA], &identity, &target, &log,
				     &reader),
		 0);
	for (uint16_t i = 0; i < 3; i++) {
		fixture_live(&f, reader, i != 1);
		fixture_speak(&f, i, 160U * i);
		CHECK_EQ(fixture_flush(&f), i == 1 ? 1 : 2);
		CHECK_EQ(rtpfork_log_read(kept, i, &packet), 0);
		CHECK_EQ(packet.bytes, i == 1 ? 12 : 172);
	}
	uint64_t other = fixture_attach(&f, 8);
	fixture_live(&f, reader, false);
	fixture_live(&f, other, true);
	fixture_speak(&f, 3, 480);
	CHECK_EQ(fixture_flush(&f), 2);
	CHECK_EQ(fixture_books(&f, other).delivered_octets, 160);
	CHECK_EQ(fixture_books(&f, reader).delivered_octets, 320);
	CHECK_EQ(fixture_books(&f, reader).skipped_paused, 2);
	fixture_free(&f);
}

static void a_failed_send_is_counted_where_it_failed(void)
{
	struct fixture f;
	struct rtpfork_port_counters port;
	fixture_new(&f, 16);
	uint64_t reader = fixture_attach(&f, 7);
	fixture_live(&f, reader, true);
	for (uint16_t i = 0; i < 3; i++) {
		fixture_speak(&f, i, 160U * i);
		rtpfork_core_fork(f.core);
		fixture_settle(&f, i == 0 ? EAGAIN : ECONNREFUSED);
		f.now_ns += 20 * MS;
	}
	CHECK_EQ(fixture_books(&f, reader).dropped_full, 1);
	CHECK_EQ(fixture_books(&f, reader).dropped_send, 2);
	CHECK_EQ(fixture_books(&f, reader).delivered, 0);
	CHECK_EQ(rtpfork_core_port_counters(f.core, f.ids[CALLER], &port), 0);
	CHECK_EQ(port.dropped_full, 1);
	CHECK_EQ(port.dropped_send, 2);
	CHECK_EQ(port.relayed, 0);
	CHECK_EQ(f.notice_count, 2);
	CHECK_EQ(f.notices[1].kind, RTPFORK_NOTICE_UNREACHABLE);
	f.now_ns += NS_PER_S;
	fixture_speak(&f, 9, 1440);
	rtpfork_core_fork(f.core);
	fixture_settle(&f, ECONNREFUSED);
	CHECK_EQ(f.notice_count, 3);
	fixture_free(&f);
}

/* reports */

/* The next RTCP packet to the SRS: moves time on until there is one; its kind and NTP time. */
static uint8_t next_report(struct fixture *f, struct rtpfork_rtcp_sender *sender)
{
	size_t count = 0;
	for (int i = 0; i < 10000 && count == 0; i++) {
		f->now_ns += 10 * MS;
		CHECK(!rtpfork_core_tick(f->core, f->now_ns));
		rtpfork_core_outs(f->core, &count);
	}
	struct rtpfork_out *out = rtpfork_core_outs(f->core, &count);
	struct rtpfork_rtcp_packet packet;
	size_t offset = 0;
	CHECK_EQ(count, 1);
	CHECK(out->rtcp);
	CHECK_EQ(rtpfork_address_port(out->to), rtpfork_address_port(&f->addresses[SRS]) + 1);
	CHECK_EQ(rtpfork_rtcp_check(out->data, out->bytes), 0);
	CHECK(rtpfork_rtcp_next(out->data, out->bytes, &offset, &packet));
	CHECK_EQ(packet.ssrc, 7);
	rtpfork_rtcp_sender(&packet, sender);
	fixture_settle(f, 0);
	return packet.type;
}

/* RFC 3550 6.2, 6.3: 5 s, randomised by 0.5 to 1.5 over 1.21828; half of it first. */
static void reports_come_at_the_rfcs_intervals(void)
{
	struct fixture f;
	struct rtpfork_rtcp_sender sender;
	fixture_new(&f, 16);
	fixture_live(&f, fixture_attach(&f, 7), true);
	uint64_t last_ns = f.now_ns;
	next_report(&f, &sender);
	CHECK(f.now_ns - last_ns >= 1000 * MS && f.now_ns - last_ns <= 3100 * MS);
	for (int i = 0; i < 20; i++) {
		last_ns = f.now_ns;
		next_report(&f, &sender);
		CHECK(f.now_ns - last_ns >= 2000 * MS && f.now_ns - last_ns <= 6200 * MS);
	}
	fixture_free(&f);
}

static void a_sender_report_relates_the_copy_to_the_sources_clock(void)
{
	struct fixture f;
	struct rtpfork_rtcp_sender sender;
	fixture_new(&f, 16);
	fixture_live(&f, fixture_attach(&f, 7), true);
	fixture_speak(&f, 1, 999);
	fixture_flush(&f);
	uint64_t spoken_ns = f.now_ns;
	CHECK_EQ(next_report(&f, &sender), RTPFORK_RTCP_SR);
	uint64_t elapsed_ns = f.now_ns - spoken_ns;
	CHECK_EQ(sender.rtp_timestamp, 5000 + elapsed_ns * 8000 / NS_PER_S);
	CHECK_EQ(sender.ntp, rtpfork_ntp_from_unix_ns(UNIX_NS + elapsed_ns));
	CHECK_EQ(sender.packets, 1);
	CHECK_EQ(sender.octets, 160);
	fixture_free(&f);
}

/* RFC 3550 6.4: who sent nothing since the report before the last is a receiver. */
static void a_paused_reader_falls_back_to_empty_receiver_reports(void)
{
	struct fixture f;
	struct rtpfork_rtcp_sender sender;
	fixture_new(&f, 16);
	uint64_t reader = fixture_attach(&f, 7);
	fixture_live(&f, reader, true);
	fixture_speak(&f, 1, 0);
	fixture_flush(&f);
	fixture_live(&f, reader, false);
	CHECK_EQ(next_report(&f, &sender), RTPFORK_RTCP_SR);
	CHECK_EQ(next_report(&f, &sender), RTPFORK_RTCP_SR);
	CHECK_EQ(next_report(&f, &sender), RTPFORK_RTCP_RR);
	CHECK_EQ(fixture_books(&f, reader).rtcp_sent, 3);
	fixture_free(&f);
}

static void reports_begin_when_it_is_said_whether_the_reader_copies(void)
{
	struct fixture f;
	struct rtpfork_rtcp_sender sender;
	fixture_new(&f, 16);
	uint64_t reader = fixture_attach(&f, 7);
	for (int i = 0; i < 1000; i++) {
		f.now_ns += 100 * MS;
		rtpfork_core_tick(f.core, f.now_ns);
		CHECK_EQ(fixture_settle(&f, 0), 0);
	}
	fixture_live(&f, reader, false);
	CHECK_EQ(next_report(&f, &sender), RTPFORK_RTCP_RR);
	fixture_free(&f);
}

/* notices */

static void silence_is_noticed_once_and_ends_with_the_next_packet(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	for (int round = 0; round < 2; round++) {
		fixture_speak(&f, (uint16_t)round, 0);
		fixture_flush(&f);
		for (int i = 0; i < 100; i++)
			rtpfork_core_tick(f.core, f.now_ns += 100 * MS);
	}
	CHECK_EQ(f.notice_count, 4);
	CHECK_EQ(f.notices[0].kind, RTPFORK_NOTICE_FIRST_PACKET);
	for (int i = 1; i < 4; i++) {
		CHECK_EQ(f.notices[i].kind, RTPFORK_NOTICE_SILENCE);
		CHECK_EQ(f.notices[i].silent, i != 2);
		CHECK(f.notices[i].id == f.ids[CALLER]);
	}
	fixture_free(&f);
}

/* RFC 4733 2.5.1.4: when all end packets are lost, silence ends the event. */
static void an_event_whose_end_is_lost_is_noticed_at_the_silence(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLER]);
	party.event_types[0] = 101;
	party.event_type_count = 1;
	CHECK_EQ(rtpfork_core_connect(f.core, f.ids[CALLER], &party), 0);
	fixture_rtp(f.last, 1, 0, 1, 101);
	memcpy(f.last + 12, "\x05\x0a\x01\x40", 4);
	fixture_receive(&f, CALLER, CALLER, f.last, 16);
	fixture_flush(&f);
	rtpfork_core_tick(f.core, f.now_ns + 6 * NS_PER_S);
	CHECK_EQ(f.notices[1].kind, RTPFORK_NOTICE_DTMF);
	CHECK_EQ(f.notices[1].dtmf.code, 5);
	CHECK_EQ(f.notices[1].dtmf.duration_ms, 40);
	fixture_free(&f);
}

/* room and ids */

static void tables_that_are_full_refuse_and_recover(void)
{
	struct fixture f;
	uint64_t ids[8];
	uint32_t slot = 0;
	struct rtpfork_port_counters counters;
	struct rtpfork_log *garbage = NULL;
	fixture_new(&f, 16);
	for (int i = 3; i < 8; i++)
		CHECK_EQ(rtpfork_core_open(f.core, &ids[i], &slot), 0);
	CHECK_EQ(rtpfork_core_open(f.core, &ids[0], &slot), RTPFORK_EEXHAUSTED);
	CHECK_EQ(rtpfork_core_close(f.core, ids[7], f.now_ns, &counters, &garbage), 0);
	CHECK_EQ(rtpfork_core_open(f.core, &ids[0], &slot), 0);
	CHECK(ids[0] != ids[7]);
	CHECK_EQ(rtpfork_core_close(f.core, ids[7], f.now_ns, &counters, &garbage), RTPFORK_EGONE);
	fixture_free(&f);
}

static void closing_the_stream_or_the_via_ends_its_readers(void)
{
	for (int closed = CALLER; closed <= VIA; closed += VIA) {
		struct fixture f;
		struct rtpfork_port_counters counters;
		struct rtpfork_reader_counters books;
		struct rtpfork_log *garbage = NULL;
		fixture_new(&f, 16);
		uint64_t reader = fixture_attach(&f, 7);
		fixture_live(&f, reader, true);
		fixture_speak(&f, 1, 0);
		fixture_flush(&f);
		CHECK_EQ(rtpfork_core_close(f.core, f.ids[closed], f.now_ns, &counters, &garbage),
			 0);
		CHECK_EQ(fixture_settle(&f, 0), 1); /* the BYE */
		CHECK(garbage != NULL);
		rtpfork_log_free(garbage);
		CHECK_EQ(rtpfork_core_reader_counters(f.core, reader, &books), RTPFORK_EGONE);
		fixture_free(&f);
	}
}

int main(void)
{
	RUN(relays_come_before_copies_and_carry_the_very_octets);
	RUN(copies_wait_for_room_and_an_overrun_is_counted);
	RUN(a_slow_reader_costs_another_nothing);
	RUN(what_is_said_in_a_pause_is_not_kept_in_memory);
	RUN(a_failed_send_is_counted_where_it_failed);
	RUN(reports_come_at_the_rfcs_intervals);
	RUN(a_sender_report_relates_the_copy_to_the_sources_clock);
	RUN(a_paused_reader_falls_back_to_empty_receiver_reports);
	RUN(reports_begin_when_it_is_said_whether_the_reader_copies);
	RUN(silence_is_noticed_once_and_ends_with_the_next_packet);
	RUN(an_event_whose_end_is_lost_is_noticed_at_the_silence);
	RUN(tables_that_are_full_refuse_and_recover);
	RUN(closing_the_stream_or_the_via_ends_its_readers);
	return 0;
}
