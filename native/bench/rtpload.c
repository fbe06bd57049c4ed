/* Duplex G.711 calls through whatever relays them, and the account of every packet.
 *
 *   rtpload -s seconds [-w warm-up seconds] < parties
 *
 * Each line of standard input is a party, two lines a call: "own_ip own_port relay_ip relay_port
 * fork_ip fork_port": where it speaks from and is heard, where it speaks to, and where the copy of
 * what it says must come (port 0: nowhere). Every party sends a packet each 20 ms. Prints one JSON
 * object.
 *
 * Delays end when the kernel received the packet, not when this program had time to read it. What
 * is sent in the warm-up is not in the account. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rtpfork/octets.h"

#define PACKET_BYTES  172
#define MAGIC	      0x53495052U
#define INTERVAL_NS   20000000ULL
#define SLOTS	      20 /* of an interval: parties are spread over them */
#define LATE_NS	      100000000ULL
#define NS_PER_S      1000000000ULL
#define WINDOW	      1024 /* packets back in which a duplicate is known */
#define SHARES	      16   /* of each power of two of a delay: known to 6 % */
#define BUCKETS	      (64 * SHARES)
#define QUIET_NS      300000000ULL /* in which the last packets come */
#define SOCKET_BUFFER (1 << 20)
#define EVENTS	      512

/* What has come at one socket. */
struct track {
	uint64_t received;
	uint64_t reordered;
	uint64_t duplicate;
	uint32_t highest; /* number of the newest packet, from 1 */
	uint64_t seen[WINDOW / 64];
};

struct party {
	int fd;
	int fork_fd;
	uint32_t counter;    /* of packets sent */
	uint32_t warm;	     /* the last one before the account begins */
	uint16_t warm_copy;  /* RTP sequence number of the last copy before */
	struct track heard;  /* what its peer says */
	struct track copied; /* what it says itself, at the SRS */
};

struct account {
	uint64_t sent;
	uint64_t unsent;
	uint64_t late;
	uint64_t misrouted;
	uint64_t foreign; /* no packet of ours */
	uint64_t slots_late;
	uint64_t worst_ns;
	uint64_t delays[BUCKETS];
};

struct load {
	struct party *parties;
	uint32_t count;
	int epoll;
	bool counting;
	struct account account;
};

static void die(const char *what)
{
	fprintf(stderr, "rtpload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Of the clock by which the kernel stamps what it receives. */
static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* parties */

static struct sockaddr_in address_of(const char *ip, unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (inet_pton(AF_INET, ip, &address.sin_addr) != 1)
		die(ip);
	return address;
}

static int open_socket(struct load *load, const struct sockaddr_in *own, uint64_t mark)
{
	static const int on = 1;
	static const int buffer_bytes = SOCKET_BUFFER;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = mark};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)own, sizeof *own) != 0)
		die("bind");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0 ||
	    epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("socket");
	return fd;
}

static void add_party(struct load *load, const char *line)
{
	char own[64];
	char relay[64];
	char fork[64];
	unsigned own_port = 0;
	unsigned relay_port = 0;
	unsigned fork_port = 0;
	if (sscanf(line, "%63s %u %63s %u %63s %u", own, &own_port, relay, &relay_port, fork,
		   &fork_port) != 6)
		die(line);
	load->parties = realloc(load->parties, (load->count + 1) * sizeof *load->parties);
	if (!load->parties)
		die("memory");
	struct party *party = &load->parties[load->count];
	memset(party, 0, sizeof *party);
	struct sockaddr_in at = address_of(own, own_port);
	struct sockaddr_in to = address_of(relay, relay_port);
	struct sockaddr_in copy = address_of(fork, fork_port);
	party->fd = open_socket(load, &at, (uint64_t)load->count << 1);
	if (connect(party->fd, (const struct sockaddr *)&to, sizeof to) != 0)
		die("connect");
	party->fork_fd =
		fork_port == 0 ? -1 : open_socket(load, &copy, (uint64_t)load->count << 1 | 1);
	load->count++;
}

static void read_parties(struct load *load)
{
	char line[256];
	while (fgets(line, sizeof line, stdin))
		add_party(load, line);
	if (load->count == 0 || load->count % 2 != 0)
		die("two lines a call are wanted");
}

/* speaking */

