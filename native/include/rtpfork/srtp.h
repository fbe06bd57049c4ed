/* SRTP and SRTCP with SDES keys (RFC 3711, RFC 4568, RFC 6188, RFC 7714).
 *
 * A thread has one rtpfork_crypto, whose cipher contexts are re-keyed for each packet from the
 * small, contiguous rtpfork_srtp_key of the stream: the cost of a packet does not grow with the
 * number of streams. Nothing on the packet path allocates or locks. */
#ifndef RTPFORK_SRTP_H
#define RTPFORK_SRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTPFORK_SRTP_MATERIAL_BYTES 46u /* longest master key and salt */
#define RTPFORK_SRTP_TRAILER_BYTES  16u /* most that protecting adds to an RTP packet */
#define RTPFORK_SRTCP_TRAILER_BYTES 20u /* most that protecting adds to an RTCP packet */
#define RTPFORK_SRTP_SOURCES	    8u	/* SSRCs that one key serves at a time */
#define RTPFORK_SRTP_RETIRED	    64u /* SSRCs beyond these that one key may have served */
#define RTPFORK_SRTP_ROLL_OVERS	    64u /* of a key that is joined: 23 hours of 20 ms packets */

/* suites */

struct rtpfork_srtp_suite {
	const char *name;   /* as in a=crypto */
	uint8_t key_bytes;  /* master key; the session key is as long */
	uint8_t salt_bytes; /* master salt */
	uint8_t rtp_tag_bytes;
	uint8_t rtcp_tag_bytes; /* 10 also for the _32 suites (RFC 4568 6.2.2) */
	bool aead;
};

/* The suite of this exact name (RFC 4568 6.2, RFC 6188 4, RFC 7714 14.2), or NULL. Static storage.
 */
const struct rtpfork_srtp_suite *rtpfork_srtp_suite(const char *name);

/* The table of all suites, strongest first, and its length. Static storage. */
const struct rtpfork_srtp_suite *rtpfork_srtp_suites(size_t *count);

/* crypto context of a thread */

struct rtpfork_crypto;

/* Allocate a context into |*out|; owned by the caller, used by one thread at a time. Slow
 * (libcrypto fetches its ciphers). Returns RTPFORK_OK, RTPFORK_ENOMEM or RTPFORK_ECRYPTO. */
int rtpfork_crypto_new(struct rtpfork_crypto **out);

/* Wipe and free |crypto|; NULL is allowed. */
void rtpfork_crypto_free(struct rtpfork_crypto *crypto);

/* Check every suite against known answers of RFC 3711 B.2, B.3, RFC 6188 7 and RFC 7714 16, 17. For
 * the start of an engine. Returns RTPFORK_OK or RTPFORK_ECRYPTO. */
int rtpfork_crypto_self_test(struct rtpfork_crypto *crypto);

/* key of one direction */

enum rtpfork_srtp_direction {
	RTPFORK_SRTP_SEND,
	RTPFORK_SRTP_RECEIVE,
};

struct rtpfork_srtp_session_key { /* private */
	uint8_t cipher[32];
	uint8_t salt[16];
	uint32_t inner[5]; /* SHA-1 state after the inner and the outer pad of HMAC */
	uint32_t outer[5];
};

struct rtpfork_srtp_source { /* private: roll-over counter and replay lists of one SSRC */
	uint32_t ssrc;
	uint32_t rtcp_index; /* sender: next; receiver: highest */
	uint64_t index;	     /* highest RTP index: ROC * 65536 + SEQ */
	uint64_t used;	     /* key->packets when it was last used; 0: free */
	uint64_t window[2];  /* bit n: index - n was seen */
	uint64_t rtcp_window[2];
	bool rtp_begun;
	bool rtcp_begun;
};

/* Session keys, roll-over counters and replay lists of one direction of one stream. A value type,
 * embedded by its owner, that must not be copied once in use: two copies would use one key stream
 * twice. All fields are private. One thread at a time. */
struct rtpfork_srtp_key {
	const struct rtpfork_srtp_suite *suite; /* NULL: no key */
	uint32_t suite_number;			/* the same, for another process; from 1 */
	enum rtpfork_srtp_direction direction;
	uint64_t packets;
	struct rtpfork_srtp_session_key rtp;
	struct rtpfork_srtp_source sources[RTPFORK_SRTP_SOURCES];
	struct rtpfork_srtp_session_key rtcp;
	uint32_t retired[RTPFORK_SRTP_RETIRED]; /* SSRCs never to be sent again */
	uint32_t retired_count;
	bool joined; /* no RTP was opened yet, and its sender may have rolled over */
};

