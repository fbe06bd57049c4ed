/* rtnetlink(7) messages about the way to a host: requests are written, what the kernel says is read
 * without trust in its lengths. No socket. */
#ifndef RTPFORK_NETLINK_H
#define RTPFORK_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/address.h"

#define NETLINK_REQUEST_BYTES 128
#define NETLINK_LINK_BYTES    6 /* of an Ethernet address */

struct netlink_route {
	struct rtpfork_address to;	/* unknown: not said */
	struct rtpfork_address gateway; /* unknown: none */
	int interface;			/* 0: not said */
	bool plain;			/* to one neighbour, without a tunnel */
};

struct netlink_link {
	int interface;
	bool plain; /* it takes Ethernet frames, and its address and MTU are said */
	uint32_t mtu;
	uint8_t address[NETLINK_LINK_BYTES];
};

struct netlink_neighbour {
	struct rtpfork_address host; /* unknown: not said */
	int interface;
	bool usable; /* now, at |address| */
	uint8_t address[NETLINK_LINK_BYTES];
};

/* Write a request and return its bytes. |sequence| comes back with the answer. */
size_t netlink_ask_route(uint8_t request[NETLINK_REQUEST_BYTES], uint32_t sequence,
			 const struct rtpfork_address *from, const struct rtpfork_address *to);
size_t netlink_ask_link(uint8_t request[NETLINK_REQUEST_BYTES], uint32_t sequence, int interface);
size_t netlink_ask_neighbour(uint8_t request[NETLINK_REQUEST_BYTES], uint32_t sequence,
			     int interface, const struct rtpfork_address *host);

/* Read a message of the kind, all of which is within nlmsg_len. False: it is too short for one. */
bool netlink_read_route(const struct nlmsghdr *message, struct netlink_route *route);
bool netlink_read_link(const struct nlmsghdr *message, struct netlink_link *link);
bool netlink_read_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *neighbour);

#endif
