/* What a packet costs: an engine of one thread on loopback under a paced load of G.711 calls.
 *
 *   rtpfork_bench [-m relay|fork|srtp|gcm] [-n calls] [-s seconds] [-t engine threads]
 *
 * Each call is two parties that send a packet each 20 ms. Prints one JSON object; packets that the
 * engine did not relay or copy are lost, and so are those later than 100 ms. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "rtpfork/engine.h"
#include "rtpfork/octets.h"

#define PACKET_BYTES	  172
#define INTERVAL_NS	  20000000ULL
#define SLOTS		  20 /* of an interval: calls are spread over them */
#define LATE_NS		  100000000ULL
#define NS_PER_S	  1000000000ULL
#define RECEIVE_BUFFER_KB 4096 /* the one SRS takes every copy; the kernel caps it */

enum mode { RELAY, FORK, SRTP, GCM };

static const char *const mode_names[] = {"relay", "fork", "srtp", "gcm"};

struct party {
	int fd;
	struct rtpfork_address engine; /* where it sends */
	uint16_t sequence;
};

struct bench {
	enum mode mode;
	uint32_t calls;
	uint32_t seconds;
	uint32_t threads;
	struct rtpfork_engine *engine;
	struct party *parties; /* two a call */
	int srs;	       /* takes every copy */
	struct rtpfork_address srs_address;
	int epoll;
	atomic_bool stop;
	uint64_t sent;
	uint64_t unsent;
	uint64_t relayed;
	uint64_t copied;
	uint64_t late;
	uint64_t worst_ns;
};

