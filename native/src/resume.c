/* A core goes on with what another process has left. Only what is used is trusted, and only within
 * its bounds; whatever follows from it (free lists, lists of readers, what is dirty) is made anew.
 */
#include <stdlib.h>
#include <string.h>

#include "core_internal.h"
#include "state.h"

/* Cells that somebody holds, a bit each. */
struct held {
	uint64_t *keys;
	uint64_t *sent_with;
};

/* keys */

/* Whether |cell| is one of |pool| that nobody has yet; then it is held. */
static bool hold(const struct pool *pool, uint64_t *held, uint32_t cell)
{
	if (cell == 0 || cell > pool->high_water)
		return false;
	uint64_t bit = UINT64_C(1) << (cell & 63U);
	bool first = (held[cell / 64] & bit) == 0;
	held[cell / 64] |= bit;
	return first;
}

static bool resume_key(struct rtpfork_core *core, const struct held *held, uint32_t cell,
		       enum rtpfork_srtp_direction direction)
{
	if (!hold(&core->keys, held->keys, cell))
		return false;
	struct held_key *key = pool_at(&core->keys, cell);
	return rtpfork_srtp_key_resume(&key->key, direction);
}

static bool resume_keys(struct rtpfork_core *core, const struct held *held, const struct keys *keys,
			enum rtpfork_srtp_direction direction)
{
	if (keys->now != 0 && !resume_key(core, held, keys->now, direction))
		return false;
	uint32_t cell = keys->before;
	for (uint32_t i = 0; cell != 0; i++) {
		if (i == keys->most_before || !resume_key(core, held, cell, direction))
			return false;
		cell = ((struct held_key *)pool_at(&core->keys, cell))->older;
	}
	return keys->sent_with == 0 || hold(&core->sent_with, held->sent_with, keys->sent_with);
}

/* Free the cells that nobody holds. */
static void free_cells(struct pool *pool, const uint64_t *held)
{
	for (uint32_t cell = pool->high_water; cell > 0; cell--)
		if ((held[cell / 64] & UINT64_C(1) << (cell & 63U)) == 0)
			pool_give(pool, cell);
}

/* books */

/* What was taken and has no fate was under way. */
static void settle_port(struct rtpfork_port_counters *c, uint64_t raw_received)
{
	uint64_t taken = c->received + c->rtcp_received + raw_received;
	uint64_t settled = c->relayed + c->rtcp_relayed + c->raw_relayed + c->dropped_unbridged +
			   c->dropped_full + c->dropped_send + c->dropped_restart;
	if (taken > settled)
		c->dropped_restart += taken - settled;
}

static void settle_fork(struct rtpfork_reader_counters *c, uint64_t received)
{
	uint64_t seen = c->before_attach + c->offered;
	if (received > seen)
		c->offered += received - seen;
	uint64_t settled = c->delivered + c->skipped_paused + c->skipped_event +
			   c->skipped_comfort_noise + c->skipped_format + c->dropped_stale +
			   c->dropped_overrun + c->dropped_full + c->dropped_send +
			   c->dropped_restart;
	if (c->offered > settled)
		c->dropped_restart += c->offered - settled;
}

/* ports and readers */

static bool is_port(const struct rtpfork_core *core, uint32_t slot)
{
	return rtpfork_table_used(&core->port_ids, slot) && core->ports[slot].whole;
}

/* What is not whole is open no more; its keys are not held, and so wiped. Its books are the last.
 */
static void close_port(struct rtpfork_core *core, uint32_t slot)
{
	struct port *port = &core->ports[slot];
	if (state_port_is_sane(port)) {
		struct rtpfork_port_counters last;
		settle_port(&port->counters, port->raw_received);
		core_read_port(port, &last);
		core_port_ended(core, rtpfork_table_id(&core->port_ids, slot), &last);
	}
	rtpfork_table_give(&core->port_ids, slot);
}

