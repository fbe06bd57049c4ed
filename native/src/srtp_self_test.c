/* Known answers of RFC 2202 3, RFC 3711 B.2 and B.3, RFC 6188 7, RFC 7714 16 and 17. */
#include <string.h>

#include "rtpfork/errors.h"
#include "srtp_key.h"

enum { LONGEST_BYTES = 96 };

struct key_stream {
	const char *key;
	const char *block; /* of counter f0f1...fd0000 */
};

struct derivation {
	const char *suite;
	const char *material;
	const char *expected[3]; /* by label: cipher key, authentication key, salt */
};

struct packet {
	const char *key;
	const char *salt;
	uint32_t ssrc;
	uint64_t index;
	const char *associated;
	const char *text;
	const char *sealed; /* and tag */
};

static const struct key_stream KEY_STREAMS[] = {
	{"2b7e151628aed2a6abf7158809cf4f3c", "e03ead0935c95e80e166b16dd92b4eb4"},
	{"eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7", "35096cba4610028dc1b57503804ce37c"},
	{"57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
	 "92bdd28a93c3f52511c677d08b5515a4"},
};

static const struct derivation DERIVATIONS[] = {
	{"AES_CM_128_HMAC_SHA1_80",
	 "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
	 {"c61e7a93744f39ee10734afe3ff7a087", "cebe321f6ff7716b6fd4ab49af256a156d38baa4",
	  "30cbbc08863d8c85d49db34a9ae1"}},
	{"AES_192_CM_HMAC_SHA1_80",
	 "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1c8522f3acd4ce86d5add78edbb11",
	 {"31874736a8f1143870c26e4857d8a5b2c4a354407faadabb",
	  "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb", "2372b82d639b6d8503a47adc0a6c"}},
	{"AES_256_CM_HMAC_SHA1_80",
	 "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"
	 "3b04803de51ee7c96423ab5b78d2",
	 {"5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
	  "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05", "fa31791685ca444a9e07c6c64e93"}},
};

#define GCM_SALT    "517569642070726f2071756f"
#define GCM_KEY	    "000102030405060708090a0b0c0d0e0f"
#define RTP_HEADER  "8040f17b8041f8d35501a0b2"
#define RTP_TEXT    "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573"
#define RTCP_HEADER "81c8000d4d617273800005d4" /* and the SRTCP index */
#define RTCP_TEXT                                                                                  \
	"4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"

static const struct packet PACKETS[] = {
	{GCM_KEY, GCM_SALT, 0x5501a0b2, 0xf17b, RTP_HEADER, RTP_TEXT,
	 "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
	 "899d7f27beb16a9152cf765ee4390cce"},
	{GCM_KEY "101112131415161718191a1b1c1d1e1f", GCM_SALT, 0x5501a0b2, 0xf17b, RTP_HEADER,
	 RTP_TEXT,
	 "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
	 "7aa3db36dfffd6b0f9bb7878d7a76c13"},
	{GCM_KEY, GCM_SALT, 0x4d617273, 0x5d4, RTCP_HEADER, RTCP_TEXT,
	 "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded"
	 "0bb9275bc84aa45896cf4d2fc5abf87245d9eade"},
	{GCM_KEY "101112131415161718191a1b1c1d1e1f", GCM_SALT, 0x4d617273, 0x5d4, RTCP_HEADER,
	 RTCP_TEXT,
	 "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de047"
	 "6f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be"},
};

