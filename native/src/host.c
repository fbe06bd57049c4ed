/* Programs of a control group, counted by BPF_PROG_QUERY (bpf(2)). */
#include "rtpfork/host.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int count_programs(int directory, enum bpf_attach_type type)
{
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof attributes);
	attributes.query.target_fd = (uint32_t)directory;
	attributes.query.attach_type = type;
	attributes.query.query_flags = BPF_F_QUERY_EFFECTIVE;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof attributes) != 0)
		return errno == EINVAL || errno == ENOSYS ? 0 : -1;
	return (int)attributes.query.prog_cnt;
}

int rtpfork_cgroup_programs(int directory)
{
	static const enum bpf_attach_type types[] = {
		BPF_CGROUP_INET_EGRESS,	  BPF_CGROUP_UDP4_SENDMSG,  BPF_CGROUP_UDP6_SENDMSG,
		BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT, BPF_CGROUP_INET_INGRESS,
		BPF_CGROUP_UDP4_RECVMSG,  BPF_CGROUP_UDP6_RECVMSG,
	};
	int all = 0;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		int count = count_programs(directory, types[i]);
		if (count < 0)
			return -1;
		all += count;
	}
	return all;
}
