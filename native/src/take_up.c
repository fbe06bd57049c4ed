/* The sockets of a process that ended, with the ports they belong to. */
#include <stdlib.h>

#include "worker.h"

/* Nothing is sent for a port that has no sockets. */
static void close_port(struct worker *worker, uint64_t port, uint64_t now_ns)
{
	struct rtpfork_port_counters unread;
	struct rtpfork_log *garbage = NULL;
	rtpfork_core_close(worker->core, port, now_ns, &unread, &garbage);
	rtpfork_core_settle(worker->core, now_ns);
	while (garbage) {
		struct rtpfork_log *log = garbage;
		garbage = *rtpfork_log_link(log);
		rtpfork_log_free(log);
	}
}

static void close_without(struct worker *worker, const bool *served, uint64_t now_ns)
{
	uint32_t slot = 0;
	for (uint64_t port; (port = rtpfork_core_each_port(worker->core, &slot)) != 0;)
		if (!served[slot - 1])
			close_port(worker, port, now_ns);
}

/* What was relayed while no process was there is told on, or told anew. */
static void adopt(struct worker *worker, uint32_t slot)
{
	struct rtpfork_told *told = rtpfork_core_told(worker->core, slot);
	if (!worker->ops->adopt || !worker->ops->adopt(worker->io, slot, told))
		*told = (struct rtpfork_told){0};
}

/* Serve a port by the sockets |kept|, if it is ours and has none yet. */
static void serve(struct worker *worker, struct rtpfork_kept *kept, bool *served)
{
	uint32_t slot = 0;
	if (rtpfork_core_slot(worker->core, kept->port, &slot) != 0 || served[slot] ||
	    worker->ops->add(worker->io, slot, kept->fds) != 0)
		return;
	kept->fds[0] = kept->fds[1] = -1;
	served[slot] = true;
	adopt(worker, slot);
}

int worker_take_up(struct worker *worker, struct rtpfork_kept *kept, size_t count, uint64_t now_ns)
{
	bool *served = calloc(worker->max_ports, sizeof *served);
	if (!served)
		return RTPFORK_ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (kept[i].fds[0] >= 0)
			serve(worker, &kept[i], served);
	close_without(worker, served, now_ns);
	uint32_t slot = 0;
	while (rtpfork_core_each_port(worker->core, &slot) != 0)
		worker_aim(worker, slot - 1);
	free(served);
	return 0;
}
