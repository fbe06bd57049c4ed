/* The header, sounds, port numbers, then a core for each thread. */
#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "order.h"
#include "ports.h"

#define MAGIC	   UINT64_C(0x31726f6d656d6672) /* "rfmemor1" */
#define PAGE_BYTES 4096

/* Of the sources, so that no other build takes its structures for its own. */
#ifndef RTPFORK_BUILD
#define RTPFORK_BUILD "none"
#endif

struct memory_header {
	uint64_t magic;
	char build[72];
	struct memory_shape shape;
	uint32_t of_use;
	uint64_t bytes;
	uint64_t unix_offset_ns;
};

static size_t pages(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Where the parts begin. */
struct layout {
	size_t sounds;
	size_t ports;
	size_t cores;
	size_t core_bytes;
	size_t bytes;
};

static struct layout lay_out(const struct memory_shape *shape)
{
	struct rtpfork_core_options options = {.max_ports = shape->max_ports,
					       .max_readers = shape->max_readers};
	struct layout at = {.sounds = pages(sizeof(struct memory_header))};
	at.ports = at.sounds + pages(rtpfork_sounds_bytes());
	at.cores = at.ports + pages(rtpfork_ports_bytes());
	at.core_bytes = pages(rtpfork_core_bytes(&options));
	at.bytes = at.cores + at.core_bytes * shape->threads;
	return at;
}

/* A header for this build and |memory|, not yet of use. */
static struct memory_header header_of(const struct memory *memory, const struct memory_shape *shape)
{
	struct memory_header header = {.magic = MAGIC, .shape = *shape, .bytes = memory->bytes};
	strncpy(header.build, RTPFORK_BUILD, sizeof header.build - 1);
	return header;
}

static bool is_ours(const struct memory_header *header, const struct memory_header *ours)
{
	return header->magic == ours->magic && header->bytes == ours->bytes &&
	       memcmp(header->build, ours->build, sizeof header->build) == 0 &&
	       memcmp(&header->shape, &ours->shape, sizeof header->shape) == 0;
}

static int map(struct memory *memory, int fd, const struct layout *layout)
{
	int how = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	uint8_t *at = mmap(NULL, layout->bytes, PROT_READ | PROT_WRITE, how | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED)
		return RTPFORK_ESYSTEM;
	madvise(at, layout->bytes, MADV_DONTDUMP);
	*memory = (struct memory){
		.header = (struct memory_header *)at,
		.bytes = layout->bytes,
		.sounds = (struct rtpfork_sounds *)(at + layout->sounds),
		.ports = at + layout->ports,
		.cores = at + layout->cores,
		.core_bytes = layout->core_bytes,
	};
	return 0;
}

int memory_open(struct memory *memory, int fd, const struct memory_shape *shape,
		enum memory_found *found)
{
	struct stat before = {0};
	struct layout layout = lay_out(shape);
	if (fd >= 0 && (fstat(fd, &before) != 0 || ftruncate(fd, (off_t)layout.bytes) != 0))
		return RTPFORK_ESYSTEM;
	int result = map(memory, fd, &layout);
	if (result != 0)
		return result;
	struct memory_header ours = header_of(memory, shape);
	bool fits = (size_t)before.st_size == memory->bytes && is_ours(memory->header, &ours);
	*found = MEMORY_EMPTY;
	if (before.st_size != 0 && !fits)
		*found = MEMORY_STRANGE;
	else if (fits && memory->header->of_use == 1)
		*found = MEMORY_LEFT;
	if (*found != MEMORY_LEFT) {
		memory_clear(memory);
		*memory->header = ours;
	}
	return 0;
}

void memory_clear(struct memory *memory)
{
	struct memory_header header = *memory->header;
	header.of_use = 0;
	/* Shared memory gives its pages back by REMOVE, private by DONTNEED. */
	if (madvise(memory->header, memory->bytes, MADV_REMOVE) != 0)
		madvise(memory->header, memory->bytes, MADV_DONTNEED);
	*memory->header = header;
}

void memory_mark(struct memory *memory, bool of_use)
{
	in_order();
	memory->header->of_use = of_use;
	in_order();
}

uint64_t *memory_unix_offset_ns(const struct memory *memory)
{
	return &memory->header->unix_offset_ns;
}

void *memory_core(const struct memory *memory, uint32_t thread)
{
	return memory->cores + memory->core_bytes * thread;
}

void memory_close(struct memory *memory)
{
	if (memory->header)
		munmap(memory->header, memory->bytes);
	memory->header = NULL;
}
