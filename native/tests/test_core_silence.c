/* RTCP of an SRS that ceases, or goes by our SSRC; an SRS that wants none (RFC 3550 6, 8.2,
 * RFC 3556 2). */
#include "core_fixture.h"

/* An empty receiver report of the SRS, which goes by |ssrc|. */
static void hear_as(struct fixture *f, uint8_t ssrc)
{
	uint8_t report[8] = {0x80, 201, 0, 1, 0, 0, 0, ssrc};
	struct rtpfork_in in = {
		.port = f->slots[VIA],
		.rtcp = true,
		.from = f->addresses[SRS],
		.data = report,
		.bytes = sizeof report,
		.now_ns = f->now_ns,
	};
	rtpfork_address_set_port(&in.from, (uint16_t)(rtpfork_address_port(&in.from) + 1));
	rtpfork_core_receive(f->core, &in);
}

static void hear(struct fixture *f)
{
	hear_as(f, 9);
}

static size_t pass(struct fixture *f, unsigned seconds)
{
	size_t sent = 0;
	for (unsigned i = 0; i < 20 * seconds; i++) {
		f->now_ns += 50 * MS;
		rtpfork_core_tick(f->core, f->now_ns);
		sent += fixture_settle(f, 0);
	}
	return sent;
}

static void silence_after_rtcp_is_noticed_once_and_so_is_its_end(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	uint64_t reader = fixture_attach(&f, 7);
	fixture_live(&f, reader, true);
	hear(&f);
	pass(&f, 30);
	CHECK_EQ(f.notice_count, 0);
	pass(&f, 60);
	CHECK_EQ(f.notice_count, 1);
	CHECK_EQ(f.notices[0].kind, RTPFORK_NOTICE_RTCP_SILENCE);
	CHECK_EQ(f.notices[0].id, reader);
	CHECK(f.notices[0].silent);
	hear(&f);
	CHECK_EQ(f.notice_count, 2);
	CHECK(!f.notices[1].silent);
	fixture_free(&f);
}

static void an_srs_that_never_sent_rtcp_is_not_missed(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	fixture_live(&f, fixture_attach(&f, 7), true);
	CHECK(pass(&f, 90) > 0);
	CHECK_EQ(f.notice_count, 0);
	fixture_free(&f);
}

static void an_srs_that_wants_no_rtcp_gets_neither_reports_nor_bye(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	uint64_t reader = fixture_attach(&f, 7);
	struct rtpfork_target target = fixture_target(&f);
	target.no_rtcp = true;
	CHECK_EQ(rtpfork_core_update(f.core, reader, &target), 0);
	fixture_live(&f, reader, true);
	fixture_speak(&f, 1, 160);
	CHECK_EQ(fixture_flush(&f), 2);
	CHECK_EQ(pass(&f, 30), 0);
	fixture_detach(&f, reader);
	CHECK_EQ(fixture_settle(&f, 0), 0);
	fixture_free(&f);
}

static void an_srs_with_the_ssrc_of_a_reader_is_noticed_once_for_where_it_sends_to(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	uint64_t reader = fixture_attach(&f, 9);
	hear(&f);
	hear(&f);
	CHECK_EQ(f.notice_count, 1);
	CHECK_EQ(f.notices[0].kind, RTPFORK_NOTICE_COLLISION);
	CHECK_EQ(f.notices[0].id, reader);
	struct rtpfork_target target = fixture_target(&f);
	CHECK_EQ(rtpfork_core_update(f.core, reader, &target), 0);
	hear(&f);
	CHECK_EQ(f.notice_count, 2);
	hear_as(&f, 7);
	CHECK_EQ(f.notice_count, 2);
	fixture_free(&f);
}

int main(void)
{
	RUN(an_srs_with_the_ssrc_of_a_reader_is_noticed_once_for_where_it_sends_to);
	RUN(silence_after_rtcp_is_noticed_once_and_so_is_its_end);
	RUN(an_srs_that_never_sent_rtcp_is_not_missed);
	RUN(an_srs_that_wants_no_rtcp_gets_neither_reports_nor_bye);
	return 0;
}
