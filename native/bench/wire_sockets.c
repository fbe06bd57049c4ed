/* A socket for each place. Delays end when the kernel received the packet, not when this program
 * had time to read it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "wire.h"

#define EVENTS	      512
#define SOCKET_BUFFER (1 << 20)
#define NS_PER_S      1000000000ULL
#define PLACES	      (MAX_COPIES + 1) /* of a party; the last is its own */

struct sockets {
	int epoll;
	int (*fds)[PLACES]; /* by party */
	wire_take *take;
	void *owner;
};

static void *sockets_open(const char *device, const char *peer, wire_take *take, void *owner)
{
	(void)device;
	(void)peer;
	struct sockets *wire = calloc(1, sizeof *wire);
	if (!wire || (wire->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		wire_die("epoll");
	wire->take = take;
	wire->owner = owner;
	return wire;
}

static int open_socket(const struct sockets *wire, const struct sockaddr_in *own, uint64_t mark)
{
	static const int on = 1;
	static const int buffer_bytes = SOCKET_BUFFER;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = mark};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)own, sizeof *own) != 0)
		wire_die("bind");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0 ||
	    epoll_ctl(wire->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		wire_die("socket");
	return fd;
}

static void sockets_add(void *self, uint32_t party, const struct ends *ends)
{
	struct sockets *wire = self;
	wire->fds = realloc(wire->fds, (party + 1) * sizeof *wire->fds);
	if (!wire->fds)
		wire_die("memory");
	uint64_t mark = (uint64_t)party * PLACES;
	int fd = open_socket(wire, &ends->own, mark + MAX_COPIES);
	if (connect(fd, (const struct sockaddr *)&ends->relay, sizeof ends->relay) != 0)
		wire_die("connect");
	wire->fds[party][MAX_COPIES] = fd;
	for (uint32_t i = 0; i < ends->copy_count; i++)
		wire->fds[party][i] = open_socket(wire, &ends->copies[i], mark + i);
}

static bool sockets_send(void *self, uint32_t party, const uint8_t packet[PACKET_BYTES])
{
	const struct sockets *wire = self;
	int fd = wire->fds[party][MAX_COPIES];
	return send(fd, packet, PACKET_BYTES, MSG_DONTWAIT) == PACKET_BYTES;
}

static uint32_t sockets_flush(void *self)
{
	(void)self;
	return 0;
}

static uint64_t stamp_of(struct msghdr *message)
{
	struct timespec came = {0};
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&came, CMSG_DATA(part), sizeof came);
	return (uint64_t)came.tv_sec * NS_PER_S + (uint64_t)came.tv_nsec;
}

static void receive(const struct sockets *wire, uint64_t mark)
{
	uint32_t party = (uint32_t)(mark / PLACES);
	uint32_t place = (uint32_t)(mark % PLACES);
	uint8_t packet[512];
	char control[64];
	struct iovec octets = {.iov_base = packet, .iov_len = sizeof packet};
	struct msghdr message = {.msg_iov = &octets,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	ssize_t got = recvmsg(wire->fds[party][place], &message, MSG_DONTWAIT);
	if (got >= 0)
		wire->take(wire->owner, party, place == MAX_COPIES ? SPOKEN : place, packet,
			   (size_t)got, stamp_of(&message));
}

static void sockets_listen(void *self, uint64_t until_ns)
{
	const struct sockets *wire = self;
	struct epoll_event events[EVENTS];
	do {
		uint64_t at_ns = account_now_ns();
		struct timespec left = {0};
		if (at_ns < until_ns)
			left.tv_nsec = (long)(until_ns - at_ns);
		int count = epoll_pwait2(wire->epoll, events, EVENTS, &left, NULL);
		for (int i = 0; i < count; i++)
			receive(wire, events[i].data.u64);
	} while (account_now_ns() < until_ns);
}

/* What a socket had no room for is not told, but the buffers are large. */
static uint64_t sockets_unread(void *self)
{
	(void)self;
	return 0;
}

const struct wire_ops wire_sockets = {
	.open = sockets_open,
	.add = sockets_add,
	.send = sockets_send,
	.flush = sockets_flush,
	.listen = sockets_listen,
	.unread = sockets_unread,
};
