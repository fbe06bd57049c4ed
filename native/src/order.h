/* The order in which a value that outlives its process is written: whoever takes it up after a kill
 * finds what was written before, or also what was written after, never the latter alone. */
#ifndef RTPFORK_ORDER_H
#define RTPFORK_ORDER_H

#include <stdatomic.h>

/* The compiler keeps the order; a killed thread's stores reach memory in the order it made them. */
static inline void in_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

#endif
