/* Ports, bridges and readers of one thread: made, changed and ended between two turns. */
#include "rtpfork/core.h"

#include <string.h>

#include "core_internal.h"

/* ports */

static int find_port(const struct rtpfork_core *core, uint64_t id, struct port **port)
{
	uint32_t slot = 0;
	int result = rtpfork_table_find(&core->port_ids, id, &slot);
	if (result == 0)
		*port = &core->ports[slot];
	return result;
}

int rtpfork_core_open(struct rtpfork_core *core, uint64_t *port, uint32_t *slot)
{
	int result = rtpfork_table_take(&core->port_ids, slot);
	if (result != 0)
		return result;
	struct port *opened = &core->ports[*slot];
	memset(opened, 0, sizeof *opened);
	opened->slot = *slot;
	opened->peer = NONE;
	opened->stream_readers = NONE;
	opened->via_readers = NONE;
	opened->clock_rate = 8000;
	rtpfork_source_init(&opened->source);
	opened->receive.most_before = KEYS_BEFORE;
	opened->send.most_before = SEND_KEYS_BEFORE;
	core_end_change(&opened->whole);
	*port = rtpfork_table_id(&core->port_ids, *slot);
	return 0;
}

int rtpfork_core_slot(const struct rtpfork_core *core, uint64_t port, uint32_t *slot)
{
	return rtpfork_table_find(&core->port_ids, port, slot);
}

/* Where RTCP goes when it is not multiplexed (RFC 3550 11, RFC 3605). */
static void resolve_rtcp(struct rtpfork_address *rtcp, const struct rtpfork_address *given,
			 const struct rtpfork_address *rtp, bool mux)
{
	*rtcp = *rtp;
	if (mux)
		return;
	if (rtpfork_address_known(given))
		*rtcp = *given;
	else if (rtpfork_address_known(rtp))
		rtpfork_address_set_port(rtcp, (uint16_t)(rtpfork_address_port(rtp) + 1));
}

/* Forget what was learned when the party is signalled to be elsewhere. On hold it has no address,
 * but comes back to the same: until then nobody else can take its place. */
static void relearn(struct port *port, const struct rtpfork_party *party)
{
	bool held = !rtpfork_address_known(&party->remote);
	bool same = held || rtpfork_address_equal(&port->latched_for, &party->remote);
	if (!same || port->learn != party->learn || port->raw != party->raw) {
		memset(&port->latched, 0, sizeof port->latched);
		memset(&port->latched_rtcp, 0, sizeof port->latched_rtcp);
	}
	if (!held)
		port->latched_for = party->remote;
}

static int connect_port(struct rtpfork_core *core, struct port *port,
			const struct rtpfork_party *party)
{
	int result = core_set_key(core, &port->send, &party->send_key, RTPFORK_SRTP_SEND);
	if (result == 0)
		result = core_set_key(core, &port->receive, &party->receive_key,
				      RTPFORK_SRTP_RECEIVE);
	if (result != 0)
		return result;
	relearn(port, party);
	port->raw = party->raw;
	port->learn = party->learn;
	port->rtcp_mux = party->rtcp_mux;
	port->remote = party->remote;
	port->clock_rate = party->clock_rate;
	port->event_type_count = (uint8_t)party->event_type_count;
	memcpy(port->event_types, party->event_types, sizeof port->event_types);
	resolve_rtcp(&port->rtcp_target, &party->remote_rtcp, &party->remote, party->rtcp_mux);
	core_touch_both(core, port);
	return 0;
}

int rtpfork_core_connect(struct rtpfork_core *core, uint64_t id, const struct rtpfork_party *party)
{
	struct port *port = NULL;
	int result = find_port(core, id, &port);
	if (result != 0)
		return result;
	if (party->clock_rate == 0 || party->event_type_count > RTPFORK_MAX_EVENT_TYPES)
		return RTPFORK_EARGUMENT;
	core_begin_change(&port->whole);
	result = connect_port(core, port, party);
	core_end_change(&port->whole);
	return result;
}

