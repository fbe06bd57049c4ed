/* SRTP against changed and cut packets and small buffers (RFC 3711 3.1, 3.4). */
#include "srtp_fixture.h"

typedef int transform_fn(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			 const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			 size_t *dst_bytes);

/* A packet of |bytes| octets in a block of just that size, so that ASan sees each step outside. */
static int in_exact_room(transform_fn *transform, struct rtpfork_srtp_key *key,
			 const uint8_t *packet, size_t bytes, size_t room)
{
	uint8_t *src = malloc(bytes ? bytes : 1);
	uint8_t *dst = malloc(room ? room : 1);
	size_t dst_bytes = 0;

	CHECK(src && dst);
	memcpy(src, packet, bytes);
	int error = transform(key, crypto, src, bytes, dst, room, &dst_bytes);
	if (!error)
		CHECK(dst_bytes <= room);
	free(src);
	free(dst);
	return error;
}

static void every_changed_bit_is_noticed(void)
{
	size_t count;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&count);

	for (size_t i = 0; i < count; i++) {
		struct rtpfork_srtp_key send = any_key(&suites[i], RTPFORK_SRTP_SEND);
		struct rtpfork_srtp_key receive = any_key(&suites[i], RTPFORK_SRTP_RECEIVE);
		uint8_t rtp[ROOM], rtcp[ROOM];
		size_t rtp_bytes, rtcp_bytes;

		CHECK_EQ(send_rtp(&send, 9, 5, rtp, &rtp_bytes), RTPFORK_OK);
		CHECK_EQ(send_rtcp(&send, 9, rtcp, &rtcp_bytes), RTPFORK_OK);
		for (size_t bit = 0; bit < rtp_bytes * 8; bit++) {
			rtp[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CHECK(receive_rtp(&receive, rtp, rtp_bytes) != RTPFORK_OK);
			rtp[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (size_t bit = 0; bit < rtcp_bytes * 8; bit++) {
			rtcp[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CHECK(receive_rtcp(&receive, rtcp, rtcp_bytes) != RTPFORK_OK);
			rtcp[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		CHECK_EQ(receive_rtp(&receive, rtp, rtp_bytes), RTPFORK_OK);
		CHECK_EQ(receive_rtcp(&receive, rtcp, rtcp_bytes), RTPFORK_OK);
	}
}

static void every_truncation_is_refused(void)
{
	size_t count;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&count);

	for (size_t i = 0; i < count; i++) {
		struct rtpfork_srtp_key send = any_key(&suites[i], RTPFORK_SRTP_SEND);
		struct rtpfork_srtp_key receive = any_key(&suites[i], RTPFORK_SRTP_RECEIVE);
		uint8_t rtp[ROOM], rtcp[ROOM];
		size_t rtp_bytes, rtcp_bytes;

		CHECK_EQ(send_rtp(&send, 9, 5, rtp, &rtp_bytes), RTPFORK_OK);
		CHECK_EQ(send_rtcp(&send, 9, rtcp, &rtcp_bytes), RTPFORK_OK);
		for (size_t bytes = 0; bytes < rtp_bytes; bytes++)
			CHECK(in_exact_room(rtpfork_srtp_unprotect, &receive, rtp, bytes, bytes) !=
			      RTPFORK_OK);
		for (size_t bytes = 0; bytes < rtcp_bytes; bytes++)
			CHECK(in_exact_room(rtpfork_srtcp_unprotect, &receive, rtcp, bytes,
					    bytes) != RTPFORK_OK);
		for (size_t bytes = 0; bytes < 12; bytes++)
			CHECK_EQ(in_exact_room(rtpfork_srtp_protect, &send, rtp, bytes, bytes + 16),
				 RTPFORK_ETRUNCATED);
		for (size_t bytes = 0; bytes < 8; bytes++)
			CHECK_EQ(in_exact_room(rtpfork_srtcp_protect, &send, rtcp, bytes,
					       bytes + 20),
				 RTPFORK_ETRUNCATED);
	}
}

static void room_is_respected_to_the_octet(void)
{
	size_t count;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&count);
	uint8_t rtp[PACKET_BYTES], rtcp[32] = {0x80, 201, 0, 7};

	make_rtp(rtp, sizeof rtp, 9, 5);
	for (size_t i = 0; i < count; i++) {
		struct rtpfork_srtp_key send = any_key(&suites[i], RTPFORK_SRTP_SEND);
		struct rtpfork_srtp_key receive = any_key(&suites[i], RTPFORK_SRTP_RECEIVE);
		size_t rtp_room = sizeof rtp + suites[i].rtp_tag_bytes;
		size_t rtcp_room = sizeof rtcp + 4 + suites[i].rtcp_tag_bytes;
		uint8_t out[ROOM];
		size_t bytes;

		CHECK_EQ(in_exact_room(rtpfork_srtp_protect, &send, rtp, sizeof rtp, rtp_room - 1),
			 RTPFORK_ENOROOM);
		CHECK_EQ(in_exact_room(rtpfork_srtp_protect, &send, rtp, sizeof rtp, rtp_room),
			 RTPFORK_OK);
		CHECK_EQ(in_exact_room(rtpfork_srtcp_protect, &send, rtcp, sizeof rtcp,
				       rtcp_room - 1),
			 RTPFORK_ENOROOM);
		CHECK_EQ(in_exact_room(rtpfork_srtcp_protect, &send, rtcp, sizeof rtcp, rtcp_room),
			 RTPFORK_OK);
		CHECK_EQ(send_rtp(&send, 9, 6, out, &bytes), RTPFORK_OK);
		CHECK_EQ(in_exact_room(rtpfork_srtp_unprotect, &receive, out, bytes,
				       PACKET_BYTES - 1),
			 RTPFORK_ENOROOM);
		CHECK_EQ(in_exact_room(rtpfork_srtp_unprotect, &receive, out, bytes, PACKET_BYTES),
			 RTPFORK_OK);
		CHECK_EQ(send_rtcp(&send, 9, out, &bytes), RTPFORK_OK);
		CHECK_EQ(in_exact_room(rtpfork_srtcp_unprotect, &receive, out, bytes, 31),
			 RTPFORK_ENOROOM);
		CHECK_EQ(in_exact_room(rtpfork_srtcp_unprotect, &receive, out, bytes, 32),
			 RTPFORK_OK);
	}
}

/* RFC 3711 3.1: CSRC list and extension stay readable, the payload may be empty. */
static void header_stays_readable_and_payload_may_be_empty(void)
{
	size_t count;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&count);
	uint8_t packet[32];
	size_t header = check_hex("9100000500000000000000090000000abede0001aabbccdd", packet);

	for (size_t i = 0; i < count; i++) {
		for (size_t payload = 0; payload < 3; payload++) {
			struct rtpfork_srtp_key send = any_key(&suites[i], RTPFORK_SRTP_SEND);
			struct rtpfork_srtp_key receive = any_key(&suites[i], RTPFORK_SRTP_RECEIVE);
			uint8_t out[ROOM], opened[ROOM];
			size_t bytes;

			memset(packet + header, 0x55, payload);
			CHECK_EQ(rtpfork_srtp_protect(&send, crypto, packet, header + payload, out,
						      sizeof out, &bytes),
				 RTPFORK_OK);
			CHECK_BYTES(out, packet, header);
			CHECK_EQ(rtpfork_srtp_unprotect(&receive, crypto, out, bytes, opened,
							sizeof opened, &bytes),
				 RTPFORK_OK);
			CHECK_EQ(bytes, header + payload);
			CHECK_BYTES(opened, packet, bytes);
		}
	}
}

/* RFC 4568 6.3.2: encryption is not given up packet by packet. */
static void rtcp_without_the_e_flag_is_refused(void)
{
	size_t count;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&count);

	for (size_t i = 0; i < count; i++) {
		struct rtpfork_srtp_key send = any_key(&suites[i], RTPFORK_SRTP_SEND);
		struct rtpfork_srtp_key receive = any_key(&suites[i], RTPFORK_SRTP_RECEIVE);
		uint8_t out[ROOM];
		size_t bytes;

		CHECK_EQ(send_rtcp(&send, 9, out, &bytes), RTPFORK_OK);
		size_t index_at = suites[i].aead ? bytes - 4 : 32;
		CHECK_EQ(rtpfork_get_u32(out + index_at), 0x80000000u);
		out[index_at] = 0;
		CHECK_EQ(receive_rtcp(&receive, out, bytes), RTPFORK_ECLEAR);
	}
}

int main(void)
{
	CHECK_EQ(rtpfork_crypto_new(&crypto), RTPFORK_OK);
	RUN(every_changed_bit_is_noticed);
	RUN(every_truncation_is_refused);
	RUN(room_is_respected_to_the_octet);
	RUN(header_stays_readable_and_payload_may_be_empty);
	RUN(rtcp_without_the_e_flag_is_refused);
	rtpfork_crypto_free(crypto);
	return 0;
}
