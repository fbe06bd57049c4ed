/* The engine: packet threads behind one door of commands, answers and notices.
 *
 * All functions are for one thread of the caller (the control side); none of them blocks, none
 * waits for a packet thread. Every command that was submitted comes back as exactly one answer. */
#ifndef RTPFORK_ENGINE_H
#define RTPFORK_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/core.h"

struct rtpfork_engine;

/* options */

/* How packets are received and sent; what all of them do is the same. */
enum rtpfork_io_kind {
	RTPFORK_IO_SOCKETS, /* by UDP sockets: needs nothing */
	RTPFORK_IO_PACKET,  /* sent by packet(7), past the host's firewall rules: CAP_NET_RAW */
	RTPFORK_IO_BPF,	    /* plain flows relayed in the kernel: CAP_BPF, CAP_NET_ADMIN too */
};

/* How urgently the packet threads run; what is not permitted becomes the next one before it. */
enum rtpfork_priority {
	RTPFORK_PRIORITY_NORMAL,
	RTPFORK_PRIORITY_RAISED,   /* a nice value of -11: CAP_SYS_NICE or RLIMIT_NICE */
	RTPFORK_PRIORITY_REALTIME, /* SCHED_FIFO, before whatever else runs: likewise RLIMIT_RTPRIO
				    */
};

struct rtpfork_engine_options {
	enum rtpfork_io_kind io;
	enum rtpfork_priority priority;
	uint32_t threads;     /* 0: one for each of |cpus|, else for each core that may be used */
	const uint16_t *cpus; /* thread n runs on number n of them, and again from the first one;
				 the caller's, read while the engine is made */
	size_t cpu_count;     /* 0: wherever the kernel lets them run */
	const char *pins; /* directory in a bpffs where the relay of RTPFORK_IO_BPF is found after a
			     crash, and ended by an engine that wants none; NULL: nowhere */
	uint32_t max_ports_per_thread;
	uint32_t max_readers_per_thread;
	uint32_t log_packets; /* of each recorded stream, a power of two; 256 bytes a packet, in
				 which the longest datagram has to find room */
	uint32_t silence_ms;
	uint32_t port_rest_ms; /* how long a closed pair of ports is not used again */
	int receive_buffer_bytes;
	int memory_fd; /* a file without a name for what must outlive the process; -1: nothing does
			*/
	const struct rtpfork_kept *kept; /* with what was left there; the engine owns the sockets */
	size_t kept_count;
};

/* The sockets of one port, as somebody has kept them for the process that follows. */
struct rtpfork_kept {
	uint64_t port;
	int fds[2];
};

/* What became of the memory of a process before. */
enum rtpfork_start {
	RTPFORK_START_EMPTY,   /* there was none */
	RTPFORK_START_RESUMED, /* its ports with sockets and their readers go on, the rest is closed
				*/
	RTPFORK_START_REFUSED, /* it is not sound, or of another build or shape: nothing goes on */
};

/* A port or reader that goes on. */
struct rtpfork_resumed {
	uint64_t id;
	bool reader;
	uint64_t ends[2]; /* of a reader: stream and via; of a port: its peer or 0 */
};

/* What is good for most. */
void rtpfork_engine_defaults(struct rtpfork_engine_options *options);

/* commands */

enum rtpfork_command_kind {
	RTPFORK_OPEN,	   /* |open|, |ports| */
	RTPFORK_CONNECT,   /* |connect| */
	RTPFORK_BRIDGE,	   /* |bridge| */
	RTPFORK_ATTACH,	   /* |attach| */
	RTPFORK_UPDATE,	   /* |update| */
	RTPFORK_SET_LIVE,  /* |set_live| */
	RTPFORK_DETACH,	   /* |detach| */
	RTPFORK_CLOSE,	   /* |ports|, |again| */
	RTPFORK_COUNTERS,  /* |ports|, |readers| */
	RTPFORK_SEND_DTLS, /* |send|, after rtpfork_command_carry() */
	RTPFORK_TONE,	   /* |tone| */
	RTPFORK_ANNOUNCE,  /* |announce| */
};

struct rtpfork_port_item {
	uint64_t id;	   /* OPEN: result */
	uint16_t rtp_port; /* OPEN: result; RTCP is on the next one */
	bool visited;	   /* private */
	int fds[2];	   /* private: sockets that the command owns, or -1 */
	int sockets[2]; /* OPEN: result; the engine's until the port is closed, for others to keep
			 */
	struct rtpfork_port_counters counters; /* CLOSE, COUNTERS: result */
};

struct rtpfork_reader_item {
	uint64_t id;
	bool visited; /* private */
	struct rtpfork_reader_counters counters;
};

