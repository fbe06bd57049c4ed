/* On which packet thread the next call goes: the one that is expected to be least busy. Numbers for
 * time, no clock; the control side's alone. */
#ifndef RTPFORK_PLACEMENT_H
#define RTPFORK_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "table.h"

#define PLACEMENT_LOOK_NS 200000000U /* how far looks are apart at least */

struct thread_load {
	uint64_t busy_ns; /* at the last look */
	double share;	  /* of its time that it was busy of late, 0..1 */
	double fresh;	  /* ports so young that what they will cost is not in |share| yet */
	size_t ports;	  /* open */
};

struct placement {
	uint32_t threads;
	uint64_t looked_ns; /* 0: never */
	struct thread_load loads[RTPFORK_MAX_THREADS];
};

/* Whether it is time for the next look. */
bool placement_wants(const struct placement *placement, uint64_t now_ns);

/* |busy_ns| has for each thread how long it was busy since it began. */
void placement_look(struct placement *placement, const uint64_t *busy_ns, uint64_t now_ns);

/* The thread for new ports. */
uint32_t placement_choose(const struct placement *placement);

void placement_opened(struct placement *placement, uint32_t thread, size_t ports);
void placement_closed(struct placement *placement, uint32_t thread, size_t ports);

#endif
