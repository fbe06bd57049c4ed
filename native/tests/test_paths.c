/* When the kernel may be passed by: what it said is played to paths.c, time is a number. */
#include "paths_fixture.h"

#include "rtpfork/octets.h"

#define NS_PER_S 1000000000ULL

static const uint8_t NEAR[] = {2, 0, 0, 0, 0, 1};
static const uint8_t FAR[] = {2, 0, 0, 0, 0, 2};

struct stage {
	struct paths *paths;
	struct rtpfork_address from;
	struct rtpfork_address to;
	uint64_t now_ns;
};

static struct stage stage_between(const char *from, const char *to)
{
	struct stage stage = {
		.paths = paths_new(),
		.from = host_named(from),
		.to = host_named(to),
		.now_ns = 100 * NS_PER_S,
	};
	CHECK(stage.paths != NULL);
	return stage;
}

static const struct path *find(struct stage *stage)
{
	return paths_find(stage->paths, &stage->from, &stage->to, stage->now_ns);
}

/* Past the datagram that is left to a socket once a second. */
static const struct path *find_again(struct stage *stage)
{
	find(stage);
	return find(stage);
}

/* Route, interface and neighbour, each asked for by the one before. */
static void answer_all(const struct stage *stage)
{
	answer(stage->paths, ROUTE_ON_LINK);
	answer(stage->paths, LINK_OF_ETHERNET);
	answer(stage->paths, NEIGHBOUR);
}

static struct stage known_path(void)
{
	struct stage stage = stage_between("10.97.0.1", "10.97.0.2");
	CHECK(find(&stage) == NULL);
	answer_all(&stage);
	CHECK(find_again(&stage) != NULL);
	return stage;
}

static void a_path_is_there_when_route_interface_and_neighbour_are_known(void)
{
	struct stage stage = stage_between("10.97.0.1", "10.97.0.2");
	CHECK(find_again(&stage) == NULL);
	answer(stage.paths, ROUTE_ON_LINK);
	CHECK(find_again(&stage) == NULL);
	answer(stage.paths, LINK_OF_ETHERNET);
	CHECK(find_again(&stage) == NULL);
	uint32_t version = paths_version(stage.paths);
	answer(stage.paths, NEIGHBOUR);
	CHECK(paths_version(stage.paths) != version);
	const struct path *path = find_again(&stage);
	CHECK(path != NULL);
	CHECK_EQ(path->interface, 2);
	CHECK_EQ(path->carries, 576);
	CHECK_BYTES(path->ethernet, FAR, sizeof FAR);
	CHECK_BYTES(path->ethernet + sizeof FAR, NEAR, sizeof NEAR);
	CHECK_EQ(rtpfork_get_u16(path->ethernet + 12), 0x0800);
	paths_free(stage.paths);
}

static void a_path_by_a_gateway_leads_to_the_gateways_address(void)
{
	struct stage stage = stage_between("fd97::1", "2001:db8::7");
	find(&stage);
	answer(stage.paths, ROUTE6_BY_GATEWAY);
	answer(stage.paths, LINK_OF_ETHERNET);
	answer(stage.paths, NEIGHBOUR6);
	const struct path *path = find_again(&stage);
	CHECK(path != NULL);
	CHECK_EQ(path->carries, 1280);
	CHECK_BYTES(path->ethernet, FAR, sizeof FAR);
	CHECK_EQ(rtpfork_get_u16(path->ethernet + 12), 0x86dd);
	paths_free(stage.paths);
}

