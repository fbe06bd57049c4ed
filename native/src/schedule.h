/* Where and how urgently packet threads run. */
#ifndef RTPFORK_SCHEDULE_H
#define RTPFORK_SCHEDULE_H

#include <pthread.h>

#include "rtpfork/engine.h"

/* CPUs that the calling thread may use; at least 1. */
uint32_t schedule_cpus(void);

/* Start |run| in a thread without signals, on |*cpu| alone unless it is NULL, as
 * |wanted| or, where that is not permitted, as urgent as it may be, which |*got| says. Of the
 * calling thread nothing is changed. Returns 0 or an errno; then no thread runs. */
int schedule_start(pthread_t *thread, void *(*run)(void *), void *argument, const uint16_t *cpu,
		   enum rtpfork_priority wanted, enum rtpfork_priority *got);

#endif
