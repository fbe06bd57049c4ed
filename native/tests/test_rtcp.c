/* RTCP compound packets, NTP time and the report interval (RFC 3550 4, 6, A.2, A.7). */
#include "rtpfork/rtcp.h"

#include "check.h"
#include "rtpfork/errors.h"

static const struct rtpfork_rtcp_sender SENDER = {
	.ntp = 0x0102030405060708, .rtp_timestamp = 0x11223344, .packets = 5, .octets = 800};
static const struct rtpfork_rtcp_block BLOCK = {
	.ssrc = 0xaabbccdd,
	.fraction_lost = 64,
	.cumulative_lost = -2,
	.extended_highest_sequence = 0x0001ffff,
	.jitter = 7,
	.last_sr = 0x03040506,
	.delay_since_last_sr = 0x00010000,
};

/* building */

static void sender_report_has_the_octets_of_the_rfc(void)
{
	struct rtpfork_rtcp_report report = {
		.ssrc = 9, .cname = "a", .sender = &SENDER, .bye = true};
	uint8_t out[128], expected[128];
	size_t bytes;
	size_t expected_bytes = check_hex("80c80006"
					  "00000009"
					  "0102030405060708"
					  "11223344"
					  "00000005"
					  "00000320"
					  "81ca0002"
					  "00000009"
					  "01016100"
					  "81cb0001"
					  "00000009",
					  expected);

	CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_OK);
	CHECK_EQ(bytes, expected_bytes);
	CHECK_BYTES(out, expected, bytes);
	CHECK_EQ(rtpfork_rtcp_check(out, bytes), RTPFORK_OK);
}

static void empty_receiver_report_keeps_a_silent_stream_alive(void)
{
	struct rtpfork_rtcp_report report = {.ssrc = 9, .cname = "abcd"};
	uint8_t out[128], expected[128];
	size_t bytes;
	size_t expected_bytes = check_hex("80c9000100000009"
					  "81ca0003"
					  "00000009"
					  "010461626364"
					  "0000",
					  expected);

	CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_OK);
	CHECK_EQ(bytes, expected_bytes);
	CHECK_BYTES(out, expected, bytes);
}

/* RFC 3550 6.5: at least one null octet ends the list, up to the next word. */
static void every_length_of_cname_is_built_and_valid(void)
{
	char cname[257] = {0};
	uint8_t out[RTPFORK_RTCP_MAX_BYTES];
	struct rtpfork_rtcp_report report = {.ssrc = 9, .cname = cname};
	size_t bytes;

	CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_EARGUMENT);
	for (size_t length = 1; length <= 255; length++) {
		cname[length - 1] = 'x';
		CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_OK);
		CHECK_EQ(bytes % 4, 0);
		CHECK_EQ(rtpfork_rtcp_check(out, bytes), RTPFORK_OK);
		CHECK_EQ(out[17], length);
		CHECK_EQ(out[18 + length], 0);
		CHECK(bytes - 18 - length >= 1 && bytes - 18 - length <= 4);
	}
	cname[255] = 'x';
	CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_EARGUMENT);
}

static void longest_report_fits_the_named_room(void)
{
	static struct rtpfork_rtcp_block blocks[32];
	char cname[256] = {0};
	uint8_t out[RTPFORK_RTCP_MAX_BYTES];
	struct rtpfork_rtcp_report report = {.ssrc = 9,
					     .cname = cname,
					     .sender = &SENDER,
					     .blocks = blocks,
					     .block_count = 32,
					     .bye = true};
	size_t bytes;

	memset(cname, 'x', 255);
	CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_EARGUMENT);
	report.block_count = 31;
	CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_OK);
	CHECK_EQ(rtpfork_rtcp_check(out, bytes), RTPFORK_OK);
	for (size_t room = 0; room < bytes; room++) {
		size_t unused;
		CHECK_EQ(rtpfork_rtcp_build(&report, out, room, &unused), RTPFORK_ENOROOM);
	}
}

/* reading */

