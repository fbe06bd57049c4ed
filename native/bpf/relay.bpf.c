/* The relay in the kernel: a tc program at the ingress of the interfaces where calls come in.
 *
 * It sends on what belongs to a flow of the engine and is plain RTP (RFC 3550 5.1), and puts it
 * into the ring of the engine's thread. All else goes up to the sockets as if it were not there:
 * fragments and IP options, other sources, RTCP, STUN and DTLS (RFC 7983), padding, what is
 * malformed, long or too much. Whatever is checked here, a socket or the engine would have
 * checked. */
#include "relay.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define UP		TC_ACT_UNSPEC /* to whatever program is next, then to the stack */
#define FAMILY_V4	2
#define FAMILY_V6	10
#define HOPS		64
#define DO_NOT_FRAGMENT 0x4000
#define FRAGMENT	0x3fff
#define RTP_BYTES	12
#define RTCP_FIRST	192 /* RFC 5761 4 */
#define RTCP_LAST	223
#define EVENT_BYTES	4 /* RFC 4733 2.3 */
#define LONGEST_HEADERS (ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct udphdr) + RTP_BYTES)
#define PULLED_BYTES	LONGEST_HEADERS

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RELAY_PLACES);
	__type(key, __u32);
	__type(value, struct relay_flow);
} flows SEC(".maps");

/* How many packets were relayed for which a ring had no room, by slot; read by the engine. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set when it is loaded */
	__type(key, __u32);
	__type(value, __u64);
} missed SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RELAY_RING_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RELAY_MAX_THREADS);
	__uint(key_size, sizeof(__u32));
	__array(values, struct ring);
} rings SEC(".maps");

/* Not the program's: where it is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RELAY_INTERFACES);
	__type(key, __u32);
	__type(value, struct relay_place);
} places SEC(".maps");

struct end {
	__u8 host[16];
	__be16 port;
};

/* A datagram that may be relayed. */
struct view {
	struct end local __attribute__((aligned(8)));
	struct end source __attribute__((aligned(8)));
	__u32 udp_at; /* offsets in the frame */
	__u32 total;  /* bytes of the IP packet */
	__u32 bytes;  /* of the datagram */
	__u32 header; /* of RTP, with all that belongs to it */
	__u64 at_ns;
	bool v6;
};

static __always_inline __u32 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline void map_v4(__u8 host[16], __be32 address)
{
	__u32 *words = (__u32 *)host;
	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

static __always_inline bool is_mapped(const __u8 host[16])
{
	const __u32 *words = (const __u32 *)host;
	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline bool same_host(const __u8 a[16], const __u8 b[16])
{
	const __u64 *x = (const __u64 *)a;
	const __u64 *y = (const __u64 *)b;
	return x[0] == y[0] && x[1] == y[1];
}

/* RFC 791: no options, no fragment, a checksum that is right. */
static __always_inline bool read_v4(const struct iphdr *ip, struct view *view)
{
	const __u16 *words = (const __u16 *)ip;
	__u32 sum = 0;
	for (int i = 0; i < 10; i++)
		sum += words[i];
	if (ip->ihl != 5 || ip->version != 4 || ip->protocol != IPPROTO_UDP ||
	    (ip->frag_off & bpf_htons(FRAGMENT)) != 0 || fold(sum) != 0xffff)
		return false;
	view->v6 = false;
	view->total = bpf_ntohs(ip->tot_len);
	view->udp_at = ETH_HLEN + sizeof *ip;
	map_v4(view->local.host, ip->daddr);
	map_v4(view->source.host, ip->saddr);
	return true;
}

/* RFC 8200: no extension header, and not to what stands for an IPv4 host in our maps. */
static __always_inline bool read_v6(const struct ipv6hdr *ip, struct view *view)
{
	if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP)
		return false;
	view->v6 = true;
	view->total = bpf_ntohs(ip->payload_len) + sizeof *ip;
	view->udp_at = ETH_HLEN + sizeof *ip;
	__builtin_memcpy(view->local.host, &ip->daddr, 16);
	__builtin_memcpy(view->source.host, &ip->saddr, 16);
	return !is_mapped(view->local.host);
}

/* Headers of IP and UDP; false: not plain. */
static __always_inline bool read_headers(struct __sk_buff *skb, struct view *view)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	if (data + PULLED_BYTES > end) {
		if (bpf_skb_pull_data(skb, skb->len < PULLED_BYTES ? skb->len : PULLED_BYTES) != 0)
			return false;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	const struct udphdr *udp = NULL;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip = data + ETH_HLEN;
		udp = (const void *)(ip + 1);
		if ((const void *)(udp + 1) > end || !read_v4(ip, view))
			return false;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip = data + ETH_HLEN;
		udp = (const void *)(ip + 1);
		if ((const void *)(udp + 1) > end || !read_v6(ip, view))
			return false;
	} else {
		return false;
	}
	view->local.port = udp->dest;
	view->source.port = udp->source;
	view->bytes = bpf_ntohs(udp->len) - sizeof *udp;
	/* Without a checksum, or with octets beyond the packet's end, it is rare, not wrong. */
	return udp->check != 0 && skb->len == ETH_HLEN + view->total &&
	       view->total == view->udp_at - ETH_HLEN + bpf_ntohs(udp->len) &&
	       bpf_ntohs(udp->len) >= sizeof *udp + RTP_BYTES;
}

