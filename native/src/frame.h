/* The Ethernet, IP and UDP headers in front of a datagram (RFC 791, RFC 8200, RFC 768). */
#ifndef RTPFORK_FRAME_H
#define RTPFORK_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "paths.h"

#define FRAME_HEADER_BYTES 62 /* the longest, of IPv6 */

/* Of one pair of addresses; what differs from datagram to datagram is 0. */
struct frame {
	uint8_t bytes; /* of the headers; 0: not made */
	uint8_t octets[FRAME_HEADER_BYTES];
	uint32_t ip_sum;  /* of the IPv4 header */
	uint32_t udp_sum; /* of the pseudo-header and the ports */
};

void frame_make(struct frame *frame, const struct path *path, const struct rtpfork_address *from,
		const struct rtpfork_address *to);

/* Write the headers of |data|. Not more than 65,507 bytes. */
void frame_write(const struct frame *frame, const uint8_t *data, size_t bytes, uint8_t *header);

#endif
