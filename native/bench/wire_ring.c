/* packet(7): whole frames out, and in by a ring that the kernel writes. The IP stack of this side
 * has no part in it: what comes is addressed to an Ethernet address that is nobody's, so that the
 * stack drops it at once. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "../src/frame.h"
#include "rtpfork/octets.h"
#include "wire.h"

#define BLOCK_BYTES   (1U << 18)
#define BLOCKS	      256U
#define RETIRE_MS     1
#define BATCH	      64
#define SEND_BUFFER   (16 << 20)
#define NS_PER_S      1000000000ULL
#define LOOK_AGAIN_NS 100000L
#define PORTS	      65536
#define UDP_PROTOCOL  17
#define HEADER_BYTES  42 /* Ethernet, IPv4 without options, UDP */

struct ring {
	int fd;
	uint8_t *blocks;
	uint32_t next; /* block to read */
	uint64_t unread;
	struct path path;
	struct frame *frames; /* by party */
	struct place {
		uint32_t party; /* and one; 0: nobody's */
		uint32_t copy;
	} places[PORTS];
	wire_take *take;
	void *owner;
	uint32_t count; /* waiting to be sent */
	struct mmsghdr messages[BATCH];
	struct iovec octets[BATCH];
	uint8_t buffers[BATCH][FRAME_HEADER_BYTES + PACKET_BYTES];
};

static void bind_to(struct ring *wire, const char *device, const char *peer)
{
	struct ifreq request = {0};
	unsigned address[ETH_ALEN];
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
	struct sockaddr_ll own = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(device)};
	if (ioctl(wire->fd, SIOCGIFHWADDR, &request) != 0 ||
	    bind(wire->fd, (const struct sockaddr *)&own, sizeof own) != 0)
		wire_die(device);
	if (sscanf(peer, "%x:%x:%x:%x:%x:%x", &address[0], &address[1], &address[2], &address[3],
		   &address[4], &address[5]) != ETH_ALEN)
		wire_die(peer);
	for (int i = 0; i < ETH_ALEN; i++)
		wire->path.ethernet[i] = (uint8_t)address[i];
	memcpy(wire->path.ethernet + ETH_ALEN, request.ifr_hwaddr.sa_data, ETH_ALEN);
	rtpfork_put_u16(wire->path.ethernet + ETH_ALEN + ETH_ALEN, ETH_P_IP);
}

static void prepare(struct ring *wire)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		wire->octets[i] = (struct iovec){wire->buffers[i], HEADER_BYTES + PACKET_BYTES};
		wire->messages[i].msg_hdr =
			(struct msghdr){.msg_iov = &wire->octets[i], .msg_iovlen = 1};
	}
}

