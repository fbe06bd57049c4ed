/* Level-triggered epoll with one datagram an event: a socket that has more is told again, so none
 * starves the others, and under load epoll_wait() batches by itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

#define WAKE	    UINT64_MAX
#define MOST_ERRORS 64 /* read in one turn */
/* Not a multiple of a page, lest all packets of a batch fall into the same cache sets. */
#define BUFFER_BYTES (RTPFORK_MAX_DATAGRAM_BYTES + 64)

struct sockets {
	bool used;
	int fds[2];
	struct rtpfork_address aimed[2];
};

struct epoll_io {
	int epoll;
	int wake_fd;
	uint32_t max_slots;
	size_t batch;
	struct sockets *sockets;
	struct epoll_event *events;
	uint8_t (*buffers)[BUFFER_BYTES];
};

static void epoll_close(void *self)
{
	struct epoll_io *io = self;
	if (!io)
		return;
	if (io->epoll >= 0)
		close(io->epoll);
	for (uint32_t i = 0; io->sockets && i < io->max_slots; i++)
		if (io->sockets[i].used) {
			close(io->sockets[i].fds[0]);
			close(io->sockets[i].fds[1]);
		}
	free(io->sockets);
	free(io->events);
	free(io->buffers);
	free(io);
}

static int epoll_open(void **out, uint32_t max_slots, size_t batch, int wake_fd)
{
	struct epoll_io *io = calloc(1, sizeof *io);
	if (!io)
		return RTPFORK_ENOMEM;
	io->max_slots = max_slots;
	io->batch = batch;
	io->wake_fd = wake_fd;
	io->epoll = epoll_create1(EPOLL_CLOEXEC);
	io->sockets = calloc(max_slots, sizeof *io->sockets);
	io->events = calloc(batch, sizeof *io->events);
	io->buffers = calloc(batch, sizeof *io->buffers);
	struct epoll_event wake = {.events = EPOLLIN, .data.u64 = WAKE};
	if (io->epoll < 0 || !io->sockets || !io->events || !io->buffers ||
	    epoll_ctl(io->epoll, EPOLL_CTL_ADD, wake_fd, &wake) != 0) {
		epoll_close(io);
		return RTPFORK_ENOMEM;
	}
	*out = io;
	return 0;
}

static void epoll_remove(void *self, uint32_t slot, int fds[2])
{
	struct epoll_io *io = self;
	io->sockets[slot].used = false;
	for (int i = 0; i < 2; i++) {
		fds[i] = io->sockets[slot].fds[i];
		epoll_ctl(io->epoll, EPOLL_CTL_DEL, fds[i], NULL);
	}
}

static int epoll_add(void *self, uint32_t slot, const int fds[2])
{
	struct epoll_io *io = self;
	memset(&io->sockets[slot], 0, sizeof io->sockets[slot]);
	for (int i = 0; i < 2; i++) {
		struct epoll_event event = {
			.events = EPOLLIN,
			.data.u64 = (uint64_t)slot << 1 | (uint64_t)i,
		};
		io->sockets[slot].fds[i] = fds[i];
		if (epoll_ctl(io->epoll, EPOLL_CTL_ADD, fds[i], &event) == 0)
			continue;
		if (i == 1)
			epoll_ctl(io->epoll, EPOLL_CTL_DEL, fds[0], NULL);
		return RTPFORK_ESYSTEM;
	}
	io->sockets[slot].used = true;
	return 0;
}

/* Have sendto() say also what the queue of the interface has no room for, which needs no more than
 * that errors are queued (ip(7), IP_RECVERR). They are: whoever wants this must read them. Not for
 * a socket that anybody may send ICMP to: an error that comes costs the next datagram. */
static void hear_of_queues(int fd, bool may)
{
	int on = may;
	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on); /* if it is one of that */
}

