/* The headers in front of a datagram (RFC 791, RFC 8200, RFC 768), their checksums (RFC 1071). */
#include "../src/frame.h"

#include "check.h"
#include "rtpfork/octets.h"

#define MAX_BYTES 1500
#define IPV4_AT	  PATH_ETHERNET_BYTES
#define UDP4_AT	  (IPV4_AT + 20)
#define UDP6_AT	  (IPV4_AT + 40)

static const uint8_t ETHERNET[PATH_ETHERNET_BYTES] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};

/* RFC 1071 1, octet pair by octet pair, as the document has it. */
static uint16_t sum_of(const uint8_t *octets, size_t bytes, uint32_t sum)
{
	for (size_t i = 0; i < bytes; i++)
		sum += i % 2 == 0 ? (uint32_t)octets[i] << 8 : octets[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void the_sum_of_this_test_is_that_of_the_rfc(void)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	CHECK_EQ(sum_of(example, sizeof example, 0), 0xddf2); /* RFC 1071 3 */
}

static struct frame frame_between(const char *from, uint16_t from_port, const char *to,
				  uint16_t to_port)
{
	struct frame frame;
	struct path path = {.ready = true};
	struct rtpfork_address source;
	struct rtpfork_address target;
	CHECK_EQ(rtpfork_address_parse(&source, from, from_port), 0);
	CHECK_EQ(rtpfork_address_parse(&target, to, to_port), 0);
	memcpy(path.ethernet, ETHERNET, sizeof ETHERNET);
	frame_make(&frame, &path, &source, &target);
	return frame;
}

/* Sums to 0xffff with its own checksum in it; no checksum at all is said by 0 (RFC 768). */
static void check_udp(const uint8_t *header, size_t udp_at, size_t addresses_at,
		      const uint8_t *data, size_t bytes)
{
	uint8_t datagram[8 + MAX_BYTES];
	const uint8_t *udp = header + udp_at;
	memcpy(datagram, udp, 8);
	memcpy(datagram + 8, data, bytes);
	uint16_t pseudo = sum_of(header + addresses_at, udp_at - addresses_at,
				 17U + (uint32_t)(bytes + 8)); /* RFC 768, RFC 8200 8.1 */
	CHECK_EQ(rtpfork_get_u16(udp + 4), bytes + 8);
	CHECK(rtpfork_get_u16(udp + 6) != 0);
	CHECK_EQ(sum_of(datagram, bytes + 8, pseudo), 0xffff);
}

/* The header whose checksum is b861 in many books: 115 bytes of UDP between these hosts, not to be
 * fragmented, 64 hops. */
static void a_header_of_ipv4_is_octet_for_octet_the_known_one(void)
{
	static const uint8_t known[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
					0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
	uint8_t header[FRAME_HEADER_BYTES];
	uint8_t data[0x73 - 28] = {0};
	struct frame frame = frame_between("192.168.0.1", 5004, "192.168.0.199", 6000);
	CHECK_EQ(frame.bytes, 42);
	frame_write(&frame, data, sizeof data, header);
	CHECK_BYTES(header, ETHERNET, sizeof ETHERNET);
	CHECK_BYTES(header + IPV4_AT, known, sizeof known);
	CHECK_EQ(rtpfork_get_u16(header + UDP4_AT), 5004);
	CHECK_EQ(rtpfork_get_u16(header + UDP4_AT + 2), 6000);
}

static void a_header_of_ipv6_says_length_protocol_hops_and_addresses(void)
{
	uint8_t known[40];
	uint8_t header[FRAME_HEADER_BYTES];
	uint8_t data[160] = {0};
	struct frame frame = frame_between("2001:db8::1", 5004, "2001:db8:0:1::ffff", 6000);
	CHECK_EQ(frame.bytes, FRAME_HEADER_BYTES);
	CHECK_EQ(check_hex("6000000000a81140"
			   "20010db8000000000000000000000001"
			   "20010db800000001000000000000ffff",
			   known),
		 sizeof known);
	frame_write(&frame, data, sizeof data, header);
	CHECK_BYTES(header + IPV4_AT, known, sizeof known);
	CHECK_EQ(rtpfork_get_u16(header + UDP6_AT), 5004);
	CHECK_EQ(rtpfork_get_u16(header + UDP6_AT + 2), 6000);
}

/* Both families, every rest of a division by eight, octets that carry and octets that do not. */
static void checksums_are_right_for_every_length_and_carry(void)
{
	uint8_t header[FRAME_HEADER_BYTES];
	uint8_t data[MAX_BYTES];
	struct frame four = frame_between("203.0.113.255", 65535, "255.255.255.254", 65534);
	struct frame six = frame_between("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
					 "2001:db8::1", 65534);
	for (int kind = 0; kind < 3; kind++) {
		for (size_t i = 0; i < sizeof data; i++)
			data[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)(i * 167);
		for (size_t bytes = 0; bytes <= 1472; bytes += bytes < 40 ? 1 : 179) {
			frame_write(&four, data, bytes, header);
			CHECK_EQ(sum_of(header + IPV4_AT, 20, 0), 0xffff);
			CHECK_EQ(rtpfork_get_u16(header + IPV4_AT + 2), bytes + 28);
			check_udp(header, UDP4_AT, IPV4_AT + 12, data, bytes);
			frame_write(&six, data, bytes, header);
			CHECK_EQ(rtpfork_get_u16(header + IPV4_AT + 4), bytes + 8);
			check_udp(header, UDP6_AT, IPV4_AT + 8, data, bytes);
		}
	}
}

/* A payload may begin anywhere: what lies before it must not count. */
static void a_payload_that_is_not_aligned_has_the_same_checksum(void)
{
	uint8_t room[8 + 172];
	uint8_t header[FRAME_HEADER_BYTES];
	uint8_t aligned[FRAME_HEADER_BYTES];
	struct frame frame = frame_between("192.0.2.1", 5004, "192.0.2.2", 6000);
	for (size_t at = 0; at < 8; at++) {
		memset(room, 0xee, sizeof room);
		for (size_t i = 0; i < 172; i++)
			room[at + i] = (uint8_t)(i * 31);
		frame_write(&frame, room + at, 172, at == 0 ? aligned : header);
		if (at != 0)
			CHECK_BYTES(header, aligned, frame.bytes);
	}
}

/* RFC 768: "If the computed checksum is zero, it is transmitted as all ones". */
static void a_checksum_of_zero_is_sent_as_all_ones(void)
{
	uint8_t header[FRAME_HEADER_BYTES];
	uint8_t data[2] = {0, 0};
	struct frame frame = frame_between("192.0.2.1", 5004, "192.0.2.2", 6000);
	frame_write(&frame, data, sizeof data, header);
	uint16_t without = rtpfork_get_u16(header + UDP4_AT + 6);
	CHECK(without != 0 && without != 0xffff);
	rtpfork_put_u16(data, without);
	frame_write(&frame, data, sizeof data, header);
	CHECK_EQ(rtpfork_get_u16(header + UDP4_AT + 6), 0xffff);
	check_udp(header, UDP4_AT, IPV4_AT + 12, data, sizeof data);
}

int main(void)
{
	RUN(the_sum_of_this_test_is_that_of_the_rfc);
	RUN(a_header_of_ipv4_is_octet_for_octet_the_known_one);
	RUN(a_header_of_ipv6_says_length_protocol_hops_and_addresses);
	RUN(checksums_are_right_for_every_length_and_carry);
	RUN(a_payload_that_is_not_aligned_has_the_same_checksum);
	RUN(a_checksum_of_zero_is_sent_as_all_ones);
	return 0;
}
