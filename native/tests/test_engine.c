/* The engine over real sockets of loopback: threads, rings and descriptors (run under TSan too). */
#include "rtpfork/engine.h"

#include <poll.h>
#include <unistd.h>

#include "check.h"
#include "rtpfork/octets.h"

#define WAIT_MS	     5000
#define PACKETS	     400
#define NOTICES	     4096 /* that wait to be read */
#define CROWD	     120
#define KEYS_AT_ONCE 50

static struct rtpfork_engine *start(uint32_t threads)
{
	struct rtpfork_engine *engine = NULL;
	struct rtpfork_engine_options options;
	rtpfork_engine_defaults(&options);
	options.threads = threads;
	options.port_rest_ms = 0;
	options.max_ports_per_thread = 256; /* of all of them TSan would have a shadow */
	options.max_readers_per_thread = 256;
	CHECK_EQ(rtpfork_engine_new(&options, &engine), 0);
	return engine;
}

/* The next answer; notices before it are passed over. The caller frees it. */
static struct rtpfork_command *next_answer(struct rtpfork_engine *engine)
{
	struct rtpfork_message message;
	struct pollfd readable = {.fd = rtpfork_engine_fd(engine), .events = POLLIN};
	for (;;) {
		while (rtpfork_engine_next(engine, &message))
			if (message.answer)
				return message.answer;
		CHECK_EQ(poll(&readable, 1, WAIT_MS), 1);
		rtpfork_engine_begin(engine);
	}
}

static struct rtpfork_command *ask(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	rtpfork_engine_submit(engine, command);
	struct rtpfork_command *answer = next_answer(engine);
	CHECK(answer == command);
	return answer;
}

static void do_it(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	CHECK_EQ(ask(engine, command)->result, 0);
	rtpfork_command_free(command);
}

static int open_socket(struct rtpfork_address *address)
{
	socklen_t bytes = sizeof *address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0);
	CHECK_EQ(rtpfork_address_parse(address, "127.0.0.1", 0), 0);
	CHECK_EQ(bind(fd, &address->any, rtpfork_address_bytes(address)), 0);
	CHECK_EQ(getsockname(fd, &address->any, &bytes), 0);
	return fd;
}

static size_t receive(int fd, uint8_t *data, size_t room)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	CHECK_EQ(poll(&readable, 1, WAIT_MS), 1);
	ssize_t got = recv(fd, data, room, 0);
	CHECK(got >= 0);
	return (size_t)got;
}

/* one call */

enum { CALLER, CALLEE, SRS, PARTIES };

struct call {
	uint64_t ports[PARTIES];
	struct rtpfork_address engine_address[PARTIES];
	struct rtpfork_address address[PARTIES];
	int fds[PARTIES];
	uint64_t reader;
};

static void open_call(struct rtpfork_engine *engine, struct call *call)
{
	struct rtpfork_command *open = rtpfork_command_new(RTPFORK_OPEN, PARTIES, 0);
	strcpy(open->open.host, "127.0.0.1");
	open->open.low = 23000;
	open->open.high = 24999;
	CHECK_EQ(ask(engine, open)->result, 0);
	for (int i = 0; i < PARTIES; i++) {
		call->fds[i] = open_socket(&call->address[i]);
		call->ports[i] = open->ports[i].id;
		CHECK_EQ(rtpfork_address_parse(&call->engine_address[i], "127.0.0.1",
					       open->ports[i].rtp_port),
			 0);
	}
	rtpfork_command_free(open);
	for (int i = CALLER; i <= CALLEE; i++) {
		struct rtpfork_command *connect = rtpfork_command_new(RTPFORK_CONNECT, 0, 0);
		connect->connect.port = call->ports[i];
		connect->connect.party.remote = call->address[i];
		connect->connect.party.clock_rate = 8000;
		do_it(engine, connect);
	}
	struct rtpfork_command *bridge = rtpfork_command_new(RTPFORK_BRIDGE, 0, 0);
	bridge->bridge.a = call->ports[CALLER];
	bridge->bridge.b = call->ports[CALLEE];
	do_it(engine, bridge);
}

