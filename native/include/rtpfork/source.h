/* Books of one RTP source: sequence, loss, duplicates, order and jitter (RFC 3550 A.1, A.3, A.8).
 * A value type of fixed size, embedded by its owner; no allocation, no clock. One thread at a time.
 */
#ifndef RTPFORK_SOURCE_H
#define RTPFORK_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "rtpfork/rtcp.h"
#include "rtpfork/rtp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RTPFORK_SOURCE_MAX_DROPOUT  3000 /* a step ahead as large is a jump (RFC 3550 A.1) */
#define RTPFORK_SOURCE_MAX_MISORDER 100	 /* a step back as large is a jump (RFC 3550 A.1) */

/* What one packet was to its source. */
enum rtpfork_source_verdict {
	RTPFORK_SOURCE_FIRST,	 /* begins the source, or begins a new SSRC: extended starts anew */
	RTPFORK_SOURCE_IN_ORDER, /* the next one */
	RTPFORK_SOURCE_AHEAD,	 /* later than the next one: those between are lost or late */
	RTPFORK_SOURCE_REORDERED, /* earlier than the highest, not seen before */
	RTPFORK_SOURCE_DUPLICATE, /* seen before; counted, jitter untouched */
	RTPFORK_SOURCE_JUMP, /* outside MAX_DROPOUT and MAX_MISORDER, and alone so far: not counted
			      * as received (A.1), |extended| is meaningless */
	RTPFORK_SOURCE_RESTART, /* second in a row after a JUMP: the sender started again under the
				 * same SSRC; extended starts anew */
};

struct rtpfork_source_packet {
	enum rtpfork_source_verdict verdict;
	bool ssrc_changed; /* with FIRST: another SSRC was there before */
	int64_t extended;  /* cycles * 65536 + sequence. Counts from cycle 0 at FIRST and RESTART; a
			    * late packet from before the first wrap is negative. */
};

/* Fields are read by the functions below only. */
struct rtpfork_source {
	uint32_t ssrc;
	uint32_t transit; /* RFC 3550 A.8, timestamp units, modulo 2^32 */
	uint32_t jitter;  /* scaled by 16 */
	uint32_t bad_sequence;
	uint64_t seen[2];   /* bit n: highest - n was received */
	int64_t base;	    /* extended sequence of the first packet */
	int64_t highest;    /* extended */
	uint64_t received;  /* since base, duplicates included */
	uint64_t duplicate; /* since base */
	uint64_t expected_prior;
	uint64_t received_prior;
	uint64_t total_received; /* the totals of the SSRCs and runs before this one */
	uint64_t total_lost;
	uint64_t total_duplicate;
	uint64_t reordered;  /* of all SSRCs */
	uint64_t jumps;	     /* of all SSRCs: packets not counted as received */
	uint32_t clock_rate; /* of the last timed packet; jitter is in its units */
	bool begun;
	bool timed; /* transit holds a value */
};

/* Books over the life of the source, all SSRCs and restarts together. */
struct rtpfork_source_totals {
	uint64_t received; /* duplicates included, jumps not */
	uint64_t lost;	   /* expected but never received; a late packet takes its loss back */
	uint64_t duplicate;
	uint64_t reordered;
	uint64_t jumps;
	uint64_t jitter_us; /* of the present SSRC */
};

/* Begin empty books. No resource is held; there is nothing to free. */
void rtpfork_source_init(struct rtpfork_source *source);

/* Account one packet that arrived at |arrival_ns| (monotonic) and say what it was. A new SSRC folds
 * the old one's loss into the totals and is valid at once: its address has been admitted already,
 * so A.1's probation would only cost the first packet of a call. |clock_rate| 0 leaves the jitter
 * alone, for payloads whose timestamp does not advance by packet (RFC 4733). Sequence 65535 to 0
 * begins the next cycle; 0 to 65535 belongs to the cycle before. O(1). */
struct rtpfork_source_packet rtpfork_source_receive(struct rtpfork_source *source,
						    const struct rtpfork_rtp *rtp,
						    uint64_t arrival_ns, uint32_t clock_rate);

/* Read the books. O(1). */
void rtpfork_source_totals(const struct rtpfork_source *source, struct rtpfork_source_totals *out);

/* Fill the report block of the present SSRC (RFC 3550 A.3): loss as the RFC counts it, duplicates
 * taken for received, cumulative loss clamped to 24 bits. Begins the next interval of
 * fraction_lost. last_sr and delay_since_last_sr are 0 for the caller to set. False while no packet
 * was received. */
bool rtpfork_source_report(struct rtpfork_source *source, struct rtpfork_rtcp_block *out);

#ifdef __cplusplus
}
#endif

#endif
