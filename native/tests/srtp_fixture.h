/* Keys and packets of the SRTP tests. */
#ifndef RTPFORK_TESTS_SRTP_FIXTURE_H
#define RTPFORK_TESTS_SRTP_FIXTURE_H

#include "check.h"
#include "rtpfork/errors.h"
#include "rtpfork/octets.h"
#include "rtpfork/srtp.h"

#include "../src/srtp_index.h"
#include "../src/srtp_key.h"

#define KEY_128	     "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6"
#define PACKET_BYTES 172u
#define ROOM	     2048u

static struct rtpfork_crypto *crypto;

static inline struct rtpfork_srtp_key key_of(const char *suite, const char *material_hex,
					     enum rtpfork_srtp_direction direction)
{
	struct rtpfork_srtp_key key;
	uint8_t material[RTPFORK_SRTP_MATERIAL_BYTES];
	size_t bytes = check_hex(material_hex, material);

	CHECK_EQ(rtpfork_srtp_key_init(&key, crypto, rtpfork_srtp_suite(suite), material, bytes,
				       direction),
		 RTPFORK_OK);
	return key;
}

static inline struct rtpfork_srtp_key any_key(const struct rtpfork_srtp_suite *suite,
					      enum rtpfork_srtp_direction direction)
{
	struct rtpfork_srtp_key key;
	uint8_t material[RTPFORK_SRTP_MATERIAL_BYTES];

	for (size_t i = 0; i < sizeof material; i++)
		material[i] = (uint8_t)(7 * i + 3);
	CHECK_EQ(rtpfork_srtp_key_init(&key, crypto, suite, material,
				       (size_t)suite->key_bytes + suite->salt_bytes, direction),
		 RTPFORK_OK);
	return key;
}

static inline const struct rtpfork_srtp_suite *default_suite(void)
{
	return rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80");
}

static inline void make_rtp(uint8_t *packet, size_t bytes, uint32_t ssrc, uint16_t sequence)
{
	for (size_t i = 0; i < bytes; i++)
		packet[i] = (uint8_t)(i * 31);
	packet[0] = 0x80;
	packet[1] = 0;
	rtpfork_put_u16(packet + 2, sequence);
	rtpfork_put_u32(packet + 8, ssrc);
}

static inline int send_rtp(struct rtpfork_srtp_key *key, uint32_t ssrc, uint16_t sequence,
			   uint8_t *out, size_t *out_bytes)
{
	uint8_t packet[PACKET_BYTES];

	make_rtp(packet, sizeof packet, ssrc, sequence);
	return rtpfork_srtp_protect(key, crypto, packet, sizeof packet, out, ROOM, out_bytes);
}

static inline int receive_rtp(struct rtpfork_srtp_key *key, const uint8_t *packet, size_t bytes)
{
	uint8_t opened[ROOM];
	size_t opened_bytes;

	return rtpfork_srtp_unprotect(key, crypto, packet, bytes, opened, sizeof opened,
				      &opened_bytes);
}

static inline int send_rtcp(struct rtpfork_srtp_key *key, uint32_t ssrc, uint8_t *out,
			    size_t *out_bytes)
{
	uint8_t packet[32] = {0x80, 201, 0, 7};

	rtpfork_put_u32(packet + 4, ssrc);
	return rtpfork_srtcp_protect(key, crypto, packet, sizeof packet, out, ROOM, out_bytes);
}

static inline int receive_rtcp(struct rtpfork_srtp_key *key, const uint8_t *packet, size_t bytes)
{
	uint8_t opened[ROOM];
	size_t opened_bytes;

	return rtpfork_srtcp_unprotect(key, crypto, packet, bytes, opened, sizeof opened,
				       &opened_bytes);
}

/* Let |ssrc| have come to the index |highest|. */
static inline void place(struct rtpfork_srtp_key *key, uint32_t ssrc, uint64_t highest)
{
	struct rtpfork_srtp_source *source = rtpfork_srtp_claim(key, ssrc);

	source->used = ++key->packets;
	source->index = highest;
	source->window[0] = 1;
	source->rtp_begun = true;
}

#endif
