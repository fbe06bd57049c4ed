/* The memory of an engine, in one piece: all that the process needs which follows a killed one. It
 * is the calls' state with their keys: in a file without a name or in none, never in a core dump.
 */
#ifndef RTPFORK_MEMORY_H
#define RTPFORK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/core.h"

/* What it is for; memory of another shape is not taken up. */
struct memory_shape {
	uint32_t threads;
	uint32_t max_ports;
	uint32_t max_readers;
};

struct memory_header;

struct memory {
	struct memory_header *header;
	size_t bytes;
	struct rtpfork_sounds *sounds;
	void *ports; /* of rtpfork_ports_bytes() */
	uint8_t *cores;
	size_t core_bytes;
};

enum memory_found {
	MEMORY_EMPTY,
	MEMORY_LEFT,	/* by a process that was killed */
	MEMORY_STRANGE, /* by one of another shape or build; it is empty now */
};

/* Map the file |fd|, or for -1 memory that ends with the process. RTPFORK_ESYSTEM. */
int memory_open(struct memory *memory, int fd, const struct memory_shape *shape,
		enum memory_found *found);

/* Make all of it zeros again. */
void memory_clear(struct memory *memory);

/* From now on it is of use to another process, or not any more. */
void memory_mark(struct memory *memory, bool of_use);

/* The offset of all time, the same for every process that takes it up. */
uint64_t *memory_unix_offset_ns(const struct memory *memory);

void *memory_core(const struct memory *memory, uint32_t thread);
void memory_close(struct memory *memory);

#endif
