/* SRTP against known answers (RFC 3711 B, RFC 6188 7, RFC 7714 16, 17). */
#include "srtp_fixture.h"

static void self_test_agrees_with_the_rfcs(void)
{
	CHECK_EQ(rtpfork_crypto_self_test(crypto), RTPFORK_OK);
}

/* RFC 3711 B.2, RFC 6188 7.1, 7.3: the last blocks, 0xff00 on. */
static void key_stream_crosses_the_counter_octet(void)
{
	static const char *const vectors[][2] = {
		{"2b7e151628aed2a6abf7158809cf4f3c",
		 "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae"
		 "6a2cc3787889374fbeb4c81b17ba6c44"},
		{"eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7",
		 "d108d1a31a00bad6367ec23eb044b415c8f57129fdeb970b59f917b257662d4c"
		 "a5dab625811034e8cebdfeb6dc158dd3"},
		{"57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
		 "cea518c90fd91ced9cbb18c078a547113dbc4814f4da5f00a08772b63c6a046d"
		 "6eb246913062a16891433e97dd01a57f"},
	};
	uint8_t key[32], counter[16], expected[48];

	check_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", counter);
	for (size_t i = 0; i < 3; i++) {
		uint8_t stream[48] = {0};
		size_t key_bytes = check_hex(vectors[i][0], key);
		check_hex(vectors[i][1], expected);
		CHECK_EQ(rtpfork_aes_cm(crypto, key, key_bytes, counter, stream, sizeof stream,
					stream),
			 RTPFORK_OK);
		CHECK_BYTES(stream, expected, sizeof stream);
	}
}

/* RFC 3711 B.3 derives an authentication key of 94 octets, over several blocks. */
static void derivation_goes_over_blocks(void)
{
	uint8_t material[30], derived[94], expected[94];

	check_hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6", material);
	check_hex(
		"cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbcee049646c43d9327ad1"
		"75578ef72270986371c10c9a369ac2f94a8c5fbcdddc256d6e919a48b610ef17c2041e474035766b68"
		"642c59bbfc2f34db60dbdfb2",
		expected);
	CHECK_EQ(rtpfork_srtp_derive(crypto, default_suite(), material, 1, derived, sizeof derived),
		 RTPFORK_OK);
	CHECK_BYTES(derived, expected, sizeof derived);
}

#define KEY_192 "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1c8522f3acd4ce86d5add78edbb11"
#define KEY_256                                                                                    \
	"f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b" \
	"7"                                                                                        \
	"8d2"
#define KEY_GCM "000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7a8a9aaab"
#define TEXT	"abababababababababababababababab"

struct vector {
	const char *suite;
	const char *material;
	uint64_t highest; /* index of the packet sent before; 0: none */
	const char *plain;
	const char *sealed;
};

static const struct vector RTP_VECTORS[] = {
	{"AES_CM_128_HMAC_SHA1_80", KEY_128, 0, "800f1234decafbadcafebabe" TEXT,
	 "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"},
	{"AES_CM_128_HMAC_SHA1_32", KEY_128, 0, "800f1234decafbadcafebabe" TEXT,
	 "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc"},
	{"AES_192_CM_HMAC_SHA1_80", KEY_192, 0, "800f0000decafbad00000000" TEXT,
	 "800f0000decafbad00000000d98865552f2762c3ef37f837acfdb7122d6bc4dc84c76f74aea5"},
	{"AES_256_CM_HMAC_SHA1_80", KEY_256, 0, "800f1234decafbadcafebabe" TEXT,
	 "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b"},
	{"AEAD_AES_128_GCM", KEY_GCM, 0, "800f1234decafbadcafebabe" TEXT,
	 "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a39"
	 "2"},
	{"AES_CM_128_HMAC_SHA1_80", KEY_128, 0xfffe, "800fffffdecafbadcafebabe" TEXT,
	 "800fffffdecafbadcafebabef36e96fc87ac01758cea5f94ba171db81149c9c49efa93c1b483"},
	{"AES_CM_128_HMAC_SHA1_80", KEY_128, 0xffff, "800f0000decafbadcafebabe" TEXT,
	 "800f0000decafbadcafebabe24ecf92d9c97bf2ac679b796fdfd365a267beecdc56456590e62"},
	{"AES_CM_128_HMAC_SHA1_80", KEY_128, 0x1fffe, "800fffffdecafbadcafebabe" TEXT,
	 "800fffffdecafbadcafebabe9ef3389acca4592a9856704dda191b2546d7fe7b075ab84679cd"},
	{"AES_CM_128_HMAC_SHA1_80", KEY_128, 0xfffffffffffe, "800fffffdecafbadcafebabe" TEXT,
	 "800fffffdecafbadcafebabe8600988d69d2456da3f55eaca1a1af4ff3ef51be509e969dd434"},
};

