/* Whether relay.bpf.c can be built: clang has the target, and the headers are there. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc") int probe(struct __sk_buff *skb)
{
	return skb->protocol == bpf_htons(0) ? TC_ACT_OK : TC_ACT_UNSPEC;
}
