/* SRTP packets (RFC 3711 3.1, 3.3; RFC 7714 8). */
#include "rtpfork/srtp.h"

#include <string.h>

#include <openssl/crypto.h>

#include "order.h"
#include "rtpfork/errors.h"
#include "rtpfork/octets.h"
#include "rtpfork/rtp.h"
#include "srtp_index.h"
#include "srtp_key.h"

/* One packet on its way through a transform. |header| stays readable, |text| is encrypted. */
struct transform {
	const struct rtpfork_srtp_key *key;
	struct rtpfork_crypto *crypto;
	uint32_t ssrc;
	uint64_t index;
	const uint8_t *src;
	size_t header_bytes;
	size_t text_bytes;
	uint8_t *dst;
};

static void authenticate(const struct transform *t, const uint8_t *packet,
			 uint8_t mac[RTPFORK_SHA1_BYTES])
{
	uint8_t roll_over[4];

	rtpfork_put_u32(roll_over, (uint32_t)(t->index >> 16));
	rtpfork_hmac_sha1(t->key->rtp.inner, t->key->rtp.outer,
			  (struct rtpfork_span){packet, t->header_bytes + t->text_bytes},
			  (struct rtpfork_span){roll_over, sizeof roll_over}, mac);
}

static struct rtpfork_gcm gcm_of(const struct transform *t, const uint8_t *iv)
{
	return (struct rtpfork_gcm){
		.key = t->key->rtp.cipher,
		.key_bytes = t->key->suite->key_bytes,
		.iv = iv,
		.associated = {{t->src, t->header_bytes}, {NULL, 0}},
		.text = {t->src + t->header_bytes, t->text_bytes},
	};
}

static int crypt(const struct transform *t, const uint8_t *iv)
{
	return rtpfork_aes_cm(t->crypto, t->key->rtp.cipher, t->key->suite->key_bytes, iv,
			      t->src + t->header_bytes, t->text_bytes, t->dst + t->header_bytes);
}

static int seal(const struct transform *t)
{
	uint8_t iv[RTPFORK_AES_BLOCK_BYTES];
	uint8_t mac[RTPFORK_SHA1_BYTES];
	uint8_t *tag = t->dst + t->header_bytes + t->text_bytes;

	rtpfork_srtp_iv(t->key->suite, &t->key->rtp, t->ssrc, t->index, iv);
	if (t->dst != t->src)
		memcpy(t->dst, t->src, t->header_bytes);
	if (t->key->suite->aead) {
		struct rtpfork_gcm gcm = gcm_of(t, iv);
		return rtpfork_gcm_seal(t->crypto, &gcm, t->dst + t->header_bytes, tag);
	}
	int error = crypt(t, iv);
	if (error)
		return error;
	authenticate(t, t->dst, mac);
	/* Octets: memcpy's wider loads wait for the words of the MAC, a tenth of the packet's cost.
	 */
	for (size_t i = 0; i < t->key->suite->rtp_tag_bytes; i++)
		tag[i] = mac[i];
	return RTPFORK_OK;
}

static int unseal(const struct transform *t)
{
	uint8_t iv[RTPFORK_AES_BLOCK_BYTES];
	uint8_t mac[RTPFORK_SHA1_BYTES];
	const uint8_t *tag = t->src + t->header_bytes + t->text_bytes;
	int error;

	rtpfork_srtp_iv(t->key->suite, &t->key->rtp, t->ssrc, t->index, iv);
	if (t->key->suite->aead) {
		struct rtpfork_gcm gcm = gcm_of(t, iv);
		error = rtpfork_gcm_open(t->crypto, &gcm, t->dst + t->header_bytes, tag);
		if (error == RTPFORK_EAUTH && t->key->joined && t->dst == t->src) {
			uint8_t unread[RTPFORK_GCM_TAG_BYTES]; /* encrypted again as it came */
			rtpfork_gcm_seal(t->crypto, &gcm, t->dst + t->header_bytes, unread);
		}
	} else {
		authenticate(t, t->src, mac);
		if (CRYPTO_memcmp(mac, tag, t->key->suite->rtp_tag_bytes) != 0)
			return RTPFORK_EAUTH;
		error = crypt(t, iv);
	}
	if (!error && t->dst != t->src)
		memcpy(t->dst, t->src, t->header_bytes);
	return error;
}

