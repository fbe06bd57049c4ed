/* Routes and neighbours from rtnetlink(7). After a change of any route, address or interface all
 * paths are asked for again, after one of a neighbour nothing but those over it changes. */
#include "paths.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rtpfork/octets.h"

#define MAX_PATHS    4096 /* a power of two; when half of them are used all are forgotten */
#define ETHERTYPE_AT 12
#define MESSAGES     16 /* read at once */
#define BUFFER_BYTES 16384
/* Longer packets may be too long for some router on the way, which only the kernel is told. */
#define EVERYWHERE_V4_BYTES 576	 /* RFC 1122 3.3.3 */
#define EVERYWHERE_V6_BYTES 1280 /* RFC 8200 5 */
#define NUDGE_NS	    1000000000ULL
#define ASK_AGAIN_NS	    1000000000ULL
#define USABLE_NEIGHBOUR                                                                           \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

struct entry {
	struct path path;
	bool used;
	uint32_t epoch;	 /* of what is known */
	uint64_t ask_ns; /* when to ask again */
};

struct paths {
	int netlink;
	uint32_t own_id; /* by which the kernel names it */
	uint32_t version;
	uint32_t epoch; /* routes, addresses and interfaces are as they were in it */
	uint32_t used;
	struct entry entries[MAX_PATHS];
	uint8_t buffer[BUFFER_BYTES];
};

struct paths *paths_new(void)
{
	struct paths *paths = calloc(1, sizeof *paths);
	if (!paths)
		return NULL;
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV4_RULE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
	};
	socklen_t bytes = sizeof groups;
	paths->version = 1;
	paths->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (paths->netlink < 0 ||
	    bind(paths->netlink, (const struct sockaddr *)&groups, sizeof groups) != 0 ||
	    getsockname(paths->netlink, (struct sockaddr *)&groups, &bytes) != 0) {
		paths_free(paths);
		return NULL;
	}
	paths->own_id = groups.nl_pid;
	return paths;
}

void paths_free(struct paths *paths)
{
	if (!paths)
		return;
	if (paths->netlink >= 0)
		close(paths->netlink);
	free(paths);
}

uint32_t paths_version(const struct paths *paths)
{
	return paths->version;
}

static void changed(struct paths *paths)
{
	if (++paths->version == 0)
		paths->version = 1;
}

/* What was known of routes may be true no more. */
static void begin_epoch(struct paths *paths)
{
	paths->epoch++;
	changed(paths);
}

/* asking */

static size_t host_bytes(const struct rtpfork_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(struct in6_addr)
						  : sizeof(struct in_addr);
}

static const void *host_of(const struct rtpfork_address *address)
{
	return address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
						  : (const void *)&address->v4.sin_addr;
}

/* A request that is being written. */
struct request {
	size_t bytes;
	uint8_t octets[128];
};

static void add(struct request *request, const void *what, size_t bytes)
{
	memcpy(request->octets + request->bytes, what, bytes);
	request->bytes += NLMSG_ALIGN(bytes);
}

static void add_host(struct request *request, unsigned short type,
		     const struct rtpfork_address *address)
{
	struct rtattr head = {
		.rta_len = (unsigned short)RTA_LENGTH(host_bytes(address)),
		.rta_type = type,
	};
	add(request, &head, sizeof head);
	add(request, host_of(address), host_bytes(address));
}

/* An answer that does not come leaves the path to sockets until it is asked for again. */
static void ask(const struct paths *paths, struct request *request, unsigned short type,
		uint32_t sequence)
{
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)request->bytes,
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST,
		.nlmsg_seq = sequence,
	};
	memcpy(request->octets, &header, sizeof header);
	(void)!send(paths->netlink, request->octets, request->bytes, MSG_DONTWAIT);
}

static void ask_route(const struct paths *paths, const struct entry *entry)
{
	struct request request = {.bytes = NLMSG_HDRLEN};
	struct rtmsg route = {
		.rtm_family = (unsigned char)entry->path.to.any.sa_family,
		.rtm_dst_len = (unsigned char)(8 * host_bytes(&entry->path.to)),
		.rtm_src_len = (unsigned char)(8 * host_bytes(&entry->path.from)),
	};
	add(&request, &route, sizeof route);
	add_host(&request, RTA_DST, &entry->path.to);
	add_host(&request, RTA_SRC, &entry->path.from);
	ask(paths, &request, RTM_GETROUTE, (uint32_t)(entry - paths->entries) + 1);
}