/* RFC 3550 5.1, without padding; false: something else. */
static __always_inline bool read_rtp(struct __sk_buff *skb, struct view *view)
{
	__u8 head[2];
	__be16 extension[2];
	__u32 at = view->udp_at + sizeof(struct udphdr);
	if (bpf_skb_load_bytes(skb, at, head, sizeof head) != 0)
		return false;
	if ((head[0] & 0xe0) != 0x80 || (head[1] >= RTCP_FIRST && head[1] <= RTCP_LAST))
		return false;
	view->header = RTP_BYTES + 4 * (head[0] & 0x0f);
	if (head[0] & 0x10) {
		if (bpf_skb_load_bytes(skb, at + view->header, extension, sizeof extension) != 0)
			return false;
		view->header += sizeof extension + 4 * bpf_ntohs(extension[1]);
	}
	return view->header <= view->bytes && view->header <= RELAY_HEAD_BYTES - EVENT_BYTES;
}

/* Put the first |held| octets of the datagram into the ring; at most |room|, a constant. */
static __always_inline bool put(struct __sk_buff *skb, void *ring, const struct view *view,
				const struct relay_flow *flow, __u32 held, const __u32 room)
{
	struct relay_record *record = bpf_ringbuf_reserve(ring, sizeof *record + room, 0);
	if (!record)
		return false;
	record->cookie = flow->cookie;
	record->at_ns = view->at_ns;
	record->slot = flow->slot;
	record->bytes = view->bytes;
	record->held = held;
	__u64 octets = held;
	asm volatile(""
		     : "+r"(octets)); /* what the compiler has proved the verifier must see too */
	if (octets < RTP_BYTES || octets > room ||
	    bpf_skb_load_bytes(skb, view->udp_at + sizeof(struct udphdr), record->data, octets) !=
		    0) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return false;
	}
	/* The engine looks by itself: to wake it for each packet would cost more than all else. */
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* Tell the engine of a packet, or count that there was no room for it. */
static __always_inline void tell(struct __sk_buff *skb, const struct view *view,
				 const struct relay_flow *flow)
{
	__u32 thread = flow->thread;
	__u32 at = flow->slot;
	__u32 held = view->bytes;
	bool told = false;
	if (!flow->keep && held > view->header + EVENT_BYTES)
		held = view->header + EVENT_BYTES;
	void *ring = bpf_map_lookup_elem(&rings, &thread);
	if (!ring)
		told = false;
	else if (held <= RELAY_HEAD_BYTES)
		told = put(skb, ring, view, flow, held, RELAY_HEAD_BYTES);
	else if (held <= RELAY_VOICE_BYTES)
		told = put(skb, ring, view, flow, held, RELAY_VOICE_BYTES);
	else
		told = put(skb, ring, view, flow, held, RELAY_MOST_BYTES);
	if (told)
		return;
	__u64 *misses = bpf_map_lookup_elem(&missed, &at);
	if (misses)
		__sync_fetch_and_add(misses, 1);
}

/* The place of the flow to which a datagram belongs, and what was there; NULL: none. */
static __always_inline struct relay_flow *find(const struct view *view, struct relay_flow *flow)
{
	__u32 at = bpf_ntohs(view->local.port) / 2;
	struct relay_flow *place = bpf_map_lookup_elem(&flows, &at);
	if (!place || place->local_port != view->local.port)
		return NULL;
	bpf_spin_lock(&place->lock);
	__builtin_memcpy(flow, place, offsetof(struct relay_flow, lock));
	bpf_spin_unlock(&place->lock);
	if (flow->local_port != view->local.port || !same_host(view->local.host, flow->local) ||
	    flow->source_port != view->source.port || !same_host(view->source.host, flow->source))
		return NULL;
	return place;
}

