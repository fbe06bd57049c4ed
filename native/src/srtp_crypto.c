/* AES-CM, AES-GCM and HMAC-SHA1 over libcrypto.
 *
 * HMAC goes through SHA1_Update and SHA1_Final from saved states: EVP_MAC and EVP_MD_CTX_copy
 * allocate for each packet, a context per stream makes the cost grow with the number of streams,
 * and these functions use the same SHA instructions. They are deprecated since OpenSSL 3.0, not
 * removed. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "srtp_crypto.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "rtpfork/errors.h"

enum { CM_128, CM_192, CM_256, GCM_128, GCM_256, CIPHERS };

struct rtpfork_crypto {
	EVP_CIPHER *ciphers[CIPHERS];
	EVP_CIPHER_CTX *contexts[CIPHERS];
};

static const char *const CIPHER_NAMES[CIPHERS] = {
	[CM_128] = "AES-128-CTR",  [CM_192] = "AES-192-CTR",  [CM_256] = "AES-256-CTR",
	[GCM_128] = "AES-128-GCM", [GCM_256] = "AES-256-GCM",
};

/* contexts */

int rtpfork_crypto_new(struct rtpfork_crypto **out)
{
	struct rtpfork_crypto *crypto = calloc(1, sizeof *crypto);

	if (!crypto)
		return RTPFORK_ENOMEM;
	for (size_t i = 0; i < CIPHERS; i++) {
		crypto->ciphers[i] = EVP_CIPHER_fetch(NULL, CIPHER_NAMES[i], NULL);
		crypto->contexts[i] = EVP_CIPHER_CTX_new();
		if (!crypto->ciphers[i] || !crypto->contexts[i] ||
		    EVP_EncryptInit_ex2(crypto->contexts[i], crypto->ciphers[i], NULL, NULL,
					NULL) != 1) {
			rtpfork_crypto_free(crypto);
			return RTPFORK_ECRYPTO;
		}
	}
	*out = crypto;
	return RTPFORK_OK;
}

void rtpfork_crypto_free(struct rtpfork_crypto *crypto)
{
	if (!crypto)
		return;
	for (size_t i = 0; i < CIPHERS; i++) {
		/* Frees the key schedule of the last packet by OPENSSL_clear_free. */
		EVP_CIPHER_CTX_free(crypto->contexts[i]);
		EVP_CIPHER_free(crypto->ciphers[i]);
	}
	free(crypto);
}

/* ciphers */

int rtpfork_aes_cm(struct rtpfork_crypto *crypto, const uint8_t *key, size_t key_bytes,
		   const uint8_t counter[RTPFORK_AES_BLOCK_BYTES], const uint8_t *src, size_t bytes,
		   uint8_t *dst)
{
	EVP_CIPHER_CTX *context = crypto->contexts[key_bytes == 16   ? CM_128
						   : key_bytes == 24 ? CM_192
								     : CM_256];
	int written;

	if (bytes > INT_MAX || EVP_EncryptInit_ex2(context, NULL, key, counter, NULL) != 1 ||
	    EVP_EncryptUpdate(context, dst, &written, src, (int)bytes) != 1)
		return RTPFORK_ECRYPTO;
	return RTPFORK_OK;
}

static int gcm_run(EVP_CIPHER_CTX *context, const struct rtpfork_gcm *gcm, int sealing,
		   uint8_t *dst)
{
	int written;

	if (EVP_CipherInit_ex2(context, NULL, gcm->key, gcm->iv, sealing, NULL) != 1)
		return RTPFORK_ECRYPTO;
	for (size_t i = 0; i < 2; i++) {
		struct rtpfork_span piece = gcm->associated[i];
		if (piece.bytes > INT_MAX ||
		    (piece.bytes &&
		     EVP_CipherUpdate(context, NULL, &written, piece.at, (int)piece.bytes) != 1))
			return RTPFORK_ECRYPTO;
	}
	if (gcm->text.bytes > INT_MAX ||
	    (gcm->text.bytes &&
	     EVP_CipherUpdate(context, dst, &written, gcm->text.at, (int)gcm->text.bytes) != 1))
		return RTPFORK_ECRYPTO;
	return RTPFORK_OK;
}