static uint8_t nibble(char digit)
{
	return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static size_t octets(const char *hex, uint8_t *out)
{
	size_t bytes = strlen(hex) / 2;

	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return bytes;
}

static bool key_stream_fits(struct rtpfork_crypto *crypto, const struct key_stream *test)
{
	uint8_t key[32], counter[RTPFORK_AES_BLOCK_BYTES], expected[RTPFORK_AES_BLOCK_BYTES];
	uint8_t block[RTPFORK_AES_BLOCK_BYTES] = {0};
	size_t key_bytes = octets(test->key, key);

	octets("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000", counter);
	octets(test->block, expected);
	return !rtpfork_aes_cm(crypto, key, key_bytes, counter, block, sizeof block, block) &&
	       memcmp(block, expected, sizeof block) == 0;
}

static bool derivation_fits(struct rtpfork_crypto *crypto, const struct derivation *test)
{
	const struct rtpfork_srtp_suite *suite = rtpfork_srtp_suite(test->suite);
	uint8_t material[RTPFORK_SRTP_MATERIAL_BYTES], derived[32], expected[32];

	octets(test->material, material);
	for (uint8_t label = 0; label < 3; label++) {
		size_t bytes = octets(test->expected[label], expected);
		if (rtpfork_srtp_derive(crypto, suite, material, label, derived, bytes) ||
		    memcmp(derived, expected, bytes) != 0)
			return false;
	}
	return true;
}

static bool packet_fits(struct rtpfork_crypto *crypto, const struct packet *test)
{
	struct rtpfork_srtp_session_key session = {0};
	uint8_t iv[RTPFORK_AES_BLOCK_BYTES], associated[LONGEST_BYTES], text[LONGEST_BYTES];
	uint8_t expected[LONGEST_BYTES], sealed[LONGEST_BYTES], opened[LONGEST_BYTES];
	size_t expected_bytes = octets(test->sealed, expected);
	struct rtpfork_gcm gcm = {
		.key = session.cipher,
		.key_bytes = octets(test->key, session.cipher),
		.iv = iv,
		.associated = {{associated, octets(test->associated, associated)}, {NULL, 0}},
		.text = {text, octets(test->text, text)},
	};
	size_t text_bytes = gcm.text.bytes;

	octets(test->salt, session.salt);
	rtpfork_srtp_iv(rtpfork_srtp_suite("AEAD_AES_128_GCM"), &session, test->ssrc, test->index,
			iv);
	if (rtpfork_gcm_seal(crypto, &gcm, sealed, sealed + text_bytes) ||
	    memcmp(sealed, expected, expected_bytes) != 0)
		return false;
	gcm.text.at = sealed;
	return !rtpfork_gcm_open(crypto, &gcm, opened, sealed + text_bytes) &&
	       memcmp(opened, text, text_bytes) == 0;
}

static bool hmac_fits(void)
{
	uint8_t key[20], expected[RTPFORK_SHA1_BYTES], mac[RTPFORK_SHA1_BYTES];
	uint32_t inner[5], outer[5];

	memset(key, 0x0b, sizeof key); /* RFC 2202 3, test 1, in two pieces */
	octets("b617318655057264e28bc0b6fb378c8ef146be00", expected);
	rtpfork_hmac_sha1_key(key, sizeof key, inner, outer);
	rtpfork_hmac_sha1(inner, outer, (struct rtpfork_span){(const uint8_t *)"Hi ", 3},
			  (struct rtpfork_span){(const uint8_t *)"There", 5}, mac);
	return memcmp(mac, expected, sizeof mac) == 0;
}

int rtpfork_crypto_self_test(struct rtpfork_crypto *crypto)
{
	bool fits = hmac_fits();

	for (size_t i = 0; i < sizeof KEY_STREAMS / sizeof KEY_STREAMS[0]; i++)
		fits = fits && key_stream_fits(crypto, &KEY_STREAMS[i]);
	for (size_t i = 0; i < sizeof DERIVATIONS / sizeof DERIVATIONS[0]; i++)
		fits = fits && derivation_fits(crypto, &DERIVATIONS[i]);
	for (size_t i = 0; i < sizeof PACKETS / sizeof PACKETS[0]; i++)
		fits = fits && packet_fits(crypto, &PACKETS[i]);
	return fits ? RTPFORK_OK : RTPFORK_ECRYPTO;
}
