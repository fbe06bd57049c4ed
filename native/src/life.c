/* The memory of a core, in one piece: itself, then its tables. */
#include <stdlib.h>

#include "core_internal.h"

#define ALIGNMENT 64

struct layout {
	uint8_t *memory; /* NULL: only measured */
	size_t bytes;
};

/* Room for |count| things of |bytes| each, beginning on a line of its own. */
static void *place(struct layout *layout, size_t count, size_t bytes)
{
	void *at = layout->memory ? layout->memory + layout->bytes : NULL;
	layout->bytes += (count * bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return at;
}

static size_t lay_out(struct rtpfork_core *core, const struct rtpfork_core_options *options,
		      struct layout layout)
{
	uint32_t ports = options->max_ports;
	uint32_t readers = options->max_readers;
	place(&layout, 1, sizeof *core);
	struct rtpfork_table_entry *port_ids = place(&layout, ports, sizeof *port_ids);
	struct rtpfork_table_entry *fork_ids = place(&layout, readers, sizeof *fork_ids);
	core->ports = place(&layout, ports, sizeof *core->ports);
	core->forks = place(&layout, readers, sizeof *core->forks);
	core->dirty = place(&layout, ports, sizeof *core->dirty);
	core->speaking = place(&layout, ports, sizeof *core->speaking);
	uint32_t keys = core_most_keys(options);
	uint8_t *cells = place(&layout, keys, sizeof(struct held_key));
	pool_init(&core->keys, cells, keys, sizeof(struct held_key));
	uint32_t sent_with = core_most_sent_with(options);
	cells = place(&layout, sent_with, sizeof(struct sent_with));
	pool_init(&core->sent_with, cells, sent_with, sizeof(struct sent_with));
	core->ended.capacity = core_most_ended(options);
	core->ended.ids = place(&layout, core->ended.capacity, sizeof *core->ended.ids);
	core->ended.books = place(&layout, core->ended.capacity, sizeof *core->ended.books);
	core->port_ids.entries = port_ids;
	core->fork_ids.entries = fork_ids;
	return layout.bytes;
}

size_t rtpfork_core_bytes(const struct rtpfork_core_options *options)
{
	struct rtpfork_core measured;
	return lay_out(&measured, options, (struct layout){0});
}

/* What the process needs of its own. */
static int begin(struct rtpfork_core *core, const struct rtpfork_core_options *options)
{
	int result = rtpfork_table_init(&core->port_ids, RTPFORK_ID_PORT, options->thread,
					options->max_ports, core->port_ids.entries);
	if (result == 0)
		result = rtpfork_table_init(&core->fork_ids, RTPFORK_ID_READER, options->thread,
					    options->max_readers, core->fork_ids.entries);
	if (result == 0)
		result = rtpfork_crypto_new(&core->crypto);
	core->outs = calloc(options->max_outs, sizeof *core->outs);
	core->buffers = calloc(options->max_outs, sizeof *core->buffers);
	core->changed = calloc(options->max_ports, sizeof *core->changed);
	core->is_changed = calloc(options->max_ports, sizeof *core->is_changed);
	if (result == 0 && (!core->outs || !core->buffers || !core->changed || !core->is_changed))
		result = RTPFORK_ENOMEM;
	return result;
}

/* How far the tables were used. */
static int keep_extent(struct rtpfork_core *core, const struct rtpfork_core *left)
{
	if (left->port_ids.high_water > core->port_ids.capacity ||
	    left->keys.high_water > core->keys.capacity ||
	    left->sent_with.high_water > core->sent_with.capacity)
		return RTPFORK_EDAMAGED;
	core->port_ids.high_water = left->port_ids.high_water;
	core->fork_ids.high_water = left->fork_ids.high_water;
	core->keys.high_water = left->keys.high_water;
	core->sent_with.high_water = left->sent_with.high_water;
	core->ended.count = left->ended.count;
	for (uint32_t slot = 0; slot < core->port_ids.high_water; slot++)
		core->ports[slot].log = NULL; /* it was the other process's */
	return 0;
}

int core_set_up(struct rtpfork_core *core, const struct rtpfork_core_options *options, bool resumed)
{
	struct rtpfork_core fresh = {.options = *options, .own_memory = !options->memory};
	fresh.random = options->random_seed | 1;
	lay_out(&fresh, options, (struct layout){.memory = (uint8_t *)core});
	int result = begin(&fresh, options);
	if (result == 0 && resumed)
		result = keep_extent(&fresh, core);
	/* At once: if this process is killed too, the next one finds the same. */
	*core = fresh;
	return result;
}

int rtpfork_core_new(const struct rtpfork_core_options *options, struct rtpfork_core **out)
{
	if (!options->notify || options->max_outs == 0)
		return RTPFORK_EARGUMENT;
	struct rtpfork_core *core = options->memory;
	if (!core)
		core = calloc(1, rtpfork_core_bytes(options));
	if (!core)
		return RTPFORK_ENOMEM;
	int result = core_set_up(core, options, false);
	if (result != 0) {
		rtpfork_core_free(core);
		return result;
	}
	*out = core;
	return 0;
}

void rtpfork_core_free(struct rtpfork_core *core)
{
	if (!core)
		return;
	for (uint32_t slot = 0; slot < core->port_ids.high_water; slot++)
		rtpfork_log_free(core->ports[slot].log);
	pool_wipe(&core->keys);
	pool_wipe(&core->sent_with);
	rtpfork_crypto_free(core->crypto);
	free(core->outs);
	free(core->buffers);
	free(core->changed);
	free(core->is_changed);
	if (core->own_memory)
		free(core);
}