static void *ring_open(const char *device, const char *peer, wire_take *take, void *owner)
{
	static const int version = TPACKET_V3;
	static const int on = 1;
	static const int buffer_bytes = SEND_BUFFER;
	struct tpacket_req3 shape = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = BLOCKS,
		.tp_frame_size = 512,
		.tp_frame_nr = BLOCKS * (BLOCK_BYTES / 512),
		.tp_retire_blk_tov = RETIRE_MS,
	};
	struct ring *wire = calloc(1, sizeof *wire);
	if (!wire || (wire->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) < 0)
		wire_die("packet socket");
	wire->take = take;
	wire->owner = owner;
	setsockopt(wire->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
	if (setsockopt(wire->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
	    setsockopt(wire->fd, SOL_PACKET, PACKET_RX_RING, &shape, sizeof shape) != 0 ||
	    setsockopt(wire->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0)
		wire_die("ring");
	wire->blocks = mmap(NULL, (size_t)BLOCK_BYTES * BLOCKS, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, wire->fd, 0);
	if (wire->blocks == MAP_FAILED)
		wire_die("mmap");
	bind_to(wire, device, peer);
	prepare(wire);
	return wire;
}

static struct rtpfork_address address_of(const struct sockaddr_in *ends)
{
	return (struct rtpfork_address){.v4 = *ends};
}

static void ring_add(void *self, uint32_t party, const struct ends *ends)
{
	struct ring *wire = self;
	struct rtpfork_address from = address_of(&ends->own);
	struct rtpfork_address to = address_of(&ends->relay);
	wire->frames = realloc(wire->frames, (party + 1) * sizeof *wire->frames);
	if (!wire->frames)
		wire_die("memory");
	frame_make(&wire->frames[party], &wire->path, &from, &to);
	wire->places[ntohs(ends->own.sin_port)] = (struct place){party + 1, SPOKEN};
	for (uint32_t i = 0; i < ends->copy_count; i++)
		wire->places[ntohs(ends->copies[i].sin_port)] = (struct place){party + 1, i};
}

static uint32_t ring_flush(void *self)
{
	struct ring *wire = self;
	uint32_t sent = 0;
	while (sent < wire->count) {
		int result =
			sendmmsg(wire->fd, wire->messages + sent, wire->count - sent, MSG_DONTWAIT);
		if (result <= 0)
			break;
		sent += (uint32_t)result;
	}
	uint32_t lost = wire->count - sent;
	wire->count = 0;
	return lost;
}

static bool ring_send(void *self, uint32_t party, const uint8_t packet[PACKET_BYTES])
{
	struct ring *wire = self;
	if (wire->count == BATCH && ring_flush(wire) != 0)
		return false;
	uint8_t *frame = wire->buffers[wire->count++];
	frame_write(&wire->frames[party], packet, PACKET_BYTES, frame);
	memcpy(frame + HEADER_BYTES, packet, PACKET_BYTES);
	return true;
}

static void take_frame(const struct ring *wire, const struct tpacket3_hdr *header)
{
	const uint8_t *frame = (const uint8_t *)header + header->tp_mac;
	if (header->tp_snaplen <= HEADER_BYTES || rtpfork_get_u16(frame + 12) != ETH_P_IP ||
	    frame[14] != 0x45 || frame[23] != UDP_PROTOCOL)
		return;
	const struct place *place = &wire->places[rtpfork_get_u16(frame + 36)];
	if (place->party == 0)
		return;
	wire->take(wire->owner, place->party - 1, place->copy, frame + HEADER_BYTES,
		   header->tp_snaplen - HEADER_BYTES, header->tp_sec * NS_PER_S + header->tp_nsec);
}

static bool take_block(struct ring *wire)
{
	struct tpacket_block_desc *block =
		(void *)(wire->blocks + (size_t)wire->next * BLOCK_BYTES);
	struct tpacket_hdr_v1 *head = &block->hdr.bh1;
	if (!(__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return false;
	const uint8_t *at = (const uint8_t *)block + head->offset_to_first_pkt;
	for (uint32_t i = 0; i < head->num_pkts; i++) {
		const struct tpacket3_hdr *header = (const void *)at;
		take_frame(wire, header);
		at += header->tp_next_offset;
	}
	__atomic_store_n(&head->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	wire->next = (wire->next + 1) % BLOCKS;
	return true;
}

static void ring_listen(void *self, uint64_t until_ns)
{
	struct ring *wire = self;
	for (;;) {
		bool more = take_block(wire);
		uint64_t at_ns = account_now_ns();
		if (at_ns >= until_ns)
			return;
		struct timespec left = {.tv_nsec = (long)(until_ns - at_ns)};
		if (left.tv_nsec > LOOK_AGAIN_NS)
			left.tv_nsec = LOOK_AGAIN_NS;
		if (!more)
			nanosleep(&left, NULL);
	}
}

static uint64_t ring_unread(void *self)
{
	struct ring *wire = self;
	struct tpacket_stats_v3 stats;
	socklen_t bytes = sizeof stats;
	if (getsockopt(wire->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0)
		wire->unread += stats.tp_drops;
	return wire->unread;
}

const struct wire_ops wire_ring = {
	.open = ring_open,
	.add = ring_add,
	.send = ring_send,
	.flush = ring_flush,
	.listen = ring_listen,
	.unread = ring_unread,
};
