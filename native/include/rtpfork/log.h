/* The log of one recorded stream: a bounded ring of packets in the order of their arrival.
 *
 * Positions only grow. A reader keeps its own position; what was overwritten before it was read is
 * the reader's overrun, never the writer's wait. One thread uses a log; nothing allocates after
 * creation. */
#ifndef RTPFORK_LOG_H
#define RTPFORK_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtpfork_log;

/* One packet as it was received (decrypted). |data| is borrowed until the next append. */
struct rtpfork_logged {
	const uint8_t *data;
	uint16_t bytes;
	uint16_t payload_bytes; /* without header, extension and padding */
	uint8_t payload_type;
	bool marker;
	bool event;   /* RFC 4733, not audio */
	bool unkept;  /* said in a pause: only its header is here */
	bool stale;   /* a duplicate, or a lone jump in sequence (RFC 3550 A.1) */
	uint32_t run; /* changes when the source starts anew: SSRC change or restart */
	uint32_t timestamp;
	int64_t extended; /* sequence number extended by the cycles of this run */
	uint64_t arrival_ns;
};

/* Make a log of at most |packets| packets and |bytes| bytes, both powers of two; its memory is
 * touched here so that no page fault is left for the packet path. NULL: bad argument or no memory.
 * The caller owns it. */
struct rtpfork_log *rtpfork_log_new(size_t packets, size_t bytes);
void rtpfork_log_free(struct rtpfork_log *log);

/* Fetch what the next append needs into the caches. */
void rtpfork_log_expect(const struct rtpfork_log *log);

/* Copy |packet| (its |data| and |bytes| included) in, overwriting the oldest as needed.
 * RTPFORK_EARGUMENT: longer than the whole log; nothing changed. */
int rtpfork_log_append(struct rtpfork_log *log, const struct rtpfork_logged *packet);

/* The position after the newest packet: where a new reader starts. */
uint64_t rtpfork_log_head(const struct rtpfork_log *log);

/* The position of the oldest packet that is still there (the head when the log is empty). */
uint64_t rtpfork_log_tail(const struct rtpfork_log *log);

/* The packet at |position|. RTPFORK_EGONE: overwritten or not yet written. */
int rtpfork_log_read(const struct rtpfork_log *log, uint64_t position,
		     struct rtpfork_logged *packet);

/* Logs waiting to be freed by another thread are chained by this pointer, free for the owner's use.
 */
struct rtpfork_log **rtpfork_log_link(struct rtpfork_log *log);

#endif
