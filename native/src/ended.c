/* The last books of ports and readers that have ended, for the command that ended them and whose
 * answer the process before did not live to give. The oldest make room for the newest. */
#include "core_internal.h"

#define MOST_ENDED 4096 /* far more than are under way between two processes */

uint32_t core_most_ended(const struct rtpfork_core_options *options)
{
	uint32_t living = options->max_ports + options->max_readers;
	return living < MOST_ENDED ? living : MOST_ENDED;
}

/* What is being written is nobody's until it is written. */
static union books *begin(struct rtpfork_core *core, uint32_t *place)
{
	*place = (uint32_t)(core->ended.count % core->ended.capacity);
	core->ended.ids[*place] = 0;
	in_order();
	return &core->ended.books[*place];
}

static void end(struct rtpfork_core *core, uint32_t place, uint64_t id)
{
	in_order();
	core->ended.ids[place] = id;
	core->ended.count++;
}

void core_port_ended(struct rtpfork_core *core, uint64_t id,
		     const struct rtpfork_port_counters *counters)
{
	uint32_t place = 0;
	begin(core, &place)->port = *counters;
	end(core, place, id);
}

void core_reader_ended(struct rtpfork_core *core, uint64_t id,
		       const struct rtpfork_reader_counters *counters)
{
	uint32_t place = 0;
	begin(core, &place)->reader = *counters;
	end(core, place, id);
}

static const union books *find(const struct rtpfork_core *core, uint64_t id)
{
	for (uint32_t place = 0; id != 0 && place < core->ended.capacity; place++)
		if (core->ended.ids[place] == id)
			return &core->ended.books[place];
	return NULL;
}

int rtpfork_core_ended_port(const struct rtpfork_core *core, uint64_t port,
			    struct rtpfork_port_counters *counters)
{
	const union books *books = find(core, port);
	if (!books)
		return RTPFORK_EGONE;
	*counters = books->port;
	return 0;
}

int rtpfork_core_ended_reader(const struct rtpfork_core *core, uint64_t reader,
			      struct rtpfork_reader_counters *counters)
{
	const union books *books = find(core, reader);
	if (!books)
		return RTPFORK_EGONE;
	*counters = books->reader;
	return 0;
}
