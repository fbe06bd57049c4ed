/* Routes and neighbours from rtnetlink(7). After a change of any route, address or interface all
 * paths are asked for again, after one of a neighbour nothing but those over it changes. */
#include "paths.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlink.h"
#include "rtpfork/octets.h"

#define MAX_PATHS    4096	    /* beyond them, others take the place of those that rest */
#define HEADS	     4096	    /* a power of two */
#define RESTS_NS     10000000000ULL /* a path at which nobody has looked so long */
#define TRIED	     8		    /* places that are looked at for one that rests */
#define NOWHERE	     UINT32_MAX
#define ETHERTYPE_AT 12
#define MESSAGES     64 /* read at once, */
/* and as many paths asked for before that their answers, three of each, are read at once: what the
 * kernel has no room for is lost. */
#define ASKED	     16
#define BUFFER_BYTES 16384
/* Longer packets may be too long for some router on the way, which only the kernel is told. */
#define EVERYWHERE_V4_BYTES 576	 /* RFC 1122 3.3.3 */
#define EVERYWHERE_V6_BYTES 1280 /* RFC 8200 5 */
#define NUDGE_NS	    1000000000ULL
#define ASK_AGAIN_NS	    1000000000ULL

struct entry {
	struct path path;
	uint32_t next;	    /* with the same hash */
	uint64_t looked_ns; /* at it */
	uint32_t epoch;	    /* of what is known */
	uint64_t ask_ns;    /* when to ask again */
};

struct paths {
	int netlink;
	uint32_t own_id; /* by which the kernel names it */
	uint32_t version;
	uint32_t epoch; /* routes, addresses and interfaces are as they were in it */
	uint32_t used;	/* entries, the first ones */
	uint32_t hand;	/* the entry that is looked at next for whether it rests */
	uint32_t asked; /* paths, since the kernel was listened to */
	uint32_t heads[HEADS];
	struct entry entries[MAX_PATHS];
	_Alignas(struct nlmsghdr) uint8_t buffer[BUFFER_BYTES];
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
	memset(paths->heads, 0xff, sizeof paths->heads);
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

/* Until its route is known again no neighbour makes it ready. */
static void forget(struct path *path)
{
	path->ready = false;
	path->interface = 0;
	path->carries = 0;
}

/* asking */

/* An answer that does not come leaves the path to sockets until it is asked for again. */
static void ask(const struct paths *paths, const uint8_t *request, size_t bytes)
{
	(void)!send(paths->netlink, request, bytes, MSG_DONTWAIT);
}

/* By which an answer finds its entry. */
static uint32_t sequence_of(const struct paths *paths, const struct entry *entry)
{
	return (uint32_t)(entry - paths->entries) + 1;
}

static void ask_route(const struct paths *paths, const struct entry *entry)
{
	uint8_t request[NETLINK_REQUEST_BYTES];
	const struct path *path = &entry->path;
	ask(paths, request,
	    netlink_ask_route(request, sequence_of(paths, entry), &path->from, &path->to));
}

static void ask_link(const struct paths *paths, const struct entry *entry)
{
	uint8_t request[NETLINK_REQUEST_BYTES];
	ask(paths, request,
	    netlink_ask_link(request, sequence_of(paths, entry), entry->path.interface));
}

static void ask_neighbour(const struct paths *paths, const struct entry *entry)
{
	uint8_t request[NETLINK_REQUEST_BYTES];
	const struct path *path = &entry->path;
	ask(paths, request,
	    netlink_ask_neighbour(request, sequence_of(paths, entry), path->interface, &path->hop));
}

/* what is said */

/* The route's answer begins a path, which is ready when those of its interface and neighbour have
 * come too. It may be to who had the entry's place before. */
static void hear_route(const struct paths *paths, struct entry *entry,
		       const struct nlmsghdr *message)
{
	struct path *path = &entry->path;
	struct netlink_route route;
	if (!netlink_read_route(message, &route) ||
	    !rtpfork_address_same_host(&route.to, &path->to))
		return;
	forget(path);
	if (!route.plain || route.interface == 0)
		return;
	path->interface = route.interface;
	path->hop = rtpfork_address_known(&route.gateway) ? route.gateway : path->to;
	ask_link(paths, entry);
}

static void hear_link(const struct paths *paths, struct entry *entry,
		      const struct nlmsghdr *message)
{
	struct path *path = &entry->path;
	struct netlink_link link;
	if (!netlink_read_link(message, &link) || link.interface != path->interface || !link.plain)
		return;
	bool six = path->to.any.sa_family == AF_INET6;
	path->carries = six ? EVERYWHERE_V6_BYTES : EVERYWHERE_V4_BYTES;
	if (link.mtu < path->carries)
		path->carries = link.mtu;
	memcpy(path->ethernet + ETH_ALEN, link.address, ETH_ALEN);
	rtpfork_put_u16(path->ethernet + ETHERTYPE_AT, six ? ETH_P_IPV6 : ETH_P_IP);
	ask_neighbour(paths, entry);
}

static void meet(struct paths *paths, struct entry *entry,
		 const struct netlink_neighbour *neighbour)
{
	struct path *path = &entry->path;
	bool ready = neighbour->usable && path->carries != 0;
	if (path->interface != neighbour->interface ||
	    !rtpfork_address_same_host(&path->hop, &neighbour->host))
		return;
	if (path->ready == ready &&
	    (!ready || memcmp(path->ethernet, neighbour->address, ETH_ALEN) == 0))
		return;
	path->ready = ready;
	if (ready)
		memcpy(path->ethernet, neighbour->address, ETH_ALEN);
	changed(paths);
}

/* What the kernel says by itself. Of another route or interface it means that all may be different
 * now; so does anything else that we subscribed to. */
static void hear_news(struct paths *paths, const struct nlmsghdr *message)
{
	struct netlink_neighbour neighbour;
	if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH)
		begin_epoch(paths);
	else if (netlink_read_neighbour(message, &neighbour))
		for (uint32_t i = 0; i < paths->used; i++)
			meet(paths, &paths->entries[i], &neighbour);
}

