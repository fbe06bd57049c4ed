/* Whatever commands come between whatever datagrams, the core stays inside its tables, its outs are
 * whole and its books balance. The input is a list of steps: an octet that says what, one that says
 * of which port and how, and for a datagram its length and its octets. */
#include <stdlib.h>
#include <string.h>

#include "rtpfork/core.h"
#include "rtpfork/rtp.h"

#define NS_PER_MS 1000000ULL
#define PORTS	  5 /* one more than the core has */
#define READERS	  5
#define ADDRESSES 8
#define OUTS	  4

enum step {
	OPEN,
	CONNECT,
	BRIDGE,
	ATTACH,
	UPDATE,
	LIVE,
	DETACH,
	CLOSE,
	TONE,
	ANNOUNCE,
	TAKE_DTLS,
	SEND_DTLS,
	WAIT,
	ICMP,
	DATAGRAM,
	RELAYED, /* and all above */
};

struct seat {
	uint64_t id; /* stays when it was closed: stale ids are asked for too */
	uint32_t slot;
	bool open;
	uint64_t arrived;
	uint64_t handed;
	uint64_t of_srs; /* RTCP in the books of readers that are gone */
};

struct listener {
	uint64_t id;
	bool attached;
	int stream;
	int via;
};

static struct rtpfork_core *core;
static struct rtpfork_sound *sound;
static struct rtpfork_address addresses[ADDRESSES];
static struct seat seats[PORTS];
static struct listener listeners[READERS];
static uint64_t now_ns = 1;
static unsigned seen;	      /* what came out, as a number */
static volatile uint8_t last; /* octet of an out: that it is there */

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void note(unsigned what)
{
	seen = (seen * 31 + what) % 65521;
}

static void take_notice(void *owner, const struct rtpfork_notice *notice)
{
	(void)owner;
	note(1 + (unsigned)notice->kind);
}

static void take_dtls(void *owner, const struct rtpfork_handed *dtls)
{
	(void)owner;
	must(dtls->bytes <= sizeof dtls->data);
	for (int i = 0; i < PORTS; i++)
		if (seats[i].open && seats[i].id == dtls->port)
			seats[i].handed++;
}

static void begin(void)
{
	static const int16_t loud[64] = {INT16_MAX, INT16_MIN, INT16_MIN, INT16_MAX};
	struct rtpfork_core_options options = {.max_ports = PORTS - 1,
					       .max_readers = READERS - 1,
					       .max_outs = OUTS,
					       .silence_ns = 1000 * NS_PER_MS,
					       .random_seed = 1,
					       .notify = take_notice,
					       .hand_over = take_dtls};
	must(rtpfork_core_new(&options, &core) == 0);
	sound = rtpfork_sound_new(loud, 64);
	must(sound != NULL);
	for (uint16_t i = 0; i < ADDRESSES; i++) /* RTP and RTCP of three, and two strangers */
		rtpfork_address_parse(&addresses[i], i == 7 ? "2001:db8::1" : "192.0.2.1",
				      (uint16_t)(4000 + i));
}

/* Send, now and then in vain. */
static void settle(bool failing)
{
	size_t count = 0;
	struct rtpfork_out *outs = rtpfork_core_outs(core, &count);
	must(count <= OUTS);
	for (size_t i = 0; i < count; i++) {
		must(rtpfork_address_known(outs[i].to));
		if (outs[i].bytes != 0)
			last = outs[i].data[outs[i].bytes - 1];
		note(20 + (unsigned)outs[i].kind);
		outs[i].error = failing ? 11 : 0;
	}
	rtpfork_core_settle(core, now_ns);
}

static void flush(bool failing)
{
	settle(failing);
	while (rtpfork_core_fork(core))
		settle(failing);
	settle(failing);
	while (rtpfork_core_tick(core, now_ns))
		settle(failing);
	settle(failing);
	while (rtpfork_core_speak(core, now_ns))
		settle(failing);
	settle(failing);
}

/* books */

static uint64_t explained(const struct rtpfork_port_counters *p)
{
	return p->relayed + p->rtcp_relayed + p->raw_relayed + p->dropped_unbridged +
	       p->dropped_full + p->dropped_send + p->dropped_foreign + p->dropped_malformed +
	       p->dropped_auth + p->dropped_replay;
}

/* Of all that its stream received, each packet has a name. */
static void check_reader(const struct listener *listener, const struct rtpfork_reader_counters *c)
{
	struct rtpfork_port_counters p;
	must(rtpfork_core_port_counters(core, seats[listener->stream].id, &p) == 0);
	must(p.received == c->before_attach + c->offered);
	must(c->offered == c->delivered + c->skipped_paused + c->skipped_event +
				   c->skipped_comfort_noise + c->skipped_format + c->dropped_stale +
				   c->dropped_overrun + c->dropped_full + c->dropped_send);
}

static void check_port(const struct seat *seat, const struct rtpfork_port_counters *p)
{
	must(seat->arrived == explained(p) + seat->handed + seat->of_srs);
}

