/* Books of one RTP source (RFC 3550 A.1, A.3, A.8). */
#include "rtpfork/source.h"

#define NS_PER_S    1000000000u
#define NO_SEQUENCE UINT32_MAX /* matches no 16-bit sequence number */
#define SEEN_BITS   128

void rtpfork_source_init(struct rtpfork_source *source)
{
	*source = (struct rtpfork_source){.bad_sequence = NO_SEQUENCE};
}

static uint64_t lost_of_run(const struct rtpfork_source *source)
{
	if (!source->begun)
		return 0;
	uint64_t expected = (uint64_t)(source->highest - source->base + 1);
	uint64_t unique = source->received - source->duplicate;
	return expected > unique ? expected - unique : 0;
}

static void begin_run(struct rtpfork_source *source, uint16_t sequence)
{
	source->total_received += source->received;
	source->total_lost += lost_of_run(source);
	source->total_duplicate += source->duplicate;
	source->base = source->highest = sequence;
	source->seen[0] = 1;
	source->seen[1] = 0;
	source->received = 1;
	source->duplicate = 0;
	source->expected_prior = source->received_prior = 0;
	source->bad_sequence = NO_SEQUENCE;
	source->timed = false;
	source->begun = true;
}

static void shift_seen(struct rtpfork_source *source, int64_t by)
{
	if (by >= SEEN_BITS) {
		source->seen[0] = source->seen[1] = 0;
	} else if (by >= 64) {
		source->seen[1] = source->seen[0] << (by - 64);
		source->seen[0] = 0;
	} else {
		source->seen[1] = source->seen[1] << by | source->seen[0] >> (64 - by);
		source->seen[0] <<= by;
	}
	source->seen[0] |= 1;
}

/* The step from the highest sequence number, -32768..32767. */
static int64_t step_to(const struct rtpfork_source *source, uint16_t sequence)
{
	return (int16_t)(uint16_t)(sequence - (uint16_t)source->highest);
}

static enum rtpfork_source_verdict late(struct rtpfork_source *source, int64_t back)
{
	uint64_t *word = &source->seen[back / 64];
	uint64_t bit = UINT64_C(1) << (back % 64);

	source->received++;
	if (*word & bit) {
		source->duplicate++;
		return RTPFORK_SOURCE_DUPLICATE;
	}
	*word |= bit;
	source->reordered++;
	if (source->highest - back < source->base)
		source->base = source->highest - back;
	return RTPFORK_SOURCE_REORDERED;
}

static enum rtpfork_source_verdict jump(struct rtpfork_source *source, uint16_t sequence)
{
	if (sequence == source->bad_sequence) {
		begin_run(source, sequence);
		return RTPFORK_SOURCE_RESTART;
	}
	source->bad_sequence = (uint16_t)(sequence + 1);
	source->jumps++;
	return RTPFORK_SOURCE_JUMP;
}

static enum rtpfork_source_verdict place(struct rtpfork_source *source, uint16_t sequence)
{
	int64_t step = step_to(source, sequence);

	if (step >= RTPFORK_SOURCE_MAX_DROPOUT || step <= -RTPFORK_SOURCE_MAX_MISORDER)
		return jump(source, sequence);
	source->bad_sequence = NO_SEQUENCE;
	if (step <= 0)
		return late(source, -step);
	shift_seen(source, step);
	source->highest += step;
	source->received++;
	return step == 1 ? RTPFORK_SOURCE_IN_ORDER : RTPFORK_SOURCE_AHEAD;
}

/* RFC 3550 A.8, in integers: jitter is kept 16 times too large so that nothing is rounded away. */
static void time_packet(struct rtpfork_source *source, uint32_t timestamp, uint64_t arrival_ns,
			uint32_t clock_rate)
{
	uint64_t arrival =
		arrival_ns / NS_PER_S * clock_rate + arrival_ns % NS_PER_S * clock_rate / NS_PER_S;
	uint32_t transit = (uint32_t)arrival - timestamp;

	if (source->timed && source->clock_rate == clock_rate) {
		int32_t change = (int32_t)(transit - source->transit);
		uint32_t distance = change < 0 ? 0u - (uint32_t)change : (uint32_t)change;
		/* A clock that jumps by more than its own second is no jitter. */
		if (distance <= clock_rate)
			source->jitter += distance - ((source->jitter + 8) >> 4);
	} else if (source->clock_rate != clock_rate) {
		source->jitter = 0;
	}
	source->transit = transit;
	source->clock_rate = clock_rate;
	source->timed = true;
}

struct rtpfork_source_packet rtpfork_source_receive(struct rtpfork_source *source,
						    const struct rtpfork_rtp *rtp,
						    uint64_t arrival_ns, uint32_t clock_rate)
{
	struct rtpfork_source_packet packet = {0};

	if (!source->begun || rtp->ssrc != source->ssrc) {
		packet.ssrc_changed = source->begun;
		begin_run(source, rtp->sequence);
		source->ssrc = rtp->ssrc;
		source->jitter = 0;
		packet.verdict = RTPFORK_SOURCE_FIRST;
	} else {
		packet.verdict = place(source, rtp->sequence);
	}
	packet.extended = source->highest + step_to(source, rtp->sequence);
	if (clock_rate && packet.verdict != RTPFORK_SOURCE_DUPLICATE &&
	    packet.verdict != RTPFORK_SOURCE_JUMP)
		time_packet(source, rtp->timestamp, arrival_ns, clock_rate);
	return packet;
}

void rtpfork_source_totals(const struct rtpfork_source *source, struct rtpfork_source_totals *out)
{
	uint64_t jitter = (uint64_t)source->jitter * (1000000u / 16);

	*out = (struct rtpfork_source_totals){
		.received = source->total_received + source->received,
		.lost = source->total_lost + lost_of_run(source),
		.duplicate = source->total_duplicate + source->duplicate,
		.reordered = source->reordered,
		.jumps = source->jumps,
		.jitter_us = source->clock_rate ? jitter / source->clock_rate : 0,
	};
}

bool rtpfork_source_report(struct rtpfork_source *source, struct rtpfork_rtcp_block *out)
{
	if (!source->begun)
		return false;
	uint64_t expected = (uint64_t)(source->highest - source->base + 1);
	int64_t lost = (int64_t)expected - (int64_t)source->received;
	int64_t expected_now = (int64_t)(expected - source->expected_prior);
	int64_t lost_now = expected_now - (int64_t)(source->received - source->received_prior);

	source->expected_prior = expected;
	source->received_prior = source->received;
	if (lost > 0x7fffff)
		lost = 0x7fffff;
	if (lost < -0x800000)
		lost = -0x800000;
	int64_t fraction = expected_now > 0 && lost_now > 0 ? lost_now * 256 / expected_now : 0;
	*out = (struct rtpfork_rtcp_block){
		.ssrc = source->ssrc,
		/* All lost would be 256, which has no room. */
		.fraction_lost = (uint8_t)(fraction > 255 ? 255 : fraction),
		.cumulative_lost = (int32_t)lost,
		.extended_highest_sequence = (uint32_t)source->highest,
		.jitter = source->jitter >> 4,
	};
	return true;
}
