/* Receives on sockets and hands what is sent to the interfaces by one packet(7) socket, which is
 * half the price. Whatever has no plain path goes by its own socket. Host firewall rules for
 * outgoing packets do not see what is sent so. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "frame.h"
#include "io.h"
#include "paths.h"

#define BATCH	    64
#define LINE_BYTES  64
#define LISTEN_NS   10000000ULL /* how often the kernel's news are read */
#define SEND_BUFFER (4 << 20)

/* The headers from one socket to the last address that it sent to. */
struct aimed {
	struct rtpfork_address from; /* unknown: of every address, the kernel chooses */
	struct rtpfork_address to;
	uint32_t version; /* of the paths; 0: not made */
	struct frame frame;
};

struct packet_io {
	void *sockets; /* of rtpfork_io_epoll */
	struct paths *paths;
	int fd;
	uint64_t listen_ns;
	bool by_sockets;	  /* for the time being */
	struct aimed (*aimed)[2]; /* by slot */
	size_t count;		  /* waiting to be sent */
	struct rtpfork_out *outs[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec octets[BATCH][2];
	struct sockaddr_ll interfaces[BATCH];
	uint8_t headers[BATCH][FRAME_HEADER_BYTES];
};

/* life */

static void packet_close(void *self)
{
	struct packet_io *io = self;
	if (!io)
		return;
	rtpfork_io_epoll.close(io->sockets);
	paths_free(io->paths);
	if (io->fd >= 0)
		close(io->fd);
	free(io->aimed);
	free(io);
}

static void prepare(struct packet_io *io)
{
	for (size_t i = 0; i < BATCH; i++) {
		io->interfaces[i].sll_family = AF_PACKET;
		io->octets[i][0].iov_base = io->headers[i];
		io->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &io->interfaces[i],
			.msg_namelen = sizeof io->interfaces[i],
			.msg_iov = io->octets[i],
			.msg_iovlen = 2,
		};
	}
}

