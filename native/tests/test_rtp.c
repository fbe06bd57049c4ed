/* RTP packets (RFC 3550 5.1, RFC 7983 7, RFC 5761 4). */
#include "rtpfork/rtp.h"

#include "check.h"
#include "rtpfork/errors.h"
#include "rtpfork/octets.h"

#define SIMPLE "80e412340001020355667788" /* marker, payload type 100 */

static int parse(const char *hex, struct rtpfork_rtp *out)
{
	uint8_t *packet = malloc(strlen(hex) / 2 + 1);
	CHECK(packet);
	size_t bytes = check_hex(hex, packet);
	/* An allocation of just the size lets ASan see each step outside. */
	uint8_t *exact = malloc(bytes ? bytes : 1);
	CHECK(exact);
	memcpy(exact, packet, bytes);
	int error = rtpfork_rtp_parse(exact, bytes, out);
	free(packet);
	free(exact);
	return error;
}

static void fixed_header_is_read(void)
{
	struct rtpfork_rtp rtp;

	CHECK_EQ(parse(SIMPLE "aabb", &rtp), RTPFORK_OK);
	CHECK(rtp.marker);
	CHECK_EQ(rtp.payload_type, 100);
	CHECK_EQ(rtp.sequence, 0x1234);
	CHECK_EQ(rtp.timestamp, 0x00010203);
	CHECK_EQ(rtp.ssrc, 0x55667788);
	CHECK_EQ(rtp.header_bytes, 12);
	CHECK_EQ(rtp.payload_bytes, 2);
	CHECK_EQ(rtp.padding_bytes, 0);
	CHECK(!rtp.extension && !rtp.padding && rtp.csrc_count == 0);
}

/* RFC 3550 5.1, 5.3.1. */
static void csrc_extension_and_padding_are_left_out_of_the_payload(void)
{
	struct rtpfork_rtp rtp;

	CHECK_EQ(parse("b200000100000000000000090000000a0000000bbede0001aabbccdd0102030000000004",
		       &rtp),
		 RTPFORK_OK);
	CHECK_EQ(rtp.csrc_count, 2);
	CHECK_EQ(rtp.extension_profile, 0xbede);
	CHECK_EQ(rtp.header_bytes, 12 + 8 + 8);
	CHECK_EQ(rtp.payload_bytes, 4);
	CHECK_EQ(rtp.padding_bytes, 4);
}

static void empty_payload_and_padding_alone_are_valid(void)
{
	struct rtpfork_rtp rtp;

	CHECK_EQ(parse(SIMPLE, &rtp), RTPFORK_OK);
	CHECK_EQ(rtp.payload_bytes, 0);
	CHECK_EQ(parse("a0e41234000102035566778800000004", &rtp), RTPFORK_OK);
	CHECK_EQ(rtp.payload_bytes, 0);
	CHECK_EQ(rtp.padding_bytes, 4);
}

static void lies_about_length_are_refused(void)
{
	static const struct {
		const char *hex;
		int error;
	} cases[] = {
		{"", RTPFORK_ETRUNCATED},
		{"80e4123400010203556677", RTPFORK_ETRUNCATED},
		{"40e412340001020355667788", RTPFORK_EVERSION},
		{"c0e412340001020355667788", RTPFORK_EVERSION},
		{"81e412340001020355667788", RTPFORK_ETRUNCATED},
		{"8fe412340001020355667788aabbccdd", RTPFORK_ETRUNCATED},
		{"90e412340001020355667788", RTPFORK_ETRUNCATED},
		{"90e412340001020355667788bede00", RTPFORK_ETRUNCATED},
		{"90e412340001020355667788bede0001", RTPFORK_ETRUNCATED},
		{"90e412340001020355667788bedeffff00000000", RTPFORK_ETRUNCATED},
		{"a0e412340001020355667788", RTPFORK_EMALFORMED},
		{"a0e41234000102035566778800", RTPFORK_EMALFORMED},
		{"a0e412340001020355667788aa03", RTPFORK_EMALFORMED},
	};
	struct rtpfork_rtp rtp;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		CHECK_EQ(parse(cases[i].hex, &rtp), cases[i].error);
}

