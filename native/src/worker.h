/* One packet thread: its core, its I/O, and the rings to and from the control side. */
#ifndef RTPFORK_WORKER_H
#define RTPFORK_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "io.h"
#include "memory.h"
#include "rtpfork/engine.h"
#include "rtpfork/ring.h"

#define WORKER_BATCH	128  /* datagrams received at once */
#define WORKER_OUTS	256  /* datagrams sent at once */
#define WORKER_COMMANDS 1024 /* under way to one thread; more wait on the control side */
#define WORKER_NOTICES	4096
#define WORKER_HANDED	64

#define LOG_BYTES_PER_PACKET 256

struct worker {
	/* The thread's own. */
	struct rtpfork_core *core;
	uint32_t max_ports;
	const struct rtpfork_io_ops *ops;
	void *io;
	struct rtpfork_in ins[WORKER_BATCH];
	uint64_t next_tick_ns;
	uint64_t woke_ns;	   /* when the latest turn began */
	bool stood_still;	   /* before it */
	enum rtpfork_io_kind uses; /* as |most| was when it was looked at last */
	bool said; /* something was put into a ring since the control side was woken */

	/* Shared by rings, eventfds and counters. */
	struct rtpfork_ring *commands; /* of struct rtpfork_command * */
	struct rtpfork_ring *answers;  /* likewise; as large, so it never overflows */
	struct rtpfork_ring *notices;
	struct rtpfork_ring *handed;
	int wake_fd; /* the thread waits for it */
	int said_fd; /* the control side waits for it */
	atomic_bool stop;
	_Atomic enum rtpfork_io_kind most; /* no better way is to be used */
	_Atomic uint64_t busy_ns;	   /* in which it did not wait */
	_Atomic uint64_t packets_received;
	_Atomic uint64_t packets_sent;
	_Atomic uint64_t notices_lost;

	/* The control side's. */
	pthread_t thread;
	bool running;
	size_t under_way;		 /* commands in |commands| or |answers| or between them */
	struct rtpfork_command *waiting; /* for room in |commands|, oldest first */
	struct rtpfork_command **waiting_end;
};

/* Make what the thread needs; its core begins in |memory|, or is |resumed| from there. On failure
 * the caller still calls worker_free(). */
int worker_make(struct worker *worker, uint32_t index, const struct rtpfork_engine_options *options,
		const struct memory *memory, bool resumed, int said_fd);

/* Start the thread; |*priority| is the one it got. */
int worker_start(struct worker *worker, uint32_t index,
		 const struct rtpfork_engine_options *options, enum rtpfork_priority *priority);

/* Serve the ports that are resumed by the sockets |kept| for them, which it takes out of there, and
 * close those without. Before it is started. RTPFORK_ENOMEM. */
int worker_take_up(struct worker *worker, struct rtpfork_kept *kept, size_t count, uint64_t now_ns);

/* Tell the sockets of |slot| whether all they send goes to one address. Engine thread only. */
void worker_aim(struct worker *worker, uint32_t slot);

/* Stop and join the thread if it runs; free everything but the sockets. */
void worker_free(struct worker *worker);

/* Send what the core has queued. Engine thread only. */
void worker_flush(struct worker *worker, uint64_t now_ns);

/* Tell the I/O which flows have changed. Engine thread only. */
void worker_follow(struct worker *worker, uint64_t now_ns);

/* Have port |slot| relayed by the core alone, and account all that was not. Engine thread only. */
void worker_withdraw(struct worker *worker, uint32_t slot, uint64_t now_ns);

/* Carry out |command|. Engine thread only. */
void worker_run(struct worker *worker, struct rtpfork_command *command, uint64_t now_ns);

#endif
