/* Session keys, initialisation vectors and the SSRCs of one key. Private. */
#ifndef RTPFORK_SRTP_KEY_H
#define RTPFORK_SRTP_KEY_H

#include "srtp_crypto.h"

#define RTPFORK_HMAC_KEY_BYTES 20u /* n_a of RFC 3711 8.2 */

/* Derive |bytes| of session key for |label| (RFC 3711 4.3.1, 4.3.3; RFC 7714 11), rate 0. */
int rtpfork_srtp_derive(struct rtpfork_crypto *crypto, const struct rtpfork_srtp_suite *suite,
			const uint8_t *material, uint8_t label, uint8_t *out, size_t bytes);

/* IV of AES-CM (RFC 3711 4.1.1) or GCM (RFC 7714 8.1, 9.1) for a 48-bit index. */
void rtpfork_srtp_iv(const struct rtpfork_srtp_suite *suite,
		     const struct rtpfork_srtp_session_key *session, uint32_t ssrc, uint64_t index,
		     uint8_t iv[RTPFORK_AES_BLOCK_BYTES]);

/* The state of |ssrc|, or NULL when |key| has none. */
struct rtpfork_srtp_source *rtpfork_srtp_find(struct rtpfork_srtp_key *key, uint32_t ssrc);

/* Make room for |ssrc|: a free place, else that of the least recently used one when |key| receives;
 * NULL when it sends and is full. */
struct rtpfork_srtp_source *rtpfork_srtp_claim(struct rtpfork_srtp_key *key, uint32_t ssrc);

#endif
