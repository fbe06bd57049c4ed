/* The positions only grow; each side keeps the other's last seen position to touch its line rarely.
 */
#include "rtpfork/ring.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE_BYTES 64

struct rtpfork_ring {
	size_t mask;
	size_t element_bytes;
	uint8_t *elements;
	/* The producer's line. */
	_Alignas(CACHE_LINE_BYTES) _Atomic size_t head;
	size_t tail_seen;
	/* The consumer's line. */
	_Alignas(CACHE_LINE_BYTES) _Atomic size_t tail;
	size_t head_seen;
};

struct rtpfork_ring *rtpfork_ring_new(size_t capacity, size_t element_bytes)
{
	if (capacity == 0 || (capacity & (capacity - 1)) != 0 || element_bytes == 0)
		return NULL;
	struct rtpfork_ring *ring = aligned_alloc(CACHE_LINE_BYTES, sizeof *ring);
	if (!ring)
		return NULL;
	memset(ring, 0, sizeof *ring);
	ring->mask = capacity - 1;
	ring->element_bytes = element_bytes;
	atomic_init(&ring->head, 0);
	atomic_init(&ring->tail, 0);
	ring->elements = calloc(capacity, element_bytes);
	if (!ring->elements) {
		free(ring);
		return NULL;
	}
	return ring;
}

void rtpfork_ring_free(struct rtpfork_ring *ring)
{
	if (!ring)
		return;
	free(ring->elements);
	free(ring);
}

bool rtpfork_ring_push(struct rtpfork_ring *ring, const void *element)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head - ring->tail_seen > ring->mask) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head - ring->tail_seen > ring->mask)
			return false;
	}
	memcpy(ring->elements + (head & ring->mask) * ring->element_bytes, element,
	       ring->element_bytes);
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

bool rtpfork_ring_pop(struct rtpfork_ring *ring, void *element)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	if (tail == ring->head_seen) {
		ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
		if (tail == ring->head_seen)
			return false;
	}
	memcpy(element, ring->elements + (tail & ring->mask) * ring->element_bytes,
	       ring->element_bytes);
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return true;
}
