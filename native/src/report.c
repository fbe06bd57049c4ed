/* RTCP between a reader and its SRS (RFC 3550 6, RFC 7866 8.1.1), and the silence of ports. */
#include "rtpfork/rtcp.h"

#include "core_internal.h"

#define US_PER_S	    1000000U
#define NOTICE_INTERVAL_NS  200000000U /* at most so often is a receiver report noticed */
#define RTCP_BYTES_PER_S    400U       /* 5 % of 64 kbit/s (RFC 3550 6.2) */
#define UDP_IP_HEADER_BYTES 28U
#define RTCP_SILENCE_NS	    31000000000U /* five of the longest intervals (RFC 3550 6.3.1) */

/* xorshift64*, by S. Vigna: good enough to spread timers, which is all it is for. */
uint32_t core_random(struct rtpfork_core *core)
{
	core->random ^= core->random >> 12;
	core->random ^= core->random << 25;
	core->random ^= core->random >> 27;
	return (uint32_t)((core->random * 0x2545F4914F6CDD1DULL) >> 32);
}

/* to the SRS */

static uint64_t interval_ns(struct rtpfork_core *core, const struct fork *fork)
{
	bool sent = fork->reader.counters.delivered != fork->sent_before_that;
	struct rtpfork_rtcp_session session = {
		.members = 2,
		.senders = sent ? 1 : 0,
		.bandwidth_bytes_per_s = RTCP_BYTES_PER_S,
		.average_bytes = fork->average_rtcp_bytes,
		.we_sent = sent,
		.initial = !fork->rtcp_reported,
	};
	return rtpfork_rtcp_interval_ns(&session, core_random(core));
}

void core_begin_reports(struct rtpfork_core *core, struct fork *fork, uint64_t now_ns)
{
	if (fork->rtcp_begun)
		return;
	fork->rtcp_begun = true;
	fork->next_report_ns = now_ns + interval_ns(core, fork);
}

static void fill_sender(struct rtpfork_core *core, struct fork *fork, uint64_t now_ns,
			struct rtpfork_rtcp_sender *sender)
{
	*sender = (struct rtpfork_rtcp_sender){
		.ntp = rtpfork_ntp_from_unix_ns(now_ns + core->options.unix_offset_ns),
		.rtp_timestamp = rtpfork_reader_timestamp_at(&fork->reader, now_ns),
		.packets = (uint32_t)fork->reader.counters.delivered,
		.octets = (uint32_t)fork->reader.counters.delivered_octets,
	};
}

void core_queue_report(struct rtpfork_core *core, uint32_t slot, uint64_t now_ns, bool bye)
{
	struct fork *fork = &core->forks[slot];
	if (!core_has_room(core) || fork->no_rtcp)
		return;
	struct rtpfork_rtcp_sender sender;
	bool sent = fork->reader.counters.delivered != fork->sent_before_that;
	if (sent)
		fill_sender(core, fork, now_ns, &sender);
	struct rtpfork_rtcp_report report = {
		.ssrc = fork->reader.ssrc,
		.cname = fork->cname,
		.sender = sent ? &sender : NULL,
		.bye = bye,
	};
	uint8_t *buffer = NULL;
	struct rtpfork_out *out = core_next_out(core, &buffer);
	size_t bytes = 0;
	int result = rtpfork_rtcp_build(&report, buffer, OUT_BYTES, &bytes);
	if (result == 0 && fork->send.now)
		result = rtpfork_srtcp_protect(core_key(core, &fork->send), core->crypto, buffer,
					       bytes, buffer, OUT_BYTES, &bytes);
	if (result != 0)
		return;
	fork->average_rtcp_bytes = rtpfork_rtcp_average_bytes(
		fork->average_rtcp_bytes, (uint32_t)bytes + UDP_IP_HEADER_BYTES);
	*out = (struct rtpfork_out){
		.port = fork->via,
		.rtcp = !fork->rtcp_mux,
		.kind = bye ? RTPFORK_OUT_BYE : RTPFORK_OUT_REPORT,
		.owner = slot,
		.to = fork->rtcp_mux ? &fork->remote : &fork->remote_rtcp,
		.data = buffer,
		.bytes = (uint32_t)bytes,
	};
	core_queue(core);
}

static void report(struct rtpfork_core *core, uint32_t slot, uint64_t now_ns)
{
	struct fork *fork = &core->forks[slot];
	core_queue_report(core, slot, now_ns, false);
	fork->rtcp_reported = true;
	fork->sent_before_that = fork->sent_before;
	fork->sent_before = fork->reader.counters.delivered;
	fork->next_report_ns = now_ns + interval_ns(core, fork);
}

/* from the SRS */

/* The reader on |port| to whose SRS's RTCP address |in| belongs. */
static struct fork *find_sender(struct rtpfork_core *core, const struct port *port,
				const struct rtpfork_in *in)
{
	for (uint32_t i = port->via_readers; i != NONE; i = core->forks[i].next_of_via) {
		struct fork *fork = &core->forks[i];
		if (in->rtcp == fork->rtcp_mux)
			continue;
		const struct rtpfork_address *rtcp =
			fork->rtcp_mux ? &fork->remote : &fork->remote_rtcp;
		if (rtpfork_address_equal(&in->from, rtcp))
			return fork;
	}
	return NULL;
}

