/* Positions grow for ever; a record has eight octets in front that say its length and whether it is
 * ready. */
#include "bpf_ring.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rtpfork/errors.h"

int bpf_ring_open(struct bpf_ring *ring, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	memset(ring, 0, sizeof *ring);
	void *mine = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mine == MAP_FAILED)
		return RTPFORK_ESYSTEM;
	void *kernels = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (kernels == MAP_FAILED) {
		munmap(mine, page);
		return RTPFORK_ESYSTEM;
	}
	ring->read_to = mine;
	ring->written = kernels;
	ring->data = (const uint8_t *)kernels + page;
	ring->mask = bytes - 1;
	ring->bytes = bytes;
	ring->at = *ring->read_to;
	return 0;
}

void bpf_ring_close(struct bpf_ring *ring)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (!ring->read_to)
		return;
	munmap(ring->read_to, page);
	munmap((void *)ring->written, page + 2 * ring->bytes);
	ring->read_to = NULL;
}

static uint64_t whole(uint32_t length)
{
	return ((uint64_t)length + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
}

const void *bpf_ring_next(struct bpf_ring *ring, size_t *bytes)
{
	while (ring->at < bpf_ring_end(ring)) {
		const uint8_t *record = ring->data + (ring->at & ring->mask);
		uint32_t length =
			__atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);
		if (length & BPF_RINGBUF_BUSY_BIT)
			return NULL;
		if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
			*bytes = length;
			return record + BPF_RINGBUF_HDR_SZ;
		}
		ring->at += whole(length ^ BPF_RINGBUF_DISCARD_BIT);
	}
	return NULL;
}

uint64_t bpf_ring_end(const struct bpf_ring *ring)
{
	return __atomic_load_n(ring->written, __ATOMIC_ACQUIRE);
}

void bpf_ring_pass(struct bpf_ring *ring)
{
	const uint8_t *record = ring->data + (ring->at & ring->mask);
	ring->at += whole(*(const uint32_t *)(const void *)record);
}

void bpf_ring_release(struct bpf_ring *ring)
{
	__atomic_store_n(ring->read_to, ring->at, __ATOMIC_RELEASE);
}
