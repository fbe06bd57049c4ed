/* By which interface and to which neighbour the kernel would send, so that a datagram can be handed
 * to the interface without it. Whatever is not plain sailing (loopback, tunnels, a neighbour not
 * known yet) is left to sockets. */
#ifndef RTPFORK_PATHS_H
#define RTPFORK_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/address.h"

#define PATH_ETHERNET_BYTES 14

struct paths;

struct path {
	struct rtpfork_address from; /* hosts; their ports say nothing */
	struct rtpfork_address to;
	struct rtpfork_address hop; /* the neighbour */
	bool ready;
	int interface;
	uint32_t carries; /* bytes of an IP packet */
	uint8_t ethernet[PATH_ETHERNET_BYTES];
	uint64_t nudge_ns; /* when a socket is to send one again */
};

/* NULL: the kernel does not tell. */
struct paths *paths_new(void);
void paths_free(struct paths *paths);

/* Take what the kernel has said meanwhile; a few messages at most. Never blocks. */
void paths_listen(struct paths *paths);

/* What one datagram of the kernel says; paths_listen() hands each over. |octets| are aligned as
 * struct nlmsghdr is. */
void paths_hear(struct paths *paths, const uint8_t *octets, size_t bytes);

/* Changes with anything that may be in a path. Never 0. */
uint32_t paths_version(const struct paths *paths);

/* The path between two hosts, or NULL: send by socket. The kernel is asked meanwhile. Once a second
 * a path is not told, so that a socket sends and the kernel keeps its neighbour's address fresh. */
const struct path *paths_find(struct paths *paths, const struct rtpfork_address *from,
			      const struct rtpfork_address *to, uint64_t now_ns);

/* The same, told always: for what goes by the kernel's own neighbours. */
const struct path *paths_look(struct paths *paths, const struct rtpfork_address *from,
			      const struct rtpfork_address *to, uint64_t now_ns);

/* Sending by that path has failed: ask again. */
void paths_doubt(struct paths *paths, const struct rtpfork_address *from,
		 const struct rtpfork_address *to);

#endif
