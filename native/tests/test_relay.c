/* The relay's program in the kernel, run on single packets (BPF_PROG_TEST_RUN): what it sends on,
 * and that everything else goes up. Passed over where it is not built or may not be loaded. */
#include "../src/relay.h"

#include <errno.h>
#include <stdio.h>

#include "check.h"

#ifndef RTPFORK_BPF_OBJECT

#include "rtpfork/engine.h"

static void without_the_program_no_engine_begins_with_it(void)
{
	struct rtpfork_engine *engine = NULL;
	struct rtpfork_engine_options options;
	rtpfork_engine_defaults(&options);
	options.io = RTPFORK_IO_BPF;
	CHECK_EQ(rtpfork_engine_new(&options, &engine), RTPFORK_ESYSTEM);
	CHECK_EQ(errno, ENOSYS);
}

int main(void)
{
	RUN(without_the_program_no_engine_begins_with_it);
	puts("test_relay: the relay is not built here");
	return 0;
}

#else

#include <bpf/bpf.h>
#include <linux/pkt_cls.h>

#include "../src/bpf_ring.h"
#include "../src/clock.h"
#include "../src/relay_flow.h"
#include "rtpfork/octets.h"

#define ETHERNET 14
#define V4	 20
#define V6	 40
#define UDP	 8
#define VOICE	 172
#define MOST	 2048
#define LOOPBACK 1 /* by which packets of a test arrive */

static struct relay *relay;
static struct bpf_ring ring;

struct packet {
	bool v6;
	size_t bytes;
	uint8_t octets[MOST];
};

static const char *const hosts[2][4] = {
	{"192.0.2.1", "192.0.2.9", "198.51.100.9", "198.51.100.77"}, /* party, us, us, other party
								      */
	{"2001:db8::1", "2001:db8::9", "2001:db8:1::9", "2001:db8:1::77"},
};

static struct rtpfork_address address(bool v6, int which, uint16_t port)
{
	struct rtpfork_address made = {0};
	CHECK_EQ(rtpfork_address_parse(&made, hosts[v6][which], port), 0);
	return made;
}

/* A port number is served at one address. */
static uint16_t local_port(bool v6)
{
	return v6 ? 20004 : 20000;
}

static struct relay_flow enter_by(uint32_t interface, bool v6, bool keep)
{
	struct rtpfork_address local = address(v6, 1, local_port(v6));
	struct rtpfork_address from = address(v6, 2, 20002);
	struct rtpfork_flow wanted = {
		.source = address(v6, 0, 4000), .to = address(v6, 3, 5000), .keep = keep};
	struct path path = {.hop = wanted.to, .interface = 1, .carries = v6 ? 1280 : 576};
	struct relay_flow flow;
	relay_flow_make(&flow, &local, &wanted, &from, &path);
	flow.arrives = interface;
	flow.slot = 7;
	flow.cookie = 42;
	CHECK_EQ(relay_put(relay, &flow), 0);
	return flow;
}

static struct relay_flow enter(bool v6, bool keep)
{
	return enter_by(LOOPBACK, v6, keep);
}

/* packets */

