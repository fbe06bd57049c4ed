/* Where the build has no clang or libbpf: there is never a relay in the kernel. */
#include "relay.h"

#ifndef RTPFORK_BPF_OBJECT

#include <errno.h>

#include "io.h"
#include "rtpfork/errors.h"
#include "rtpfork/host.h"

int relay_new(const char *pins, uint32_t threads, uint32_t ports_per_thread, bool resumed,
	      struct relay **out)
{
	(void)resumed;
	(void)pins;
	(void)threads;
	(void)ports_per_thread;
	*out = NULL;
	errno = ENOSYS;
	return RTPFORK_ESYSTEM;
}

int rtpfork_relay_probe(const char *pins)
{
	(void)pins;
	errno = ENOSYS;
	return RTPFORK_ESYSTEM;
}

void relay_free(struct relay *relay)
{
	(void)relay;
}

void relay_serve(struct relay *relay, const struct rtpfork_address *host, uint64_t now_ns)
{
	(void)relay;
	(void)host;
	(void)now_ns;
}

static int refuse(void **io, uint32_t max_slots, size_t batch, int wake_fd)
{
	(void)max_slots;
	(void)batch;
	(void)wake_fd;
	*io = NULL;
	errno = ENOSYS;
	return RTPFORK_ESYSTEM;
}

const struct rtpfork_io_ops rtpfork_io_bpf = {.name = "bpf", .open = refuse};

#endif
