/* What a batch of packets needs is fetched into the caches all at once. With thousands of streams
 * it lies in memory, and each packet would wait for one piece after the other: a fifth of what an
 * engine thread does on its own. */
#include <stddef.h>

#include "core_internal.h"

#define LINE_BYTES 64

static inline void fetch(const void *from, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += LINE_BYTES)
		__builtin_prefetch((const uint8_t *)from + at, 1);
}

/* What the ports of the batch point to. */
static void fetch_next(const struct rtpfork_core *core, const struct port *port)
{
	if (port->peer != NONE)
		fetch(&core->ports[port->peer], offsetof(struct port, source));
	if (port->log)
		__builtin_prefetch(port->log);
	if (port->stream_readers != NONE)
		fetch(&core->forks[port->stream_readers], sizeof(struct fork));
}

/* What those point to. */
static void fetch_last(const struct rtpfork_core *core, const struct port *port)
{
	if (port->log)
		rtpfork_log_expect(port->log);
	const struct keys *keys =
		port->stream_readers == NONE ? NULL : &core->forks[port->stream_readers].send;
	if (keys && keys->now)
		fetch(core_key(core, keys), offsetof(struct rtpfork_srtp_key, sources[1]));
}

void rtpfork_core_expect(const struct rtpfork_core *core, const struct rtpfork_in *ins,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		fetch(&core->ports[ins[i].port], offsetof(struct port, latched_rtcp));
	for (size_t i = 0; i < count; i++)
		fetch_next(core, &core->ports[ins[i].port]);
	for (size_t i = 0; i < count; i++)
		fetch_last(core, &core->ports[ins[i].port]);
}
