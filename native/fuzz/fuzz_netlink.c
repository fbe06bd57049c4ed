/* Whatever is said by rtnetlink, no octet beyond it is read, and a path that is told is whole. The
 * input is what one recv() brings; messages numbered 1 and 2 are answers about a path of IPv4 and
 * one of IPv6, the others are news. */
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/paths.h"
#include "../tests/check.h"
#include "../tests/netlink_messages.h"

#define ENTRIES	  4096 /* of paths.c */
#define NS_PER_MS 1000000ULL

static void must(bool condition)
{
	if (!condition)
		abort();
}

static struct paths *paths;
static uint64_t now_ns;
static struct rtpfork_address from[2];
static struct rtpfork_address to[2];
static uint32_t sequences[2]; /* of the questions about each */

static const struct path *find(int which)
{
	now_ns += NS_PER_MS;
	return paths_find(paths, &from[which], &to[which], now_ns);
}

/* Say |text| with this number; the first netlink socket of a process is named by the process' id.
 */
static void say(const char *text, uint32_t sequence)
{
	_Alignas(struct nlmsghdr) uint8_t octets[512];
	size_t bytes = check_hex(text, octets);
	struct nlmsghdr *message = (struct nlmsghdr *)octets;
	message->nlmsg_seq = sequence;
	message->nlmsg_pid = (uint32_t)getpid();
	paths_hear(paths, octets, bytes);
}

/* Only paths.c knows the number of a question: try which one makes the path known. */
static void begin(void)
{
	static const char *const hosts[2][2] = {{"10.97.0.1", "10.97.0.2"}, {"fd97::1", "fd97::2"}};
	static const char *const answers[2][2] = {{ROUTE_ON_LINK, NEIGHBOUR},
						  {ROUTE6_ON_LINK, NEIGHBOUR6}};
	paths = paths_new();
	must(paths != NULL);
	for (int i = 0; i < 2; i++) {
		must(rtpfork_address_parse(&from[i], hosts[i][0], 0) == 0);
		must(rtpfork_address_parse(&to[i], hosts[i][1], 0) == 0);
		find(i);
		while (!find(i) && !find(i)) {
			must(sequences[i]++ < ENTRIES);
			say(answers[i][0], sequences[i]);
			say(LINK_OF_ETHERNET, sequences[i]);
			say(answers[i][1], sequences[i]);
		}
	}
}

/* The octets, with the numbers of our questions in place of 1 and 2. */
static void play(uint8_t *octets, size_t bytes)
{
	long left = (long)bytes;
	for (struct nlmsghdr *message = (void *)octets; NLMSG_OK(message, left);
	     message = NLMSG_NEXT(message, left)) {
		if (message->nlmsg_seq - 1 >= 2)
			continue;
		message->nlmsg_seq = sequences[message->nlmsg_seq - 1];
		message->nlmsg_pid = (uint32_t)getpid();
	}
	paths_hear(paths, octets, bytes);
}

static bool check_path(int which)
{
	const struct path *path = find(which);
	if (!path)
		return false;
	must(path->ready && path->interface != 0);
	must(path->carries > 0 && path->carries <= 1280);
	must(path->hop.any.sa_family == to[which].any.sa_family);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (!paths)
		begin();
	uint32_t version = paths_version(paths);
	uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
	must(exact != NULL);
	memcpy(exact, data, bytes);
	play(exact, bytes);
	free(exact);
	unsigned changes = paths_version(paths) - version;
	return (int)((changes & 63U) << 2 | (unsigned)check_path(0) << 1 | (unsigned)check_path(1));
}