/* That there is no such route, interface or neighbour leaves the path as it is. */
static void hear_answer(struct paths *paths, struct entry *entry, const struct nlmsghdr *message)
{
	struct netlink_neighbour neighbour;
	if (message->nlmsg_type == RTM_NEWROUTE)
		hear_route(paths, entry, message);
	else if (message->nlmsg_type == RTM_NEWLINK)
		hear_link(paths, entry, message);
	else if (message->nlmsg_type == RTM_NEWNEIGH && netlink_read_neighbour(message, &neighbour))
		meet(paths, entry, &neighbour);
}

static void hear(struct paths *paths, const struct nlmsghdr *message)
{
	uint32_t index = message->nlmsg_seq - 1;
	if (message->nlmsg_pid != paths->own_id)
		hear_news(paths, message);
	else if (index < paths->used)
		hear_answer(paths, &paths->entries[index], message);
}

void paths_hear(struct paths *paths, const uint8_t *octets, size_t bytes)
{
	long left = (long)bytes;
	for (const struct nlmsghdr *message = (const void *)octets; NLMSG_OK(message, left);
	     message = NLMSG_NEXT(message, left))
		hear(paths, message);
}

void paths_listen(struct paths *paths)
{
	paths->asked = 0;
	for (int i = 0; i < MESSAGES; i++) {
		struct sockaddr_nl from = {0};
		socklen_t bytes = sizeof from;
		ssize_t got = recvfrom(paths->netlink, paths->buffer, sizeof paths->buffer,
				       MSG_DONTWAIT, (struct sockaddr *)&from, &bytes);
		if (got < 0 && errno == ENOBUFS)
			begin_epoch(paths); /* something was said and is lost */
		if (got < 0)
			return;
		if (from.nl_pid == 0) /* the kernel */
			paths_hear(paths, paths->buffer, (size_t)got);
	}
}

/* finding */