static void ask_neighbour(const struct paths *paths, const struct entry *entry)
{
	struct request request = {.bytes = NLMSG_HDRLEN};
	struct ndmsg neighbour = {
		.ndm_family = (unsigned char)entry->path.hop.any.sa_family,
		.ndm_ifindex = entry->path.interface,
	};
	add(&request, &neighbour, sizeof neighbour);
	add_host(&request, NDA_DST, &entry->path.hop);
	ask(paths, &request, RTM_GETNEIGH, 0);
}

/* what is said */

static bool read_host(struct rtpfork_address *address, int family, const struct rtattr *attribute)
{
	memset(address, 0, sizeof *address);
	address->any.sa_family = (sa_family_t)family;
	if (!rtpfork_address_known(address) || RTA_PAYLOAD(attribute) != host_bytes(address))
		return false;
	memcpy(family == AF_INET6 ? (void *)&address->v6.sin6_addr : (void *)&address->v4.sin_addr,
	       RTA_DATA(attribute), host_bytes(address));
	return true;
}

/* Whether |path|'s interface takes Ethernet frames; then its address and what it carries are in it.
 */
static bool read_interface(struct path *path)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool plain = false;
	request.ifr_ifindex = path->interface;
	if (fd >= 0 && ioctl(fd, SIOCGIFNAME, &request) == 0 &&
	    ioctl(fd, SIOCGIFHWADDR, &request) == 0 &&
	    request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
		memcpy(path->ethernet + ETH_ALEN, request.ifr_hwaddr.sa_data, ETH_ALEN);
		plain = ioctl(fd, SIOCGIFMTU, &request) == 0;
	}
	if (fd >= 0)
		close(fd);
	bool six = path->to.any.sa_family == AF_INET6;
	path->carries = six ? EVERYWHERE_V6_BYTES : EVERYWHERE_V4_BYTES;
	if (plain && (uint32_t)request.ifr_mtu < path->carries)
		path->carries = (uint32_t)request.ifr_mtu;
	rtpfork_put_u16(path->ethernet + ETHERTYPE_AT, six ? ETH_P_IPV6 : ETH_P_IP);
	return plain;
}

static void hear_route(struct paths *paths, const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	uint32_t index = message->nlmsg_seq - 1;
	if (index >= MAX_PATHS || !paths->entries[index].used ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof *route))
		return;
	struct entry *entry = &paths->entries[index];
	struct path *path = &entry->path;
	bool plain = route->rtm_type == RTN_UNICAST && route->rtm_family == path->to.any.sa_family;
	bool asked = false; /* by this entry, and not by who had its place before */
	struct rtpfork_address to;
	long left = (long)RTM_PAYLOAD(message);
	path->hop = path->to;
	path->interface = 0;
	for (const struct rtattr *at = RTM_RTA(route); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == RTA_OIF && RTA_PAYLOAD(at) == sizeof path->interface)
			memcpy(&path->interface, RTA_DATA(at), sizeof path->interface);
		else if (at->rta_type == RTA_DST)
			asked = read_host(&to, route->rtm_family, at) &&
				rtpfork_address_same_host(&to, &path->to);
		else if (at->rta_type == RTA_GATEWAY)
			plain = plain && read_host(&path->hop, route->rtm_family, at);
		else if (at->rta_type == RTA_VIA || at->rta_type == RTA_ENCAP ||
			 at->rta_type == RTA_MULTIPATH)
			plain = false;
	}
	if (plain && asked && path->interface != 0 && read_interface(path))
		ask_neighbour(paths, entry);
}

