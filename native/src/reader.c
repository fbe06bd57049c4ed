/* RFC 7866 8.2.3, RFC 3550 5.1: the header under which a packet goes to the SRS. */
#include "rtpfork/reader.h"

#include <string.h>

#include "order.h"
#include "rtpfork/errors.h"

#define NS_PER_S      1000000000U
#define COMFORT_NOISE 13 /* payload type, RFC 3389 4 */
/* Well below half a turn of the timestamp at any clock rate, beyond which "earlier" means nothing.
 */
#define SOON_NS (60ULL * NS_PER_S)

void rtpfork_reader_init(struct rtpfork_reader *reader, uint32_t ssrc, uint32_t clock_rate,
			 uint16_t first_sequence, uint32_t first_timestamp, uint64_t position)
{
	memset(reader, 0, sizeof *reader);
	memset(reader->map, RTPFORK_UNMAPPED, sizeof reader->map);
	reader->ssrc = ssrc;
	reader->clock_rate = clock_rate;
	reader->next_sequence = first_sequence;
	reader->last_timestamp = first_timestamp;
	reader->position = position;
}

void rtpfork_reader_set_live(struct rtpfork_reader *reader, bool live)
{
	if (reader->live != live)
		reader->anchored = false;
	reader->live = live;
}

static uint32_t ticks(uint64_t span_ns, uint32_t clock_rate)
{
	uint64_t whole = span_ns / NS_PER_S * clock_rate;
	return (uint32_t)(whole + span_ns % NS_PER_S * clock_rate / NS_PER_S);
}

/* Timestamp at |at_ns| by the reference, which may lie on either side of it. */
static uint32_t timestamp_at(const struct rtpfork_reader *reader, uint64_t at_ns)
{
	if (at_ns >= reader->reference_ns)
		return reader->reference_timestamp +
		       ticks(at_ns - reader->reference_ns, reader->clock_rate);
	return reader->reference_timestamp -
	       ticks(reader->reference_ns - at_ns, reader->clock_rate);
}

/* Let |packet| follow what was sent before: the next sequence number, the wall clock's timestamp.
 */
static void anchor(struct rtpfork_reader *reader, const struct rtpfork_logged *packet)
{
	uint32_t timestamp = reader->last_timestamp;
	if (reader->begun) {
		timestamp = timestamp_at(reader, packet->arrival_ns);
		bool soon = packet->arrival_ns < reader->reference_ns + SOON_NS;
		if (soon && (int32_t)(timestamp - reader->last_timestamp) <= 0)
			timestamp = reader->last_timestamp + 1;
	}
	reader->anchored = false;
	in_order();
	reader->run = packet->run;
	reader->floor = packet->extended;
	reader->sequence_offset = reader->next_sequence - packet->extended;
	reader->timestamp_offset = timestamp - packet->timestamp;
	in_order();
	reader->anchored = true;
}

/* Close the gap that a withheld packet would leave: what follows it moves up by one. What comes
 * late from before it has lost its number, unless the packet itself was the late one. */
static void close_gap(struct rtpfork_reader *reader, const struct rtpfork_logged *packet)
{
	if (packet->stale || !reader->anchored || packet->run != reader->run)
		return;
	if (packet->extended + reader->sequence_offset < reader->next_sequence)
		return;
	reader->floor = packet->extended + 1;
	in_order(); /* a number is left out rather than given twice */
	reader->sequence_offset--;
}

/* Keep the packet that was delayed least as what ties our timestamps to the clock (RTP-25). */
static void refer(struct rtpfork_reader *reader, const struct rtpfork_logged *packet,
		  uint32_t timestamp, bool fresh)
{
	if (packet->event && !fresh)
		return;
	bool earlier = (int32_t)(timestamp - timestamp_at(reader, packet->arrival_ns)) > 0;
	if (!fresh && !reader->reference_old && !earlier)
		return;
	reader->reference_timestamp = timestamp;
	reader->reference_ns = packet->arrival_ns;
	reader->reference_old = false;
}

/* Note that |packet| was spoken in a pause, and all with a lower number before its end. */
static void silence(struct rtpfork_reader *reader, const struct rtpfork_logged *packet)
{
	reader->counters.skipped_paused++;
	if (packet->stale)
		return;
	if (packet->run != reader->paused_run || packet->extended >= reader->paused_before)
		reader->paused_before = packet->extended + 1;
	reader->paused_run = packet->run;
}

/* Whether the SRS is to have |packet| at all; counts it if not. */
static bool wanted(struct rtpfork_reader *reader, const struct rtpfork_logged *packet)
{
	bool mapped = reader->map[packet->payload_type] != RTPFORK_UNMAPPED;
	bool paused = packet->run == reader->paused_run && packet->extended < reader->paused_before;
	if (!reader->live || packet->unkept || (paused && !packet->stale))
		silence(reader, packet);
	else if (packet->event && !(reader->events && mapped))
		reader->counters.skipped_event++;
	else if (!mapped && packet->payload_type == COMFORT_NOISE)
		reader->counters.skipped_comfort_noise++;
	else if (!mapped)
		reader->counters.skipped_format++;
	else
		return true;
	return false;
}

bool rtpfork_reader_take(struct rtpfork_reader *reader, const struct rtpfork_logged *packet,
			 struct rtpfork_rtp_rewrite *to)
{
	reader->counters.offered++;
	if (!wanted(reader, packet)) {
		close_gap(reader, packet);
		return false;
	}
	bool fresh = !reader->anchored || packet->run != reader->run;
	if (packet->stale || (!fresh && packet->extended < reader->floor)) {
		reader->counters.dropped_stale++;
		return false;
	}
	if (fresh)
		anchor(reader, packet);
	int64_t sequence = packet->extended + reader->sequence_offset;
	uint32_t timestamp = packet->timestamp + reader->timestamp_offset;
	if (sequence >= reader->next_sequence)
		reader->next_sequence = sequence + 1;
	if (fresh || (int32_t)(timestamp - reader->last_timestamp) > 0)
		reader->last_timestamp = timestamp;
	refer(reader, packet, timestamp, fresh);
	*to = (struct rtpfork_rtp_rewrite){
		.ssrc = reader->ssrc,
		.timestamp = timestamp,
		.sequence = (uint16_t)sequence,
		.payload_type = reader->map[packet->payload_type],
		.marker = packet->marker || fresh,
	};
	reader->begun = true;
	return true;
}

void rtpfork_reader_settle(struct rtpfork_reader *reader, int system_error, uint64_t payload_octets)
{
	if (rtpfork_is_full(system_error)) {
		reader->counters.dropped_full++;
		return;
	}
	if (system_error != 0) {
		reader->counters.dropped_send++;
		return;
	}
	reader->counters.delivered++;
	reader->counters.delivered_octets += payload_octets;
}

void rtpfork_reader_overrun(struct rtpfork_reader *reader, uint64_t packets)
{
	reader->counters.offered += packets;
	reader->counters.dropped_overrun += packets;
}

uint32_t rtpfork_reader_timestamp_at(struct rtpfork_reader *reader, uint64_t now_ns)
{
	reader->reference_old = true;
	return timestamp_at(reader, now_ns);
}