/* Derive the session keys (key derivation rate 0) from |material|, master key then master salt; ROC
 * and SRTCP index start at 0, replay lists empty. |material| is borrowed. Overwrites |*key|.
 * Returns RTPFORK_OK, RTPFORK_EKEYLENGTH (then |*key| is clear) or RTPFORK_ECRYPTO. */
int rtpfork_srtp_key_init(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			  const struct rtpfork_srtp_suite *suite, const uint8_t *material,
			  size_t material_bytes, enum rtpfork_srtp_direction direction);

/* Protect RTCP by session keys of another |material| of the same suite and length, before anything
 * was protected. RTPFORK_ECRYPTO: |*key| is clear. */
int rtpfork_srtp_key_set_rtcp(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			      const uint8_t *material);

/* Join a sender who has used the key before: the first RTP packet that |key|, of direction RECEIVE,
 * opens may have a ROC below RTPFORK_SRTP_ROLL_OVERS, each of which is tried (RFC 3711 3.3.1 has it
 * told out of band, and SDES has no field for it). Until then what fails costs as many times. */
void rtpfork_srtp_key_join(struct rtpfork_srtp_key *key);

/* Whether |key| was made of this suite and material, so that giving them again must keep its
 * roll-over counter (RFC 4568 7.1.4). Constant time in the key. */
bool rtpfork_srtp_key_matches(const struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			      const struct rtpfork_srtp_suite *suite, const uint8_t *material,
			      size_t material_bytes);

/* Go on with |key| of a process that ended, perhaps over a packet that it never sent: whatever is
 * not newer than its newest packets counts as seen. False: it is no key of |direction|; then it is
 * not to be used. */
bool rtpfork_srtp_key_resume(struct rtpfork_srtp_key *key, enum rtpfork_srtp_direction direction);

/* Wipe |key|. */
void rtpfork_srtp_key_clear(struct rtpfork_srtp_key *key);

/* Packets: |src| holds |bytes| octets. |dst| has |room| octets and is either |src| itself or apart
 * from it. The length of the result goes to |*dst_bytes|. On any error |dst| holds nothing of use
 * and the key is as it was. */

/* Protect one RTP packet; |key| must be of direction SEND. Each SSRC begins with ROC 0 and counts
 * on as RFC 3711 3.3.1 estimates. Needs |room| of bytes + tag. Returns RTPFORK_OK, or
 *   RTPFORK_ETRUNCATED, RTPFORK_EVERSION: not RTP
 *   RTPFORK_EREPLAY: this index was used already, is too old to know, or lies before the first
 * packet of the SSRC: sending would use a key stream twice or lose the peer's roll-over counter
 *   RTPFORK_EKEYSPENT: the SSRC has reached 2^48 (RFC 3711 9.2)
 *   RTPFORK_ESOURCES: the SSRC gave its place to a later one; it would use its key stream again
 * (RFC 3711 9.1). Or it is new, and there is no room to remember which one gives its place
 *   RTPFORK_ENOROOM, RTPFORK_ECRYPTO
 *   RTPFORK_EARGUMENT: no key, or of the other direction */
int rtpfork_srtp_protect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			 const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			 size_t *dst_bytes);

/* Authenticate, then decrypt one SRTP packet; |key| must be of direction RECEIVE. Nothing is
 * remembered of a packet that fails. An SSRC beyond RTPFORK_SRTP_SOURCES takes the place of the
 * least recently used one once it is authenticated. Needs |room| of bytes - tag. Returns
 * RTPFORK_OK, RTPFORK_ETRUNCATED, RTPFORK_EVERSION, RTPFORK_EREPLAY, RTPFORK_EAUTH,
 * RTPFORK_ENOROOM, RTPFORK_ECRYPTO or RTPFORK_EARGUMENT. The padding of the result has not been
 * checked. */
int rtpfork_srtp_unprotect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			   const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			   size_t *dst_bytes);

/* Protect one compound RTCP packet, encrypted (E flag set), with the next index of its sender's
 * SSRC, the first being 0 (RFC 3711 3.4). Returns as rtpfork_srtp_protect(); EREPLAY never,
 * EKEYSPENT after 2^31 packets. */
int rtpfork_srtcp_protect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			  const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			  size_t *dst_bytes);

/* Authenticate, then decrypt one SRTCP packet. Returns as rtpfork_srtp_unprotect(), or
 * RTPFORK_ECLEAR when the E flag is not set: UNENCRYPTED_SRTCP was not negotiated (RFC 4568 6.3.2).
 */
int rtpfork_srtcp_unprotect(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			    const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			    size_t *dst_bytes);

#ifdef __cplusplus
}
#endif

#endif
