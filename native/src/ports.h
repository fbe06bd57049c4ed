/* RTP/RTCP socket pairs out of a port range (RFC 3550 11). Command side only; bind() is all it
 * costs. */
#ifndef RTPFORK_PORTS_H
#define RTPFORK_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/address.h"

struct rtpfork_ports;

size_t rtpfork_ports_bytes(void);

/* Begin in |memory|, rtpfork_ports_bytes() of zeros, or go on with what was left there. |rest_ns|:
 * how long a released pair is not given out again, so that what is still under way to the old call
 * does not reach the new one. */
struct rtpfork_ports *rtpfork_ports_begin(void *memory, uint64_t rest_ns, int receive_buffer_bytes,
					  uint64_t now_ns);

/* Bind an even port and the next one on the host of |address|, both within |low| and |high|, and
 * set its port. Pairs are tried in rotation; those in use by anybody are passed over.
 * RTPFORK_EEXHAUSTED: none is free; RTPFORK_ESYSTEM: errno says why there is no socket (EMFILE), or
 * why the host cannot be bound; RTPFORK_EARGUMENT: |low| is 0. Then nothing is bound. */
int rtpfork_ports_bind(struct rtpfork_ports *ports, struct rtpfork_address *address, uint16_t low,
		       uint16_t high, uint64_t now_ns, int fds[2]);

/* Close a pair, set it to -1 and let its ports rest, unless they are to be used |again| at once. */
void rtpfork_ports_release(struct rtpfork_ports *ports, int fds[2], bool again, uint64_t now_ns);

#endif