/* RFC 3711 3.3, RFC 6188 4, RFC 7714 8: whole packets from the master key. */
static void rtp_agrees_with_other_implementations(void)
{
	for (size_t i = 0; i < sizeof RTP_VECTORS / sizeof RTP_VECTORS[0]; i++) {
		const struct vector *v = &RTP_VECTORS[i];
		struct rtpfork_srtp_key send = key_of(v->suite, v->material, RTPFORK_SRTP_SEND);
		struct rtpfork_srtp_key receive =
			key_of(v->suite, v->material, RTPFORK_SRTP_RECEIVE);
		uint8_t packet[ROOM], plain[ROOM], expected[ROOM];
		size_t bytes = check_hex(v->plain, plain);
		size_t expected_bytes = check_hex(v->sealed, expected);

		if (v->highest) {
			place(&send, rtpfork_get_u32(plain + 8), v->highest);
			place(&receive, rtpfork_get_u32(plain + 8), v->highest);
		}
		memcpy(packet, plain, bytes);
		CHECK_EQ(rtpfork_srtp_protect(&send, crypto, packet, bytes, packet, sizeof packet,
					      &bytes),
			 RTPFORK_OK);
		CHECK_EQ(bytes, expected_bytes);
		CHECK_BYTES(packet, expected, bytes);
		CHECK_EQ(rtpfork_srtp_unprotect(&receive, crypto, packet, bytes, packet,
						sizeof packet, &bytes),
			 RTPFORK_OK);
		CHECK_EQ(bytes, strlen(v->plain) / 2);
		CHECK_BYTES(packet, plain, bytes);
	}
}

/* RFC 3711 3.4, RFC 7714 9: the second packet of an SSRC, index 1. */
static void rtcp_agrees_with_other_implementations(void)
{
	static const struct vector vectors[] = {
		{"AES_CM_128_HMAC_SHA1_80", KEY_128, 0, "81c8000bcafebabe" TEXT,
		 "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798"},
		{"AEAD_AES_128_GCM", KEY_GCM, 0, "81c8000bcafebabe" TEXT,
		 "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e8"
		 "0000"
		 "001"},
	};

	for (size_t i = 0; i < 2; i++) {
		const struct vector *v = &vectors[i];
		struct rtpfork_srtp_key send = key_of(v->suite, v->material, RTPFORK_SRTP_SEND);
		struct rtpfork_srtp_key receive =
			key_of(v->suite, v->material, RTPFORK_SRTP_RECEIVE);
		uint8_t sealed[ROOM], opened[ROOM], plain[ROOM], expected[ROOM];
		size_t bytes = check_hex(v->plain, plain), sealed_bytes, opened_bytes;
		size_t expected_bytes = check_hex(v->sealed, expected);

		for (int turn = 0; turn < 2; turn++)
			CHECK_EQ(rtpfork_srtcp_protect(&send, crypto, plain, bytes, sealed,
						       sizeof sealed, &sealed_bytes),
				 RTPFORK_OK);
		CHECK_EQ(sealed_bytes, expected_bytes);
		CHECK_BYTES(sealed, expected, sealed_bytes);
		CHECK_EQ(rtpfork_srtcp_unprotect(&receive, crypto, sealed, sealed_bytes, opened,
						 sizeof opened, &opened_bytes),
			 RTPFORK_OK);
		CHECK_EQ(opened_bytes, bytes);
		CHECK_BYTES(opened, plain, bytes);
	}
}

int main(void)
{
	CHECK_EQ(rtpfork_crypto_new(&crypto), RTPFORK_OK);
	RUN(self_test_agrees_with_the_rfcs);
	RUN(key_stream_crosses_the_counter_octet);
	RUN(derivation_goes_over_blocks);
	RUN(rtp_agrees_with_other_implementations);
	RUN(rtcp_agrees_with_other_implementations);
	rtpfork_crypto_free(crypto);
	return 0;
}
