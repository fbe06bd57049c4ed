/* SRTCP packets (RFC 3711 3.4; RFC 7714 9). */
#include <string.h>

#include <openssl/crypto.h>

#include "order.h"
#include "rtpfork/errors.h"
#include "rtpfork/octets.h"
#include "srtp_index.h"
#include "srtp_key.h"

#define ENCRYPTED 0x80000000u /* E flag beside the index */

enum {
	VERSION = 2,
	CLEAR_BYTES = 8, /* header and sender's SSRC stay readable */
	INDEX_BYTES = 4,
};

/* One packet on its way through a transform: CLEAR_BYTES, then |text_bytes| that are encrypted,
 * then a tag and the index, the index first except with GCM. */
struct transform {
	const struct rtpfork_srtp_key *key;
	struct rtpfork_crypto *crypto;
	uint32_t ssrc;
	uint32_t index;
	const uint8_t *src;
	size_t text_bytes;
	uint8_t *dst;
};

static size_t trailer_bytes(const struct rtpfork_srtp_key *key)
{
	return (size_t)key->suite->rtcp_tag_bytes + INDEX_BYTES;
}

static int crypt(const struct transform *t, const uint8_t *iv)
{
	return rtpfork_aes_cm(t->crypto, t->key->rtcp.cipher, t->key->suite->key_bytes, iv,
			      t->src + CLEAR_BYTES, t->text_bytes, t->dst + CLEAR_BYTES);
}

static void authenticate(const struct transform *t, const uint8_t *packet, const uint8_t *index,
			 uint8_t mac[RTPFORK_SHA1_BYTES])
{
	rtpfork_hmac_sha1(t->key->rtcp.inner, t->key->rtcp.outer,
			  (struct rtpfork_span){packet, CLEAR_BYTES + t->text_bytes},
			  (struct rtpfork_span){index, INDEX_BYTES}, mac);
}

static struct rtpfork_gcm gcm_of(const struct transform *t, const uint8_t *iv, const uint8_t *index)
{
	return (struct rtpfork_gcm){
		.key = t->key->rtcp.cipher,
		.key_bytes = t->key->suite->key_bytes,
		.iv = iv,
		.associated = {{t->src, CLEAR_BYTES}, {index, INDEX_BYTES}},
		.text = {t->src + CLEAR_BYTES, t->text_bytes},
	};
}

static int seal(const struct transform *t)
{
	uint8_t iv[RTPFORK_AES_BLOCK_BYTES];
	uint8_t mac[RTPFORK_SHA1_BYTES];
	uint8_t *trailer = t->dst + CLEAR_BYTES + t->text_bytes;

	rtpfork_srtp_iv(t->key->suite, &t->key->rtcp, t->ssrc, t->index, iv);
	if (t->dst != t->src)
		memcpy(t->dst, t->src, CLEAR_BYTES);
	if (t->key->suite->aead) {
		uint8_t *index = trailer + RTPFORK_GCM_TAG_BYTES;
		rtpfork_put_u32(index, ENCRYPTED | t->index);
		struct rtpfork_gcm gcm = gcm_of(t, iv, index);
		return rtpfork_gcm_seal(t->crypto, &gcm, t->dst + CLEAR_BYTES, trailer);
	}
	int error = crypt(t, iv);
	if (error)
		return error;
	rtpfork_put_u32(trailer, ENCRYPTED | t->index);
	authenticate(t, t->dst, trailer, mac);
	memcpy(trailer + INDEX_BYTES, mac, t->key->suite->rtcp_tag_bytes);
	return RTPFORK_OK;
}

