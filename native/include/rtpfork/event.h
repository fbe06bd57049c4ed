/* Telephone events in RTP (RFC 4733): one report for each key press, however it was sent.
 * A value type, embedded by its owner; no allocation, no clock. One thread at a time. */
#ifndef RTPFORK_EVENT_H
#define RTPFORK_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTPFORK_EVENT_BYTES	4u /* one event block, RFC 4733 2.3 */
#define RTPFORK_EVENT_ENDED_MAX 2u

struct rtpfork_event { /* payload of RFC 4733 2.3 */
	uint8_t code;  /* 0..9, 10 *, 11 #, 12..15 A..D, 16 flash, others as registered */
	bool end;
	uint8_t volume;	   /* 0..63, -dBm0 */
	uint16_t duration; /* timestamp units since the packet's timestamp */
};

struct rtpfork_event_ended {
	uint8_t code;
	bool end_lost;	    /* no packet with the E bit came; duration is what was heard of it */
	uint32_t timestamp; /* RTP timestamp at which the event began */
	uint32_t duration;  /* timestamp units, all segments together */
};

/* Fields are read by the functions below only. All zero is the start. */
struct rtpfork_event_tracker {
	uint32_t began;	    /* timestamp of the first segment */
	uint32_t timestamp; /* of the present segment */
	uint32_t before;    /* duration of the segments before, timestamp units */
	uint16_t duration;  /* of the present segment */
	uint8_t code;
	bool known;  /* an event has been seen */
	bool active; /* and has not been reported yet */
};

/* Decode the first event block of |payload|. Returns RTPFORK_OK or RTPFORK_ETRUNCATED. */
int rtpfork_event_parse(const uint8_t *payload, size_t bytes, struct rtpfork_event *out);

/* Forget everything: a new SSRC began. */
void rtpfork_event_reset(struct rtpfork_event_tracker *tracker);

/* Take one event packet, RTP timestamp |timestamp|. Writes each event that ended by it to |ended|
 * and returns how many, 0 to 2: an event ends by its first packet with the E bit; repetitions are
 * silent; when the end was lost it ends by the next event, which may itself end at once. Long
 * events in segments are one event (RFC 4733 2.5.1.3). Packets a little older than the last event
 * are ignored. */
size_t rtpfork_event_receive(struct rtpfork_event_tracker *tracker, uint32_t timestamp,
			     const struct rtpfork_event *event,
			     struct rtpfork_event_ended ended[RTPFORK_EVENT_ENDED_MAX]);

/* End the event that is still open, for when the stream ends or falls silent. Returns 0 or 1. */
size_t rtpfork_event_flush(struct rtpfork_event_tracker *tracker,
			   struct rtpfork_event_ended *ended);

#ifdef __cplusplus
}
#endif

#endif
