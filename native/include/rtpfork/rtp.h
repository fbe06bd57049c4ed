/* RTP packets (RFC 3550 5.1) and what else may arrive on a media socket (RFC 7983, RFC 5761 4).
 * Pure functions: no allocation, no state, any thread. */
#ifndef RTPFORK_RTP_H
#define RTPFORK_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTPFORK_RTP_HEADER_BYTES 12u /* fixed header, RFC 3550 5.1 */

/* What a datagram is, by its first octets. */
enum rtpfork_kind {
	RTPFORK_KIND_UNKNOWN = 0,
	RTPFORK_KIND_RTP,
	RTPFORK_KIND_RTCP,
	RTPFORK_KIND_STUN,
	RTPFORK_KIND_DTLS,
};

/* A parsed header. Offsets and lengths are within the datagram that was parsed. */
struct rtpfork_rtp {
	uint32_t ssrc;
	uint32_t timestamp;
	uint16_t sequence;
	uint16_t extension_profile; /* 0 without extension */
	uint8_t payload_type;	    /* 0..127 */
	uint8_t csrc_count;	    /* 0..15 */
	bool marker;
	bool padding;
	bool extension;
	size_t header_bytes;  /* fixed header, CSRC list and extension: where the payload begins */
	size_t payload_bytes; /* without padding */
	size_t padding_bytes; /* 0 without padding */
};

/* What a fork sets anew in a copied packet. */
struct rtpfork_rtp_rewrite {
	uint32_t ssrc;
	uint32_t timestamp;
	uint16_t sequence;
	uint8_t payload_type; /* 0..127 */
	bool marker;
};

/* Tell RTP, RTCP (payload types 192..223), STUN and DTLS apart by the first octets. Reads at most
 * two octets of |datagram|; a datagram too short for the fixed header of its kind is UNKNOWN. Only
 * rtpfork_rtp_parse() and rtpfork_rtcp_check() say whether it is valid. */
enum rtpfork_kind rtpfork_classify(const uint8_t *datagram, size_t bytes);

/* Parse and check the header of |datagram| into |*out|, as far as it is readable when the payload
 * is encrypted: padding_bytes is 0 and payload_bytes all that follows the header. Returns
 * RTPFORK_OK, RTPFORK_ETRUNCATED or RTPFORK_EVERSION; on error |*out| is unspecified. */
int rtpfork_rtp_parse_header(const uint8_t *datagram, size_t bytes, struct rtpfork_rtp *out);

/* Parse and check a whole RTP packet, padding included (RFC 3550 5.1, A.1).
 * Returns as rtpfork_rtp_parse_header(), or RTPFORK_EMALFORMED when the padding count is 0 or
 * longer than the payload. */
int rtpfork_rtp_parse(const uint8_t *datagram, size_t bytes, struct rtpfork_rtp *out);

/* Set the fields of |to| in |packet|, in place. |packet| must have been parsed with success. */
void rtpfork_rtp_rewrite(uint8_t *packet, const struct rtpfork_rtp_rewrite *to);

/* Copy |bytes| of the parsed |packet| into |dst| with the fields of |to|; CSRC list, extension,
 * payload and padding stay as they are. |dst| must not overlap. Returns RTPFORK_OK or
 * RTPFORK_ENOROOM. */
int rtpfork_rtp_copy(const uint8_t *packet, size_t bytes, const struct rtpfork_rtp_rewrite *to,
		     uint8_t *dst, size_t room);

#ifdef __cplusplus
}
#endif

#endif