/* Each of these is left to sockets, whatever else is said. */
static void what_is_not_plain_has_no_path(void)
{
	static const char *const cases[][4] = {
		{"203.0.113.9", ROUTE_BY_GATEWAY, LINK_OF_ETHERNET, NEIGHBOUR}, /* of another */
		{"198.51.100.7", ROUTE_VIA_IPV6, LINK_OF_ETHERNET, NEIGHBOUR6},
		{"192.0.2.7", ROUTE_REFUSED, LINK_OF_ETHERNET, NEIGHBOUR},
		{"10.97.0.1", ROUTE_TO_ITSELF, LINK_OF_LOOPBACK, NEIGHBOUR},
		{"10.97.0.2", ROUTE_ON_LINK, LINK_OF_LOOPBACK, NEIGHBOUR},
		{"10.97.0.2", ROUTE_ON_LINK, LINK_OF_ETHERNET, NEIGHBOUR_FAILED},
		{"10.97.0.2", LINK_OF_ETHERNET, NEIGHBOUR, NEIGHBOUR},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct stage stage = stage_between("10.97.0.1", cases[i][0]);
		find(&stage);
		for (int n = 1; n < 4; n++)
			answer(stage.paths, cases[i][n]);
		CHECK(find_again(&stage) == NULL);
		paths_free(stage.paths);
	}
}

static void once_a_second_one_datagram_is_left_to_a_socket(void)
{
	struct stage stage = known_path();
	uint32_t left = 0;
	for (int packet = 0; packet < 500; packet++) {
		stage.now_ns += NS_PER_S / 50;
		left += find(&stage) == NULL;
	}
	CHECK_EQ(left, 10);
	paths_free(stage.paths);
}

static void a_neighbour_that_moves_is_followed_and_one_that_is_gone_is_left_to_sockets(void)
{
	struct stage stage = known_path();
	_Alignas(struct nlmsghdr) uint8_t moved[MAX_MESSAGE];
	size_t bytes = check_hex(NEIGHBOUR, moved);
	((struct nlmsghdr *)moved)->nlmsg_seq = 0;
	moved[45] = 0x77; /* the last octet of its address */
	uint32_t version = paths_version(stage.paths);
	paths_hear(stage.paths, moved, bytes);
	CHECK(paths_version(stage.paths) != version);
	CHECK_EQ(find_again(&stage)->ethernet[5], 0x77);
	version = paths_version(stage.paths);
	paths_hear(stage.paths, moved, bytes);
	CHECK_EQ(paths_version(stage.paths), version); /* no news */
	say(stage.paths, NEIGHBOUR_FAILED, 0);
	CHECK(find_again(&stage) != NULL); /* another one's */
	say(stage.paths, NEWS_NEIGHBOUR_GONE, 0);
	CHECK(find_again(&stage) == NULL);
	say(stage.paths, NEIGHBOUR, 0);
	CHECK(find_again(&stage) != NULL);
	paths_free(stage.paths);
}

static void any_news_of_routes_and_interfaces_makes_it_ask_again(void)
{
	static const char *const news[] = {NEWS_OF_TWO_HOPS, LINK_OF_ETHERNET, ROUTE_ON_LINK};
	for (size_t i = 0; i < sizeof news / sizeof *news; i++) {
		struct stage stage = known_path();
		say(stage.paths, news[i], 0);
		CHECK(find_again(&stage) == NULL);
		say(stage.paths, NEIGHBOUR, 0); /* of the time before */
		answer(stage.paths, ROUTE_ON_LINK);
		answer(stage.paths, LINK_OF_ETHERNET);
		CHECK(find_again(&stage) == NULL);
		answer(stage.paths, NEIGHBOUR);
		CHECK(find_again(&stage) != NULL);
		paths_free(stage.paths);
	}
}

static void an_interface_that_carries_less_is_given_no_more(void)
{
	struct stage stage = stage_between("10.97.0.1", "10.97.0.2");
	_Alignas(struct nlmsghdr) uint8_t link[MAX_MESSAGE];
	char text[2 * MAX_MESSAGE + 1];
	size_t bytes = check_hex(LINK_OF_ETHERNET, link);
	for (size_t i = 0; i < bytes; i++)
		snprintf(text + 2 * i, 3, "%02x", link[i]);
	memcpy(strstr(text, "dc050000"), "90010000", 8); /* its MTU: 400 */
	find(&stage);
	answer(stage.paths, ROUTE_ON_LINK);
	answer(stage.paths, text);
	answer(stage.paths, NEIGHBOUR);
	CHECK_EQ(find_again(&stage)->carries, 400);
	paths_free(stage.paths);
}

