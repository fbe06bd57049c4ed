/* Ports towards an SRS that speaks DTLS-SRTP (RFC 5764). */
#include "core_fixture.h"

#define CLIENT_HELLO 22 /* content type of a handshake record */

static size_t dtls(uint8_t *to)
{
	memset(to, 0xab, 100);
	to[0] = CLIENT_HELLO;
	return 100;
}

/* RFC 5764 5.1.2: the first octet tells DTLS from SRTP. */
static void dtls_is_handed_over_and_nothing_else_is(void)
{
	struct fixture fixture;
	uint8_t data[200];
	fixture_new(&fixture, 16);
	CHECK_EQ(rtpfork_core_take_dtls(fixture.core, fixture.ids[VIA]), 0);
	fixture_receive(&fixture, VIA, SRS, data, dtls(data));
	CHECK_EQ(fixture.handed_count, 1);
	CHECK_EQ(fixture.handed.port, fixture.ids[VIA]);
	CHECK_EQ(fixture.handed.bytes, 100);
	CHECK_BYTES(fixture.handed.data, data, 100);
	CHECK(rtpfork_address_equal(&fixture.handed.from, &fixture.addresses[SRS]));
	fixture_receive(&fixture, VIA, SRS, data, fixture_rtp(data, 1, 1, 1, 0));
	CHECK_EQ(fixture.handed_count, 1);
	CHECK_EQ(fixture_settle(&fixture, 0), 0);
	fixture_free(&fixture);
}

static void dtls_of_the_parties_is_relayed_as_before(void)
{
	struct fixture fixture;
	uint8_t data[200];
	fixture_new(&fixture, 16);
	fixture_receive(&fixture, CALLER, CALLER, data, dtls(data));
	CHECK_EQ(fixture.handed_count, 0);
	CHECK_EQ(fixture_settle(&fixture, 0), 1);
	fixture_free(&fixture);
}

static void a_flood_of_dtls_is_cut_to_a_hundred_a_second(void)
{
	struct fixture fixture;
	uint8_t data[200];
	fixture_new(&fixture, 16);
	CHECK_EQ(rtpfork_core_take_dtls(fixture.core, fixture.ids[VIA]), 0);
	for (int i = 0; i < 3000; i++) {
		fixture.now_ns += MS;
		fixture_receive(&fixture, VIA, STRANGER, data, dtls(data));
	}
	CHECK(fixture.handed_count > 300 && fixture.handed_count < 410);
	struct rtpfork_port_counters counters;
	rtpfork_core_port_counters(fixture.core, fixture.ids[VIA], &counters);
	CHECK_EQ(counters.dropped_foreign + fixture.handed_count, 3000);
	fixture_free(&fixture);
}

static void a_datagram_is_sent_as_it_is(void)
{
	struct fixture fixture;
	uint8_t data[200];
	size_t count = 0;
	fixture_new(&fixture, 16);
	CHECK_EQ(rtpfork_core_send_dtls(fixture.core, fixture.ids[VIA], true,
					&fixture.addresses[SRS], data, dtls(data)),
		 0);
	const struct rtpfork_out *outs = rtpfork_core_outs(fixture.core, &count);
	CHECK_EQ(count, 1);
	CHECK_EQ(outs[0].port, fixture.slots[VIA]);
	CHECK(outs[0].rtcp);
	CHECK_EQ(outs[0].bytes, 100);
	CHECK_BYTES(outs[0].data, data, 100);
	CHECK_EQ(fixture_settle(&fixture, 0), 1);
	static const struct rtpfork_address nowhere;
	CHECK_EQ(rtpfork_core_send_dtls(fixture.core, fixture.ids[VIA], true, &nowhere, data, 100),
		 RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_core_send_dtls(fixture.core, 1, false, &fixture.addresses[SRS], data, 1),
		 RTPFORK_EGONE);
	CHECK_EQ(rtpfork_core_take_dtls(fixture.core, 1), RTPFORK_EGONE);
	fixture_free(&fixture);
}

/* An update that keeps the keys leaves packets protected, and their roll-over counter where it was.
 */
static void an_update_may_keep_the_keys(void)
{
	struct fixture fixture;
	size_t count = 0;
	fixture_new(&fixture, 16);
	uint64_t reader = fixture_attach(&fixture, 7);
	struct rtpfork_target target = fixture_target(&fixture);
	target.send_key.suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80");
	CHECK_EQ(rtpfork_core_update(fixture.core, reader, &target), 0);
	struct rtpfork_target again = fixture_target(&fixture);
	again.keep_keys = true;
	CHECK_EQ(rtpfork_core_update(fixture.core, reader, &again), 0);
	fixture_live(&fixture, reader, true);
	fixture_speak(&fixture, 1, 160);
	fixture_settle(&fixture, 0);
	rtpfork_core_fork(fixture.core);
	const struct rtpfork_out *outs = rtpfork_core_outs(fixture.core, &count);
	CHECK_EQ(count, 1);
	CHECK_EQ(outs[0].bytes, 172 + 10);
	fixture_free(&fixture);
}

int main(void)
{
	RUN(dtls_is_handed_over_and_nothing_else_is);
	RUN(dtls_of_the_parties_is_relayed_as_before);
	RUN(a_flood_of_dtls_is_cut_to_a_hundred_a_second);
	RUN(a_datagram_is_sent_as_it_is);
	RUN(an_update_may_keep_the_keys);
	return 0;
}