static void die(const char *what)
{
	fprintf(stderr, "rtpfork_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* commands */

static struct rtpfork_command *ask(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	struct rtpfork_message message;
	struct pollfd readable = {.fd = rtpfork_engine_fd(engine), .events = POLLIN};
	rtpfork_engine_submit(engine, command);
	for (;;) {
		while (rtpfork_engine_next(engine, &message)) {
			if (!message.answer)
				continue;
			if (message.answer->result != 0) {
				fprintf(stderr, "rtpfork_bench: refused: %s\n",
					rtpfork_strerror(message.answer->result));
				exit(1);
			}
			return message.answer;
		}
		if (poll(&readable, 1, 5000) != 1)
			die("no answer");
		rtpfork_engine_begin(engine);
	}
}

static void set_key(struct rtpfork_sdes *sdes, enum mode mode)
{
	sdes->suite =
		rtpfork_srtp_suite(mode == GCM ? "AEAD_AES_128_GCM" : "AES_CM_128_HMAC_SHA1_80");
	memset(sdes->material, 1, sizeof sdes->material);
}

static void attach(struct bench *bench, uint64_t stream, uint64_t via, uint32_t ssrc)
{
	struct rtpfork_command *attach = rtpfork_command_new(RTPFORK_ATTACH, 0, 0);
	attach->attach.stream = stream;
	attach->attach.via = via;
	attach->attach.live = true;
	attach->attach.identity = (struct rtpfork_identity){
		.ssrc = ssrc, .clock_rate = 8000, .first_sequence = 1, .cname = "YmVuY2g"};
	attach->attach.target.remote = bench->srs_address;
	memset(attach->attach.target.map, RTPFORK_UNMAPPED, RTPFORK_PAYLOAD_TYPES);
	attach->attach.target.map[0] = 0;
	if (bench->mode >= SRTP)
		set_key(&attach->attach.target.send_key, bench->mode);
	rtpfork_command_free(ask(bench->engine, attach));
}

static void connect_party(struct bench *bench, uint64_t port, struct party *party,
			  uint16_t engine_port)
{
	struct rtpfork_command *connect = rtpfork_command_new(RTPFORK_CONNECT, 0, 0);
	socklen_t bytes = sizeof connect->connect.party.remote;
	if (getsockname(party->fd, &connect->connect.party.remote.any, &bytes) != 0)
		die("getsockname");
	connect->connect.port = port;
	connect->connect.party.clock_rate = 8000;
	rtpfork_command_free(ask(bench->engine, connect));
	rtpfork_address_parse(&party->engine, "127.0.0.1", engine_port);
}

/* the parties */

static int open_socket(struct rtpfork_address *address)
{
	static const int buffer_bytes = RECEIVE_BUFFER_KB << 10;
	socklen_t bytes = sizeof *address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || rtpfork_address_parse(address, "127.0.0.1", 0) != 0 ||
	    bind(fd, &address->any, rtpfork_address_bytes(address)) != 0 ||
	    getsockname(fd, &address->any, &bytes) != 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
	return fd;
}

static void watch(struct bench *bench, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(bench->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

static void open_call(struct bench *bench, uint32_t call)
{
	struct rtpfork_address unused;
	bool forks = bench->mode != RELAY;
	struct rtpfork_command *open = rtpfork_command_new(RTPFORK_OPEN, forks ? 4 : 2, 0);
	strcpy(open->open.host, "127.0.0.1");
	open->open.low = 10000;
	open->open.high = 32767;
	ask(bench->engine, open);
	for (uint32_t i = 0; i < 2; i++) {
		struct party *party = &bench->parties[2 * call + i];
		party->fd = open_socket(&unused);
		watch(bench, party->fd);
		connect_party(bench, open->ports[i].id, party, open->ports[i].rtp_port);
		if (forks)
			attach(bench, open->ports[i].id, open->ports[2 + i].id, 2 * call + i + 1);
	}
	struct rtpfork_command *bridge = rtpfork_command_new(RTPFORK_BRIDGE, 0, 0);
	bridge->bridge.a = open->ports[0].id;
	bridge->bridge.b = open->ports[1].id;
	rtpfork_command_free(ask(bench->engine, bridge));
	rtpfork_command_free(open);
}

/* The packet carries the time at which it was sent. */
static void speak(struct bench *bench, struct party *party, uint32_t ssrc)
{
	uint8_t packet[PACKET_BYTES] = {0x80};
	uint64_t sent_ns = now_ns();
	rtpfork_put_u16(packet + 2, party->sequence);
	rtpfork_put_u32(packet + 4, party->sequence * 160U);
	rtpfork_put_u32(packet + 8, ssrc);
	memcpy(packet + 12, &sent_ns, sizeof sent_ns);
	party->sequence++;
	if (sendto(party->fd, packet, sizeof packet, 0, &party->engine.any,
		   rtpfork_address_bytes(&party->engine)) == (ssize_t)sizeof packet)
		bench->sent++;
	else
		bench->unsent++;
}

static void take(struct bench *bench, int fd)
{
	uint8_t packet[256];
	while (recv(fd, packet, sizeof packet, MSG_DONTWAIT) >= PACKET_BYTES) {
		if (fd == bench->srs) {
			bench->copied++;
			continue;
		}
		uint64_t sent_ns;
		memcpy(&sent_ns, packet + 12, sizeof sent_ns);
		uint64_t delay_ns = now_ns() - sent_ns;
		bench->relayed++;
		bench->late += delay_ns > LATE_NS;
		if (delay_ns > bench->worst_ns)
			bench->worst_ns = delay_ns;
	}
}

static void *listen_all(void *argument)
{
	struct bench *bench = argument;
	struct epoll_event events[256];
	while (!atomic_load(&bench->stop)) {
		int count = epoll_wait(bench->epoll, events, 256, 50);
		for (int i = 0; i < count; i++)
			take(bench, events[i].data.fd);
	}
	return NULL;
}

/* Each party speaks each 20 ms, the parties of one slot together. */
static void speak_all(struct bench *bench, uint64_t until_ns)
{
	uint32_t parties = 2 * bench->calls;
	uint64_t next_ns = now_ns();
	for (uint32_t slot = 0; next_ns < until_ns; slot = (slot + 1) % SLOTS) {
		struct timespec at = {.tv_sec = (time_t)(next_ns / NS_PER_S),
				      .tv_nsec = (long)(next_ns % NS_PER_S)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		for (uint32_t i = slot; i < parties; i += SLOTS)
			speak(bench, &bench->parties[i], i + 1);
		next_ns += INTERVAL_NS / SLOTS;
	}
}

/* the figures */

static long resident_kb(void)
{
	long pages = 0;
	long resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
		die("statm");
	fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static uint64_t engine_cpu_ns(const struct bench *bench)
{
	uint64_t total_ns = 0;
	struct rtpfork_thread_stats stats;
	for (uint32_t i = 0; i < rtpfork_engine_threads(bench->engine); i++)
		if (rtpfork_engine_stats(bench->engine, i, &stats) == 0)
			total_ns += stats.cpu_ns;
	return total_ns;
}

static void print(const struct bench *bench, double spent_s, double cpu_us, double rss_kb)
{
	bool forks = bench->mode != RELAY;
	double sent = (double)bench->sent;
	uint64_t lost_copies = forks ? bench->sent - bench->copied : 0;
	printf("{\"mode\": \"%s\", \"calls\": %u, \"threads\": %u, \"seconds\": %.1f, "
	       "\"packets_per_s\": %.0f, \"sent\": %llu, \"unsent\": %llu, "
	       "\"lost_relay\": %lld, \"lost_fork\": %lld, \"late\": %llu, "
	       "\"worst_delay_ms\": %.2f, \"cpu_us_per_packet\": %.3f, "
	       "\"cpu_share\": %.3f, \"rss_kb_per_call\": %.1f}\n",
	       mode_names[bench->mode], bench->calls, rtpfork_engine_threads(bench->engine),
	       spent_s, sent / spent_s, (unsigned long long)bench->sent,
	       (unsigned long long)bench->unsent, (long long)(bench->sent - bench->relayed),
	       (long long)lost_copies, (unsigned long long)bench->late,
	       (double)bench->worst_ns / 1e6, cpu_us / sent, cpu_us / 1e6 / spent_s, rss_kb);
}

static void run(struct bench *bench)
{
	pthread_t listener;
	long before_kb = resident_kb();
	for (uint32_t call = 0; call < bench->calls; call++)
		open_call(bench, call);
	if (pthread_create(&listener, NULL, listen_all, bench) != 0)
		die("pthread_create");
	uint64_t began_ns = now_ns();
	uint64_t cpu_ns = engine_cpu_ns(bench);
	speak_all(bench, began_ns + bench->seconds * NS_PER_S);
	uint64_t spent_ns = now_ns() - began_ns;
	poll(NULL, 0, 300);
	cpu_ns = engine_cpu_ns(bench) - cpu_ns;
	atomic_store(&bench->stop, true);
	pthread_join(listener, NULL);
	double rss_kb = (double)(resident_kb() - before_kb) / bench->calls;
	print(bench, (double)spent_ns / 1e9, (double)cpu_ns / 1e3, rss_kb);
}

static void parse(struct bench *bench, int argc, char **argv)
{
	int option = 0;
	while ((option = getopt(argc, argv, "m:n:s:t:")) != -1) {
		if (option == 'n')
			bench->calls = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 's')
			bench->seconds = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 't')
			bench->threads = (uint32_t)strtoul(optarg, NULL, 10);
		for (int i = RELAY; option == 'm' && i <= GCM; i++)
			if (strcmp(optarg, mode_names[i]) == 0)
				bench->mode = (enum mode)i;
	}
	if (bench->calls == 0 || bench->calls > 2500 || bench->seconds == 0)
		die("calls or seconds out of range");
}

int main(int argc, char **argv)
{
	struct bench bench = {.mode = FORK, .calls = 500, .seconds = 10, .threads = 1};
	struct rlimit files;
	parse(&bench, argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	struct rtpfork_engine_options options;
	rtpfork_engine_defaults(&options);
	options.threads = bench.threads;
	if (rtpfork_engine_new(&options, &bench.engine) != 0)
		die("engine");
	bench.parties = calloc(2 * bench.calls, sizeof *bench.parties);
	bench.epoll = epoll_create1(EPOLL_CLOEXEC);
	bench.srs = open_socket(&bench.srs_address);
	watch(&bench, bench.srs);
	run(&bench);
	rtpfork_engine_free(bench.engine);
	free(bench.parties);
	return 0;
}