static uint32_t hash(const struct rtpfork_address *address)
{
	bool six = address->any.sa_family == AF_INET6;
	const uint8_t *octets =
		six ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr;
	size_t bytes = six ? sizeof address->v6.sin6_addr : sizeof address->v4.sin_addr;
	uint32_t sum = 2166136261U;
	for (size_t i = 0; i < bytes; i++)
		sum = (sum ^ octets[i]) * 16777619U;
	return sum;
}

static uint32_t *head_of(struct paths *paths, const struct rtpfork_address *from,
			 const struct rtpfork_address *to)
{
	return &paths->heads[(hash(to) ^ hash(from) << 1) % HEADS];
}

static struct entry *look_up(struct paths *paths, const struct rtpfork_address *from,
			     const struct rtpfork_address *to)
{
	for (uint32_t at = *head_of(paths, from, to); at != NOWHERE; at = paths->entries[at].next)
		if (rtpfork_address_same_host(&paths->entries[at].path.to, to) &&
		    rtpfork_address_same_host(&paths->entries[at].path.from, from))
			return &paths->entries[at];
	return NULL;
}

/* Forget the path of |entry|, whose place is wanted. */
static void leave(struct paths *paths, const struct entry *entry)
{
	uint32_t *link = head_of(paths, &entry->path.from, &entry->path.to);
	while (&paths->entries[*link] != entry)
		link = &paths->entries[*link].next;
	*link = entry->next;
	changed(paths);
}

/* A place that nobody has, or of a path that rests; NULL: all are in use, as far as was looked. */
static struct entry *find_place(struct paths *paths, uint64_t now_ns)
{
	if (paths->used < MAX_PATHS)
		return &paths->entries[paths->used++];
	for (int i = 0; i < TRIED; i++) {
		struct entry *entry = &paths->entries[paths->hand++ % MAX_PATHS];
		if (now_ns < entry->looked_ns + RESTS_NS)
			continue;
		leave(paths, entry);
		return entry;
	}
	return NULL;
}

static struct entry *enter(struct paths *paths, const struct rtpfork_address *from,
			   const struct rtpfork_address *to, uint64_t now_ns)
{
	struct entry *entry = find_place(paths, now_ns);
	if (!entry)
		return NULL;
	uint32_t *head = head_of(paths, from, to);
	*entry = (struct entry){.path = {.from = *from, .to = *to}, .next = *head};
	*head = (uint32_t)(entry - paths->entries);
	return entry;
}

static struct path *look(struct paths *paths, const struct rtpfork_address *from,
			 const struct rtpfork_address *to, uint64_t now_ns)
{
	struct entry *entry = look_up(paths, from, to);
	if (!entry)
		entry = enter(paths, from, to, now_ns);
	if (!entry)
		return NULL;
	struct path *path = &entry->path;
	entry->looked_ns = now_ns;
	if (entry->epoch != paths->epoch) {
		entry->epoch = paths->epoch;
		entry->ask_ns = 0;
		forget(path);
	}
	if (path->ready)
		return path;
	if (now_ns >= entry->ask_ns && paths->asked < ASKED) {
		paths->asked++;
		entry->ask_ns = now_ns + ASK_AGAIN_NS;
		ask_route(paths, entry);
	}
	return NULL;
}

const struct path *paths_look(struct paths *paths, const struct rtpfork_address *from,
			      const struct rtpfork_address *to, uint64_t now_ns)
{
	return look(paths, from, to, now_ns);
}

const struct path *paths_find(struct paths *paths, const struct rtpfork_address *from,
			      const struct rtpfork_address *to, uint64_t now_ns)
{
	struct path *path = look(paths, from, to, now_ns);
	if (!path || now_ns < path->nudge_ns)
		return path;
	path->nudge_ns = now_ns + NUDGE_NS;
	return NULL;
}

void paths_doubt(struct paths *paths, const struct rtpfork_address *from,
		 const struct rtpfork_address *to)
{
	struct entry *entry = look_up(paths, from, to);
	if (!entry)
		return;
	forget(&entry->path);
	changed(paths);
}