int rtpfork_core_take_dtls(struct rtpfork_core *core, uint64_t id)
{
	struct port *port = NULL;
	int result = find_port(core, id, &port);
	if (result == 0) {
		port->dtls = true;
		core_touch(core, port);
	}
	return result;
}

int rtpfork_core_send_dtls(struct rtpfork_core *core, uint64_t id, bool rtcp,
			   const struct rtpfork_address *to, const uint8_t *data, size_t bytes)
{
	struct port *port = NULL;
	int result = find_port(core, id, &port);
	if (result != 0)
		return result;
	if (!rtpfork_address_known(to) || bytes == 0 || bytes > RTPFORK_MAX_DATAGRAM_BYTES)
		return RTPFORK_EARGUMENT;
	uint8_t *unused = NULL;
	struct rtpfork_out *out = core_next_out(core, &unused);
	*out = (struct rtpfork_out){
		.port = port->slot,
		.rtcp = rtcp,
		.kind = RTPFORK_OUT_DTLS,
		.to = to,
		.data = data,
		.bytes = (uint32_t)bytes,
	};
	core_queue(core);
	return 0;
}

static void unbridge(struct rtpfork_core *core, struct port *port)
{
	core_touch_both(core, port);
	if (port->peer != NONE)
		core->ports[port->peer].peer = NONE;
	port->peer = NONE;
}

int rtpfork_core_bridge(struct rtpfork_core *core, uint64_t a, uint64_t b)
{
	struct port *one = NULL;
	struct port *other = NULL;
	int result = find_port(core, a, &one);
	if (result == 0)
		result = find_port(core, b, &other);
	if (result != 0)
		return result;
	if (one == other)
		return RTPFORK_EARGUMENT;
	core_begin_change(&one->whole);
	core_begin_change(&other->whole);
	unbridge(core, one);
	unbridge(core, other);
	one->peer = other->slot;
	other->peer = one->slot;
	core_end_change(&one->whole);
	core_end_change(&other->whole);
	core_touch_both(core, one);
	return 0;
}

int rtpfork_core_set_tone(struct rtpfork_core *core, uint64_t port, const struct rtpfork_tone *tone)
{
	struct port *hears = NULL;
	int result = find_port(core, port, &hears);
	if (result != 0)
		return result;
	if (tone->type_count > RTPFORK_MAX_TONE_TYPES)
		return RTPFORK_EARGUMENT;
	core_begin_change(&hears->whole);
	tone_set(&hears->tone, tone);
	core_end_change(&hears->whole);
	core_touch_both(core, hears);
	return 0;
}

void core_read_port(const struct port *port, struct rtpfork_port_counters *counters)
{
	struct rtpfork_source_totals totals;
	rtpfork_source_totals(&port->source, &totals);
	*counters = port->counters;
	counters->lost = totals.lost < port->missed ? 0 : totals.lost - port->missed;
	/* A gap over the end of a process may have been misses, too. */
	if (counters->lost_restart > counters->lost)
		counters->lost_restart = counters->lost;
	counters->duplicate = totals.duplicate;
	counters->reordered = totals.reordered;
	counters->jitter_us = totals.jitter_us;
}

int rtpfork_core_port_counters(const struct rtpfork_core *core, uint64_t id,
			       struct rtpfork_port_counters *counters)
{
	struct port *port = NULL;
	int result = find_port(core, id, &port);
	if (result == 0)
		core_read_port(port, counters);
	return result;
}

int rtpfork_core_close(struct rtpfork_core *core, uint64_t id, uint64_t now_ns,
		       struct rtpfork_port_counters *counters, struct rtpfork_log **garbage)
{
	struct port *port = NULL;
	int result = find_port(core, id, &port);
	if (result != 0)
		return result;
	core_begin_change(&port->whole);
	struct rtpfork_reader_counters unread;
	while (port->stream_readers != NONE)
		rtpfork_core_detach(core, rtpfork_table_id(&core->fork_ids, port->stream_readers),
				    now_ns, &unread, garbage);
	while (port->via_readers != NONE)
		rtpfork_core_detach(core, rtpfork_table_id(&core->fork_ids, port->via_readers),
				    now_ns, &unread, garbage);
	unbridge(core, port);
	core_silence(core, port);
	core_read_port(port, counters);
	core_clear_keys(core, &port->receive);
	core_clear_keys(core, &port->send);
	core_port_ended(core, id, counters);
	rtpfork_table_give(&core->port_ids, port->slot);
	return 0;
}

