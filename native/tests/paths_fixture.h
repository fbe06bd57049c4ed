/* Paths whose kernel is a list of recorded messages. */
#ifndef RTPFORK_TESTS_PATHS_FIXTURE_H
#define RTPFORK_TESTS_PATHS_FIXTURE_H

#include <linux/rtnetlink.h>
#include <unistd.h>

#include "../src/paths.h"
#include "check.h"
#include "netlink_messages.h"

#define MAX_MESSAGE 512
#define ENTRIES	    4096 /* of paths.c */

static inline struct rtpfork_address host_named(const char *host)
{
	struct rtpfork_address address;
	CHECK_EQ(rtpfork_address_parse(&address, host, 5004), 0);
	return address;
}

/* The message |text| as an answer to us, or with 0 as news. The first netlink socket of a process
 * is named by the process' id (netlink(7)). */
static inline void say(struct paths *paths, const char *text, uint32_t sequence)
{
	_Alignas(struct nlmsghdr) uint8_t octets[MAX_MESSAGE];
	size_t bytes = check_hex(text, octets);
	struct nlmsghdr *message = (struct nlmsghdr *)octets;
	message->nlmsg_seq = sequence;
	message->nlmsg_pid = sequence == 0 ? 0 : (uint32_t)getpid();
	paths_hear(paths, octets, bytes);
}

/* The answer to whoever asked: only paths.c knows the number of the question, so all are said. */
static inline void answer(struct paths *paths, const char *text)
{
	for (uint32_t sequence = 1; sequence <= ENTRIES; sequence++)
		say(paths, text, sequence);
}

#endif
