/* What is to be known of the host before its own ways are passed by. */
#ifndef RTPFORK_HOST_H
#define RTPFORK_HOST_H

/* How many BPF programs look at, or change, what sockets in a control group send and get: those of
 * the group and of those above it. |directory| is a descriptor of its directory (cgroups(7),
 * version 2). Any thread. 0 also where the kernel knows no such programs; -1: errno says why that
 * is not known. */
int rtpfork_cgroup_programs(int directory);

/* Whether an engine with RTPFORK_IO_BPF and |pins| could be made. Milliseconds; any thread. 0, or
 * RTPFORK_ENOMEM or RTPFORK_ESYSTEM with errno as of rtpfork_engine_new(). */
int rtpfork_relay_probe(const char *pins);

#endif