/* readers */

static int find_fork(const struct rtpfork_core *core, uint64_t id, uint32_t *slot)
{
	return rtpfork_table_find(&core->fork_ids, id, slot);
}

static int set_keys(struct rtpfork_core *core, struct fork *fork,
		    const struct rtpfork_target *target)
{
	int result = core_set_key(core, &fork->send, &target->send_key, RTPFORK_SRTP_SEND);
	if (result == 0)
		result = core_set_key(core, &fork->receive, &target->receive_key,
				      RTPFORK_SRTP_RECEIVE);
	return result;
}

static int aim(struct rtpfork_core *core, struct fork *fork, const struct rtpfork_target *target)
{
	if (!rtpfork_address_known(&target->remote))
		return RTPFORK_EARGUMENT;
	int result = target->keep_keys ? 0 : set_keys(core, fork, target);
	if (result != 0)
		return result;
	fork->remote = target->remote;
	fork->rtcp_mux = target->rtcp_mux;
	fork->no_rtcp = target->no_rtcp;
	fork->collided = false;
	resolve_rtcp(&fork->remote_rtcp, &target->remote_rtcp, &target->remote, target->rtcp_mux);
	memcpy(fork->reader.map, target->map, sizeof fork->reader.map);
	fork->reader.events = target->events;
	return 0;
}

/* Put the log to use, and the reader at its end. */
static void join(struct rtpfork_core *core, uint32_t slot, struct port *stream, struct port *via,
		 struct rtpfork_log **log)
{
	struct fork *fork = &core->forks[slot];
	if (!stream->log) {
		stream->log = *log;
		*log = NULL;
	}
	fork->reader.position = rtpfork_log_head(stream->log);
	fork->reader.counters.before_attach = stream->counters.received;
	fork->stream = stream->slot;
	fork->via = via->slot;
	fork->next_of_stream = stream->stream_readers;
	stream->stream_readers = slot;
	fork->next_of_via = via->via_readers;
	via->via_readers = slot;
	core_touch(core, stream);
	core_touch(core, via);
}

static void give_fork(struct rtpfork_core *core, uint32_t slot)
{
	core_clear_keys(core, &core->forks[slot].receive);
	core_clear_keys(core, &core->forks[slot].send);
	rtpfork_table_give(&core->fork_ids, slot);
}

int rtpfork_core_attach(struct rtpfork_core *core, uint64_t stream_id, uint64_t via_id,
			const struct rtpfork_identity *identity,
			const struct rtpfork_target *target, struct rtpfork_log **log,
			uint64_t *reader)
{
	struct port *stream = NULL;
	struct port *via = NULL;
	int result = find_port(core, stream_id, &stream);
	if (result == 0)
		result = find_port(core, via_id, &via);
	if (result != 0)
		return result;
	if (identity->clock_rate == 0 || identity->cname[0] == '\0' || (!stream->log && !*log))
		return RTPFORK_EARGUMENT;
	uint32_t slot = 0;
	result = rtpfork_table_take(&core->fork_ids, &slot);
	if (result != 0)
		return result;
	struct fork *fork = &core->forks[slot];
	memset(fork, 0, sizeof *fork);
	rtpfork_reader_init(&fork->reader, identity->ssrc, identity->clock_rate,
			    identity->first_sequence, identity->first_timestamp, 0);
	fork->receive.most_before = KEYS_BEFORE;
	fork->send.most_before = KEYS_BEFORE;
	memcpy(fork->cname, identity->cname, sizeof fork->cname);
	result = aim(core, fork, target);
	if (result != 0) {
		give_fork(core, slot);
		return result;
	}
	join(core, slot, stream, via, log);
	core_end_change(&fork->whole);
	*reader = rtpfork_table_id(&core->fork_ids, slot);
	return 0;
}

