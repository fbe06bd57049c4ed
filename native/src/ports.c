/* Rotation over the range; what the kernel says is in use is in use. */
#include "ports.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rtpfork/errors.h"

#define PAIRS 32768

struct rtpfork_ports {
	uint64_t rest_ns;
	int receive_buffer_bytes;
	uint32_t cursor; /* the port after the pair given out last */
	uint64_t resting_until_ns[PAIRS];
};

size_t rtpfork_ports_bytes(void)
{
	return sizeof(struct rtpfork_ports);
}

struct rtpfork_ports *rtpfork_ports_begin(void *memory, uint64_t rest_ns, int receive_buffer_bytes,
					  uint64_t now_ns)
{
	struct rtpfork_ports *ports = memory;
	ports->rest_ns = rest_ns;
	ports->receive_buffer_bytes = receive_buffer_bytes;
	for (uint32_t i = 0; i < PAIRS; i++)
		if (ports->resting_until_ns[i] > now_ns + rest_ns)
			ports->resting_until_ns[i] = now_ns + rest_ns;
	return ports;
}

/* A bound, non-blocking socket, or -errno. */
static int bind_one(const struct rtpfork_ports *ports, const struct rtpfork_address *address)
{
	static const int on = 1;
	int family = address->any.sa_family;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The kernel caps the buffer at net.core.rmem_max; less than asked for is no fault. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &ports->receive_buffer_bytes,
		   sizeof ports->receive_buffer_bytes);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &address->any, rtpfork_address_bytes(address)) != 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* 0, or an errno; then neither is bound and both are -1. */
static int bind_pair(const struct rtpfork_ports *ports, const struct rtpfork_address *host,
		     uint16_t port, int fds[2])
{
	struct rtpfork_address address = *host;
	for (uint16_t i = 0; i < 2; i++) {
		rtpfork_address_set_port(&address, (uint16_t)(port + i));
		fds[i] = bind_one(ports, &address);
		if (fds[i] >= 0)
			continue;
		int error = -fds[i];
		if (i == 1)
			close(fds[0]);
		fds[0] = fds[1] = -1;
		return error;
	}
	return 0;
}

int rtpfork_ports_bind(struct rtpfork_ports *ports, struct rtpfork_address *address, uint16_t low,
		       uint16_t high, uint64_t now_ns, int fds[2])
{
	uint32_t first = (uint32_t)low + (low & 1U);
	if (low == 0)
		return RTPFORK_EARGUMENT;
	if (first + 1 > high)
		return RTPFORK_EEXHAUSTED;
	uint32_t pairs = (high - first + 1) / 2;
	uint32_t begin = 0;
	if (ports->cursor > first && ports->cursor < first + 2 * pairs)
		begin = (ports->cursor - first) / 2;
	for (uint32_t i = 0; i < pairs; i++) {
		uint32_t port = first + (begin + i) % pairs * 2;
		if (now_ns < ports->resting_until_ns[port / 2])
			continue;
		int error = bind_pair(ports, address, (uint16_t)port, fds);
		if (error == 0) {
			ports->cursor = port + 2;
			rtpfork_address_set_port(address, (uint16_t)port);
			return 0;
		}
		if (error != EADDRINUSE && error != EACCES) {
			errno = error;
			return RTPFORK_ESYSTEM;
		}
	}
	return RTPFORK_EEXHAUSTED;
}

void rtpfork_ports_release(struct rtpfork_ports *ports, int fds[2], bool again, uint64_t now_ns)
{
	struct rtpfork_address bound;
	socklen_t bytes = sizeof bound;
	if (!again && getsockname(fds[0], &bound.any, &bytes) == 0)
		ports->resting_until_ns[rtpfork_address_port(&bound) / 2] = now_ns + ports->rest_ns;
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		fds[i] = -1;
	}
}