static void what_was_built_is_read_again(void)
{
	struct rtpfork_rtcp_block blocks[2] = {BLOCK, BLOCK}, block;
	struct rtpfork_rtcp_report report = {.ssrc = 9,
					     .cname = "a",
					     .sender = &SENDER,
					     .blocks = blocks,
					     .block_count = 2,
					     .bye = true};
	struct rtpfork_rtcp_packet packet;
	struct rtpfork_rtcp_sender sender;
	uint8_t out[RTPFORK_RTCP_MAX_BYTES];
	size_t bytes, offset = 0;

	blocks[1].cumulative_lost = 0x7fffff;
	CHECK_EQ(rtpfork_rtcp_build(&report, out, sizeof out, &bytes), RTPFORK_OK);
	CHECK(rtpfork_rtcp_next(out, bytes, &offset, &packet));
	CHECK_EQ(packet.type, RTPFORK_RTCP_SR);
	CHECK_EQ(packet.ssrc, 9);
	CHECK(rtpfork_rtcp_sender(&packet, &sender));
	CHECK_EQ(sender.ntp, SENDER.ntp);
	CHECK_EQ(sender.rtp_timestamp, SENDER.rtp_timestamp);
	CHECK_EQ(sender.packets, 5);
	CHECK_EQ(sender.octets, 800);
	CHECK(rtpfork_rtcp_block(&packet, 0, &block));
	CHECK_EQ(block.ssrc, BLOCK.ssrc);
	CHECK_EQ(block.fraction_lost, 64);
	CHECK_EQ(block.cumulative_lost, -2);
	CHECK_EQ(block.extended_highest_sequence, BLOCK.extended_highest_sequence);
	CHECK_EQ(block.jitter, 7);
	CHECK_EQ(block.last_sr, BLOCK.last_sr);
	CHECK_EQ(block.delay_since_last_sr, BLOCK.delay_since_last_sr);
	CHECK(rtpfork_rtcp_block(&packet, 1, &block));
	CHECK_EQ(block.cumulative_lost, 0x7fffff);
	CHECK(!rtpfork_rtcp_block(&packet, 2, &block));
	CHECK(!rtpfork_rtcp_says_bye(&packet, 9));
	CHECK(rtpfork_rtcp_next(out, bytes, &offset, &packet));
	CHECK_EQ(packet.type, RTPFORK_RTCP_SDES);
	CHECK(!rtpfork_rtcp_block(&packet, 0, &block));
	CHECK(!rtpfork_rtcp_sender(&packet, &sender));
	CHECK(rtpfork_rtcp_next(out, bytes, &offset, &packet));
	CHECK(rtpfork_rtcp_says_bye(&packet, 9));
	CHECK(!rtpfork_rtcp_says_bye(&packet, 8));
	CHECK(!rtpfork_rtcp_next(out, bytes, &offset, &packet));
}

/* RFC 3550 A.2. */
static void broken_compounds_are_refused(void)
{
	static const struct {
		const char *hex;
		int error;
	} cases[] = {
		{"80c9000100000009", RTPFORK_OK},
		{"80c9000100000009"
		 "80cc000200000009"
		 "74657374",
		 RTPFORK_OK}, /* APP */
		{"80c9000100000009"
		 "80cb0000",
		 RTPFORK_OK}, /* BYE of nobody */
		{"80c9000100000009"
		 "a0c9000200000009"
		 "00000004",
		 RTPFORK_OK}, /* padded last */
		{"", RTPFORK_ETRUNCATED},
		{"80c900", RTPFORK_ETRUNCATED},
		{"80c9000200000009", RTPFORK_ETRUNCATED},
		{"80c9000100000009"
		 "80",
		 RTPFORK_ETRUNCATED},
		{"40c9000100000009", RTPFORK_EVERSION},
		{"80c9000100000009"
		 "40ca0000",
		 RTPFORK_EVERSION},
		{"80ca000100000009", RTPFORK_EMALFORMED}, /* SDES first */
		{"80c90000", RTPFORK_EMALFORMED},	  /* no SSRC */
		{"81c9000100000009", RTPFORK_EMALFORMED}, /* no block */
		{"80c8000100000009", RTPFORK_EMALFORMED}, /* no sender info */
		{"a0c9000200000009"
		 "00000004",
		 RTPFORK_EMALFORMED}, /* padded first */
		{"80c9000100000009"
		 "a0cb0001"
		 "00000004"
		 "80cb0000",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "a0cb0001"
		 "00000000",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "a0cb0001"
		 "00000003",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "a0cb0001"
		 "00000008",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "81cb0000",
		 RTPFORK_EMALFORMED}, /* BYE without its SSRC */
		{"80c9000100000009"
		 "81ca0001"
		 "00000009",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "81ca0002"
		 "00000009"
		 "01ff6162",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "81ca0002"
		 "00000009"
		 "01026162",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "82ca0002"
		 "00000009"
		 "01016100",
		 RTPFORK_EMALFORMED},
		{"80c9000100000009"
		 "82ca0004"
		 "00000009"
		 "01016100"
		 "00000008"
		 "00000000",
		 RTPFORK_OK},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t *packet = malloc(strlen(cases[i].hex) / 2 + (cases[i].hex[0] == 0));
		CHECK(packet);
		size_t bytes = check_hex(cases[i].hex, packet);
		int error = rtpfork_rtcp_check(packet, bytes);
		if (error != cases[i].error)
			fprintf(stderr, "case %zu: %s\n", i, cases[i].hex);
		CHECK_EQ(error, cases[i].error);
		free(packet);
	}
}

static void padding_is_not_part_of_the_body(void)
{
	uint8_t packet[32];
	struct rtpfork_rtcp_packet read;
	size_t offset = 8, bytes = check_hex("80c9000100000009"
					     "a0cb0001"
					     "00000004",
					     packet);

	CHECK_EQ(rtpfork_rtcp_check(packet, bytes), RTPFORK_OK);
	CHECK(rtpfork_rtcp_next(packet, bytes, &offset, &read));
	CHECK_EQ(read.body_bytes, 0);
	CHECK_EQ(read.ssrc, 0);
	CHECK(!rtpfork_rtcp_says_bye(&read, 4));
}