/* What they say has been said by recvfrom(). */
static void read_errors(int fd)
{
	struct msghdr unread = {0};
	for (int i = 0; i < MOST_ERRORS; i++)
		if (recvmsg(fd, &unread, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
}

static void epoll_aim(void *self, uint32_t slot, bool rtcp, const struct rtpfork_address *address)
{
	struct epoll_io *io = self;
	static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct rtpfork_address *aimed = &io->sockets[slot].aimed[rtcp];
	int fd = io->sockets[slot].fds[rtcp];
	if (address ? rtpfork_address_equal(address, aimed) : !rtpfork_address_known(aimed))
		return;
	int failed = connect(fd, address ? &address->any : &nowhere,
			     address ? rtpfork_address_bytes(address) : sizeof nowhere);
	memset(aimed, 0, sizeof *aimed);
	if (address && !failed)
		*aimed = *address;
	hear_of_queues(fd, address && !failed);
}

/* Receive what |event| announces; false when there was nothing after all. */
static bool receive(const struct epoll_io *io, const struct epoll_event *event, uint8_t *buffer,
		    struct rtpfork_in *in)
{
	in->port = (uint32_t)(event->data.u64 >> 1);
	in->rtcp = (event->data.u64 & 1) != 0;
	in->error = 0;
	in->data = buffer;
	socklen_t from_bytes = sizeof in->from;
	ssize_t got =
		recvfrom(io->sockets[in->port].fds[in->rtcp], buffer, RTPFORK_MAX_DATAGRAM_BYTES,
			 MSG_DONTWAIT | MSG_TRUNC, &in->from.any, &from_bytes);
	in->bytes = got < 0 ? 0 : (size_t)got;
	if (got >= 0)
		return true;
	in->error = errno;
	return errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH;
}

static size_t epoll_wait_ins(void *self, int timeout_ms, struct rtpfork_in *ins,
			     struct rtpfork_wakeup *wakeup)
{
	struct epoll_io *io = self;
	int count = -1;
	do { /* a process that was stopped goes on with EINTR (signal(7)) */
		count = epoll_wait(io->epoll, io->events, (int)io->batch, timeout_ms);
	} while (count < 0 && errno == EINTR);
	size_t received = 0;
	*wakeup = (struct rtpfork_wakeup){.at_ns = clock_now_ns()};
	for (int i = 0; i < count; i++)
		if (io->events[i].data.u64 != WAKE)
			__builtin_prefetch(&io->sockets[io->events[i].data.u64 >> 1]);
	for (int i = 0; i < count; i++) {
		if (io->events[i].data.u64 == WAKE) {
			uint64_t unread;
			wakeup->told = read(io->wake_fd, &unread, sizeof unread) > 0;
			continue;
		}
		struct rtpfork_in *in = &ins[received];
		if (receive(io, &io->events[i], io->buffers[received], in))
			received++;
		if ((io->events[i].events & EPOLLERR) != 0)
			read_errors(io->sockets[in->port].fds[in->rtcp]);
	}
	return received;
}

static void epoll_send(void *self, struct rtpfork_out *outs, size_t count)
{
	struct epoll_io *io = self;
	for (size_t i = 0; i < count; i++)
		__builtin_prefetch(&io->sockets[outs[i].port].aimed[outs[i].rtcp]);
	for (size_t i = 0; i < count; i++) {
		struct rtpfork_out *out = &outs[i];
		const struct sockets *sockets = &io->sockets[out->port];
		bool aimed = rtpfork_address_known(&sockets->aimed[out->rtcp]);
		ssize_t sent = sendto(sockets->fds[out->rtcp], out->data, out->bytes,
				      MSG_DONTWAIT | MSG_NOSIGNAL, aimed ? NULL : &out->to->any,
				      aimed ? 0 : rtpfork_address_bytes(out->to));
		out->error = sent < 0 ? errno : 0;
	}
}

const struct rtpfork_io_ops rtpfork_io_epoll = {
	.name = "epoll",
	.open = epoll_open,
	.close = epoll_close,
	.add = epoll_add,
	.remove = epoll_remove,
	.aim = epoll_aim,
	.wait = epoll_wait_ins,
	.send = epoll_send,
};
