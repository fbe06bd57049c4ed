/* A flow as the program in the kernel has it: all that is the same for each packet is made once. */
#include "relay_flow.h"

#include <linux/if_ether.h>
#include <string.h>

#define DO_NOT_FRAGMENT 0x4000
#define HOPS		64
#define UDP_PROTOCOL	17

static void host_of(uint8_t host[16], const struct rtpfork_address *address)
{
	if (address->any.sa_family == AF_INET6) {
		memcpy(host, &address->v6.sin6_addr, 16);
		return;
	}
	memset(host, 0, 16);
	host[10] = host[11] = 0xff; /* RFC 4291 2.5.5.2 */
	memcpy(host + 12, &address->v4.sin_addr, 4);
}

/* RFC 1071, in the order of this machine, of what IP has of a host; a mapped one has |skip|. */
static uint32_t sum_of(const uint8_t host[16], size_t skip)
{
	uint32_t sum = 0;
	for (size_t i = skip; i < 16; i += 2) {
		uint16_t word;
		memcpy(&word, host + i, sizeof word);
		sum += word;
	}
	return sum;
}

/* What takes |sum| out of a checksum's sum again, if it was of so many words. */
static uint32_t inverse(uint32_t sum, uint32_t words)
{
	return words * 0xffff - sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

void relay_flow_begin(struct relay_flow *flow, const struct rtpfork_address *local)
{
	memset(flow, 0, sizeof *flow);
	if (!rtpfork_address_known(local))
		return;
	host_of(flow->local, local);
	flow->local_port = htons(rtpfork_address_port(local));
}

void relay_flow_make(struct relay_flow *flow, const struct rtpfork_address *local,
		     const struct rtpfork_flow *wanted, const struct rtpfork_address *from,
		     const struct path *path)
{
	bool v6 = local->any.sa_family == AF_INET6;
	size_t skip = v6 ? 0 : 12;
	uint32_t words = v6 ? 16 : 4;
	relay_flow_begin(flow, local);
	host_of(flow->source, &wanted->source);
	host_of(flow->from, from);
	host_of(flow->to, &wanted->to);
	host_of(flow->hop, &path->hop);
	flow->hop_is_v6 = path->hop.any.sa_family == AF_INET6;
	flow->source_port = htons(rtpfork_address_port(&wanted->source));
	flow->from_port = htons(rtpfork_address_port(from));
	flow->to_port = htons(rtpfork_address_port(&wanted->to));
	flow->carries = (uint16_t)path->carries;
	flow->interface = (uint32_t)path->interface;
	flow->keep = wanted->keep;
	uint32_t now = sum_of(flow->from, skip) + sum_of(flow->to, skip);
	uint32_t before = sum_of(flow->source, skip) + sum_of(flow->local, skip);
	flow->host_change = fold(now + inverse(before, words));
	flow->port_change = fold((uint32_t)flow->from_port + flow->to_port +
				 inverse((uint32_t)flow->source_port + flow->local_port, 2));
	flow->header_sum = fold((uint32_t)htons(0x4500) + htons(DO_NOT_FRAGMENT) +
				htons(HOPS << 8 | UDP_PROTOCOL) + now);
}

bool relay_flow_same_ends(const struct relay_flow *a, const struct relay_flow *b)
{
	return memcmp(a->source, b->source, sizeof a->source) == 0 &&
	       memcmp(a->from, b->from, sizeof a->from) == 0 &&
	       memcmp(a->to, b->to, sizeof a->to) == 0 && a->source_port == b->source_port &&
	       a->from_port == b->from_port && a->to_port == b->to_port && a->keep == b->keep;
}