static int packet_open(void **out, uint32_t max_slots, size_t batch, int wake_fd)
{
	static const int buffer_bytes = SEND_BUFFER;
	struct packet_io *io = calloc(1, sizeof *io);
	if (!io)
		return RTPFORK_ENOMEM;
	/* Protocol 0: it receives nothing. */
	io->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int result = io->fd < 0 ? RTPFORK_ESYSTEM : 0;
	if (result == 0)
		result = rtpfork_io_epoll.open(&io->sockets, max_slots, batch, wake_fd);
	io->aimed = calloc(max_slots, sizeof *io->aimed);
	io->paths = paths_new();
	if (result == 0 && (!io->aimed || !io->paths))
		result = RTPFORK_ENOMEM;
	if (result != 0) {
		packet_close(io);
		return result;
	}
	setsockopt(io->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
	prepare(io);
	*out = io;
	return 0;
}

/* sockets */

static bool is_every_address(const struct rtpfork_address *address)
{
	static const struct in6_addr every;
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == INADDR_ANY;
	return memcmp(&address->v6.sin6_addr, &every, sizeof every) == 0;
}

static int packet_add(void *self, uint32_t slot, const int fds[2])
{
	struct packet_io *io = self;
	memset(io->aimed[slot], 0, sizeof io->aimed[slot]);
	for (int i = 0; i < 2; i++) {
		socklen_t bytes = sizeof io->aimed[slot][i].from;
		struct rtpfork_address *from = &io->aimed[slot][i].from;
		if (getsockname(fds[i], &from->any, &bytes) != 0)
			return RTPFORK_ESYSTEM;
		if (is_every_address(from))
			memset(from, 0, sizeof *from);
	}
	return rtpfork_io_epoll.add(io->sockets, slot, fds);
}

static void packet_remove(void *self, uint32_t slot, int fds[2])
{
	struct packet_io *io = self;
	rtpfork_io_epoll.remove(io->sockets, slot, fds);
}

static void packet_aim(void *self, uint32_t slot, bool rtcp, const struct rtpfork_address *address)
{
	struct packet_io *io = self;
	rtpfork_io_epoll.aim(io->sockets, slot, rtcp, address);
}

static size_t packet_wait(void *self, int timeout_ms, struct rtpfork_in *ins,
			  struct rtpfork_wakeup *wakeup)
{
	struct packet_io *io = self;
	size_t received = rtpfork_io_epoll.wait(io->sockets, timeout_ms, ins, wakeup);
	if (wakeup->at_ns >= io->listen_ns) {
		io->listen_ns = wakeup->at_ns + LISTEN_NS;
		paths_listen(io->paths);
	}
	return received;
}

/* sending */

/* The headers for |out| and the path it takes, or NULL: it has none. */
static const struct path *aim_at(struct packet_io *io, const struct rtpfork_out *out,
				 struct aimed *aimed, uint64_t at_ns)
{
	if (io->by_sockets || !rtpfork_address_known(&aimed->from))
		return NULL;
	const struct path *path = paths_find(io->paths, &aimed->from, out->to, at_ns);
	uint32_t version = paths_version(io->paths);
	if (!path)
		return NULL;
	if (aimed->version != version || !rtpfork_address_equal(&aimed->to, out->to)) {
		aimed->to = *out->to;
		aimed->version = version;
		frame_make(&aimed->frame, path, &aimed->from, out->to);
	}
	size_t bytes = aimed->frame.bytes - PATH_ETHERNET_BYTES + out->bytes;
	return bytes <= path->carries ? path : NULL;
}

/* A datagram was not taken. When the interface is busy its path is as good as before. */
static void refused(struct packet_io *io, struct rtpfork_out *out, int error)
{
	out->error = error;
	if (error == ENOBUFS)
		return; /* its queue is full, for sockets too */
	if (error != EAGAIN)
		paths_doubt(io->paths, &io->aimed[out->port][out->rtcp].from, out->to);
	rtpfork_io_epoll.send(io->sockets, out, 1);
}

static void flush(struct packet_io *io)
{
	size_t sent = 0;
	while (sent < io->count) {
		int result = sendmmsg(io->fd, io->messages + sent, (unsigned)(io->count - sent),
				      MSG_DONTWAIT);
		for (int i = 0; i < result; i++)
			io->outs[sent++]->error = 0;
		if (result <= 0)
			refused(io, io->outs[sent++], errno);
	}
	io->count = 0;
}

/* Fetch |aimed| into the caches: with thousands of sockets it lies in memory. */
static void expect(const struct aimed *aimed)
{
	for (size_t at = 0; at < sizeof *aimed; at += LINE_BYTES)
		__builtin_prefetch((const uint8_t *)aimed + at, 1);
}

static void packet_send(void *self, struct rtpfork_out *outs, size_t count)
{
	struct packet_io *io = self;
	uint64_t at_ns = clock_now_ns();
	for (size_t i = 0; i < count; i++)
		expect(&io->aimed[outs[i].port][outs[i].rtcp]);
	for (size_t i = 0; i < count; i++) {
		struct rtpfork_out *out = &outs[i];
		struct aimed *aimed = &io->aimed[out->port][out->rtcp];
		const struct path *path = aim_at(io, out, aimed, at_ns);
		if (!path) {
			flush(io); /* nothing overtakes */
			rtpfork_io_epoll.send(io->sockets, out, 1);
			continue;
		}
		size_t at = io->count++;
		frame_write(&aimed->frame, out->data, out->bytes, io->headers[at]);
		io->interfaces[at].sll_ifindex = path->interface;
		io->octets[at][0].iov_len = aimed->frame.bytes;
		io->octets[at][1] =
			(struct iovec){.iov_base = (void *)out->data, .iov_len = out->bytes};
		io->outs[at] = out;
		if (io->count == BATCH)
			flush(io);
	}
	flush(io);
}

static void packet_use(void *self, enum rtpfork_io_kind most)
{
	struct packet_io *io = self;
	io->by_sockets = most == RTPFORK_IO_SOCKETS;
}

const struct rtpfork_io_ops rtpfork_io_packet = {
	.name = "packet",
	.open = packet_open,
	.close = packet_close,
	.add = packet_add,
	.remove = packet_remove,
	.aim = packet_aim,
	.wait = packet_wait,
	.send = packet_send,
	.use = packet_use,
};
