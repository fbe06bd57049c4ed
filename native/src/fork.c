/* Readers catch up with their logs; what became of each datagram goes into the books. */
#include <errno.h>

#include "core_internal.h"

#define NS_PER_S 1000000000U

static void queue_fork(struct rtpfork_core *core, uint32_t slot,
		       const struct rtpfork_logged *packet, const struct rtpfork_rtp_rewrite *to)
{
	struct fork *fork = &core->forks[slot];
	uint8_t *buffer = NULL;
	struct rtpfork_out *out = core_next_out(core, &buffer);
	size_t bytes = packet->bytes;
	int result = rtpfork_rtp_copy(packet->data, bytes, to, buffer, OUT_BYTES);
	if (result == 0 && fork->send.now)
		result = rtpfork_srtp_protect(core_key(core, &fork->send), core->crypto, buffer,
					      bytes, buffer, OUT_BYTES, &bytes);
	if (result != 0) {
		rtpfork_reader_settle(&fork->reader, ECANCELED, 0);
		return;
	}
	*out = (struct rtpfork_out){
		.port = fork->via,
		.kind = RTPFORK_OUT_FORK,
		.owner = slot,
		.to = &fork->remote,
		.data = buffer,
		.bytes = (uint32_t)bytes,
		.payload_bytes = packet->payload_bytes,
	};
	core_queue(core);
}

/* Bring one reader to the head of its log. False: room ran out. */
static bool catch_up(struct rtpfork_core *core, uint32_t slot, const struct rtpfork_log *log)
{
	struct rtpfork_reader *reader = &core->forks[slot].reader;
	uint64_t tail = rtpfork_log_tail(log);
	if (reader->position < tail) {
		rtpfork_reader_overrun(reader, tail - reader->position);
		reader->position = tail;
	}
	struct rtpfork_logged packet;
	struct rtpfork_rtp_rewrite to;
	while (core_has_room(core)) {
		if (rtpfork_log_read(log, reader->position, &packet) != 0)
			return true;
		reader->position++;
		if (rtpfork_reader_take(reader, &packet, &to))
			queue_fork(core, slot, &packet, &to);
	}
	return reader->position == rtpfork_log_head(log);
}

bool rtpfork_core_fork(struct rtpfork_core *core)
{
	while (core->dirty_count != 0) {
		struct port *port = &core->ports[core->dirty[core->dirty_count - 1]];
		for (uint32_t slot = port->stream_readers; slot != NONE;
		     slot = core->forks[slot].next_of_stream)
			if (!catch_up(core, slot, port->log))
				return true;
		port->dirty = false;
		core->dirty_count--;
	}
	return false;
}

size_t rtpfork_core_room(const struct rtpfork_core *core)
{
	return core->options.max_outs - core->out_count;
}

struct rtpfork_out *rtpfork_core_outs(struct rtpfork_core *core, size_t *count)
{
	*count = core->out_count;
	return core->outs;
}

/* settling */

static bool is_unreachable(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

static void settle_reader(struct rtpfork_core *core, const struct rtpfork_out *out, uint64_t now_ns)
{
	struct fork *fork = &core->forks[out->owner];
	if (is_unreachable(out->error))
		core_notice_unreachable(core, out->owner, now_ns);
	if (out->kind == RTPFORK_OUT_FORK)
		rtpfork_reader_settle(&fork->reader, out->error, out->payload_bytes);
	else if (out->error == 0)
		fork->reader.counters.rtcp_sent++;
}

static void settle_relay(struct rtpfork_core *core, const struct rtpfork_out *out)
{
	struct rtpfork_port_counters *counters = &core->ports[out->owner].counters;
	if (rtpfork_is_full(out->error))
		counters->dropped_full++;
	else if (out->error != 0)
		counters->dropped_send++;
	else if (out->kind == RTPFORK_OUT_RTP)
		counters->relayed++;
	else if (out->kind == RTPFORK_OUT_RTCP)
		counters->rtcp_relayed++;
	else
		counters->raw_relayed++;
}

void rtpfork_core_settle(struct rtpfork_core *core, uint64_t now_ns)
{
	for (size_t i = 0; i < core->out_count; i++) {
		const struct rtpfork_out *out = &core->outs[i];
		switch (out->kind) {
		case RTPFORK_OUT_RTP:
		case RTPFORK_OUT_RTCP:
		case RTPFORK_OUT_RAW:
			settle_relay(core, out);
			break;
		case RTPFORK_OUT_FORK:
		case RTPFORK_OUT_REPORT:
			settle_reader(core, out, now_ns);
			break;
		case RTPFORK_OUT_BYE:
		case RTPFORK_OUT_DTLS:
		case RTPFORK_OUT_SPEECH:
			break;
		}
	}
	core->out_count = 0;
}

/* unreachable SRS */

void core_notice_unreachable(struct rtpfork_core *core, uint32_t slot, uint64_t now_ns)
{
	struct fork *fork = &core->forks[slot];
	if (fork->last_unreachable_ns != 0 && now_ns - fork->last_unreachable_ns < NS_PER_S)
		return;
	fork->last_unreachable_ns = now_ns;
	struct rtpfork_notice notice = {
		.kind = RTPFORK_NOTICE_UNREACHABLE,
		.id = rtpfork_table_id(&core->fork_ids, slot),
	};
	core_notify(core, &notice);
}

/* A closed RTCP port is no fault: many SRSs have none (RTP-36). */
void core_unreachable(struct rtpfork_core *core, const struct port *port, bool rtcp,
		      uint64_t now_ns)
{
	if (rtcp)
		return;
	for (uint32_t i = port->via_readers; i != NONE; i = core->forks[i].next_of_via)
		core_notice_unreachable(core, i, now_ns);
}