/* Find the roll-over of a sender whose first packet this is not (RFC 3711 3.3.1). */
static int seek(struct transform *t)
{
	int error = unseal(t);
	for (uint64_t roll_over = 1;
	     error == RTPFORK_EAUTH && t->key->joined && roll_over < RTPFORK_SRTP_ROLL_OVERS;
	     roll_over++) {
		t->index = roll_over << 16 | (t->index & 0xffffu);
		error = unseal(t);
	}
	return error;
}

static void remember(struct rtpfork_srtp_key *key, struct rtpfork_srtp_source *source,
		     uint64_t index)
{
	source->used = ++key->packets;
	if (!source->rtp_begun) {
		source->index = index;
		in_order();
		source->rtp_begun = true;
	}
	source->index = rtpfork_srtp_mark(source->index, source->window, index);
}

int rtpfork_srtp_protect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			 const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			 size_t *dst_bytes)
{
	struct rtpfork_rtp rtp;

	if (!key->suite || key->direction != RTPFORK_SRTP_SEND)
		return RTPFORK_EARGUMENT;
	int error = rtpfork_rtp_parse_header(src, bytes, &rtp);
	if (error)
		return error;
	if (room < bytes + key->suite->rtp_tag_bytes)
		return RTPFORK_ENOROOM;
	uint64_t index = rtp.sequence;
	struct rtpfork_srtp_source *source = rtpfork_srtp_find(key, rtp.ssrc);
	if (source && source->rtp_begun) {
		if (!rtpfork_srtp_estimate(source->index, rtp.sequence, &index))
			return source->index >> 16 ? RTPFORK_EKEYSPENT : RTPFORK_EREPLAY;
		if (!rtpfork_srtp_is_new(source->index, source->window, index))
			return RTPFORK_EREPLAY;
	}
	if (!source && !(source = rtpfork_srtp_claim(key, rtp.ssrc)))
		return RTPFORK_ESOURCES;
	error = seal(&(struct transform){key, crypto, rtp.ssrc, index, src, rtp.header_bytes,
					 rtp.payload_bytes, dst});
	if (error)
		return error;
	remember(key, source, index);
	*dst_bytes = bytes + key->suite->rtp_tag_bytes;
	return RTPFORK_OK;
}

int rtpfork_srtp_unprotect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			   const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			   size_t *dst_bytes)
{
	struct rtpfork_rtp rtp;

	if (!key->suite || key->direction != RTPFORK_SRTP_RECEIVE)
		return RTPFORK_EARGUMENT;
	if (bytes < key->suite->rtp_tag_bytes)
		return RTPFORK_ETRUNCATED;
	size_t packet_bytes = bytes - key->suite->rtp_tag_bytes;
	int error = rtpfork_rtp_parse_header(src, packet_bytes, &rtp);
	if (error)
		return error;
	if (room < packet_bytes)
		return RTPFORK_ENOROOM;
	uint64_t index = rtp.sequence;
	struct rtpfork_srtp_source *source = rtpfork_srtp_find(key, rtp.ssrc);
	if (source && source->rtp_begun) {
		/* Before ROC 0 there is nothing: such a packet can only be a step far ahead. */
		rtpfork_srtp_estimate(source->index, rtp.sequence, &index);
		if (!rtpfork_srtp_is_new(source->index, source->window, index))
			return RTPFORK_EREPLAY;
	}
	struct transform t = {key, crypto,	     rtp.ssrc,		index,
			      src, rtp.header_bytes, rtp.payload_bytes, dst};
	error = seek(&t);
	if (error)
		return error;
	key->joined = false;
	remember(key, source ? source : rtpfork_srtp_claim(key, rtp.ssrc), t.index);
	*dst_bytes = packet_bytes;
	return RTPFORK_OK;
}