static void encrypted_padding_is_not_looked_at(void)
{
	uint8_t packet[16];
	struct rtpfork_rtp rtp;
	size_t bytes = check_hex("a0e412340001020355667788aabbccff", packet);

	CHECK_EQ(rtpfork_rtp_parse(packet, bytes, &rtp), RTPFORK_EMALFORMED);
	CHECK_EQ(rtpfork_rtp_parse_header(packet, bytes, &rtp), RTPFORK_OK);
	CHECK(rtp.padding);
	CHECK_EQ(rtp.payload_bytes, 4);
	CHECK_EQ(rtp.padding_bytes, 0);
}

static void first_octets_tell_the_kinds_apart(void)
{
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			uint8_t datagram[20] = {(uint8_t)first, (uint8_t)second};
			enum rtpfork_kind expected = RTPFORK_KIND_UNKNOWN;

			if (first <= 3)
				expected = RTPFORK_KIND_STUN;
			else if (first >= 20 && first <= 63)
				expected = RTPFORK_KIND_DTLS;
			else if (first >= 128 && first <= 191)
				expected = second >= 192 && second <= 223 ? RTPFORK_KIND_RTCP
									  : RTPFORK_KIND_RTP;
			CHECK_EQ(rtpfork_classify(datagram, sizeof datagram), expected);
		}
	}
}

static void short_datagrams_are_unknown(void)
{
	static const struct {
		uint8_t first, second;
		size_t shortest;
	} cases[] = {{0, 1, 20}, {22, 254, 13}, {0x80, 0, 12}, {0x80, 200, 8}};

	for (size_t i = 0; i < 4; i++) {
		for (size_t bytes = 0; bytes <= 20; bytes++) {
			uint8_t *datagram = calloc(1, bytes ? bytes : 1);
			CHECK(datagram);
			if (bytes > 0)
				datagram[0] = cases[i].first;
			if (bytes > 1)
				datagram[1] = cases[i].second;
			CHECK_EQ(rtpfork_classify(datagram, bytes) != RTPFORK_KIND_UNKNOWN,
				 bytes >= cases[i].shortest);
			free(datagram);
		}
	}
}

/* RFC 7866 8.2.3: a fork is a source of its own; what is not its header stays as it was. */
static void rewritten_copy_differs_in_its_own_fields_only(void)
{
	uint8_t packet[32], copy[32];
	struct rtpfork_rtp before, after;
	struct rtpfork_rtp_rewrite to = {
		.ssrc = 0xdeadbeef, .timestamp = 0xfffffff0, .sequence = 0xffff, .payload_type = 8};
	size_t bytes =
		check_hex("b1e412340001020355667788000000aabede00001122330201020302", packet);

	CHECK_EQ(rtpfork_rtp_parse(packet, bytes, &before), RTPFORK_OK);
	CHECK_EQ(rtpfork_rtp_copy(packet, bytes, &to, copy, bytes - 1), RTPFORK_ENOROOM);
	CHECK_EQ(rtpfork_rtp_copy(packet, bytes, &to, copy, bytes), RTPFORK_OK);
	CHECK_EQ(rtpfork_rtp_parse(copy, bytes, &after), RTPFORK_OK);
	CHECK_EQ(after.ssrc, to.ssrc);
	CHECK_EQ(after.timestamp, to.timestamp);
	CHECK_EQ(after.sequence, to.sequence);
	CHECK_EQ(after.payload_type, 8);
	CHECK(!after.marker);
	CHECK_EQ(copy[0], packet[0]);
	CHECK_BYTES(copy + 12, packet + 12, bytes - 12);
	to.marker = true;
	rtpfork_rtp_rewrite(packet, &to);
	CHECK_EQ(packet[1], 0x88);
}

int main(void)
{
	RUN(fixed_header_is_read);
	RUN(csrc_extension_and_padding_are_left_out_of_the_payload);
	RUN(empty_payload_and_padding_alone_are_valid);
	RUN(lies_about_length_are_refused);
	RUN(encrypted_padding_is_not_looked_at);
	RUN(first_octets_tell_the_kinds_apart);
	RUN(short_datagrams_are_unknown);
	RUN(rewritten_copy_differs_in_its_own_fields_only);
	return 0;
}