static void attach(struct rtpfork_engine *engine, struct call *call)
{
	struct rtpfork_command *attach = rtpfork_command_new(RTPFORK_ATTACH, 0, 0);
	attach->attach.stream = call->ports[CALLER];
	attach->attach.via = call->ports[SRS];
	attach->attach.live = true;
	attach->attach.identity = (struct rtpfork_identity){
		.ssrc = 7, .clock_rate = 8000, .first_sequence = 1, .cname = "c25hbWU"};
	attach->attach.target.remote = call->address[SRS];
	memset(attach->attach.target.map, RTPFORK_UNMAPPED, RTPFORK_PAYLOAD_TYPES);
	attach->attach.target.map[0] = 0;
	CHECK_EQ(ask(engine, attach)->result, 0);
	call->reader = attach->attach.reader;
	rtpfork_command_free(attach);
}

static void speak(const struct call *call, uint16_t sequence)
{
	uint8_t packet[172] = {0x80};
	rtpfork_put_u16(packet + 2, sequence);
	rtpfork_put_u32(packet + 4, sequence * 160U);
	CHECK_EQ(sendto(call->fds[CALLER], packet, sizeof packet, 0,
			&call->engine_address[CALLER].any,
			rtpfork_address_bytes(&call->engine_address[CALLER])),
		 (ssize_t)sizeof packet);
}

static void close_call(struct rtpfork_engine *engine, struct call *call)
{
	struct rtpfork_command *close_ports = rtpfork_command_new(RTPFORK_CLOSE, PARTIES, 0);
	for (int i = 0; i < PARTIES; i++) {
		close_ports->ports[i].id = call->ports[i];
		close(call->fds[i]);
	}
	do_it(engine, close_ports);
}

/* what must be true */

static void calls_on_several_threads_are_relayed_and_copied(void)
{
	struct rtpfork_engine *engine = start(2);
	struct call calls[4];
	uint8_t data[2048];
	for (int i = 0; i < 4; i++) {
		open_call(engine, &calls[i]);
		attach(engine, &calls[i]);
	}
	for (uint16_t n = 0; n < PACKETS; n++) {
		for (int i = 0; i < 4; i++)
			speak(&calls[i], n);
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(receive(calls[i].fds[CALLEE], data, sizeof data), 172);
			CHECK_EQ(rtpfork_get_u16(data + 2), n);
			CHECK_EQ(receive(calls[i].fds[SRS], data, sizeof data), 172);
			CHECK_EQ(rtpfork_get_u16(data + 2), n + 1);
			CHECK_EQ(rtpfork_get_u32(data + 8), 7);
		}
	}
	for (int i = 0; i < 4; i++)
		close_call(engine, &calls[i]);
	rtpfork_engine_free(engine);
}

/* The log of a stream is small, but takes the longest datagram that is relayed; one that cannot is
 * refused at once. */
static void the_longest_datagram_is_copied(void)
{
	struct rtpfork_engine *engine = NULL;
	struct rtpfork_engine_options options;
	rtpfork_engine_defaults(&options);
	options.log_packets /= 2;
	CHECK_EQ(rtpfork_engine_new(&options, &engine), RTPFORK_EARGUMENT);
	engine = start(1);
	struct call call;
	uint8_t data[RTPFORK_MAX_DATAGRAM_BYTES] = {0x80};
	open_call(engine, &call);
	attach(engine, &call);
	for (uint16_t n = 0; n < 20; n++) {
		size_t bytes = n % 3 == 0 ? sizeof data : 172;
		rtpfork_put_u16(data + 2, n);
		CHECK_EQ(sendto(call.fds[CALLER], data, bytes, 0, &call.engine_address[CALLER].any,
				rtpfork_address_bytes(&call.engine_address[CALLER])),
			 (ssize_t)bytes);
		uint8_t copy[sizeof data];
		CHECK_EQ(receive(call.fds[CALLEE], copy, sizeof copy), bytes);
		CHECK_EQ(receive(call.fds[SRS], copy, sizeof copy), bytes);
	}
	close_call(engine, &call);
	rtpfork_engine_free(engine);
}

static void commands_while_media_flows_lose_nothing(void)
{
	struct rtpfork_engine *engine = start(1);
	struct call call;
	uint8_t data[2048];
	open_call(engine, &call);
	attach(engine, &call);
	for (uint16_t n = 0; n < PACKETS; n++) {
		struct rtpfork_command *pause = rtpfork_command_new(RTPFORK_SET_LIVE, 0, 0);
		pause->set_live.reader = call.reader;
		pause->set_live.live = n % 2 == 0;
		rtpfork_engine_submit(engine, pause);
		speak(&call, n);
		CHECK_EQ(receive(call.fds[CALLEE], data, sizeof data), 172);
		rtpfork_command_free(next_answer(engine));
	}
	struct rtpfork_command *detach = rtpfork_command_new(RTPFORK_DETACH, 0, 0);
	detach->detach.reader = call.reader;
	CHECK_EQ(ask(engine, detach)->result, 0);
	const struct rtpfork_reader_counters *books = &detach->detach.counters;
	CHECK_EQ(books->offered, PACKETS);
	CHECK_EQ(books->delivered + books->skipped_paused, PACKETS);
	rtpfork_command_free(detach);
	close_call(engine, &call);
	rtpfork_engine_free(engine);
}