/* One command, and its answer when it comes back. Made by rtpfork_command_new(). */
struct rtpfork_command {
	enum rtpfork_command_kind kind;
	uint64_t tag;	  /* the caller's */
	int result;	  /* 0, or why nothing was changed */
	int system_error; /* errno of RTPFORK_ESYSTEM */
	union {
		struct {
			char host[RTPFORK_HOST_BYTES];
			uint16_t low;
			uint16_t high;
			uint64_t near; /* 0, or a port whose thread is wanted */
			bool dtls;     /* DTLS that comes to them is handed over */
		} open;
		struct {
			uint64_t port;
			struct rtpfork_party party;
		} connect;
		struct {
			uint64_t a;
			uint64_t b;
		} bridge;
		struct {
			uint64_t port;
			struct rtpfork_tone tone;
		} tone;
		struct {
			uint64_t port;
			struct rtpfork_announcement what;
		} announce;
		struct {
			uint64_t stream;
			uint64_t via;
			bool live;
			uint64_t reader; /* result */
			struct rtpfork_identity identity;
			struct rtpfork_target target;
		} attach;
		struct {
			uint64_t reader;
			struct rtpfork_target target;
		} update;
		struct {
			uint64_t reader;
			bool live;
		} set_live;
		struct {
			uint64_t reader;
			struct rtpfork_reader_counters counters; /* result */
		} detach;
		struct {
			uint64_t port;
			bool rtcp; /* from the RTCP socket */
			struct rtpfork_address to;
		} send;
	};
	size_t port_count;
	struct rtpfork_port_item *ports;
	size_t reader_count;
	struct rtpfork_reader_item *readers;
	bool again; /* CLOSE: the port numbers do not rest, they are to be opened again */

	/* Private. */
	bool checking; /* first round of a CLOSE over several threads */
	uint32_t thread;
	uint8_t *data; /* carried */
	size_t bytes;
	struct rtpfork_log *log;     /* for ATTACH to use */
	struct rtpfork_log *garbage; /* logs that nobody reads any more */
	struct rtpfork_command *next;
};

/* A zeroed command with room for so many ports and readers. NULL: no memory. */
struct rtpfork_command *rtpfork_command_new(enum rtpfork_command_kind kind, size_t ports,
					    size_t readers);

/* Give |command| a copy of one datagram of |bytes| octets. False: no memory. */
bool rtpfork_command_carry(struct rtpfork_command *command, const uint8_t *data, size_t bytes);

/* Wipe and free a command that was not submitted, or came back. NULL is allowed. */
void rtpfork_command_free(struct rtpfork_command *command);

/* the door */

/* An answer, then owned by the caller, or a notice, or what was handed over. */
struct rtpfork_message {
	struct rtpfork_command *answer; /* NULL: |notice| or |handed| */
	bool is_handed;
	struct rtpfork_notice notice;
	struct rtpfork_handed handed;
};

struct rtpfork_thread_stats {
	uint64_t cpu_ns; /* of the thread so far */
	double load;	 /* share of its time of late in which it did not wait for packets, 0..1 */
	uint64_t packets_received;
	uint64_t packets_sent;
	uint64_t notices_lost; /* the control side did not read them in time */
};

/* Start the threads. RTPFORK_EARGUMENT, RTPFORK_ENOMEM, RTPFORK_ECRYPTO (libcrypto lacks a suite or
 * fails its known answers) or RTPFORK_ESYSTEM with errno (of RTPFORK_IO_BPF: ENOSYS when it was not
 * built, ENODEV when |pins| is in no bpffs): nothing runs. */
int rtpfork_engine_new(const struct rtpfork_engine_options *options, struct rtpfork_engine **out);

/* How it began, and with what; the list is the engine's. */
enum rtpfork_start rtpfork_engine_start(const struct rtpfork_engine *engine);
const struct rtpfork_resumed *rtpfork_engine_resumed(const struct rtpfork_engine *engine,
						     size_t *count);

/* A sound that lasts as long as the engine, and as its memory. NULL: no samples, or no room. */
const struct rtpfork_sound *rtpfork_engine_sound(struct rtpfork_engine *engine,
						 const int16_t *samples, size_t count);

/* Stop the threads, close all sockets, free everything, in the network namespace in which it ran;
 * answers not read yet are lost. */
void rtpfork_engine_free(struct rtpfork_engine *engine);

/* Hand |command| over; its answer comes from rtpfork_engine_next(). */
void rtpfork_engine_submit(struct rtpfork_engine *engine, struct rtpfork_command *command);

/* Move packets as |most| would, if the engine was made for a better way: what passes by the host's
 * own ways, its firewall say, may not always do so. From the next turn on, before any command that
 * is submitted afterwards; no packet is lost by it. */
void rtpfork_engine_use(struct rtpfork_engine *engine, enum rtpfork_io_kind most);

/* Readable while there may be something to read; level-triggered. The engine's. */
int rtpfork_engine_fd(const struct rtpfork_engine *engine);

/* Make the descriptor readable, for a caller that has something of its own to be read with it. */
void rtpfork_engine_wake(struct rtpfork_engine *engine);

/* Begin to read: clears the readiness of the descriptor. Then read until there is nothing. */
void rtpfork_engine_begin(struct rtpfork_engine *engine);
bool rtpfork_engine_next(struct rtpfork_engine *engine, struct rtpfork_message *message);

uint32_t rtpfork_engine_threads(const struct rtpfork_engine *engine);

/* What all threads got. */
enum rtpfork_priority rtpfork_engine_priority(const struct rtpfork_engine *engine);

/* RTPFORK_EARGUMENT: no such thread. */
int rtpfork_engine_stats(struct rtpfork_engine *engine, uint32_t thread,
			 struct rtpfork_thread_stats *stats);

#endif