static void a_path_that_failed_is_not_told_until_the_kernel_was_asked_again(void)
{
	struct stage stage = known_path();
	uint32_t version = paths_version(stage.paths);
	paths_doubt(stage.paths, &stage.from, &stage.to);
	CHECK(paths_version(stage.paths) != version);
	CHECK(find_again(&stage) == NULL);
	answer_all(&stage);
	CHECK(find_again(&stage) != NULL);
	paths_free(stage.paths);
}

/* Ask for the path to each of so many other hosts. */
static void crowd(struct stage *stage, uint32_t first, uint32_t hosts)
{
	struct rtpfork_address other = host_named("203.0.113.1");
	for (uint32_t host = first; host < first + hosts; host++) {
		other.v4.sin_addr.s_addr = htonl(0x0b000000U + host);
		CHECK(paths_find(stage->paths, &stage->from, &other, stage->now_ns) == NULL);
	}
}

static void however_many_hosts_there_are_those_in_use_keep_their_paths(void)
{
	struct stage stage = known_path();
	for (uint32_t second = 0; second < 40; second++) {
		crowd(&stage, second * ENTRIES / 2, ENTRIES / 2);
		CHECK(find_again(&stage) != NULL);
		stage.now_ns += NS_PER_S;
	}
	paths_free(stage.paths);
}

static void a_host_that_finds_no_room_has_a_path_when_others_rest(void)
{
	struct stage stage = stage_between("10.97.0.1", "10.97.0.2");
	crowd(&stage, 0, 3 * ENTRIES);
	CHECK(find_again(&stage) == NULL);
	answer_all(&stage);
	CHECK(find_again(&stage) == NULL);
	stage.now_ns += 10 * NS_PER_S;
	CHECK(find_again(&stage) == NULL);
	answer_all(&stage);
	CHECK(find_again(&stage) != NULL);
	paths_free(stage.paths);
}

static void a_path_that_rested_is_found_again(void)
{
	struct stage stage = known_path();
	stage.now_ns += 10 * NS_PER_S;
	crowd(&stage, 0, ENTRIES);
	CHECK(find_again(&stage) == NULL);
	stage.now_ns += 10 * NS_PER_S;
	find(&stage);
	answer_all(&stage);
	CHECK(find_again(&stage) != NULL);
	paths_free(stage.paths);
}

static void what_is_cut_is_not_heard(void)
{
	struct stage stage = known_path();
	uint8_t octets[MAX_MESSAGE];
	size_t whole = check_hex(NEWS_OF_TWO_HOPS, octets);
	for (size_t bytes = 0; bytes < whole; bytes++) {
		uint8_t *cut = malloc(bytes == 0 ? 1 : bytes);
		CHECK(cut != NULL);
		memcpy(cut, octets, bytes);
		paths_hear(stage.paths, cut, bytes);
		free(cut);
	}
	CHECK(find_again(&stage) != NULL);
	paths_free(stage.paths);
}

int main(void)
{
	RUN(a_path_is_there_when_route_interface_and_neighbour_are_known);
	RUN(a_path_by_a_gateway_leads_to_the_gateways_address);
	RUN(what_is_not_plain_has_no_path);
	RUN(once_a_second_one_datagram_is_left_to_a_socket);
	RUN(a_neighbour_that_moves_is_followed_and_one_that_is_gone_is_left_to_sockets);
	RUN(any_news_of_routes_and_interfaces_makes_it_ask_again);
	RUN(an_interface_that_carries_less_is_given_no_more);
	RUN(a_path_that_failed_is_not_told_until_the_kernel_was_asked_again);
	RUN(however_many_hosts_there_are_those_in_use_keep_their_paths);
	RUN(a_host_that_finds_no_room_has_a_path_when_others_rest);
	RUN(a_path_that_rested_is_found_again);
	RUN(what_is_cut_is_not_heard);
	return 0;
}
