/* What a flow is to the program in the kernel. Pure functions. */
#ifndef RTPFORK_SRC_RELAY_FLOW_H
#define RTPFORK_SRC_RELAY_FLOW_H

#include "../bpf/relay.h"
#include "paths.h"
#include "rtpfork/core.h"

/* Make |flow| one of which only the local address is known, or not even that. */
void relay_flow_begin(struct relay_flow *flow, const struct rtpfork_address *local);

/* Whether both are from the same source to the same party. */
bool relay_flow_same_ends(const struct relay_flow *a, const struct relay_flow *b);

/* All of |flow| but slot, thread and cookie. |local| is where the packets come in; all
 * addresses are of one family but perhaps the hop of |path|. */
void relay_flow_make(struct relay_flow *flow, const struct rtpfork_address *local,
		     const struct rtpfork_flow *wanted, const struct rtpfork_address *from,
		     const struct path *path);

#endif
