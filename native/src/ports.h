/* RTP/RTCP socket pairs out of a port range (RFC 3550 11). Command side only; bind() is all it
 * costs. */
#ifndef RTPFORK_PORTS_H
#define RTPFORK_PORTS_H

#include <stdint.h>

#include "rtpfork/address.h"

struct rtpfork_ports;

/* |rest_ns|: how long a released pair is not given out again, so that what is still under way to
 * the old call does not reach the new one. NULL: no memory. */
struct rtpfork_ports *rtpfork_ports_new(uint64_t rest_ns, int receive_buffer_bytes);
void rtpfork_ports_free(struct rtpfork_ports *ports);

/* Bind an even port and the next one on the host of |address|, both within |low| and |high|, and
 * set its port. Pairs are tried in rotation; those in use by anybody are passed over.
 * RTPFORK_EEXHAUSTED: none is free; RTPFORK_ESYSTEM: errno says why there is no socket (EMFILE), or
 * why the host cannot be bound; RTPFORK_EARGUMENT: |low| is 0. Then nothing is bound. */
int rtpfork_ports_bind(struct rtpfork_ports *ports, struct rtpfork_address *address, uint16_t low,
		       uint16_t high, uint64_t now_ns, int fds[2]);

/* Close a pair, set it to -1 and let its ports rest. */
void rtpfork_ports_release(struct rtpfork_ports *ports, int fds[2], uint64_t now_ns);

#endif
