/* One reader of a recorded stream: which packets the SRS gets, and with which header.
 *
 * The reader is an RTP endpoint of its own (RFC 7866 8.2.3): own SSRC, own sequence and timestamp
 * base. Gaps that the source left stay gaps, so the SRS sees true loss; what is withheld on purpose
 * (pause, events, formats that were not accepted) leaves none. A value type without I/O, clock or
 * memory of its own. One thread at a time. */
#ifndef RTPFORK_READER_H
#define RTPFORK_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "rtpfork/log.h"
#include "rtpfork/rtp.h"

#define RTPFORK_PAYLOAD_TYPES 128
#define RTPFORK_UNMAPPED      0xff

/* |offered| is always the sum of |delivered|, the packets handed out and not yet settled, and every
 * skipped and dropped count. */
struct rtpfork_reader_counters {
	uint64_t before_attach; /* packets that the stream's port had received before */
	uint64_t offered;
	uint64_t delivered;
	uint64_t delivered_octets; /* of payload */
	uint64_t skipped_paused;   /* late ones that belong into a pause included */
	uint64_t skipped_event;
	uint64_t skipped_comfort_noise; /* RFC 3389, not accepted by the SRS: it holds no speech */
	uint64_t skipped_format;
	uint64_t dropped_stale; /* duplicate, or older than the point where the copy began anew */
	uint64_t dropped_overrun;
	uint64_t dropped_full;	  /* the kernel had no room to send it */
	uint64_t dropped_send;	  /* it could not be protected, or sent for another reason */
	uint64_t dropped_restart; /* a process ended before it was sent for all we know */
	uint64_t rtcp_sent;
	uint64_t rtcp_received;
	uint64_t reported_lost;
	uint64_t reported_jitter_us;
};

/* All fields but |live|, |events|, |map| and |counters| are read by the functions below only. */
struct rtpfork_reader {
	uint8_t map[RTPFORK_PAYLOAD_TYPES]; /* by the source's payload type; RTPFORK_UNMAPPED: skip
					     */
	bool live;
	bool events; /* copy mapped RFC 4733 events too */
	uint32_t ssrc;
	uint32_t clock_rate;

	bool anchored;		 /* the fields of this paragraph hold */
	uint32_t run;		 /* of the source */
	int64_t floor;		 /* older packets of the source are stale */
	int64_t sequence_offset; /* ours = source's extended + this */
	uint32_t timestamp_offset;

	uint32_t paused_run;   /* of the newest packet withheld by a pause; 0: there is none */
	int64_t paused_before; /* what has a lower number in that run was spoken before the end */

	int64_t next_sequence;	 /* extended; the one after the highest sent */
	uint32_t last_timestamp; /* highest sent, or the first one to be sent */
	bool begun;		 /* a packet was handed out */

	uint32_t reference_timestamp; /* ours, at |reference_ns|: the packet with the least delay */
	uint64_t reference_ns;
	bool reference_old;

	uint64_t position; /* in the log */
	struct rtpfork_reader_counters counters;
};

/* Begin a paused reader with nothing mapped at log position |position|. */
void rtpfork_reader_init(struct rtpfork_reader *reader, uint32_t ssrc, uint32_t clock_rate,
			 uint16_t first_sequence, uint32_t first_timestamp, uint64_t position);

/* Start or stop the copying. Sequence numbers go on by one, timestamps by the wall clock
 * (RFC 3550 5.1), when it starts again. What was overtaken on its way by packets of the pause
 * is withheld as they were. */
void rtpfork_reader_set_live(struct rtpfork_reader *reader, bool live);

/* Account the next |packet| of the log. True: send it with the header |*to|, then settle it by
 * rtpfork_reader_settle(). False: it is withheld and counted. Does not move the position. */
bool rtpfork_reader_take(struct rtpfork_reader *reader, const struct rtpfork_logged *packet,
			 struct rtpfork_rtp_rewrite *to);

/* Say what became of a packet that was taken: 0, or the errno for which it was not sent. */
void rtpfork_reader_settle(struct rtpfork_reader *reader, int system_error,
			   uint64_t payload_octets);

/* Account |packets| that were overwritten before they were read. */
void rtpfork_reader_overrun(struct rtpfork_reader *reader, uint64_t packets);

/* The reader's RTP timestamp at |now_ns|, for the SR (RFC 3550 6.4.1); the mapping is that of the
 * packet with the least delay since the call before. Meaningless before the first packet. */
uint32_t rtpfork_reader_timestamp_at(struct rtpfork_reader *reader, uint64_t now_ns);

#endif
