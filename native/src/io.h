/* What an engine thread asks of the operating system: receive and send datagrams in batches. */
#ifndef RTPFORK_IO_H
#define RTPFORK_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/core.h"
#include "rtpfork/engine.h"

/* How a wait ended. */
struct rtpfork_wakeup {
	uint64_t at_ns; /* when it ended, before anything was received, of the engine's clock */
	bool told;	/* |wake_fd| was written to */
};

struct relay;

/* One way of doing it; |io| is its own. All but |open| and |close| are called by the engine thread
 * only; none blocks but |wait|. Results are 0 or RTPFORK_E... */
struct rtpfork_io_ops {
	const char *name;

	/* Make an I/O for slots below |max_slots| that receives at most |batch| datagrams at once
	 * and wakes up when |wake_fd| (an eventfd, the caller's) is written to. */
	int (*open)(void **io, uint32_t max_slots, size_t batch, int wake_fd);
	void (*close)(void *io); /* and all sockets it serves */

	/* Serve a pair of bound, non-blocking sockets, [0] for RTP, [1] for RTCP. |remove| gives
	 * them back; nothing of the slot is received afterwards. */
	int (*add)(void *io, uint32_t slot, const int fds[2]);
	void (*remove)(void *io, uint32_t slot, int fds[2]);

	/* Whatever a socket sends goes to |address| (NULL: to many): sending is cheaper then, and
	 * the peer's ICMP errors are heard. */
	void (*aim)(void *io, uint32_t slot, bool rtcp, const struct rtpfork_address *address);

	/* Wait for datagrams, at most one of each socket, and fill |ins|, all but now_ns; the data
	 * is valid until the next call. */
	size_t (*wait)(void *io, int timeout_ms, struct rtpfork_in *ins,
		       struct rtpfork_wakeup *wakeup);

	/* Send |outs| in this order and set the error of each. */
	void (*send)(void *io, struct rtpfork_out *outs, size_t count);

	/* Move packets as |most| would; until this is said, as well as it can. NULL: there is no
	 * other way. */
	void (*use)(void *io, enum rtpfork_io_kind most);

	/* The following are NULL where the engine relays all itself. */

	/* Have |relay|, the caller's, as its thread |thread|; once, after |open|. */
	int (*join)(void *io, struct relay *relay, uint32_t thread);

	/* Go on with what a process before this one relayed of |slot|, of which |told| was told;
	 * before any wait. False: nothing. */
	bool (*adopt)(void *io, uint32_t slot, const struct rtpfork_told *told);

	/* Relay what belongs to |flow| from now on and tell of it by |wait|, as far as that can be;
	 * NULL: no more. */
	void (*flow)(void *io, uint32_t slot, const struct rtpfork_flow *flow);

	/* As |wait|, of what was relayed alone and without waiting. 0: all was told that had been
	 * relayed when this was called first since it returned 0. */
	size_t (*told)(void *io, struct rtpfork_in *ins);
};

/* epoll, one recv() an event, send() on connected sockets where that can be: everywhere there. */
extern const struct rtpfork_io_ops rtpfork_io_epoll;

/* The same, but sends by a packet(7) socket; |open| fails without CAP_NET_RAW. */
extern const struct rtpfork_io_ops rtpfork_io_packet;

/* The same, but plain flows are relayed by a program in the kernel (relay.h). */
extern const struct rtpfork_io_ops rtpfork_io_bpf;

#endif