/* Count a packet; false: it is beyond what may be relayed of its flow in this window, lest a flood
 * take the ring from all others. Not under the lock: where two CPUs count at once one may be
 * forgotten, and the bound is none to the packet. */
static __always_inline bool count(struct relay_flow *place, __u64 at_ns)
{
	__u32 window = (__u32)(at_ns >> RELAY_WINDOW_BITS) << RELAY_COUNT_BITS;
	__u32 counted = place->counted;
	if (counted - window > RELAY_WINDOW_PACKETS)
		counted = window; /* it was another */
	if (counted - window == RELAY_WINDOW_PACKETS)
		return false;
	place->counted = counted + 1;
	return true;
}

static __always_inline void write_v4(struct iphdr *ip, const struct relay_flow *flow)
{
	ip->tos = 0;
	ip->id = 0; /* says nothing in what is not fragmented (RFC 6864 4.1) */
	ip->frag_off = bpf_htons(DO_NOT_FRAGMENT);
	ip->ttl = HOPS;
	ip->saddr = ((const __u32 *)flow->from)[3];
	ip->daddr = ((const __u32 *)flow->to)[3];
	ip->check = ~fold(flow->header_sum + ip->tot_len);
}

static __always_inline void write_v6(struct ipv6hdr *ip, const struct relay_flow *flow)
{
	*(__be32 *)ip = bpf_htonl(0x60000000);
	ip->hop_limit = HOPS;
	__builtin_memcpy(&ip->saddr, flow->from, 16);
	__builtin_memcpy(&ip->daddr, flow->to, 16);
}

/* Give the packet its new addresses, checksums included. */
static __always_inline bool readdress(struct __sk_buff *skb, const struct view *view,
				      const struct relay_flow *flow)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct udphdr *udp = NULL;
	if (view->v6) {
		struct ipv6hdr *ip = data + ETH_HLEN;
		udp = (void *)(ip + 1);
		if ((void *)(udp + 1) > end)
			return false;
		write_v6(ip, flow);
	} else {
		struct iphdr *ip = data + ETH_HLEN;
		udp = (void *)(ip + 1);
		if ((void *)(udp + 1) > end)
			return false;
		write_v4(ip, flow);
	}
	udp->source = flow->from_port;
	udp->dest = flow->to_port;
	__u32 check_at = view->udp_at + offsetof(struct udphdr, check);
	/* Where the checksum is still to be computed, only the pseudo-header is in it. */
	return bpf_l4_csum_replace(skb, check_at, 0, flow->host_change,
				   BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0) == 0 &&
	       bpf_l4_csum_replace(skb, check_at, 0, flow->port_change, BPF_F_MARK_MANGLED_0) == 0;
}

SEC("tc")
int siprec_relay(struct __sk_buff *skb)
{
	struct view view = {};
	struct relay_flow flow;
	if (skb->pkt_type != PACKET_HOST || skb->vlan_present || skb->gso_size)
		return UP;
	if (!read_headers(skb, &view))
		return UP;
	struct relay_flow *place = find(&view, &flow);
	if (!place || view.total > flow.carries)
		return UP;
	if (skb->ifindex != flow.arrives) /* RFC 3704 2.2: the host may be as strict */
		return UP;
	if (view.bytes > RELAY_MOST_BYTES || !read_rtp(skb, &view))
		return UP;
	view.at_ns = bpf_ktime_get_ns();
	if (!count(place, view.at_ns))
		return UP;
	tell(skb, &view, &flow);
	struct bpf_redir_neigh hop = {.nh_family = flow.hop_is_v6 ? FAMILY_V6 : FAMILY_V4};
	if (flow.hop_is_v6)
		__builtin_memcpy(hop.ipv6_nh, flow.hop, 16);
	else
		hop.ipv4_nh = ((const __u32 *)flow.hop)[3];
	if (!readdress(skb, &view, &flow))
		return TC_ACT_SHOT;
	return (int)bpf_redirect_neigh(flow.interface, &hop, sizeof hop, 0);
}
