/* Single-producer single-consumer ring of fixed-size elements: the only thing two threads share. */
#ifndef RTPFORK_RING_H
#define RTPFORK_RING_H

#include <stdbool.h>
#include <stddef.h>

struct rtpfork_ring;

/* Make a ring of |capacity| elements (a power of two) of |element_bytes| each. NULL: bad argument
 * or no memory. The caller owns the ring and frees it when neither side uses it any more. */
struct rtpfork_ring *rtpfork_ring_new(size_t capacity, size_t element_bytes);
void rtpfork_ring_free(struct rtpfork_ring *ring);

/* Copy one element in. Producer thread only; never blocks. False: the ring is full. */
bool rtpfork_ring_push(struct rtpfork_ring *ring, const void *element);

/* Copy the oldest element out. Consumer thread only; never blocks. False: the ring is empty. */
bool rtpfork_ring_pop(struct rtpfork_ring *ring, void *element);

#endif
