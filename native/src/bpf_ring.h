/* The reader's side of a ring buffer that a BPF program writes to (Documentation/bpf/ringbuf.rst),
 * in place. One thread at a time; no system call but to open and close. */
#ifndef RTPFORK_SRC_BPF_RING_H
#define RTPFORK_SRC_BPF_RING_H

#include <stddef.h>
#include <stdint.h>

struct bpf_ring {
	uint64_t *read_to;	 /* the kernel may write up to here, a turn later */
	const uint64_t *written; /* the kernel has reserved up to here */
	const uint8_t *data;	 /* twice in a row, so that each record is in one piece */
	uint64_t mask;
	uint64_t at; /* this reader's place; |read_to| follows */
	size_t bytes;
};

/* Map the ring |fd| of |bytes|. RTPFORK_ESYSTEM: it cannot be. */
int bpf_ring_open(struct bpf_ring *ring, int fd, size_t bytes);
void bpf_ring_close(struct bpf_ring *ring);

/* The next record, or NULL. It stays until bpf_ring_release(). */
const void *bpf_ring_next(struct bpf_ring *ring, size_t *bytes);

/* The place behind the newest record so far: the reader is there once |at| has come to it. */
uint64_t bpf_ring_end(const struct bpf_ring *ring);

/* Go past the record that bpf_ring_next() told. */
void bpf_ring_pass(struct bpf_ring *ring);

/* Give the kernel back all that was passed. */
void bpf_ring_release(struct bpf_ring *ring);

#endif
