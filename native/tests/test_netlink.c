/* rtnetlink(7) messages: what Linux said is read, what nobody says harms nothing. */
#include "../src/netlink.h"

#include <linux/rtnetlink.h>

#include "check.h"
#include "netlink_messages.h"

/* A message in a block of just its size, so that ASan sees whoever reads on. */
static struct nlmsghdr *message_of(const char *text)
{
	struct nlmsghdr *message = malloc(strlen(text) / 2);
	CHECK(message != NULL);
	size_t bytes = check_hex(text, (unsigned char *)message);
	CHECK_EQ(message->nlmsg_len, bytes);
	return message;
}

static struct netlink_route route_of(const char *text)
{
	struct netlink_route route;
	struct nlmsghdr *message = message_of(text);
	CHECK(netlink_read_route(message, &route));
	free(message);
	return route;
}

static struct netlink_link link_of(const char *text)
{
	struct netlink_link link;
	struct nlmsghdr *message = message_of(text);
	CHECK(netlink_read_link(message, &link));
	free(message);
	return link;
}

static struct netlink_neighbour neighbour_of(const char *text)
{
	struct netlink_neighbour neighbour;
	struct nlmsghdr *message = message_of(text);
	CHECK(netlink_read_neighbour(message, &neighbour));
	free(message);
	return neighbour;
}

static void check_host(const struct rtpfork_address *address, const char *expected)
{
	char host[RTPFORK_HOST_BYTES];
	rtpfork_address_host(address, host);
	CHECK(strcmp(host, expected) == 0);
}

/* what was recorded */

static void a_route_says_its_interface_and_who_is_next(void)
{
	struct netlink_route route = route_of(ROUTE_ON_LINK);
	CHECK(route.plain && route.interface == 2);
	check_host(&route.to, "10.97.0.2");
	check_host(&route.gateway, "");
	route = route_of(ROUTE_BY_GATEWAY);
	CHECK(route.plain && route.interface == 2);
	check_host(&route.to, "203.0.113.7");
	check_host(&route.gateway, "10.97.0.2");
	route = route_of(ROUTE6_ON_LINK);
	CHECK(route.plain && route.interface == 2);
	check_host(&route.to, "fd97::2");
	check_host(&route.gateway, "");
	route = route_of(ROUTE6_BY_GATEWAY);
	CHECK(route.plain);
	check_host(&route.gateway, "fd97::2");
}

static void a_route_by_another_family_or_several_ways_or_to_the_host_itself_is_not_plain(void)
{
	CHECK(!route_of(ROUTE_VIA_IPV6).plain);
	CHECK(!route_of(NEWS_OF_TWO_HOPS).plain);
	CHECK(!route_of(ROUTE_TO_ITSELF).plain);
}

static void only_an_ethernet_is_a_plain_interface(void)
{
	static const uint8_t address[] = {2, 0, 0, 0, 0, 1};
	struct netlink_link link = link_of(LINK_OF_ETHERNET);
	CHECK(link.plain);
	CHECK_EQ(link.interface, 2);
	CHECK_EQ(link.mtu, 1500);
	CHECK_BYTES(link.address, address, sizeof address);
	CHECK(!link_of(LINK_OF_LOOPBACK).plain);
}

static void a_neighbour_is_usable_while_its_address_is_known(void)
{
	static const uint8_t address[] = {2, 0, 0, 0, 0, 2};
	struct netlink_neighbour neighbour = neighbour_of(NEIGHBOUR);
	CHECK(neighbour.usable);
	CHECK_EQ(neighbour.interface, 2);
	CHECK_BYTES(neighbour.address, address, sizeof address);
	check_host(&neighbour.host, "10.97.0.2");
	neighbour = neighbour_of(NEIGHBOUR6);
	CHECK(neighbour.usable);
	check_host(&neighbour.host, "fd97::2");
	CHECK(!neighbour_of(NEIGHBOUR_FAILED).usable);
	neighbour = neighbour_of(NEWS_NEIGHBOUR_GONE);
	CHECK(!neighbour.usable);
	check_host(&neighbour.host, "10.97.0.2");
}

static void requests_are_what_the_kernel_was_asked_when_it_said_so(void)
{
	uint8_t request[NETLINK_REQUEST_BYTES];
	uint8_t expected[NETLINK_REQUEST_BYTES];
	struct rtpfork_address from;
	struct rtpfork_address to;
	CHECK_EQ(rtpfork_address_parse(&from, "10.97.0.1", 0), 0);
	CHECK_EQ(rtpfork_address_parse(&to, "10.97.0.2", 0), 0);
	size_t bytes = check_hex("2c0000001a0001000100000000000000022020000000000000000000"
				 "080001000a610002080002000a610001",
				 expected);
	CHECK_EQ(netlink_ask_route(request, 1, &from, &to), bytes);
	CHECK_BYTES(request, expected, bytes);
	bytes = check_hex("200000001200010007000000000000000000000002000000"
			  "0000000000000000",
			  expected);
	CHECK_EQ(netlink_ask_link(request, 7, 2), bytes);
	CHECK_BYTES(request, expected, bytes);
	CHECK_EQ(rtpfork_address_parse(&to, "fd97::2", 0), 0);
	bytes = check_hex("300000001e0001000100000000000000"
			  "0a0000000200000000000000"
			  "14000100fd970000000000000000000000000002",
			  expected);
	CHECK_EQ(netlink_ask_neighbour(request, 1, 2, &to), bytes);
	CHECK_BYTES(request, expected, bytes);
}