static int unseal(const struct transform *t)
{
	uint8_t iv[RTPFORK_AES_BLOCK_BYTES];
	uint8_t mac[RTPFORK_SHA1_BYTES];
	const uint8_t *trailer = t->src + CLEAR_BYTES + t->text_bytes;
	int error;

	rtpfork_srtp_iv(t->key->suite, &t->key->rtcp, t->ssrc, t->index, iv);
	if (t->key->suite->aead) {
		struct rtpfork_gcm gcm = gcm_of(t, iv, trailer + RTPFORK_GCM_TAG_BYTES);
		error = rtpfork_gcm_open(t->crypto, &gcm, t->dst + CLEAR_BYTES, trailer);
	} else {
		authenticate(t, t->src, trailer, mac);
		if (CRYPTO_memcmp(mac, trailer + INDEX_BYTES, t->key->suite->rtcp_tag_bytes) != 0)
			return RTPFORK_EAUTH;
		error = crypt(t, iv);
	}
	if (!error && t->dst != t->src)
		memcpy(t->dst, t->src, CLEAR_BYTES);
	return error;
}

int rtpfork_srtcp_protect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			  const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			  size_t *dst_bytes)
{
	if (!key->suite || key->direction != RTPFORK_SRTP_SEND)
		return RTPFORK_EARGUMENT;
	if (bytes < CLEAR_BYTES)
		return RTPFORK_ETRUNCATED;
	if (src[0] >> 6 != VERSION)
		return RTPFORK_EVERSION;
	if (room < bytes + trailer_bytes(key))
		return RTPFORK_ENOROOM;
	uint32_t ssrc = rtpfork_get_u32(src + 4);
	struct rtpfork_srtp_source *source = rtpfork_srtp_find(key, ssrc);
	if (!source && !(source = rtpfork_srtp_claim(key, ssrc)))
		return RTPFORK_ESOURCES;
	if (source->rtcp_index > RTPFORK_SRTCP_INDEX_MAX)
		return RTPFORK_EKEYSPENT;
	int error = seal(&(struct transform){key, crypto, ssrc, source->rtcp_index, src,
					     bytes - CLEAR_BYTES, dst});
	if (error)
		return error;
	source->used = ++key->packets;
	source->rtcp_index++;
	*dst_bytes = bytes + trailer_bytes(key);
	return RTPFORK_OK;
}

static void remember(struct rtpfork_srtp_key *key, struct rtpfork_srtp_source *source,
		     uint32_t index)
{
	source->used = ++key->packets;
	if (!source->rtcp_begun) {
		source->rtcp_index = index;
		in_order();
		source->rtcp_begun = true;
	}
	source->rtcp_index =
		(uint32_t)rtpfork_srtp_mark(source->rtcp_index, source->rtcp_window, index);
}

int rtpfork_srtcp_unprotect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			    const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			    size_t *dst_bytes)
{
	if (!key->suite || key->direction != RTPFORK_SRTP_RECEIVE)
		return RTPFORK_EARGUMENT;
	if (bytes < CLEAR_BYTES + trailer_bytes(key))
		return RTPFORK_ETRUNCATED;
	if (src[0] >> 6 != VERSION)
		return RTPFORK_EVERSION;
	size_t packet_bytes = bytes - trailer_bytes(key);
	if (room < packet_bytes)
		return RTPFORK_ENOROOM;
	size_t index_at = key->suite->aead ? bytes - INDEX_BYTES : packet_bytes;
	uint32_t word = rtpfork_get_u32(src + index_at);
	if (!(word & ENCRYPTED))
		return RTPFORK_ECLEAR;
	uint32_t index = word & ~ENCRYPTED;
	uint32_t ssrc = rtpfork_get_u32(src + 4);
	struct rtpfork_srtp_source *source = rtpfork_srtp_find(key, ssrc);
	if (source && source->rtcp_begun &&
	    !rtpfork_srtp_is_new(source->rtcp_index, source->rtcp_window, index))
		return RTPFORK_EREPLAY;
	int error = unseal(&(struct transform){key, crypto, ssrc, index, src,
					       packet_bytes - CLEAR_BYTES, dst});
	if (error)
		return error;
	remember(key, source ? source : rtpfork_srtp_claim(key, ssrc), index);
	*dst_bytes = packet_bytes;
	return RTPFORK_OK;
}