static bool resume_port(struct rtpfork_core *core, const struct held *held, uint32_t slot)
{
	struct port *port = &core->ports[slot];
	if (!rtpfork_table_used(&core->port_ids, slot))
		return true;
	if (state_is_torn(&port->whole)) {
		close_port(core, slot);
		return true;
	}
	if (!state_port_is_sane(port))
		return false;
	if (port->slot != slot || !resume_keys(core, held, &port->receive, RTPFORK_SRTP_RECEIVE) ||
	    !resume_keys(core, held, &port->send, RTPFORK_SRTP_SEND))
		return false;
	port->stream_readers = NONE;
	port->via_readers = NONE;
	port->dirty = false;
	port->resumed = port->source.begun;
	return true;
}

static void resume_bridge(struct rtpfork_core *core, struct port *port)
{
	if (port->peer != NONE &&
	    (!is_port(core, port->peer) || core->ports[port->peer].peer != port->slot))
		port->peer = NONE;
}

static void resume_sounds(struct rtpfork_core *core, struct port *port)
{
	const struct rtpfork_sounds *sounds = core->options.sounds;
	struct tone *tone = &port->tone;
	struct speech *speech = &port->speech;
	tone->what.sound = sounds ? rtpfork_sounds_find(sounds, tone->sound) : NULL;
	bool speaks = speech->what.sound != NULL;
	speech->what.sound = sounds && speaks ? rtpfork_sounds_find(sounds, speech->sound) : NULL;
	if (speech->what.sound)
		core->speaking[core->speaking_count++] = port->slot;
}

static void end_fork(struct rtpfork_core *core, uint32_t slot)
{
	struct fork *fork = &core->forks[slot];
	if (fork->stream < core->port_ids.high_water) {
		settle_fork(&fork->reader.counters, core->ports[fork->stream].counters.received);
		core_reader_ended(core, rtpfork_table_id(&core->fork_ids, slot),
				  &fork->reader.counters);
	}
	rtpfork_table_give(&core->fork_ids, slot);
}

static bool resume_fork(struct rtpfork_core *core, const struct held *held, uint32_t slot)
{
	struct fork *fork = &core->forks[slot];
	if (!rtpfork_table_used(&core->fork_ids, slot))
		return true;
	if (state_is_torn(&fork->whole)) {
		end_fork(core, slot);
		return true;
	}
	if (!state_fork_is_sane(fork))
		return false;
	if (!is_port(core, fork->stream) || !is_port(core, fork->via)) {
		end_fork(core, slot);
		return true;
	}
	struct port *stream = &core->ports[fork->stream];
	struct port *via = &core->ports[fork->via];
	fork->next_of_stream = stream->stream_readers;
	stream->stream_readers = slot;
	fork->next_of_via = via->via_readers;
	via->via_readers = slot;
	fork->reader.position = 0;
	return resume_keys(core, held, &fork->receive, RTPFORK_SRTP_RECEIVE) &&
	       resume_keys(core, held, &fork->send, RTPFORK_SRTP_SEND);
}

/* all of it */

static void settle(struct rtpfork_core *core)
{
	for (uint32_t slot = 0; slot < core->port_ids.high_water; slot++)
		if (rtpfork_table_used(&core->port_ids, slot))
			settle_port(&core->ports[slot].counters, core->ports[slot].raw_received);
	for (uint32_t slot = 0; slot < core->fork_ids.high_water; slot++) {
		struct fork *fork = &core->forks[slot];
		if (rtpfork_table_used(&core->fork_ids, slot))
			settle_fork(&fork->reader.counters,
				    core->ports[fork->stream].counters.received);
	}
}

