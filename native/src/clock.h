/* The one clock of the engine: CLOCK_MONOTONIC, in nanoseconds. */
#ifndef RTPFORK_CLOCK_H
#define RTPFORK_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

#endif