static void speak(struct load *load, uint32_t index)
{
	uint8_t packet[PACKET_BYTES] = {0x80};
	struct party *party = &load->parties[index];
	uint64_t sent_ns = now_ns();
	party->counter++;
	rtpfork_put_u16(packet + 2, (uint16_t)party->counter);
	rtpfork_put_u32(packet + 4, party->counter * 160U);
	rtpfork_put_u32(packet + 8, index + 1);
	rtpfork_put_u32(packet + 12, MAGIC);
	rtpfork_put_u32(packet + 16, index);
	rtpfork_put_u32(packet + 20, party->counter);
	memcpy(packet + 24, &sent_ns, sizeof sent_ns);
	bool sent = send(party->fd, packet, sizeof packet, MSG_DONTWAIT) == PACKET_BYTES;
	if (!load->counting)
		return;
	if (sent)
		load->account.sent++;
	else
		load->account.unsent++;
}

/* hearing */

/* Packet |number| of a stream, counted from 1. */
static void note(struct track *track, uint32_t number)
{
	uint64_t *word = &track->seen[number % WINDOW / 64];
	uint64_t bit = 1ULL << number % 64;
	if (number > track->highest) {
		for (uint32_t i = track->highest + 1; i < number && i - track->highest < WINDOW;
		     i++)
			track->seen[i % WINDOW / 64] &= ~(1ULL << i % 64);
		*word &= ~bit;
		track->highest = number;
	} else if (track->highest - number >= WINDOW || *word & bit) {
		track->duplicate++;
		return;
	} else {
		track->reordered++;
	}
	*word |= bit;
	track->received++;
}

/* Buckets are powers of two cut in shares, as floating-point numbers are. */
static uint32_t bucket_of(uint64_t delay_ns)
{
	uint32_t power = 63U - (uint32_t)__builtin_clzll(delay_ns | SHARES);
	return (power - 4) * SHARES + (uint32_t)(delay_ns >> (power - 4)) % SHARES;
}

/* The upper edge of one. */
static double edge_ns(uint32_t bucket)
{
	return (double)(SHARES + bucket % SHARES + 1) * (double)(1ULL << bucket / SHARES);
}

static void time_it(struct account *account, uint64_t sent_ns, uint64_t came_ns)
{
	uint64_t delay_ns = came_ns > sent_ns ? came_ns - sent_ns : 0;
	account->delays[bucket_of(delay_ns)]++;
	if (delay_ns > LATE_NS)
		account->late++;
	if (delay_ns > account->worst_ns)
		account->worst_ns = delay_ns;
}

static void hear(struct load *load, uint32_t index, const uint8_t *packet, uint64_t came_ns)
{
	uint32_t speaker = rtpfork_get_u32(packet + 16);
	uint32_t number = rtpfork_get_u32(packet + 20);
	uint64_t sent_ns = 0;
	memcpy(&sent_ns, packet + 24, sizeof sent_ns);
	if (rtpfork_get_u32(packet + 12) != MAGIC) {
		load->account.foreign++;
		return;
	}
	if (!load->counting)
		return;
	if (speaker != (index ^ 1U)) {
		load->account.misrouted++;
		return;
	}
	if (number <= load->parties[speaker].warm)
		return;
	note(&load->parties[index].heard, number - load->parties[speaker].warm);
	time_it(&load->account, sent_ns, came_ns);
}

/* A copy may be encrypted: it is counted by its RTP header, whose numbers begin anywhere. */
static void hear_copy(struct load *load, uint32_t index, const uint8_t *packet)
{
	struct party *party = &load->parties[index];
	uint16_t sequence = rtpfork_get_u16(packet + 2);
	if (!load->counting) {
		party->warm_copy = sequence;
		return;
	}
	uint32_t highest = party->copied.highest;
	int16_t ahead = (int16_t)(uint16_t)(sequence - party->warm_copy - highest);
	if ((int64_t)highest + ahead >= 1)
		note(&party->copied, (uint32_t)((int64_t)highest + ahead));
}

static uint64_t stamp_of(struct msghdr *message)
{
	struct timespec came = {0};
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&came, CMSG_DATA(part), sizeof came);
	return (uint64_t)came.tv_sec * NS_PER_S + (uint64_t)came.tv_nsec;
}