/* As many key presses as a party may tell of at once (docs/native.md), and then one more. */
static void press_keys(int fd, const struct rtpfork_address *to)
{
	uint8_t packet[16] = {0x80, 101, [12] = 1, [13] = 0x80, [15] = 160};
	for (uint16_t n = 0; n <= KEYS_AT_ONCE; n++) {
		rtpfork_put_u16(packet + 2, n);
		rtpfork_put_u32(packet + 4, 1000U * n);
		CHECK(sendto(fd, packet, sizeof packet, 0, &to->any, rtpfork_address_bytes(to)) >
		      0);
	}
}

/* Ports whose party speaks from |crowd|. The caller frees the command. */
static struct rtpfork_command *open_crowd(struct rtpfork_engine *engine,
					  const struct rtpfork_address *crowd)
{
	struct rtpfork_command *open = rtpfork_command_new(RTPFORK_OPEN, CROWD, 0);
	strcpy(open->open.host, "127.0.0.1");
	open->open.low = 23000;
	open->open.high = 24999;
	CHECK_EQ(ask(engine, open)->result, 0);
	for (size_t i = 0; i < CROWD; i++) {
		struct rtpfork_command *connect = rtpfork_command_new(RTPFORK_CONNECT, 0, 0);
		connect->connect.port = open->ports[i].id;
		connect->connect.party.remote = *crowd;
		connect->connect.party.clock_rate = 8000;
		connect->connect.party.event_types[0] = 101;
		connect->connect.party.event_type_count = 1;
		do_it(engine, connect);
	}
	return open;
}

/* A crowd presses keys and control reads nothing: what is lost is counted, and neither the call nor
 * a command waits for it. */
static void notices_that_nobody_reads_are_counted_and_hold_nothing_up(void)
{
	struct rtpfork_engine *engine = start(1);
	struct rtpfork_thread_stats stats = {0};
	struct call call;
	uint8_t data[2048];
	struct rtpfork_address crowd;
	int fd = open_socket(&crowd);
	open_call(engine, &call);
	struct rtpfork_command *open = open_crowd(engine, &crowd);
	for (size_t i = 0; i < CROWD; i++) {
		struct rtpfork_address to = call.engine_address[CALLER];
		rtpfork_address_set_port(&to, open->ports[i].rtp_port);
		press_keys(fd, &to);
	}
	while (stats.packets_received < CROWD * (KEYS_AT_ONCE + 1)) {
		poll(NULL, 0, 1);
		CHECK_EQ(rtpfork_engine_stats(engine, 0, &stats), 0);
	}
	speak(&call, 1);
	CHECK_EQ(receive(call.fds[CALLEE], data, sizeof data), 172);
	CHECK_EQ(rtpfork_engine_stats(engine, 0, &stats), 0);
	CHECK(stats.notices_lost >= CROWD * KEYS_AT_ONCE - NOTICES);
	rtpfork_command_free(open);
	close(fd);
	close_call(engine, &call);
	rtpfork_engine_free(engine);
}

static void an_engine_may_end_with_commands_under_way(void)
{
	for (int i = 0; i < 10; i++) {
		struct rtpfork_engine *engine = start(2);
		for (int n = 0; n < 50; n++) {
			struct rtpfork_command *open = rtpfork_command_new(RTPFORK_OPEN, 2, 0);
			strcpy(open->open.host, "127.0.0.1");
			open->open.low = 23000;
			open->open.high = 24999;
			rtpfork_engine_submit(engine, open);
		}
		rtpfork_engine_free(engine);
	}
}

int main(void)
{
	RUN(calls_on_several_threads_are_relayed_and_copied);
	RUN(the_longest_datagram_is_copied);
	RUN(commands_while_media_flows_lose_nothing);
	RUN(notices_that_nobody_reads_are_counted_and_hold_nothing_up);
	RUN(an_engine_may_end_with_commands_under_way);
	return 0;
}