int rtpfork_core_update(struct rtpfork_core *core, uint64_t reader,
			const struct rtpfork_target *target)
{
	uint32_t slot = 0;
	int result = find_fork(core, reader, &slot);
	if (result != 0)
		return result;
	core_begin_change(&core->forks[slot].whole);
	result = aim(core, &core->forks[slot], target);
	core_end_change(&core->forks[slot].whole);
	return result;
}

int rtpfork_core_set_live(struct rtpfork_core *core, uint64_t reader, bool live, uint64_t now_ns)
{
	uint32_t slot = 0;
	int result = find_fork(core, reader, &slot);
	if (result != 0)
		return result;
	rtpfork_reader_set_live(&core->forks[slot].reader, live);
	core_touch(core, &core->ports[core->forks[slot].stream]);
	core_begin_reports(core, &core->forks[slot], now_ns);
	return 0;
}

/* Take |slot| out of the list that begins at |*link|; |next| is the list's link in a fork. */
static void unlink_fork(struct rtpfork_core *core, uint32_t *link, uint32_t slot, bool of_via)
{
	while (*link != slot)
		link = of_via ? &core->forks[*link].next_of_via
			      : &core->forks[*link].next_of_stream;
	*link = of_via ? core->forks[slot].next_of_via : core->forks[slot].next_of_stream;
}

int rtpfork_core_detach(struct rtpfork_core *core, uint64_t reader, uint64_t now_ns,
			struct rtpfork_reader_counters *counters, struct rtpfork_log **garbage)
{
	uint32_t slot = 0;
	int result = find_fork(core, reader, &slot);
	if (result != 0)
		return result;
	struct fork *fork = &core->forks[slot];
	struct port *stream = &core->ports[fork->stream];
	core_begin_change(&fork->whole);
	if (fork->rtcp_reported || fork->reader.begun)
		core_queue_report(core, slot, now_ns, true);
	core_touch(core, stream);
	core_touch(core, &core->ports[fork->via]);
	unlink_fork(core, &stream->stream_readers, slot, false);
	unlink_fork(core, &core->ports[fork->via].via_readers, slot, true);
	if (stream->stream_readers == NONE) {
		*rtpfork_log_link(stream->log) = *garbage;
		*garbage = stream->log;
		stream->log = NULL;
	}
	*counters = fork->reader.counters;
	core_reader_ended(core, reader, counters);
	give_fork(core, slot);
	return 0;
}

int rtpfork_core_reader_counters(const struct rtpfork_core *core, uint64_t reader,
				 struct rtpfork_reader_counters *counters)
{
	uint32_t slot = 0;
	int result = find_fork(core, reader, &slot);
	if (result == 0)
		*counters = core->forks[slot].reader.counters;
	return result;
}

int rtpfork_core_via(const struct rtpfork_core *core, uint64_t reader, uint32_t *slot)
{
	uint32_t fork = 0;
	int result = find_fork(core, reader, &fork);
	if (result == 0)
		*slot = core->forks[fork].via;
	return result;
}

const struct rtpfork_address *rtpfork_core_aim(const struct rtpfork_core *core, uint32_t slot,
					       bool rtcp)
{
	const struct rtpfork_address *one = NULL;
	const struct port *port = &core->ports[slot];
	if (rtpfork_address_known(&port->remote) || port->learn)
		return NULL;
	for (uint32_t i = port->via_readers; i != NONE; i = core->forks[i].next_of_via) {
		const struct fork *fork = &core->forks[i];
		if (rtcp && fork->rtcp_mux)
			continue;
		const struct rtpfork_address *to = rtcp ? &fork->remote_rtcp : &fork->remote;
		if (one && !rtpfork_address_equal(one, to))
			return NULL;
		one = to;
	}
	return one;
}
