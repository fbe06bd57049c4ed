/* Duplex G.711 calls through whatever relays them, and the account of every packet.
 *
 *   rtpload -s seconds [-w warm-up seconds] [-d device -p peer's Ethernet address] < parties
 *
 * Each line of standard input is a party, two lines a call: "own_ip own_port relay_ip relay_port"
 * and "copy_ip copy_port" as often as what it says is copied: where it speaks from and is heard,
 * where it speaks to, and where each copy must come. Every party sends a packet each 20 ms. With a
 * device, packets go and come by packet(7), else by sockets. Prints one JSON object.
 *
 * What is sent in the warm-up is not in the account. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "account.h"
#include "wire.h"

#define INTERVAL_NS 20000000ULL
#define SLOTS	    40 /* of an interval: parties are spread over them */
#define NS_PER_S    1000000000ULL
#define QUIET_NS    300000000ULL /* in which the last packets come */
#define STAMPED	    8		 /* packets that are written before they are sent */

struct load {
	const struct wire_ops *ops;
	void *wire;
	struct story *stories; /* by party */
	uint32_t count;
	bool counting;
	struct account account;
};

void wire_die(const char *what)
{
	fprintf(stderr, "rtpload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* parties */

static bool read_address(char **words, struct sockaddr_in *address)
{
	const char *ip = strtok_r(NULL, " \n", words);
	const char *port = strtok_r(NULL, " \n", words);
	*address = (struct sockaddr_in){.sin_family = AF_INET};
	if (!ip || !port || inet_pton(AF_INET, ip, &address->sin_addr) != 1)
		return false;
	address->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	return true;
}

static void add_party(struct load *load, char *line)
{
	struct ends ends = {0};
	if (!read_address(&line, &ends.own) || !read_address(&line, &ends.relay))
		wire_die("a line is no party");
	while (ends.copy_count < MAX_COPIES && read_address(&line, &ends.copies[ends.copy_count]))
		ends.copy_count++;
	load->stories = realloc(load->stories, (load->count + 1) * sizeof *load->stories);
	if (!load->stories)
		wire_die("memory");
	memset(&load->stories[load->count], 0, sizeof *load->stories);
	load->stories[load->count].copies = ends.copy_count;
	load->ops->add(load->wire, load->count++, &ends);
}

static void read_parties(struct load *load)
{
	char line[512];
	while (fgets(line, sizeof line, stdin))
		add_party(load, line);
	if (load->count == 0 || load->count % 2 != 0)
		wire_die("two lines a call are wanted");
}

/* speaking and hearing */

/* Of |packets| that were said |lost| were not sent. */
static void said(struct load *load, uint32_t packets, uint32_t lost)
{
	if (!load->counting)
		return;
	load->account.sent += packets - lost;
	load->account.unsent += lost;
}

static void speak(struct load *load, uint32_t slot)
{
	uint32_t packets = 0;
	uint32_t lost = 0;
	for (uint32_t i = slot; i < load->count; i += SLOTS) {
		uint8_t packet[PACKET_BYTES] = {0};
		account_write(&load->stories[i], i, packet);
		lost += !load->ops->send(load->wire, i, packet);
		if (++packets % STAMPED == 0)
			lost += load->ops->flush(load->wire);
	}
	lost += load->ops->flush(load->wire);
	said(load, packets, lost);
}

static void take(void *owner, uint32_t party, uint32_t copy, const uint8_t *packet, size_t bytes,
		 uint64_t came_ns)
{
	struct load *load = owner;
	if (copy == SPOKEN)
		account_hear(&load->account, load->stories, party ^ 1U, packet, bytes, came_ns,
			     load->counting);
	else
		account_copy(&load->account, &load->stories[party], copy, packet, bytes,
			     load->counting);
}

/* Speak for |seconds|, each party once an interval, then hear the last of it. */
static void speak_for(struct load *load, double seconds)
{
	uint64_t next_ns = account_now_ns();
	uint64_t end_ns = next_ns + (uint64_t)(seconds * (double)NS_PER_S);
	for (uint32_t slot = 0; next_ns < end_ns || slot != 0; slot = (slot + 1) % SLOTS) {
		if (load->counting && account_now_ns() > next_ns + INTERVAL_NS)
			load->account.slots_late++;
		speak(load, slot);
		next_ns += INTERVAL_NS / SLOTS;
		load->ops->listen(load->wire, next_ns);
	}
	uint64_t quiet_ns = account_now_ns() + QUIET_NS;
	while (next_ns < quiet_ns)
		load->ops->listen(load->wire, next_ns += INTERVAL_NS);
}

static void run(struct load *load, double warm_s, double seconds)
{
	speak_for(load, warm_s);
	for (uint32_t i = 0; i < load->count; i++)
		load->stories[i].warm = load->stories[i].counter;
	load->ops->unread(load->wire);
	uint64_t unread_before = load->ops->unread(load->wire);
	load->counting = true;
	speak_for(load, seconds);
	load->account.unread = load->ops->unread(load->wire) - unread_before;
}

int main(int argc, char **argv)
{
	static struct load load;
	struct rlimit files;
	double seconds = 10;
	double warm_s = 2;
	const char *device = NULL;
	const char *peer = "";
	int option = 0;
	while ((option = getopt(argc, argv, "s:w:d:p:")) != -1) {
		if (option == 's')
			seconds = strtod(optarg, NULL);
		else if (option == 'w')
			warm_s = strtod(optarg, NULL);
		else if (option == 'd')
			device = optarg;
		else if (option == 'p')
			peer = optarg;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_TIMERSLACK, 1UL);
	load.ops = device ? &wire_ring : &wire_sockets;
	load.wire = load.ops->open(device, peer, take, &load);
	read_parties(&load);
	run(&load, warm_s, seconds);
	account_print(&load.account, load.stories, load.count, seconds);
	return 0;
}
