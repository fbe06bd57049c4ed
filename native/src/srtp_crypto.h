/* Ciphers and authentication that SRTP is made of, over the contexts of one thread. Private. */
#ifndef RTPFORK_SRTP_CRYPTO_H
#define RTPFORK_SRTP_CRYPTO_H

#include "rtpfork/srtp.h"

#define RTPFORK_AES_BLOCK_BYTES 16u
#define RTPFORK_GCM_IV_BYTES	12u
#define RTPFORK_GCM_TAG_BYTES	16u
#define RTPFORK_SHA1_BYTES	20u

struct rtpfork_span { /* borrowed octets */
	const uint8_t *at;
	size_t bytes;
};

/* XOR |bytes| of |src| with the AES-CM key stream that begins at |counter| (RFC 3711 4.1.1) into
 * |dst|, which may be |src|. The key has 16, 24 or 32 octets. RTPFORK_OK or RTPFORK_ECRYPTO. */
int rtpfork_aes_cm(struct rtpfork_crypto *crypto, const uint8_t *key, size_t key_bytes,
		   const uint8_t counter[RTPFORK_AES_BLOCK_BYTES], const uint8_t *src, size_t bytes,
		   uint8_t *dst);

/* AES-GCM (RFC 7714 5) over associated data in two pieces, of which the second may be empty. The
 * key has 16 or 32 octets. |dst| may be |src|. The tag is written to, or compared in constant time
 * with, |tag|. RTPFORK_OK, RTPFORK_EAUTH (open only) or RTPFORK_ECRYPTO. */
struct rtpfork_gcm {
	const uint8_t *key;
	size_t key_bytes;
	const uint8_t *iv;
	struct rtpfork_span associated[2];
	struct rtpfork_span text;
};
int rtpfork_gcm_seal(struct rtpfork_crypto *crypto, const struct rtpfork_gcm *gcm, uint8_t *dst,
		     uint8_t tag[RTPFORK_GCM_TAG_BYTES]);
int rtpfork_gcm_open(struct rtpfork_crypto *crypto, const struct rtpfork_gcm *gcm, uint8_t *dst,
		     const uint8_t tag[RTPFORK_GCM_TAG_BYTES]);

/* Take the SHA-1 states after both pads of HMAC (RFC 2104) for a key of up to 64 octets. */
void rtpfork_hmac_sha1_key(const uint8_t *key, size_t key_bytes, uint32_t inner[5],
			   uint32_t outer[5]);

/* HMAC-SHA1 of two pieces from the saved states. */
void rtpfork_hmac_sha1(const uint32_t inner[5], const uint32_t outer[5], struct rtpfork_span first,
		       struct rtpfork_span second, uint8_t mac[RTPFORK_SHA1_BYTES]);

#endif
