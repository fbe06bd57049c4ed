/* Crypto-suites, key derivation and the state of a key (RFC 3711 3.2, 4.3, 8.2; RFC 6188; RFC
 * 7714). */
#include "srtp_key.h"

#include "srtp_index.h"

#include <string.h>

#include <openssl/crypto.h>

#include "order.h"
#include "rtpfork/errors.h"

enum { /* RFC 3711 4.3.1, 4.3.2 */
       LABEL_RTP_CIPHER = 0,
       LABEL_RTP_AUTH = 1,
       LABEL_RTP_SALT = 2,
       LABEL_RTCP_CIPHER = 3,
       LABEL_RTCP_AUTH = 4,
       LABEL_RTCP_SALT = 5,
       LABEL_AT = 7, /* octet of the label in key_id XOR master salt */
       SALT_BYTES = 14,
};

static const struct rtpfork_srtp_suite SUITES[] = {
	{"AEAD_AES_256_GCM", 32, 12, 16, 16, true},
	{"AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10, false},
	{"AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10, false},
	{"AES_192_CM_HMAC_SHA1_80", 24, 14, 10, 10, false},
	{"AES_192_CM_HMAC_SHA1_32", 24, 14, 4, 10, false},
	{"AEAD_AES_128_GCM", 16, 12, 16, 16, true},
	{"AES_CM_128_HMAC_SHA1_80", 16, 14, 10, 10, false},
	{"AES_CM_128_HMAC_SHA1_32", 16, 14, 4, 10, false},
};

const struct rtpfork_srtp_suite *rtpfork_srtp_suites(size_t *count)
{
	*count = sizeof SUITES / sizeof SUITES[0];
	return SUITES;
}

const struct rtpfork_srtp_suite *rtpfork_srtp_suite(const char *name)
{
	for (size_t i = 0; i < sizeof SUITES / sizeof SUITES[0]; i++) {
		if (strcmp(SUITES[i].name, name) == 0)
			return &SUITES[i];
	}
	return NULL;
}

/* session keys */

int rtpfork_srtp_derive(struct rtpfork_crypto *crypto, const struct rtpfork_srtp_suite *suite,
			const uint8_t *material, uint8_t label, uint8_t *out, size_t bytes)
{
	/* x * 2^16 with x = key_id XOR master_salt; a salt of 96 bits is padded on the right. */
	uint8_t counter[RTPFORK_AES_BLOCK_BYTES] = {0};

	memcpy(counter, material + suite->key_bytes, suite->salt_bytes);
	counter[LABEL_AT] ^= label;
	memset(out, 0, bytes);
	return rtpfork_aes_cm(crypto, material, suite->key_bytes, counter, out, bytes, out);
}

static int derive_session(struct rtpfork_crypto *crypto, const struct rtpfork_srtp_suite *suite,
			  const uint8_t *material, uint8_t first_label,
			  struct rtpfork_srtp_session_key *session)
{
	uint8_t auth[RTPFORK_HMAC_KEY_BYTES];
	int error = rtpfork_srtp_derive(crypto, suite, material, first_label, session->cipher,
					suite->key_bytes);

	if (!error)
		error = rtpfork_srtp_derive(crypto, suite, material,
					    (uint8_t)(first_label + LABEL_RTP_SALT), session->salt,
					    suite->salt_bytes);
	if (error || suite->aead)
		return error;
	error = rtpfork_srtp_derive(crypto, suite, material,
				    (uint8_t)(first_label + LABEL_RTP_AUTH), auth, sizeof auth);
	if (!error)
		rtpfork_hmac_sha1_key(auth, sizeof auth, session->inner, session->outer);
	OPENSSL_cleanse(auth, sizeof auth);
	return error;
}

int rtpfork_srtp_key_init(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			  const struct rtpfork_srtp_suite *suite, const uint8_t *material,
			  size_t material_bytes, enum rtpfork_srtp_direction direction)
{
	rtpfork_srtp_key_clear(key);
	if (material_bytes != (size_t)suite->key_bytes + suite->salt_bytes)
		return RTPFORK_EKEYLENGTH;
	int error = derive_session(crypto, suite, material, LABEL_RTP_CIPHER, &key->rtp);
	if (!error)
		error = derive_session(crypto, suite, material, LABEL_RTCP_CIPHER, &key->rtcp);
	if (error) {
		rtpfork_srtp_key_clear(key);
		return error;
	}
	key->suite = suite;
	key->suite_number = (uint32_t)(suite - SUITES) + 1;
	key->direction = direction;
	return RTPFORK_OK;
}

int rtpfork_srtp_key_set_rtcp(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			      const uint8_t *material)
{
	int error = derive_session(crypto, key->suite, material, LABEL_RTCP_CIPHER, &key->rtcp);
	if (error)
		rtpfork_srtp_key_clear(key);
	return error;
}

void rtpfork_srtp_key_join(struct rtpfork_srtp_key *key)
{
	key->joined = true;
}

bool rtpfork_srtp_key_matches(const struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			      const struct rtpfork_srtp_suite *suite, const uint8_t *material,
			      size_t material_bytes)
{
	struct rtpfork_srtp_key other = {0};

	if (key->suite != suite ||
	    rtpfork_srtp_key_init(&other, crypto, suite, material, material_bytes, key->direction))
		return false;
	int different = CRYPTO_memcmp(&key->rtp, &other.rtp, sizeof other.rtp) |
			CRYPTO_memcmp(&key->rtcp, &other.rtcp, sizeof other.rtcp);
	rtpfork_srtp_key_clear(&other);
	return !different;
}

static bool is_truth(const bool *value)
{
	uint8_t octet;
	memcpy(&octet, value, sizeof octet);
	return octet <= 1;
}

bool rtpfork_srtp_key_resume(struct rtpfork_srtp_key *key, enum rtpfork_srtp_direction direction)
{
	size_t suites = sizeof SUITES / sizeof SUITES[0];
	if (key->suite_number == 0 || key->suite_number > suites || key->direction != direction ||
	    key->retired_count > RTPFORK_SRTP_RETIRED || !is_truth(&key->joined))
		return false;
	for (size_t i = 0; i < RTPFORK_SRTP_SOURCES; i++) {
		struct rtpfork_srtp_source *source = &key->sources[i];
		if (!is_truth(&source->rtp_begun) || !is_truth(&source->rtcp_begun) ||
		    source->index > RTPFORK_SRTP_INDEX_MAX)
			return false;
		memset(source->window, 0xff, sizeof source->window);
		memset(source->rtcp_window, 0xff, sizeof source->rtcp_window);
	}
	key->suite = &SUITES[key->suite_number - 1];
	return true;
}

void rtpfork_srtp_key_clear(struct rtpfork_srtp_key *key)
{
	OPENSSL_cleanse(key, sizeof *key);
}

/* packets of a key */

void rtpfork_srtp_iv(const struct rtpfork_srtp_suite *suite,
		     const struct rtpfork_srtp_session_key *session, uint32_t ssrc, uint64_t index,
		     uint8_t iv[RTPFORK_AES_BLOCK_BYTES])
{
	/* SSRC and index stand together, at the end of 12 octets (GCM) or of 14 (AES-CM). */
	size_t at = suite->aead ? 2 : 4;

	memcpy(iv, session->salt, SALT_BYTES);
	iv[14] = iv[15] = 0;
	for (size_t i = 0; i < 4; i++)
		iv[at + i] ^= (uint8_t)(ssrc >> (24 - 8 * i));
	for (size_t i = 0; i < 6; i++)
		iv[at + 4 + i] ^= (uint8_t)(index >> (40 - 8 * i));
}

struct rtpfork_srtp_source *rtpfork_srtp_find(struct rtpfork_srtp_key *key, uint32_t ssrc)
{
	for (size_t i = 0; i < RTPFORK_SRTP_SOURCES; i++) {
		if (key->sources[i].used && key->sources[i].ssrc == ssrc)
			return &key->sources[i];
	}
	return NULL;
}

static bool is_retired(const struct rtpfork_srtp_key *key, uint32_t ssrc)
{
	for (uint32_t i = 0; i < key->retired_count; i++) {
		if (key->retired[i] == ssrc)
			return true;
	}
	return false;
}

static void retire(struct rtpfork_srtp_key *key, uint32_t ssrc)
{
	key->retired[key->retired_count] = ssrc;
	in_order();
	key->retired_count++;
	in_order(); /* it is known all the time, here or in its place */
}

struct rtpfork_srtp_source *rtpfork_srtp_claim(struct rtpfork_srtp_key *key, uint32_t ssrc)
{
	struct rtpfork_srtp_source *oldest = &key->sources[0];

	for (size_t i = 1; i < RTPFORK_SRTP_SOURCES; i++) {
		if (key->sources[i].used < oldest->used)
			oldest = &key->sources[i];
	}
	if (key->direction == RTPFORK_SRTP_SEND) {
		if (is_retired(key, ssrc) ||
		    (oldest->used && key->retired_count == RTPFORK_SRTP_RETIRED))
			return NULL;
		if (oldest->used)
			retire(key, oldest->ssrc);
	}
	oldest->used = 0;
	in_order(); /* half of a place is free */
	*oldest = (struct rtpfork_srtp_source){.ssrc = ssrc};
	return oldest;
}