static void take_block(struct rtpfork_core *core, uint32_t slot,
		       const struct rtpfork_rtcp_block *block, uint64_t now_ns)
{
	struct fork *fork = &core->forks[slot];
	struct rtpfork_reader_counters *counters = &fork->reader.counters;
	counters->reported_lost = block->cumulative_lost > 0 ? (uint64_t)block->cumulative_lost : 0;
	counters->reported_jitter_us = (uint64_t)block->jitter * US_PER_S / fork->reader.clock_rate;
	if (fork->last_notice_ns != 0 && now_ns - fork->last_notice_ns < NOTICE_INTERVAL_NS)
		return;
	fork->last_notice_ns = now_ns;
	struct rtpfork_notice notice = {
		.kind = RTPFORK_NOTICE_REPORT,
		.id = rtpfork_table_id(&core->fork_ids, slot),
		.report = {.fraction_lost = block->fraction_lost,
			   .cumulative_lost = block->cumulative_lost,
			   .jitter_us = counters->reported_jitter_us},
	};
	uint64_t ntp = rtpfork_ntp_from_unix_ns(now_ns + core->options.unix_offset_ns);
	notice.report.round_trip_known =
		rtpfork_rtcp_round_trip(block, ntp, &notice.report.round_trip_us);
	core_notify(core, &notice);
}

/* Give the blocks of one packet to the readers on |port| that they are about. */
static void take_packet(struct rtpfork_core *core, const struct port *port,
			const struct rtpfork_rtcp_packet *packet, uint64_t now_ns)
{
	struct rtpfork_rtcp_block block;
	for (size_t n = 0; rtpfork_rtcp_block(packet, n, &block); n++)
		for (uint32_t i = port->via_readers; i != NONE; i = core->forks[i].next_of_via)
			if (core->forks[i].reader.ssrc == block.ssrc)
				take_block(core, i, &block, now_ns);
}

static int open_rtcp(struct rtpfork_core *core, struct fork *fork, struct rtpfork_in *in)
{
	if (fork->receive.now) {
		int result = rtpfork_srtcp_unprotect(core_key(core, &fork->receive), core->crypto,
						     in->data, in->bytes, in->data, in->bytes,
						     &in->bytes);
		if (result != 0)
			return result;
	}
	return rtpfork_rtcp_check(in->data, in->bytes);
}

/* The SRS sends no RTCP any more though it did, or does again (RTP-36). */
static void notice_rtcp(struct rtpfork_core *core, struct fork *fork, bool silent)
{
	fork->rtcp_silent = silent;
	struct rtpfork_notice notice = {
		.kind = RTPFORK_NOTICE_RTCP_SILENCE,
		.id = rtpfork_table_id(&core->fork_ids, (uint32_t)(fork - core->forks)),
		.silent = silent,
	};
	core_notify(core, &notice);
}

/* Who sends |packet| goes by the SSRC of |fork| (RFC 3550 8.2), or it is our own and comes back. */
static void notice_collision(struct rtpfork_core *core, struct fork *fork,
			     const struct rtpfork_rtcp_packet *packet)
{
	bool report = packet->type == RTPFORK_RTCP_SR || packet->type == RTPFORK_RTCP_RR;
	if (!report || packet->ssrc != fork->reader.ssrc || fork->collided)
		return;
	fork->collided = true;
	struct rtpfork_notice notice = {
		.kind = RTPFORK_NOTICE_COLLISION,
		.id = rtpfork_table_id(&core->fork_ids, (uint32_t)(fork - core->forks)),
	};
	core_notify(core, &notice);
}

bool core_receive_from_srs(struct rtpfork_core *core, struct port *port,
			   const struct rtpfork_in *in)
{
	struct rtpfork_in opened = *in;
	struct fork *fork = find_sender(core, port, in);
	if (!fork || rtpfork_classify(in->data, in->bytes) != RTPFORK_KIND_RTCP)
		return false;
	int result = open_rtcp(core, fork, &opened);
	if (result != 0) {
		core_count_refused(port, result);
		return true;
	}
	fork->reader.counters.rtcp_received++;
	fork->last_rtcp_ns = in->now_ns;
	if (fork->rtcp_silent)
		notice_rtcp(core, fork, false);
	struct rtpfork_rtcp_packet packet;
	size_t offset = 0;
	while (rtpfork_rtcp_next(opened.data, opened.bytes, &offset, &packet)) {
		notice_collision(core, fork, &packet);
		take_packet(core, port, &packet, in->now_ns);
	}
	return true;
}

/* as time goes by */

static void notice_silence(struct rtpfork_core *core, struct port *port, uint64_t now_ns)
{
	port->silent = true;
	struct rtpfork_event_ended ended;
	if (rtpfork_event_flush(&port->tracker, &ended) != 0)
		core_notice_dtmf(core, port, now_ns, &ended);
	struct rtpfork_notice notice = {
		.kind = RTPFORK_NOTICE_SILENCE,
		.id = rtpfork_table_id(&core->port_ids, port->slot),
		.silent = true,
	};
	core_notify(core, &notice);
}

bool rtpfork_core_tick(struct rtpfork_core *core, uint64_t now_ns)
{
	for (uint32_t slot = 0; slot < core->port_ids.high_water; slot++) {
		struct port *port = &core->ports[slot];
		if (rtpfork_table_used(&core->port_ids, slot) && port->heard && !port->silent &&
		    now_ns - port->last_rtp_ns >= core->options.silence_ns)
			notice_silence(core, port, now_ns);
	}
	for (uint32_t slot = 0; slot < core->fork_ids.high_water; slot++) {
		struct fork *fork = &core->forks[slot];
		if (!rtpfork_table_used(&core->fork_ids, slot) || !fork->rtcp_begun)
			continue;
		if (fork->last_rtcp_ns != 0 && !fork->rtcp_silent &&
		    now_ns - fork->last_rtcp_ns >= RTCP_SILENCE_NS)
			notice_rtcp(core, fork, true);
		if (now_ns < fork->next_report_ns)
			continue;
		if (!core_has_room(core))
			return true;
		report(core, slot, now_ns);
	}
	return false;
}
