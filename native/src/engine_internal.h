/* What an engine is made of; shared by its files, by nobody else. */
#ifndef RTPFORK_ENGINE_INTERNAL_H
#define RTPFORK_ENGINE_INTERNAL_H

#include "memory.h"
#include "placement.h"
#include "ports.h"
#include "relay.h"
#include "rtpfork/engine.h"
#include "worker.h"

struct rtpfork_engine {
	struct rtpfork_engine_options options;
	struct memory memory;
	enum rtpfork_start start;
	struct rtpfork_resumed *resumed;
	size_t resumed_count;
	struct rtpfork_ports *ports;
	struct relay *relay;   /* NULL: there is none in the kernel */
	uint32_t threads;      /* wanted */
	uint32_t thread_count; /* made */
	struct placement placement;
	enum rtpfork_priority priority;
	struct worker *workers;
	int said_fd;
	struct rtpfork_command *answered; /* without a thread, oldest first */
	struct rtpfork_command **answered_end;
};

#endif
