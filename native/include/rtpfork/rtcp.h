/* RTCP of an endpoint (RFC 3550 6): compound packets built and read, NTP time, the report interval.
 * Pure functions: no allocation, no clock, no randomness, any thread. */
#ifndef RTPFORK_RTCP_H
#define RTPFORK_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTPFORK_RTCP_SR	  200u
#define RTPFORK_RTCP_RR	  201u
#define RTPFORK_RTCP_SDES 202u
#define RTPFORK_RTCP_BYE  203u

#define RTPFORK_RTCP_MAX_BLOCKS	 31u  /* RFC 3550 6.4.1, RC has 5 bits */
#define RTPFORK_RTCP_CNAME_BYTES 255u /* longest SDES item, RFC 3550 6.5 */
/* Room that always suffices for rtpfork_rtcp_build(): SR with 31 blocks, SDES, BYE. */
#define RTPFORK_RTCP_MAX_BYTES (28u + 31u * 24u + 268u + 8u)

/* values */

struct rtpfork_rtcp_sender {	/* sender info, RFC 3550 6.4.1 */
	uint64_t ntp;		/* wall clock, 32.32 fixed point since 1900 */
	uint32_t rtp_timestamp; /* the same instant on the stream's clock */
	uint32_t packets;	/* sent since the SSRC began */
	uint32_t octets;	/* of payload, without header and padding */
};

struct rtpfork_rtcp_block {	 /* report block, RFC 3550 6.4.1 */
	uint32_t ssrc;		 /* whose packets are reported on */
	uint8_t fraction_lost;	 /* of 256, since the report before */
	int32_t cumulative_lost; /* 24 bits signed */
	uint32_t extended_highest_sequence;
	uint32_t jitter;	      /* timestamp units */
	uint32_t last_sr;	      /* middle 32 bits of the SR's NTP time; 0: none received */
	uint32_t delay_since_last_sr; /* 1/65536 s */
};

/* building */

struct rtpfork_rtcp_report {
	uint32_t ssrc;
	const char *cname;			  /* 1..255 octets; borrowed during the call */
	const struct rtpfork_rtcp_sender *sender; /* NULL: an RR is sent, not an SR */
	const struct rtpfork_rtcp_block *blocks;  /* may be NULL when block_count is 0 */
	size_t block_count;			  /* 0..31 */
	bool bye;				  /* end with a BYE (RFC 3550 6.6) */
};

/* Write one compound packet, SR or RR, SDES CNAME and possibly BYE (RFC 3550 6.1), into |dst| and
 * its length into |*bytes|. Returns RTPFORK_OK, RTPFORK_EARGUMENT (CNAME empty or too long, too
 * many blocks) or RTPFORK_ENOROOM. */
int rtpfork_rtcp_build(const struct rtpfork_rtcp_report *report, uint8_t *dst, size_t room,
		       size_t *bytes);

/* reading */

struct rtpfork_rtcp_packet { /* one packet of a compound; points into the caller's datagram */
	uint8_t type;	     /* RTPFORK_RTCP_SR, ... */
	uint8_t count;	     /* RC or SC, 0..31 */
	uint32_t ssrc;	     /* of the sender of the packet; 0 where the packet has none */
	const uint8_t *body; /* after the 4 octets of the common header */
	size_t body_bytes;   /* without padding */
};

/* Check a compound packet (RFC 3550 6.1, A.2): version, first SR or RR without padding, padding
 * only in the last, lengths that add up to the datagram, bodies long enough for their count (SR,
 * RR, BYE, SDES). Returns RTPFORK_OK, RTPFORK_ETRUNCATED, RTPFORK_EVERSION or RTPFORK_EMALFORMED.
 */
int rtpfork_rtcp_check(const uint8_t *datagram, size_t bytes);

/* Read the packet at |*offset| of a datagram that passed rtpfork_rtcp_check() and move |*offset|
 * on; begin with 0. Returns false at the end. */
bool rtpfork_rtcp_next(const uint8_t *datagram, size_t bytes, size_t *offset,
		       struct rtpfork_rtcp_packet *out);

/* Sender info of |packet|; false when it is no SR. */
bool rtpfork_rtcp_sender(const struct rtpfork_rtcp_packet *packet, struct rtpfork_rtcp_sender *out);

/* Report block |index| of |packet|; false when it is neither SR nor RR or has no such block. */
bool rtpfork_rtcp_block(const struct rtpfork_rtcp_packet *packet, size_t index,
			struct rtpfork_rtcp_block *out);

/* Whether |packet| is a BYE that names |ssrc| (RFC 3550 6.6). */
bool rtpfork_rtcp_says_bye(const struct rtpfork_rtcp_packet *packet, uint32_t ssrc);

/* time */

/* NTP time (RFC 3550 4) of |unix_ns| nanoseconds since 1970. */
uint64_t rtpfork_ntp_from_unix_ns(uint64_t unix_ns);

/* Middle 32 bits of an NTP time, as in LSR: 1/65536 s (RFC 3550 6.4.1). */
uint32_t rtpfork_ntp_middle(uint64_t ntp);

/* Round trip by |block|, received at |now_ntp| (RFC 3550 6.4.1), microseconds into
 * |*round_trip_us|. False when the peer has had no SR or its DLSR is longer than the time gone by.
 */
bool rtpfork_rtcp_round_trip(const struct rtpfork_rtcp_block *block, uint64_t now_ntp,
			     uint64_t *round_trip_us);

/* interval */

struct rtpfork_rtcp_session { /* what RFC 3550 6.3 keeps of a session */
	uint32_t members;     /* 1.., this endpoint included */
	uint32_t senders;
	uint32_t bandwidth_bytes_per_s; /* RTCP's share, all members; RFC 3550 6.2: 5 % */
	uint32_t average_bytes; /* avg_rtcp_size: with UDP, IP and SRTCP overhead (RFC 3711 3.4) */
	bool we_sent;		/* RTP was sent since the report before the last */
	bool initial;		/* no RTCP was sent yet: the minimum is halved */
};

/* Time until the next report (RFC 3550 6.3.1, A.7): at least 5 s before randomising, |random| is
 * uniform over all 32 bits. The result is 0.41 to 1.23 times the calculated interval. */
uint64_t rtpfork_rtcp_interval_ns(const struct rtpfork_rtcp_session *session, uint32_t random);

/* avg_rtcp_size after one more packet of |bytes| on the wire (RFC 3550 6.3.3). 0 begins an average.
 */
uint32_t rtpfork_rtcp_average_bytes(uint32_t average_bytes, uint32_t bytes);

#ifdef __cplusplus
}
#endif

#endif