static void hear_neighbour(struct paths *paths, const struct nlmsghdr *message)
{
	const struct ndmsg *neighbour = NLMSG_DATA(message);
	struct rtpfork_address hop = {0};
	const uint8_t *link = NULL;
	if (message->nlmsg_len < NLMSG_LENGTH(sizeof *neighbour))
		return;
	long left = (long)NLMSG_PAYLOAD(message, sizeof *neighbour);
	const struct rtattr *at =
		(const void *)((const uint8_t *)neighbour + NLMSG_ALIGN(sizeof *neighbour));
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == NDA_DST)
			read_host(&hop, neighbour->ndm_family, at);
		else if (at->rta_type == NDA_LLADDR && RTA_PAYLOAD(at) == ETH_ALEN)
			link = RTA_DATA(at);
	}
	bool usable = message->nlmsg_type == RTM_NEWNEIGH && link &&
		      neighbour->ndm_state & USABLE_NEIGHBOUR;
	for (struct entry *entry = paths->entries; entry < paths->entries + MAX_PATHS; entry++) {
		struct path *path = &entry->path;
		if (!entry->used || path->interface != neighbour->ndm_ifindex ||
		    !rtpfork_address_same_host(&path->hop, &hop))
			continue;
		if (path->ready == usable &&
		    (!usable || memcmp(path->ethernet, link, ETH_ALEN) == 0))
			continue;
		path->ready = usable;
		if (usable)
			memcpy(path->ethernet, link, ETH_ALEN);
		changed(paths);
	}
}

static void hear(struct paths *paths, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		hear_neighbour(paths, message);
		break;
	case NLMSG_ERROR: /* no such route or neighbour: its path stays as it is */
		break;
	case RTM_NEWROUTE:
		if (message->nlmsg_pid == paths->own_id) {
			hear_route(paths, message);
			break;
		}
		begin_epoch(paths);
		break;
	default:
		begin_epoch(paths);
		break;
	}
}

void paths_listen(struct paths *paths)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct sockaddr_nl from = {0};
		socklen_t bytes = sizeof from;
		ssize_t got = recvfrom(paths->netlink, paths->buffer, sizeof paths->buffer,
				       MSG_DONTWAIT, (struct sockaddr *)&from, &bytes);
		if (got < 0 && errno == ENOBUFS)
			begin_epoch(paths); /* something was said and is lost */
		if (got < 0)
			return;
		if (from.nl_pid != 0)
			continue; /* not the kernel */
		long left = got;
		for (const struct nlmsghdr *message = (const void *)paths->buffer;
		     NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
			hear(paths, message);
	}
}

/* finding */

static uint32_t hash(const struct rtpfork_address *address)
{
	const uint8_t *octets = host_of(address);
	uint32_t sum = 2166136261U;
	for (size_t i = 0; i < host_bytes(address); i++)
		sum = (sum ^ octets[i]) * 16777619U;
	return sum;
}

static struct entry *look_up(struct paths *paths, const struct rtpfork_address *from,
			     const struct rtpfork_address *to)
{
	if (paths->used > MAX_PATHS / 2) {
		memset(paths->entries, 0, sizeof paths->entries);
		paths->used = 0;
		changed(paths);
	}
	uint32_t index = hash(to) ^ hash(from) << 1;
	for (;; index++) {
		struct entry *entry = &paths->entries[index % MAX_PATHS];
		if (entry->used && rtpfork_address_same_host(&entry->path.to, to) &&
		    rtpfork_address_same_host(&entry->path.from, from))
			return entry;
		if (entry->used)
			continue;
		entry->used = true;
		entry->path.from = *from;
		entry->path.to = *to;
		paths->used++;
		return entry;
	}
}

const struct path *paths_find(struct paths *paths, const struct rtpfork_address *from,
			      const struct rtpfork_address *to, uint64_t now_ns)
{
	struct entry *entry = look_up(paths, from, to);
	struct path *path = &entry->path;
	if (entry->epoch != paths->epoch) {
		entry->epoch = paths->epoch;
		entry->ask_ns = 0;
		path->ready = false;
	}
	if (!path->ready) {
		if (now_ns >= entry->ask_ns) {
			entry->ask_ns = now_ns + ASK_AGAIN_NS;
			ask_route(paths, entry);
		}
		return NULL;
	}
	if (now_ns < path->nudge_ns)
		return path;
	path->nudge_ns = now_ns + NUDGE_NS;
	return NULL;
}

void paths_doubt(struct paths *paths, const struct rtpfork_address *from,
		 const struct rtpfork_address *to)
{
	look_up(paths, from, to)->path.ready = false;
	changed(paths);
}