/* time */

static void ntp_time_counts_from_1900(void)
{
	CHECK_EQ(rtpfork_ntp_from_unix_ns(0) >> 32, 2208988800);
	CHECK_EQ(rtpfork_ntp_from_unix_ns(0) & 0xffffffff, 0);
	CHECK_EQ(rtpfork_ntp_from_unix_ns(500000000) & 0xffffffff, 0x80000000);
	CHECK_EQ(rtpfork_ntp_from_unix_ns(1999999999) & 0xffffffff, 0xfffffffb);
	CHECK_EQ(rtpfork_ntp_middle(0x0102030405060708), 0x03040506);
	/* Era 1 begins in 2036 (RFC 3550 4: only differences matter). */
	CHECK_EQ(rtpfork_ntp_from_unix_ns(UINT64_C(2085978496) * 1000000000) >> 32, 0);
}

/* The example of RFC 3550 6.4.1, figure 2. */
static void round_trip_agrees_with_the_figure(void)
{
	struct rtpfork_rtcp_block block = {.last_sr = 0xb7052000,
					   .delay_since_last_sr = 0x00054000};
	uint64_t round_trip_us;

	CHECK(rtpfork_rtcp_round_trip(&block, UINT64_C(0xb7108000) << 16, &round_trip_us));
	CHECK_EQ(round_trip_us, 6125000);
	block.delay_since_last_sr = 0x000b6001;
	CHECK(!rtpfork_rtcp_round_trip(&block, UINT64_C(0xb7108000) << 16, &round_trip_us));
	block.last_sr = 0;
	CHECK(!rtpfork_rtcp_round_trip(&block, UINT64_C(0xb7108000) << 16, &round_trip_us));
	block = (struct rtpfork_rtcp_block){.last_sr = 0xffff0000, .delay_since_last_sr = 0};
	CHECK(rtpfork_rtcp_round_trip(&block, UINT64_C(0x00010000) << 16, &round_trip_us));
	CHECK_EQ(round_trip_us, 2000000);
}

/* interval */

#define HALF 0x80000000u /* makes the random factor 1 */

static uint64_t interval_ms(struct rtpfork_rtcp_session session, uint32_t random)
{
	return rtpfork_rtcp_interval_ns(&session, random) / 1000000;
}

/* RFC 3550 6.3.1: 5 s, halved at first, times 0.5 to 1.5, over e - 3/2. */
static void interval_has_the_minimum_of_the_rfc(void)
{
	struct rtpfork_rtcp_session session = {.members = 2,
					       .senders = 1,
					       .bandwidth_bytes_per_s = 400,
					       .average_bytes = 100,
					       .we_sent = true};

	CHECK_EQ(interval_ms(session, HALF), 4104);
	CHECK_EQ(interval_ms(session, 0), 2052);
	CHECK_EQ(interval_ms(session, UINT32_MAX), 6156);
	session.initial = true;
	CHECK_EQ(interval_ms(session, HALF), 2052);
}

/* RFC 3550 6.2, A.7: senders below a quarter share a quarter of the bandwidth. */
static void interval_grows_with_the_session(void)
{
	struct rtpfork_rtcp_session session = {.members = 100,
					       .senders = 10,
					       .bandwidth_bytes_per_s = 100,
					       .average_bytes = 100,
					       .we_sent = true};

	CHECK_EQ(interval_ms(session, HALF), 32833); /* 100 * 10 / 25 = 40 s */
	session.we_sent = false;
	CHECK_EQ(interval_ms(session, HALF), 98499); /* 100 * 90 / 75 = 120 s */
	session.senders = 26;
	CHECK_EQ(interval_ms(session, HALF), 82082); /* 100 * 100 / 100 = 100 s */
}

/* RFC 3550 6.3.3. */
static void average_size_moves_by_a_sixteenth(void)
{
	CHECK_EQ(rtpfork_rtcp_average_bytes(0, 120), 120);
	CHECK_EQ(rtpfork_rtcp_average_bytes(100, 260), 110);
	CHECK_EQ(rtpfork_rtcp_average_bytes(100, 100), 100);
}

int main(void)
{
	RUN(sender_report_has_the_octets_of_the_rfc);
	RUN(empty_receiver_report_keeps_a_silent_stream_alive);
	RUN(every_length_of_cname_is_built_and_valid);
	RUN(longest_report_fits_the_named_room);
	RUN(what_was_built_is_read_again);
	RUN(broken_compounds_are_refused);
	RUN(padding_is_not_part_of_the_body);
	RUN(ntp_time_counts_from_1900);
	RUN(round_trip_agrees_with_the_figure);
	RUN(interval_has_the_minimum_of_the_rfc);
	RUN(interval_grows_with_the_session);
	RUN(average_size_moves_by_a_sixteenth);
	return 0;
}