static int resume_tables(struct rtpfork_core *core, const struct held *held)
{
	for (uint32_t slot = 0; slot < core->port_ids.high_water; slot++)
		if (!resume_port(core, held, slot))
			return RTPFORK_EDAMAGED;
	for (uint32_t slot = 0; slot < core->port_ids.high_water; slot++) {
		if (!rtpfork_table_used(&core->port_ids, slot))
			continue;
		resume_bridge(core, &core->ports[slot]);
		resume_sounds(core, &core->ports[slot]);
	}
	for (uint32_t slot = 0; slot < core->fork_ids.high_water; slot++)
		if (!resume_fork(core, held, slot))
			return RTPFORK_EDAMAGED;
	free_cells(&core->keys, held->keys);
	free_cells(&core->sent_with, held->sent_with);
	settle(core);
	return 0;
}

static int make_logs(struct rtpfork_core *core, size_t packets, size_t bytes)
{
	for (uint32_t slot = 0; slot < core->port_ids.high_water; slot++) {
		struct port *port = &core->ports[slot];
		if (!rtpfork_table_used(&core->port_ids, slot) || port->stream_readers == NONE)
			continue;
		port->log = rtpfork_log_new(packets, bytes);
		if (!port->log)
			return RTPFORK_ENOMEM;
	}
	return 0;
}

static int resume(struct rtpfork_core *core)
{
	int result = rtpfork_table_resume(&core->port_ids, core->port_ids.high_water);
	if (result == 0)
		result = rtpfork_table_resume(&core->fork_ids, core->fork_ids.high_water);
	if (result != 0)
		return result;
	struct held held = {
		.keys = calloc(core->keys.high_water / 64 + 1, sizeof *held.keys),
		.sent_with = calloc(core->sent_with.high_water / 64 + 1, sizeof *held.sent_with),
	};
	result = held.keys && held.sent_with ? resume_tables(core, &held) : RTPFORK_ENOMEM;
	free(held.keys);
	free(held.sent_with);
	return result;
}

int rtpfork_core_resume(const struct rtpfork_core_options *options, size_t log_packets,
			size_t log_bytes, struct rtpfork_core **out)
{
	if (!options->notify || options->max_outs == 0 || !options->memory)
		return RTPFORK_EARGUMENT;
	struct rtpfork_core *core = options->memory;
	int result = core_set_up(core, options, true);
	if (result == 0)
		result = resume(core);
	if (result == 0)
		result = make_logs(core, log_packets, log_bytes);
	if (result != 0) {
		rtpfork_core_free(core);
		return result;
	}
	uint32_t slot = 0;
	while (rtpfork_core_each_port(core, &slot) != 0)
		core_touch(core, &core->ports[slot - 1]);
	*out = core;
	return 0;
}

/* visits */

static uint64_t each(const struct rtpfork_table *table, uint32_t *slot)
{
	while (*slot < table->high_water && !rtpfork_table_used(table, *slot))
		++*slot;
	return *slot < table->high_water ? rtpfork_table_id(table, (*slot)++) : 0;
}

uint64_t rtpfork_core_each_port(const struct rtpfork_core *core, uint32_t *slot)
{
	return each(&core->port_ids, slot);
}

uint64_t rtpfork_core_each_reader(const struct rtpfork_core *core, uint32_t *slot)
{
	return each(&core->fork_ids, slot);
}

uint64_t rtpfork_core_peer(const struct rtpfork_core *core, uint64_t port)
{
	uint32_t slot = 0;
	if (rtpfork_table_find(&core->port_ids, port, &slot) != 0 || core->ports[slot].peer == NONE)
		return 0;
	return rtpfork_table_id(&core->port_ids, core->ports[slot].peer);
}

void rtpfork_core_ends(const struct rtpfork_core *core, uint64_t reader, uint64_t *stream,
		       uint64_t *via)
{
	uint32_t slot = 0;
	*stream = *via = 0;
	if (rtpfork_table_find(&core->fork_ids, reader, &slot) != 0)
		return;
	*stream = rtpfork_table_id(&core->port_ids, core->forks[slot].stream);
	*via = rtpfork_table_id(&core->port_ids, core->forks[slot].via);
}
