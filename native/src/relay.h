/* The program in the kernel that relays plain flows (bpf/relay.bpf.c), and its maps. Made and freed
 * by the control side; flows and rings are the packet threads'.
 *
 * What it made is pinned in a directory of a bpffs, so that it outlives the process: flows are
 * relayed on and told of, and whoever opens the same directory takes them up. */
#ifndef RTPFORK_SRC_RELAY_H
#define RTPFORK_SRC_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/relay.h"
#include "rtpfork/address.h"

struct relay;

/* Load the program. |pins|: the directory, made if it is not there; NULL: nothing is pinned. Flows
 * that are found there are kept; rings and misses only if the threads of a process before this one
 * are |resumed|, and all are there. What another build has left there ends.
 * RTPFORK_ENOMEM or RTPFORK_ESYSTEM with errno: nothing was left behind. ENOSYS: the library was
 * built without the program; ENODEV: |pins| is in no bpffs. */
int relay_new(const char *pins, uint32_t threads, uint32_t ports_per_thread, bool resumed,
	      struct relay **out);

/* Whether the rings are those of a process before this one. */
bool relay_resumed(const struct relay *relay);

/* Detach it from all interfaces and unpin it: nothing is relayed any more. To be called where the
 * interfaces are (network_namespaces(7)). NULL is allowed. */
void relay_free(struct relay *relay);

/* Attach it to the interface that has the address |host|, unless it is; at most once a second it is
 * looked which that is. What cannot be served goes by sockets. */
void relay_serve(struct relay *relay, const struct rtpfork_address *host, uint64_t now_ns);

/* flows; any thread, a few system calls each */

/* RTPFORK_EEXHAUSTED: the place of its port is another address's. RTPFORK_ESYSTEM. */
int relay_put(const struct relay *relay, const struct relay_flow *flow);

/* Drop what there is for the local address and port of |flow|. */
void relay_drop(const struct relay *relay, const struct relay_flow *flow);

/* What there is for them. RTPFORK_EGONE: nothing. */
int relay_find(const struct relay *relay, const struct relay_flow *flow, struct relay_flow *found);

/* Drop flows that are not |claimed|: looks at |most| places from |*at| on, at first 0. False: these
 * were the last. */
bool relay_sweep(const struct relay *relay, uint32_t *at, uint32_t most,
		 bool (*claimed)(const void *by, const struct relay_flow *flow), const void *by);

/* what a thread reads */

uint32_t relay_threads(const struct relay *relay);
int relay_ring(const struct relay *relay, uint32_t thread);

/* Packets that were relayed and for which the ring had no room, by slot of |thread|. */
const uint64_t *relay_missed(const struct relay *relay, uint32_t thread);
/* The number of a |slot| of |thread| among those of all threads. */
uint32_t relay_slot(const struct relay *relay, uint32_t thread, uint32_t slot);

/* For tests, which run it themselves. Not there when the program is not built. */
int relay_program(const struct relay *relay);

#endif
