/* Routes, interfaces and neighbours as rtnetlink(7) messages. */
#include "netlink.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

#define USABLE_NEIGHBOUR                                                                           \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

/* asking */

static size_t host_bytes(const struct rtpfork_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(struct in6_addr)
						  : sizeof(struct in_addr);
}

static size_t add(uint8_t *request, size_t at, const void *what, size_t bytes)
{
	memcpy(request + at, what, bytes);
	return at + NLMSG_ALIGN(bytes);
}

static size_t add_host(uint8_t *request, size_t at, unsigned short type,
		       const struct rtpfork_address *address)
{
	struct rtattr head = {
		.rta_len = (unsigned short)RTA_LENGTH(host_bytes(address)),
		.rta_type = type,
	};
	const void *host = address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
							      : (const void *)&address->v4.sin_addr;
	at = add(request, at, &head, sizeof head);
	return add(request, at, host, host_bytes(address));
}

static size_t finish(uint8_t *request, size_t bytes, unsigned short type, uint32_t sequence)
{
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)bytes,
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST,
		.nlmsg_seq = sequence,
	};
	memcpy(request, &header, sizeof header);
	return bytes;
}

size_t netlink_ask_route(uint8_t request[NETLINK_REQUEST_BYTES], uint32_t sequence,
			 const struct rtpfork_address *from, const struct rtpfork_address *to)
{
	struct rtmsg route = {
		.rtm_family = (unsigned char)to->any.sa_family,
		.rtm_dst_len = (unsigned char)(8 * host_bytes(to)),
		.rtm_src_len = (unsigned char)(8 * host_bytes(from)),
	};
	size_t at = add(request, NLMSG_HDRLEN, &route, sizeof route);
	at = add_host(request, at, RTA_DST, to);
	at = add_host(request, at, RTA_SRC, from);
	return finish(request, at, RTM_GETROUTE, sequence);
}

size_t netlink_ask_link(uint8_t request[NETLINK_REQUEST_BYTES], uint32_t sequence, int interface)
{
	struct ifinfomsg link = {.ifi_index = interface};
	size_t at = add(request, NLMSG_HDRLEN, &link, sizeof link);
	return finish(request, at, RTM_GETLINK, sequence);
}

size_t netlink_ask_neighbour(uint8_t request[NETLINK_REQUEST_BYTES], uint32_t sequence,
			     int interface, const struct rtpfork_address *host)
{
	struct ndmsg neighbour = {
		.ndm_family = (unsigned char)host->any.sa_family,
		.ndm_ifindex = interface,
	};
	size_t at = add(request, NLMSG_HDRLEN, &neighbour, sizeof neighbour);
	at = add_host(request, at, NDA_DST, host);
	return finish(request, at, RTM_GETNEIGH, sequence);
}

/* reading */

/* The attributes after |fixed| bytes of a message; NULL: it is shorter. */
static const struct rtattr *attributes(const struct nlmsghdr *message, size_t fixed, long *left)
{
	if (message->nlmsg_len < NLMSG_LENGTH(fixed))
		return NULL;
	*left = (long)message->nlmsg_len - (long)NLMSG_SPACE(fixed);
	return (const void *)((const uint8_t *)message + NLMSG_SPACE(fixed));
}

static bool read_host(struct rtpfork_address *address, int family, const struct rtattr *attribute)
{
	memset(address, 0, sizeof *address);
	address->any.sa_family = (sa_family_t)family;
	if (rtpfork_address_known(address) && RTA_PAYLOAD(attribute) == host_bytes(address)) {
		memcpy(family == AF_INET6 ? (void *)&address->v6.sin6_addr
					  : (void *)&address->v4.sin_addr,
		       RTA_DATA(attribute), host_bytes(address));
		return true;
	}
	address->any.sa_family = AF_UNSPEC;
	return false;
}

static bool read_number(void *to, size_t bytes, const struct rtattr *attribute)
{
	if (RTA_PAYLOAD(attribute) != bytes)
		return false;
	memcpy(to, RTA_DATA(attribute), bytes);
	return true;
}

bool netlink_read_route(const struct nlmsghdr *message, struct netlink_route *route)
{
	long left = 0;
	const struct rtmsg *fixed = NLMSG_DATA(message);
	const struct rtattr *at = attributes(message, sizeof *fixed, &left);
	if (!at)
		return false;
	memset(route, 0, sizeof *route);
	route->plain = fixed->rtm_type == RTN_UNICAST;
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		switch (at->rta_type) {
		case RTA_OIF:
			read_number(&route->interface, sizeof route->interface, at);
			break;
		case RTA_DST:
			read_host(&route->to, fixed->rtm_family, at);
			break;
		case RTA_GATEWAY:
			if (!read_host(&route->gateway, fixed->rtm_family, at))
				route->plain = false;
			break;
		case RTA_VIA:
		case RTA_ENCAP:
		case RTA_MULTIPATH:
			route->plain = false;
			break;
		default:
			break;
		}
	}
	return true;
}

bool netlink_read_link(const struct nlmsghdr *message, struct netlink_link *link)
{
	long left = 0;
	const struct ifinfomsg *fixed = NLMSG_DATA(message);
	const struct rtattr *at = attributes(message, sizeof *fixed, &left);
	bool address = false;
	if (!at)
		return false;
	memset(link, 0, sizeof *link);
	link->interface = fixed->ifi_index;
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == IFLA_ADDRESS)
			address = read_number(link->address, sizeof link->address, at);
		else if (at->rta_type == IFLA_MTU)
			read_number(&link->mtu, sizeof link->mtu, at);
	}
	link->plain = fixed->ifi_type == ARPHRD_ETHER && address && link->mtu != 0;
	return true;
}

bool netlink_read_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *neighbour)
{
	long left = 0;
	const struct ndmsg *fixed = NLMSG_DATA(message);
	const struct rtattr *at = attributes(message, sizeof *fixed, &left);
	bool address = false;
	if (!at)
		return false;
	memset(neighbour, 0, sizeof *neighbour);
	neighbour->interface = fixed->ndm_ifindex;
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == NDA_DST)
			read_host(&neighbour->host, fixed->ndm_family, at);
		else if (at->rta_type == NDA_LLADDR)
			address = read_number(neighbour->address, sizeof neighbour->address, at);
	}
	neighbour->usable = message->nlmsg_type == RTM_NEWNEIGH && address &&
			    (fixed->ndm_state & USABLE_NEIGHBOUR) != 0;
	return true;
}