static uint16_t sum16(const uint8_t *octets, size_t bytes, uint32_t sum)
{
	for (size_t i = 0; i < bytes; i++)
		sum += i % 2 == 0 ? (uint32_t)octets[i] << 8 : octets[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint8_t *udp_of(struct packet *packet)
{
	return packet->octets + ETHERNET + (packet->v6 ? V6 : V4);
}

/* Of the UDP header and all after it with the pseudo-header; 0xffff when the checksum is right. */
static uint16_t udp_sum(struct packet *packet)
{
	const uint8_t *ip = packet->octets + ETHERNET;
	const uint8_t *udp = udp_of(packet);
	uint16_t bytes = rtpfork_get_u16(udp + 4);
	uint32_t sum = 17U + bytes;
	sum += packet->v6 ? sum16(ip + 8, 32, 0) : sum16(ip + 12, 8, 0);
	return sum16(udp, bytes, sum);
}

static void finish(struct packet *packet)
{
	uint8_t *ip = packet->octets + ETHERNET;
	uint8_t *udp = udp_of(packet);
	if (!packet->v6) {
		rtpfork_put_u16(ip + 10, 0);
		rtpfork_put_u16(ip + 10, (uint16_t)~sum16(ip, V4, 0));
	}
	rtpfork_put_u16(udp + 6, 0);
	rtpfork_put_u16(udp + 6, (uint16_t)~udp_sum(packet));
}

static void put_host(uint8_t *at, bool v6, int which)
{
	struct rtpfork_address host = address(v6, which, 0);
	memcpy(at, v6 ? (void *)&host.v6.sin6_addr : (void *)&host.v4.sin_addr, v6 ? 16 : 4);
}

/* RTP of |bytes| from the party to our port, as it is relayed. */
static struct packet voice(bool v6, size_t bytes)
{
	struct packet packet = {.v6 = v6};
	uint8_t *ip = packet.octets + ETHERNET;
	uint8_t *udp = udp_of(&packet);
	uint8_t *rtp = udp + UDP;
	rtpfork_put_u16(packet.octets + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x6b; /* a traffic class, which is not ours to pass on */
		rtpfork_put_u16(ip + 4, (uint16_t)(UDP + bytes));
		ip[6] = 17;
		ip[7] = 3;
		put_host(ip + 8, v6, 0);
		put_host(ip + 24, v6, 1);
	} else {
		ip[0] = 0x45;
		ip[1] = 0xb8;
		rtpfork_put_u16(ip + 2, (uint16_t)(V4 + UDP + bytes));
		rtpfork_put_u16(ip + 4, 4711);
		ip[8] = 3;
		ip[9] = 17;
		put_host(ip + 12, v6, 0);
		put_host(ip + 16, v6, 1);
	}
	rtpfork_put_u16(udp, 4000);
	rtpfork_put_u16(udp + 2, local_port(v6));
	rtpfork_put_u16(udp + 4, (uint16_t)(UDP + bytes));
	memset(rtp, 0xd5, bytes);
	rtp[0] = 0x80;
	rtp[1] = 0;
	packet.bytes = (size_t)(rtp - packet.octets) + bytes;
	finish(&packet);
	return packet;
}

/* What the program says of |packet|, which is then what it has made of it. */
static int run(struct packet *packet)
{
	static uint8_t out[MOST + 256];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->octets,
		    .data_size_in = (uint32_t)packet->bytes, .data_out = out,
		    .data_size_out = sizeof out);
	CHECK_EQ(bpf_prog_test_run_opts(relay_program(relay), &options), 0);
	memcpy(packet->octets, out, options.data_size_out);
	packet->bytes = options.data_size_out;
	return (int)options.retval;
}

static const struct relay_record *recorded(void)
{
	size_t bytes = 0;
	const struct relay_record *record = bpf_ring_next(&ring, &bytes);
	if (record) {
		bpf_ring_pass(&ring);
		bpf_ring_release(&ring);
	}
	return record;
}

static void goes_up(struct packet packet)
{
	struct packet before = packet;
	CHECK_EQ(run(&packet), TC_ACT_UNSPEC);
	CHECK_EQ(packet.bytes, before.bytes);
	CHECK_BYTES(packet.octets, before.octets, before.bytes);
	CHECK(!recorded());
}

/* what is sent on */

static void is_relayed(bool v6, size_t bytes)
{
	struct packet packet = voice(v6, bytes);
	struct packet sent = packet;
	CHECK_EQ(run(&packet), TC_ACT_REDIRECT);
	const uint8_t *ip = packet.octets + ETHERNET;
	uint8_t expected[16];
	put_host(expected, v6, 2);
	CHECK_BYTES(ip + (v6 ? 8 : 12), expected, v6 ? 16 : 4);
	put_host(expected, v6, 3);
	CHECK_BYTES(ip + (v6 ? 24 : 16), expected, v6 ? 16 : 4);
	CHECK_EQ(ip[v6 ? 7 : 8], 64);
	CHECK_EQ(v6 ? rtpfork_get_u32(ip) : ip[1], v6 ? 0x60000000 : 0);
	CHECK_EQ(v6 ? 0xffff : sum16(ip, V4, 0), 0xffff);
	CHECK_EQ(rtpfork_get_u16(udp_of(&packet)), 20002);
	CHECK_EQ(rtpfork_get_u16(udp_of(&packet) + 2), 5000);
	CHECK_EQ(udp_sum(&packet), 0xffff);
	CHECK_BYTES(udp_of(&packet) + UDP, udp_of(&sent) + UDP, bytes);
}

static void a_flow_is_readdressed_and_recorded(void)
{
	for (int v6 = 0; v6 <= 1; v6++) {
		for (size_t bytes = 12; bytes <= (v6 ? RELAY_MOST_BYTES : 548); bytes++) {
			struct relay_flow flow = enter(v6, true);
			struct packet sent = voice(v6, bytes);
			is_relayed(v6, bytes);
			const struct relay_record *record = recorded();
			CHECK(record != NULL);
			CHECK_EQ(record->slot, 7);
			CHECK_EQ(record->cookie, 42);
			CHECK_EQ(record->bytes, bytes);
			CHECK_EQ(record->held, bytes);
			CHECK_BYTES(record->data, udp_of(&sent) + UDP, bytes);
			relay_drop(relay, &flow);
		}
	}
}

static void of_what_is_not_kept_the_ring_has_the_header_and_room_for_a_key_press(void)
{
	struct relay_flow flow = enter(false, false);
	is_relayed(false, VOICE);
	const struct relay_record *record = recorded();
	CHECK(record != NULL);
	CHECK_EQ(record->bytes, VOICE);
	CHECK_EQ(record->held, 16);
	struct packet long_header = voice(false, VOICE);
	uint8_t *rtp = udp_of(&long_header) + UDP;
	rtp[0] = 0x93; /* three CSRCs and an extension of one word */
	rtpfork_put_u16(rtp + 26, 1);
	finish(&long_header);
	CHECK_EQ(run(&long_header), TC_ACT_REDIRECT);
	record = recorded();
	CHECK(record != NULL);
	CHECK_EQ(record->held, 12 + 12 + 8 + 4);
	relay_drop(relay, &flow);
}

static void every_checksum_comes_out_right(void)
{
	for (uint32_t i = 0; i < 70000; i++) {
		struct packet packet = voice(false, 14);
		rtpfork_put_u16(udp_of(&packet) + UDP + 12, (uint16_t)i);
		finish(&packet);
		if (rtpfork_get_u16(udp_of(&packet) + 6) == 0)
			continue;
		struct relay_flow flow = enter(false, true);
		CHECK_EQ(run(&packet), TC_ACT_REDIRECT);
		relay_drop(relay, &flow);
		CHECK_EQ(udp_sum(&packet), 0xffff);
		CHECK(rtpfork_get_u16(udp_of(&packet) + 6) != 0);
		CHECK(recorded() != NULL);
		i += i < 65000 ? 250 : 0;
	}
}

/* what goes up */

static void without_a_flow_everything_goes_up(void)
{
	goes_up(voice(false, VOICE));
	goes_up(voice(true, VOICE));
}

static void every_truncated_packet_goes_up(void)
{
	for (int v6 = 0; v6 <= 1; v6++) {
		struct relay_flow flow = enter(v6, true);
		struct packet whole = voice(v6, VOICE);
		/* Shorter ones the kernel does not let in here. */
		size_t least = (size_t)(udp_of(&whole) - whole.octets);
		for (size_t bytes = least; bytes < whole.bytes; bytes++) {
			struct packet cut = whole;
			cut.bytes = bytes;
			goes_up(cut);
		}
		for (size_t bytes = 0; bytes < 12; bytes++)
			goes_up(voice(v6, bytes)); /* whole, but no RTP */
		relay_drop(relay, &flow);
	}
}

/* A packet of which one octet is another. */
static void changed(bool v6, size_t at, uint8_t value, bool finished)
{
	struct packet packet = voice(v6, VOICE);
	CHECK(packet.octets[at] != value);
	packet.octets[at] = value;
	if (finished)
		finish(&packet);
	goes_up(packet);
}

static void headers_that_are_not_plain_go_up(void)
{
	struct relay_flow flow = enter(false, true);
	struct relay_flow flow6 = enter(true, true);
	changed(false, 12, 0x09, false);	     /* no IP */
	changed(false, ETHERNET, 0x46, true);	     /* an option */
	changed(false, ETHERNET, 0x65, true);	     /* version 6 */
	changed(false, ETHERNET, 0x44, true);	     /* no room for a header */
	changed(false, ETHERNET + 3, 100, true);     /* shorter than its datagram */
	changed(false, ETHERNET + 2, 0xff, true);    /* longer than the frame */
	changed(false, ETHERNET + 6, 0x20, true);    /* the first fragment */
	changed(false, ETHERNET + 7, 0x01, true);    /* another one */
	changed(false, ETHERNET + 9, 6, true);	     /* TCP */
	changed(false, ETHERNET + 10, 0xff, false);  /* a wrong checksum */
	changed(false, ETHERNET + 12, 1, true);	     /* another source, */
	changed(false, ETHERNET + V4 + 1, 1, true);  /* of another port */
	changed(false, ETHERNET + 19, 8, true);	     /* another of our addresses */
	changed(false, ETHERNET + V4 + 3, 33, true); /* RTCP's port */
	changed(false, ETHERNET + V4 + 4, 9, false); /* a wrong length */
	changed(false, ETHERNET + V4 + 5, 7, false);
	changed(true, ETHERNET, 0x45, true);
	changed(true, ETHERNET + 5, 100, false);
	static const uint8_t headers[] = {0, 43, 44, 50, 51, 60, 135, 58, 6};
	for (size_t i = 0; i < sizeof headers; i++)
		changed(true, ETHERNET + 6, headers[i], true);
	changed(true, ETHERNET + 23, 2, true);
	changed(true, ETHERNET + 39, 8, true);
	struct packet unsummed = voice(false, VOICE);
	rtpfork_put_u16(udp_of(&unsummed) + 6, 0);
	goes_up(unsummed);
	struct packet trailed = voice(false, VOICE);
	trailed.bytes += 2;
	goes_up(trailed);
	relay_drop(relay, &flow);
	relay_drop(relay, &flow6);
}

/* The maps have IPv4 hosts as mapped ones, which in an IPv6 header are nobody's (RFC 4291 2.5.5.2).
 */
static void a_mapped_host_in_an_ipv6_header_is_not_the_ipv4_host(void)
{
	struct relay_flow flow = enter(false, true);
	struct packet packet = voice(true, VOICE);
	for (int which = 0; which <= 1; which++) {
		uint8_t *host = packet.octets + ETHERNET + (which == 0 ? 8 : 24);
		memset(host, 0, 10);
		memset(host + 10, 0xff, 2);
		put_host(host + 12, false, which);
	}
	rtpfork_put_u16(udp_of(&packet) + 2, local_port(false));
	finish(&packet);
	goes_up(packet);
	relay_drop(relay, &flow);
}

static void what_is_not_plain_rtp_goes_up(void)
{
	struct relay_flow flow = enter(false, true);
	size_t at = ETHERNET + V4 + UDP;
	for (unsigned first = 0; first < 256; first++)
		if (first >> 6 != 2 || (first & 0x20) != 0)
			changed(false, at, (uint8_t)first, true);
	for (unsigned second = 192; second <= 223; second++)
		changed(false, at + 1, (uint8_t)second, true);
	changed(false, at, 0x90, true); /* an extension, longer than the packet */
	struct packet csrcs = voice(false, 70);
	udp_of(&csrcs)[UDP] = 0x8f;
	finish(&csrcs);
	goes_up(csrcs); /* sixteen sources have no room */
	relay_drop(relay, &flow);
}

static void what_is_long_goes_up(void)
{
	struct relay_flow flow = enter(false, true);
	struct relay_flow flow6 = enter(true, true);
	goes_up(voice(false, 549));
	goes_up(voice(false, 1472));
	goes_up(voice(true, RELAY_MOST_BYTES + 1));
	relay_drop(relay, &flow);
	relay_drop(relay, &flow6);
}

static void a_port_number_is_relayed_at_one_address_and_goes_up_at_another(void)
{
	struct relay_flow flow = enter(false, true);
	struct relay_flow other = flow;
	other.local[15]++;
	CHECK_EQ(relay_put(relay, &other), RTPFORK_EEXHAUSTED);
	relay_drop(relay, &other);
	is_relayed(false, VOICE);
	CHECK(recorded() != NULL);
	changed(false, ETHERNET + 19, 10, true);
	relay_drop(relay, &flow);
	goes_up(voice(false, VOICE));
	CHECK_EQ(relay_put(relay, &other), 0);
	goes_up(voice(false, VOICE));
	relay_drop(relay, &other);
}

static void what_arrives_by_an_interface_that_does_not_lead_to_its_source_goes_up(void)
{
	struct relay_flow flow = enter_by(LOOPBACK + 1, false, true);
	goes_up(voice(false, VOICE));
	relay_drop(relay, &flow);
}

/* the bound */

static uint64_t window(void)
{
	return clock_now_ns() >> RELAY_WINDOW_BITS;
}

static uint64_t next_window(void)
{
	uint64_t now = window();
	while (window() == now)
		continue;
	return now + 1;
}

/* How many packets are relayed until one goes up, which is left as it came. */
static uint32_t flood(void)
{
	for (uint32_t relayed = 0;; relayed++) {
		struct packet packet = voice(false, VOICE);
		struct packet before = packet;
		if (run(&packet) == TC_ACT_REDIRECT) {
			CHECK(recorded() != NULL);
			continue;
		}
		CHECK_BYTES(packet.octets, before.octets, before.bytes);
		CHECK(!recorded());
		return relayed;
	}
}

static void a_flood_goes_up_until_the_next_window_and_no_other_flow_does(void)
{
	struct relay_flow flow = enter(false, true);
	struct relay_flow flow6 = enter(true, true);
	uint64_t begun = 0;
	uint32_t relayed = 0;
	do { /* once, unless the machine has so much else to do */
		begun = next_window();
		relayed = flood();
	} while (window() != begun);
	CHECK_EQ(relayed, RELAY_WINDOW_PACKETS);
	is_relayed(true, VOICE);
	CHECK(recorded() != NULL);
	next_window();
	is_relayed(false, VOICE);
	CHECK(recorded() != NULL);
	relay_drop(relay, &flow);
	relay_drop(relay, &flow6);
}

/* the ring */

static void a_full_ring_stops_no_packet_and_is_counted(void)
{
	struct relay_flow flow = enter(false, true);
	uint32_t written = 0;
	size_t bytes = 0;
	struct packet packet = voice(false, 500);
	while (relay_missed(relay, 0)[7] == 0) {
		struct packet again = packet;
		if (written % (RELAY_WINDOW_PACKETS / 2) == 0)
			CHECK_EQ(relay_put(relay, &flow), 0); /* and count anew */
		CHECK_EQ(run(&again), TC_ACT_REDIRECT);
		written++;
	}
	is_relayed(false, 500);
	CHECK_EQ(relay_missed(relay, 0)[7], 2);
	uint32_t told = 0;
	while (bpf_ring_next(&ring, &bytes)) {
		bpf_ring_pass(&ring);
		told++;
	}
	CHECK_EQ(told, written - 1);
	bpf_ring_release(&ring);
	is_relayed(false, 500);
	CHECK(recorded() != NULL);
	relay_drop(relay, &flow);
}

static bool is_of_cookie(const void *cookie, const struct relay_flow *flow)
{
	return flow->cookie == *(const uint64_t *)cookie;
}

static void flows_of_the_past_are_swept_and_others_stay(void)
{
	static const uint64_t mine = 42;
	static const uint64_t another = 43;
	struct relay_flow flow = enter(false, true); /* with cookie 42 */
	struct relay_flow flow6 = enter(true, true);
	uint32_t at = 0;
	while (relay_sweep(relay, &at, 1, is_of_cookie, &mine))
		continue;
	is_relayed(false, VOICE);
	CHECK(recorded() != NULL);
	at = 0;
	while (relay_sweep(relay, &at, 1, is_of_cookie, &another))
		continue;
	goes_up(voice(false, VOICE));
	goes_up(voice(true, VOICE));
	relay_drop(relay, &flow);
	relay_drop(relay, &flow6);
}

int main(void)
{
	if (relay_new(NULL, 1, 16, false, &relay) != 0) {
		CHECK(errno == EPERM);
		puts("test_relay: the relay may not be loaded here");
		return 0;
	}
	CHECK_EQ(bpf_ring_open(&ring, relay_ring(relay, 0), RELAY_RING_BYTES), 0);
	RUN(a_flow_is_readdressed_and_recorded);
	RUN(of_what_is_not_kept_the_ring_has_the_header_and_room_for_a_key_press);
	RUN(every_checksum_comes_out_right);
	RUN(without_a_flow_everything_goes_up);
	RUN(every_truncated_packet_goes_up);
	RUN(headers_that_are_not_plain_go_up);
	RUN(a_mapped_host_in_an_ipv6_header_is_not_the_ipv4_host);
	RUN(what_is_not_plain_rtp_goes_up);
	RUN(what_is_long_goes_up);
	RUN(what_arrives_by_an_interface_that_does_not_lead_to_its_source_goes_up);
	RUN(a_port_number_is_relayed_at_one_address_and_goes_up_at_another);
	RUN(a_flood_goes_up_until_the_next_window_and_no_other_flow_does);
	RUN(a_full_ring_stops_no_packet_and_is_counted);
	RUN(flows_of_the_past_are_swept_and_others_stay);
	bpf_ring_close(&ring);
	relay_free(relay);
	return 0;
}

#endif