/* A reader is gone, with the RTCP that came to its port. */
static void end_reader(struct listener *listener, const struct rtpfork_reader_counters *c)
{
	check_reader(listener, c);
	seats[listener->via].of_srs += c->rtcp_received;
	listener->attached = false;
}

/* commands */

static void set_key(struct rtpfork_sdes *sdes, unsigned how)
{
	static const char *const suites[] = {"AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"};
	if (how == 0)
		return;
	sdes->suite = rtpfork_srtp_suite(suites[how & 1]);
	sdes->joined = how == 3;
	memset(sdes->material, (int)how, sizeof sdes->material);
}

static void connect_port(struct seat *seat, uint8_t how)
{
	struct rtpfork_party party = {.clock_rate = how & 1 ? 8000 : 48000,
				      .learn = (how & 2) != 0,
				      .rtcp_mux = (how & 4) != 0,
				      .raw = (how & 24) == 24};
	if ((how & 224) != 224)
		party.remote = addresses[how >> 5 & 6];
	party.event_types[party.event_type_count++] = 101;
	set_key(&party.receive_key, how >> 3 & 3);
	set_key(&party.send_key, how >> 5 & 3);
	note((unsigned)-rtpfork_core_connect(core, seat->id, &party));
}

static struct rtpfork_target target_of(uint8_t how)
{
	struct rtpfork_target target = {.remote = addresses[4 + (how & 1) * 3],
					.rtcp_mux = (how & 2) != 0,
					.events = (how & 4) != 0,
					.no_rtcp = (how & 24) == 24,
					.keep_keys = (how & 32) != 0};
	memset(target.map, RTPFORK_UNMAPPED, sizeof target.map);
	for (int i = 0; i < 128; i += how & 64 ? 1 : 8)
		target.map[i] = (uint8_t)(127 - i);
	set_key(&target.send_key, how >> 3 & 3);
	set_key(&target.receive_key, how >> 6 & 3);
	return target;
}

static void attach(int stream, uint8_t how)
{
	int via = how % PORTS;
	struct listener *listener = &listeners[how / PORTS % READERS];
	struct rtpfork_identity identity = {
		.ssrc = 1U + how % 3U, .clock_rate = 8000, .first_sequence = 65530, .cname = "x"};
	struct rtpfork_target target = target_of(how);
	if (listener->attached)
		return;
	struct rtpfork_log *log = rtpfork_log_new(8, 2048);
	must(log != NULL);
	int result = rtpfork_core_attach(core, seats[stream].id, seats[via].id, &identity, &target,
					 &log, &listener->id);
	rtpfork_log_free(log);
	if (result == 0)
		*listener = (struct listener){listener->id, true, stream, via};
	note((unsigned)-result);
}

static void free_chain(struct rtpfork_log *garbage)
{
	while (garbage) {
		struct rtpfork_log *log = garbage;
		garbage = *rtpfork_log_link(log);
		rtpfork_log_free(log);
	}
}

static void detach(struct listener *listener)
{
	struct rtpfork_reader_counters counters;
	struct rtpfork_log *garbage = NULL;
	int result = rtpfork_core_detach(core, listener->id, now_ns, &counters, &garbage);
	free_chain(garbage);
	must((result == 0) == listener->attached);
	if (result == 0)
		end_reader(listener, &counters);
}

/* Its readers end with a port: their books are read before. */
static void close_port(int which)
{
	struct seat *seat = &seats[which];
	struct rtpfork_port_counters counters;
	struct rtpfork_log *garbage = NULL;
	for (int i = 0; i < READERS; i++) {
		struct rtpfork_reader_counters c;
		struct listener *listener = &listeners[i];
		if (!listener->attached || (listener->stream != which && listener->via != which))
			continue;
		must(rtpfork_core_reader_counters(core, listener->id, &c) == 0);
		end_reader(listener, &c);
	}
	int result = rtpfork_core_close(core, seat->id, now_ns, &counters, &garbage);
	free_chain(garbage);
	must((result == 0) == seat->open);
	if (result == 0)
		check_port(seat, &counters);
	seat->open = false;
}

static void open_port(struct seat *seat)
{
	if (seat->open)
		return;
	struct seat fresh = {.open = true};
	if (rtpfork_core_open(core, &fresh.id, &fresh.slot) == 0)
		*seat = fresh;
}

static void let_hear(const struct seat *seat, uint8_t how)
{
	struct rtpfork_tone tone = {.sound = how & 1 ? sound : NULL,
				    .interval_ns = 50 * NS_PER_MS,
				    .recorded = (how & 2) != 0,
				    .type_count = how & 4 ? 5 : 2,
				    .types = {{0, RTPFORK_ULAW}, {8, RTPFORK_ALAW}}};
	rtpfork_core_set_tone(core, seat->id, &tone);
}

