/* Telephone events (RFC 4733 2.3, 2.5). */
#include "rtpfork/event.h"

#include "rtpfork/errors.h"
#include "rtpfork/octets.h"

enum {
	SEGMENT_FULL = 0xffff, /* RFC 4733 2.5.1.3 */
	LATE_TICKS = 1 << 16,  /* further back is no late packet, but a clock that was set anew */
};

int rtpfork_event_parse(const uint8_t *payload, size_t bytes, struct rtpfork_event *out)
{
	if (bytes < RTPFORK_EVENT_BYTES)
		return RTPFORK_ETRUNCATED;
	*out = (struct rtpfork_event){
		.code = payload[0],
		.end = payload[1] >> 7,
		.volume = payload[1] & 0x3f,
		.duration = rtpfork_get_u16(payload + 2),
	};
	return RTPFORK_OK;
}

void rtpfork_event_reset(struct rtpfork_event_tracker *tracker)
{
	*tracker = (struct rtpfork_event_tracker){0};
}

static void begin(struct rtpfork_event_tracker *tracker, uint32_t timestamp,
		  const struct rtpfork_event *event)
{
	*tracker = (struct rtpfork_event_tracker){
		.began = timestamp,
		.timestamp = timestamp,
		.code = event->code,
		.known = true,
		.active = true,
	};
}

static size_t finish(struct rtpfork_event_tracker *tracker, bool end_lost,
		     struct rtpfork_event_ended *ended)
{
	*ended = (struct rtpfork_event_ended){
		.code = tracker->code,
		.end_lost = end_lost,
		.timestamp = tracker->began,
		.duration = tracker->before + tracker->duration,
	};
	tracker->active = false;
	return 1;
}

/* Whether a packet at |timestamp| is the next segment of the open event: it follows a full one. */
static bool continues(const struct rtpfork_event_tracker *tracker, uint32_t timestamp,
		      const struct rtpfork_event *event)
{
	return tracker->active && event->code == tracker->code &&
	       timestamp - tracker->timestamp == SEGMENT_FULL;
}

size_t rtpfork_event_receive(struct rtpfork_event_tracker *tracker, uint32_t timestamp,
			     const struct rtpfork_event *event,
			     struct rtpfork_event_ended ended[RTPFORK_EVENT_ENDED_MAX])
{
	size_t count = 0;

	if (!tracker->known) {
		begin(tracker, timestamp, event);
	} else if (timestamp != tracker->timestamp) {
		if (tracker->timestamp - timestamp < LATE_TICKS)
			return 0;
		if (continues(tracker, timestamp, event)) {
			tracker->before += SEGMENT_FULL;
			tracker->timestamp = timestamp;
			tracker->duration = 0;
		} else {
			if (tracker->active)
				count = finish(tracker, true, &ended[0]);
			begin(tracker, timestamp, event);
		}
	}
	if (!tracker->active || event->code != tracker->code)
		return count;
	if (event->duration > tracker->duration)
		tracker->duration = event->duration;
	if (event->end)
		count += finish(tracker, false, &ended[count]);
	return count;
}

size_t rtpfork_event_flush(struct rtpfork_event_tracker *tracker, struct rtpfork_event_ended *ended)
{
	return tracker->active ? finish(tracker, true, ended) : 0;
}