static EVP_CIPHER_CTX *gcm_context(struct rtpfork_crypto *crypto, const struct rtpfork_gcm *gcm)
{
	return crypto->contexts[gcm->key_bytes == 16 ? GCM_128 : GCM_256];
}

int rtpfork_gcm_seal(struct rtpfork_crypto *crypto, const struct rtpfork_gcm *gcm, uint8_t *dst,
		     uint8_t tag[RTPFORK_GCM_TAG_BYTES])
{
	EVP_CIPHER_CTX *context = gcm_context(crypto, gcm);
	uint8_t rest[RTPFORK_AES_BLOCK_BYTES]; /* GCM leaves none */
	int written;

	if (gcm_run(context, gcm, 1, dst) || EVP_CipherFinal_ex(context, rest, &written) != 1 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, RTPFORK_GCM_TAG_BYTES, tag) != 1)
		return RTPFORK_ECRYPTO;
	return RTPFORK_OK;
}

int rtpfork_gcm_open(struct rtpfork_crypto *crypto, const struct rtpfork_gcm *gcm, uint8_t *dst,
		     const uint8_t tag[RTPFORK_GCM_TAG_BYTES])
{
	EVP_CIPHER_CTX *context = gcm_context(crypto, gcm);
	uint8_t rest[RTPFORK_AES_BLOCK_BYTES];
	uint8_t expected[RTPFORK_GCM_TAG_BYTES];
	int written;

	for (size_t i = 0; i < sizeof expected; i++)
		expected[i] = tag[i];
	if (gcm_run(context, gcm, 0, dst) ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, RTPFORK_GCM_TAG_BYTES, expected) !=
		    1)
		return RTPFORK_ECRYPTO;
	return EVP_CipherFinal_ex(context, rest, &written) == 1 ? RTPFORK_OK : RTPFORK_EAUTH;
}

/* authentication */

static void save_state(const SHA_CTX *context, uint32_t state[5])
{
	state[0] = context->h0;
	state[1] = context->h1;
	state[2] = context->h2;
	state[3] = context->h3;
	state[4] = context->h4;
}

/* A context that has hashed one block, the pad, and holds |state|. */
static void resume_state(SHA_CTX *context, const uint32_t state[5])
{
	context->h0 = state[0];
	context->h1 = state[1];
	context->h2 = state[2];
	context->h3 = state[3];
	context->h4 = state[4];
	context->Nl = SHA_CBLOCK * 8;
	context->Nh = 0;
	context->num = 0;
}

static void hash_pad(const uint8_t *key, size_t key_bytes, uint8_t pad, uint32_t state[5])
{
	uint8_t block[SHA_CBLOCK];
	SHA_CTX context;

	for (size_t i = 0; i < sizeof block; i++)
		block[i] = i < key_bytes ? key[i] ^ pad : pad;
	SHA1_Init(&context);
	SHA1_Update(&context, block, sizeof block);
	save_state(&context, state);
	OPENSSL_cleanse(block, sizeof block);
	OPENSSL_cleanse(&context, sizeof context);
}

void rtpfork_hmac_sha1_key(const uint8_t *key, size_t key_bytes, uint32_t inner[5],
			   uint32_t outer[5])
{
	hash_pad(key, key_bytes, 0x36, inner); /* ipad and opad of RFC 2104 2 */
	hash_pad(key, key_bytes, 0x5c, outer);
}

void rtpfork_hmac_sha1(const uint32_t inner[5], const uint32_t outer[5], struct rtpfork_span first,
		       struct rtpfork_span second, uint8_t mac[RTPFORK_SHA1_BYTES])
{
	SHA_CTX context;
	uint8_t digest[RTPFORK_SHA1_BYTES];

	resume_state(&context, inner);
	SHA1_Update(&context, first.at, first.bytes);
	SHA1_Update(&context, second.at, second.bytes);
	SHA1_Final(digest, &context);
	resume_state(&context, outer);
	SHA1_Update(&context, digest, sizeof digest);
	SHA1_Final(mac, &context);
}
