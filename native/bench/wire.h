/* How the load's packets come and go; all of a run in one way. */
#ifndef RTPLOAD_WIRE_H
#define RTPLOAD_WIRE_H

#include <netinet/in.h>
#include <stdint.h>

#include "account.h"

#define SPOKEN UINT32_MAX /* of a packet: what the other party says, no copy */

/* Where one party is and where it speaks to. */
struct ends {
	struct sockaddr_in own;
	struct sockaddr_in relay;
	struct sockaddr_in copies[MAX_COPIES];
	uint32_t copy_count;
};

/* A packet has come for |party|: |copy| of what it says, or SPOKEN. */
typedef void wire_take(void *owner, uint32_t party, uint32_t copy, const uint8_t *packet,
		       size_t bytes, uint64_t came_ns);

struct wire_ops {
	/* |device|: the interface, |peer|: the Ethernet address behind it; sockets want neither.
	 * Failure ends the program. */
	void *(*open)(const char *device, const char *peer, wire_take *take, void *owner);
	void (*add)(void *wire, uint32_t party, const struct ends *ends);

	/* Send a packet of |party| now or with the next flush(). False: it is lost. */
	bool (*send)(void *wire, uint32_t party, const uint8_t packet[PACKET_BYTES]);
	uint32_t (*flush)(void *wire); /* says how many were lost */

	/* Hand over what comes until |until_ns|. */
	void (*listen)(void *wire, uint64_t until_ns);

	/* How many packets came for which there was no room. */
	uint64_t (*unread)(void *wire);
};

/* Ordinary sockets: over any interface. */
extern const struct wire_ops wire_sockets;

/* A ring of packet(7) below the IP stack: cheap to receive by, so that more can be sent. */
extern const struct wire_ops wire_ring;

void wire_die(const char *what);

#endif