static void take(struct load *load, uint64_t mark)
{
	uint32_t index = (uint32_t)(mark >> 1);
	bool fork = mark & 1;
	uint8_t packet[512];
	char control[64];
	struct iovec octets = {.iov_base = packet, .iov_len = sizeof packet};
	struct msghdr message = {.msg_iov = &octets,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	ssize_t got = recvmsg(fork ? load->parties[index].fork_fd : load->parties[index].fd,
			      &message, MSG_DONTWAIT);
	if (got < PACKET_BYTES)
		return;
	if (fork)
		hear_copy(load, index, packet);
	else
		hear(load, index, packet, stamp_of(&message));
}

/* Read what comes until |until_ns|. */
static void listen_until(struct load *load, uint64_t until_ns)
{
	struct epoll_event events[EVENTS];
	for (;;) {
		uint64_t at_ns = now_ns();
		struct timespec left = {0};
		if (at_ns < until_ns)
			left.tv_nsec = (long)(until_ns - at_ns);
		int count = epoll_pwait2(load->epoll, events, EVENTS, &left, NULL);
		for (int i = 0; i < count; i++)
			take(load, events[i].data.u64);
		if (now_ns() >= until_ns)
			return;
	}
}

/* Speak for |seconds|, each party once an interval, then hear the last of it. */
static void speak_for(struct load *load, double seconds)
{
	uint64_t next_ns = now_ns();
	uint64_t end_ns = next_ns + (uint64_t)(seconds * (double)NS_PER_S);
	for (uint32_t slot = 0; next_ns < end_ns || slot != 0; slot = (slot + 1) % SLOTS) {
		if (load->counting && now_ns() > next_ns + INTERVAL_NS)
			load->account.slots_late++;
		for (uint32_t i = slot; i < load->count; i += SLOTS)
			speak(load, i);
		next_ns += INTERVAL_NS / SLOTS;
		listen_until(load, next_ns);
	}
	uint64_t quiet_ns = now_ns() + QUIET_NS;
	while (next_ns < quiet_ns)
		listen_until(load, next_ns += INTERVAL_NS);
}

static void run(struct load *load, double warm_s, double seconds)
{
	speak_for(load, warm_s);
	for (uint32_t i = 0; i < load->count; i++)
		load->parties[i].warm = load->parties[i].counter;
	load->counting = true;
	speak_for(load, seconds);
}

/* the account */

/* The delay that |share| of all packets did not exceed. */
static double delay_ms(const struct account *account, double share)
{
	uint64_t all = 0;
	uint64_t below = 0;
	uint32_t bucket = 0;
	for (uint32_t i = 0; i < BUCKETS; i++)
		all += account->delays[i];
	while (bucket < BUCKETS - 1 &&
	       (double)(below += account->delays[bucket]) < share * (double)all)
		bucket++;
	return edge_ns(bucket) / 1e6;
}

static void print(const struct load *load, double seconds)
{
	const struct account *account = &load->account;
	struct track heard = {0};
	struct track copied = {0};
	uint64_t wanted = 0;
	for (uint32_t i = 0; i < load->count; i++) {
		const struct party *party = &load->parties[i];
		heard.received += party->heard.received;
		heard.reordered += party->heard.reordered;
		heard.duplicate += party->heard.duplicate;
		wanted += party->fork_fd < 0 ? 0 : party->counter - party->warm;
		copied.received += party->copied.received;
		copied.reordered += party->copied.reordered;
		copied.duplicate += party->copied.duplicate;
	}
	printf("{\"calls\": %u, \"seconds\": %.1f, \"sent\": %llu, \"unsent\": %llu,"
	       " \"relayed\": %llu, \"relay_reordered\": %llu, \"relay_duplicate\": %llu,"
	       " \"late\": %llu, \"misrouted\": %llu, \"foreign\": %llu,"
	       " \"copies_wanted\": %llu, \"copied\": %llu, \"copies_reordered\": %llu,"
	       " \"copies_duplicate\": %llu, \"slots_late\": %llu,"
	       " \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"worst_ms\": %.3f}\n",
	       load->count / 2, seconds, (unsigned long long)account->sent,
	       (unsigned long long)account->unsent, (unsigned long long)heard.received,
	       (unsigned long long)heard.reordered, (unsigned long long)heard.duplicate,
	       (unsigned long long)account->late, (unsigned long long)account->misrouted,
	       (unsigned long long)account->foreign, (unsigned long long)wanted,
	       (unsigned long long)copied.received, (unsigned long long)copied.reordered,
	       (unsigned long long)copied.duplicate, (unsigned long long)account->slots_late,
	       delay_ms(account, 0.5), delay_ms(account, 0.99), (double)account->worst_ns / 1e6);
}

int main(int argc, char **argv)
{
	struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct rlimit files;
	double seconds = 10;
	double warm_s = 2;
	int option = 0;
	while ((option = getopt(argc, argv, "s:w:")) != -1) {
		if (option == 's')
			seconds = strtod(optarg, NULL);
		else if (option == 'w')
			warm_s = strtod(optarg, NULL);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	read_parties(&load);
	run(&load, warm_s, seconds);
	print(&load, seconds);
	return 0;
}