static void announce(const struct seat *seat, uint8_t how)
{
	struct rtpfork_announcement what = {.sound = how & 1 ? sound : NULL,
					    .law = RTPFORK_ALAW,
					    .payload_type = 8,
					    .first_sequence = 65535};
	rtpfork_core_announce(core, seat->id, &what, now_ns);
}

/* datagrams */

static void receive(struct seat *seat, uint8_t how, const uint8_t *data, size_t bytes, int error)
{
	uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
	must(exact != NULL);
	memcpy(exact, data, bytes);
	struct rtpfork_in in = {
		.port = seat->slot,
		.rtcp = (how & 1) != 0,
		.error = error,
		.from = addresses[how >> 1 & 7],
		.data = exact,
		.bytes = bytes,
		.now_ns = now_ns,
	};
	seat->arrived += error == 0;
	rtpfork_core_receive(core, &in);
	flush((how & 0x80) != 0);
	free(exact);
}

/* The I/O has relayed a packet and perhaps some of which it knows nothing. It does so with RTP of a
 * flow, and of what nobody copies it has the header and room for a key press alone. */
static void tell(struct seat *seat, uint8_t how, const uint8_t *data, size_t bytes)
{
	struct rtpfork_flow flow;
	struct rtpfork_rtp rtp;
	if (!rtpfork_core_flow(core, seat->slot, &flow))
		return;
	if (rtpfork_rtp_parse_header(data, bytes, &rtp) != 0)
		bytes = 0;
	size_t held = bytes;
	if ((!flow.keep || (how & 1) != 0) && bytes > rtp.header_bytes + 4U)
		held = rtp.header_bytes + 4U;
	uint8_t *exact = malloc(held == 0 ? 1 : held);
	must(exact != NULL);
	memcpy(exact, data, held);
	struct rtpfork_in in = {
		.port = seat->slot,
		.from = flow.source,
		.data = exact,
		.bytes = bytes,
		.relayed = true,
		.held = held,
		.missed = how >> 1 & 3,
		.now_ns = now_ns,
	};
	seat->arrived += in.missed + (bytes != 0);
	rtpfork_core_receive(core, &in);
	flush((how & 0x80) != 0);
	free(exact);
}

static void take_step(enum step what, uint8_t which, uint8_t how)
{
	struct seat *seat = &seats[which % PORTS];
	struct listener *listener = &listeners[which % READERS];
	struct rtpfork_target target = target_of(how);
	static const uint8_t hello[] = {22, 254, 253, 0};
	switch (what) {
	case OPEN:
		open_port(seat);
		break;
	case CONNECT:
		connect_port(seat, how);
		break;
	case BRIDGE:
		note((unsigned)-rtpfork_core_bridge(core, seat->id, seats[how % PORTS].id));
		break;
	case ATTACH:
		attach(which % PORTS, how);
		break;
	case UPDATE:
		note((unsigned)-rtpfork_core_update(core, listener->id, &target));
		break;
	case LIVE:
		rtpfork_core_set_live(core, listener->id, (how & 1) != 0, now_ns);
		break;
	case DETACH:
		detach(listener);
		break;
	case CLOSE:
		close_port(which % PORTS);
		break;
	case TONE:
		let_hear(seat, how);
		break;
	case ANNOUNCE:
		announce(seat, how);
		break;
	case TAKE_DTLS:
		rtpfork_core_take_dtls(core, seat->id);
		break;
	case SEND_DTLS:
		rtpfork_core_send_dtls(core, seat->id, how & 1, &addresses[how >> 1 & 7], hello,
				       sizeof hello);
		break;
	case WAIT:
		now_ns += (uint64_t)how * how * NS_PER_MS;
		break;
	case ICMP:
	case DATAGRAM:
	case RELAYED:
		break;
	}
	flush((how & 0x80) != 0);
}

/* One step of |data|; returns how many octets it took. */
static size_t step(const uint8_t *data, size_t bytes)
{
	enum step what = data[0] & 0x1f;
	uint8_t which = data[0] >> 5;
	struct seat *seat = &seats[which % PORTS];
	now_ns += 20 * NS_PER_MS;
	if (what < ICMP) {
		take_step(what, which, data[1]);
		return 2;
	}
	if (!seat->open)
		return 2;
	if (what == ICMP) {
		receive(seat, data[1], data, 0, 111);
		return 2;
	}
	size_t length = bytes > 2 ? data[2] : 0;
	size_t at = bytes > 2 ? 3 : 2;
	if (length > bytes - at)
		length = bytes - at;
	if (what == DATAGRAM)
		receive(seat, data[1], data + at, length, 0);
	else
		tell(seat, data[1], data + at, length);
	return at + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (!core)
		begin();
	seen = 0;
	for (int i = 0; i < 4; i++)
		open_port(&seats[i]);
	while (bytes >= 2) {
		size_t taken = step(data, bytes);
		data += taken;
		bytes -= taken;
	}
	for (int i = 0; i < PORTS; i++)
		close_port(i);
	return (int)seen;
}
