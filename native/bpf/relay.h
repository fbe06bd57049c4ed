/* What the program in the kernel and the engine have in common: the layout of their maps. */
#ifndef RTPFORK_BPF_RELAY_H
#define RTPFORK_BPF_RELAY_H

#include <linux/bpf.h>
#include <linux/types.h>

#define RELAY_RING_BYTES  (16 << 20) /* of each thread: a second of some 1,500 calls */
#define RELAY_MAX_THREADS 64	     /* as many as the engine may have */
#define RELAY_PLACES	  32768	     /* for flows: one for each pair of ports */
#define RELAY_INTERFACES  32
#define RELAY_HEAD_BYTES  64  /* an RTP header that is longer goes up, and a key press after it */
#define RELAY_VOICE_BYTES 192 /* 20 ms of G.711 and some */
#define RELAY_MOST_BYTES  576 /* a longer datagram goes up */

/* Of a flow so many packets are relayed in a window of 134 ms, 3,800 a second: more than a picture
 * of some hundred packets and 2,000 a second. Twice as many, of two windows, are 620 KB of the ring
 * at most. Windows are told apart by what is above the count, for six days. */
#define RELAY_WINDOW_BITS    27 /* of nanoseconds */
#define RELAY_COUNT_BITS     10
#define RELAY_WINDOW_PACKETS 512

/* What is done with packets to a port, by its number: two cache lines, for with thousands of flows
 * none is in the caches. A number is rarely used at two addresses; then one of them is not relayed
 * here. Hosts are IPv6 addresses, IPv4 ones mapped (RFC 4291 2.5.5.2). Sums are in the order of
 * this machine. */
struct relay_flow {
	__u8 local[16];
	__u8 source[16]; /* who alone is heard */
	__u8 from[16];
	__u8 to[16];
	__u8 hop[16];
	__be16 local_port; /* 0: there is no flow */
	__be16 source_port;
	__be16 from_port;
	__be16 to_port;
	__u64 cookie;	   /* of the port that has the slot */
	__u16 carries;	   /* bytes of an IP packet on the way there */
	__u16 header_sum;  /* of the IPv4 header, without its length */
	__u16 host_change; /* of the checksum, by the hosts of the pseudo-header */
	__u16 port_change;
	__u32 interface;
	__u32 arrives; /* the interface that leads to the source, by which alone it is heard */
	__u32 slot;    /* among those of all threads */
	__u16 thread;
	__u8 hop_is_v6;
	__u8 keep;		   /* the payload is recorded */
	struct bpf_spin_lock lock; /* so that all before it is read and written in one piece */
	__u32 counted;		   /* the program's own: window and packets; anew by an update */
};

_Static_assert(sizeof(struct relay_flow) == 128, "two cache lines");

/* One relayed packet. */
struct relay_record {
	__u64 cookie;
	__u64 at_ns; /* CLOCK_MONOTONIC */
	__u32 slot;
	__u16 bytes; /* of the datagram */
	__u16 held;  /* octets of it that follow */
	__u8 data[];
};

/* An interface to which the program is attached, for whoever comes after a crash. */
struct relay_place {
	__u32 interface; /* 0: none */
	__u32 handle;
	__u32 priority;
};

#endif