/* what nobody says */

static const char *const RECORDED[] = {
	ROUTE_ON_LINK,	   ROUTE_BY_GATEWAY, ROUTE_VIA_IPV6,	 ROUTE_TO_ITSELF, ROUTE6_ON_LINK,
	ROUTE6_BY_GATEWAY, LINK_OF_ETHERNET, LINK_OF_LOOPBACK,	 NEIGHBOUR,	  NEIGHBOUR6,
	NEIGHBOUR_FAILED,  NEWS_OF_TWO_HOPS, NEWS_NEIGHBOUR_GONE};

/* As each of the three kinds: the reader must not trust the type. */
static void read_all(const struct nlmsghdr *message)
{
	struct netlink_route route;
	struct netlink_link link;
	struct netlink_neighbour neighbour;
	netlink_read_route(message, &route);
	netlink_read_link(message, &link);
	netlink_read_neighbour(message, &neighbour);
}

static void a_message_that_is_cut_anywhere_is_read_to_its_end_and_no_further(void)
{
	for (size_t n = 0; n < sizeof RECORDED / sizeof *RECORDED; n++) {
		struct nlmsghdr *whole = message_of(RECORDED[n]);
		for (uint32_t bytes = NLMSG_HDRLEN; bytes < whole->nlmsg_len; bytes++) {
			struct nlmsghdr *cut = malloc(bytes);
			CHECK(cut != NULL);
			memcpy(cut, whole, bytes);
			cut->nlmsg_len = bytes;
			read_all(cut);
			free(cut);
		}
		free(whole);
	}
}

static void a_message_without_its_fixed_part_is_refused(void)
{
	struct nlmsghdr header = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = RTM_NEWROUTE};
	struct netlink_route route;
	struct netlink_link link;
	struct netlink_neighbour neighbour;
	CHECK(!netlink_read_route(&header, &route));
	CHECK(!netlink_read_link(&header, &link));
	CHECK(!netlink_read_neighbour(&header, &neighbour));
}

/* Any two octets may be the length of an attribute. */
static void lengths_that_are_lies_lead_nowhere(void)
{
	static const uint16_t lies[] = {0, 1, 3, 5, 0x7fff, 0x8000, 0xfffd, 0xffff};
	for (size_t n = 0; n < sizeof RECORDED / sizeof *RECORDED; n++) {
		struct nlmsghdr *message = message_of(RECORDED[n]);
		for (size_t at = NLMSG_HDRLEN; at + 2 <= message->nlmsg_len; at += 2) {
			uint8_t *octets = (uint8_t *)message + at;
			uint16_t truth;
			memcpy(&truth, octets, sizeof truth);
			for (size_t lie = 0; lie < sizeof lies / sizeof *lies; lie++) {
				memcpy(octets, &lies[lie], sizeof lies[lie]);
				read_all(message);
			}
			memcpy(octets, &truth, sizeof truth);
		}
		free(message);
	}
}

/* |octets| of |message| that follow |head| are set to |value|. */
static void put_after(struct nlmsghdr *message, const char *head, size_t after, uint8_t value)
{
	uint8_t wanted[64];
	size_t bytes = check_hex(head, wanted);
	uint8_t *octets = (uint8_t *)message;
	for (size_t at = 0; at + bytes + after < message->nlmsg_len; at++)
		if (memcmp(octets + at, wanted, bytes) == 0) {
			octets[at + bytes + after] = value;
			return;
		}
	CHECK(!"found");
}

static void an_address_of_another_length_is_no_address(void)
{
	struct netlink_neighbour neighbour;
	struct netlink_link link;
	struct netlink_route route;
	struct nlmsghdr *message = message_of(NEIGHBOUR);
	put_after(message, "0a610002", 0, 9); /* five octets of link address */
	CHECK(netlink_read_neighbour(message, &neighbour));
	CHECK(!neighbour.usable);
	free(message);
	message = message_of(LINK_OF_ETHERNET);
	put_after(message, "08000400dc050000", 0, 8); /* four octets of address */
	CHECK(netlink_read_link(message, &link));
	CHECK(!link.plain);
	free(message);
	message = message_of(ROUTE_BY_GATEWAY);
	put_after(message, "0800040002000000", 0, 7); /* a gateway of three octets */
	CHECK(netlink_read_route(message, &route));
	CHECK(!route.plain);
	free(message);
}

static void a_family_that_is_none_has_no_hosts(void)
{
	struct netlink_neighbour neighbour;
	struct nlmsghdr *message = message_of(NEIGHBOUR);
	((uint8_t *)message)[NLMSG_HDRLEN] = AF_BRIDGE;
	CHECK(netlink_read_neighbour(message, &neighbour));
	CHECK(!rtpfork_address_known(&neighbour.host));
	free(message);
}

int main(void)
{
	RUN(a_route_says_its_interface_and_who_is_next);
	RUN(a_route_by_another_family_or_several_ways_or_to_the_host_itself_is_not_plain);
	RUN(only_an_ethernet_is_a_plain_interface);
	RUN(a_neighbour_is_usable_while_its_address_is_known);
	RUN(requests_are_what_the_kernel_was_asked_when_it_said_so);
	RUN(a_message_that_is_cut_anywhere_is_read_to_its_end_and_no_further);
	RUN(a_message_without_its_fixed_part_is_refused);
	RUN(lengths_that_are_lies_lead_nowhere);
	RUN(an_address_of_another_length_is_no_address);
	RUN(a_family_that_is_none_has_no_hosts);
	return 0;
}
