/* Whatever arrives at a call under way, the core stays inside it and its books balance. The input
 * is a list of datagrams: a byte that says where it arrives and from whom, a length byte, the
 * octets. */
#include <stdlib.h>
#include <string.h>

#include "rtpfork/core.h"

#define NS_PER_MS 1000000ULL

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void ignore(void *owner, const struct rtpfork_notice *notice)
{
	(void)owner;
	(void)notice;
}

static uint64_t handed;

static void take_dtls(void *owner, const struct rtpfork_handed *dtls)
{
	(void)owner;
	must(dtls->bytes <= sizeof dtls->data);
	handed++;
}

struct call {
	struct rtpfork_core *core;
	struct rtpfork_sound *sound;
	uint64_t arrived[3];
	uint64_t ports[3];
	uint32_t slots[3];
	uint64_t reader;
	struct rtpfork_address addresses[8]; /* RTP and RTCP of each party and of strangers */
};

static void set_key(struct rtpfork_sdes *sdes)
{
	sdes->suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80");
	memset(sdes->material, 7, sizeof sdes->material);
}

/* Both parties hear a tone in PCMU and PCMA; that of the callee is recorded. */
static void let_hear(struct call *call)
{
	static const int16_t loud[64] = {INT16_MAX, INT16_MIN, INT16_MIN, INT16_MAX};
	call->sound = rtpfork_sound_new(loud, 64);
	struct rtpfork_tone tone = {.sound = call->sound,
				    .interval_ns = 50 * NS_PER_MS,
				    .type_count = 2,
				    .types = {{0, RTPFORK_ULAW}, {8, RTPFORK_ALAW}}};
	must(rtpfork_core_set_tone(call->core, call->ports[0], &tone) == 0);
	tone.recorded = true;
	must(rtpfork_core_set_tone(call->core, call->ports[1], &tone) == 0);
}

/* A caller that is learned, a callee on SRTP, a recorder that is live and shakes hands. */
static void make_call(struct call *call)
{
	struct rtpfork_core_options options = {.max_ports = 4,
					       .max_readers = 4,
					       .max_outs = 4,
					       .silence_ns = 1000 * NS_PER_MS,
					       .random_seed = 1,
					       .notify = ignore,
					       .hand_over = take_dtls};
	must(rtpfork_core_new(&options, &call->core) == 0);
	for (uint16_t i = 0; i < 8; i++)
		rtpfork_address_parse(&call->addresses[i], "192.0.2.1", (uint16_t)(4000 + i));
	for (int i = 0; i < 3; i++)
		must(rtpfork_core_open(call->core, &call->ports[i], &call->slots[i]) == 0);
	struct rtpfork_party party = {.clock_rate = 8000, .learn = true, .rtcp_mux = true};
	party.remote = call->addresses[0];
	party.event_types[party.event_type_count++] = 101;
	must(rtpfork_core_connect(call->core, call->ports[0], &party) == 0);
	party.learn = party.rtcp_mux = false;
	party.remote = call->addresses[2];
	set_key(&party.receive_key);
	set_key(&party.send_key);
	must(rtpfork_core_connect(call->core, call->ports[1], &party) == 0);
	must(rtpfork_core_bridge(call->core, call->ports[0], call->ports[1]) == 0);
	struct rtpfork_identity identity = {.ssrc = 1, .clock_rate = 8000, .cname = "x"};
	struct rtpfork_target target = {.remote = call->addresses[4], .events = true};
	struct rtpfork_log *log = rtpfork_log_new(16, 4096);
	must(rtpfork_core_attach(call->core, call->ports[0], call->ports[2], &identity, &target,
				 &log, &call->reader) == 0);
	must(rtpfork_core_set_live(call->core, call->reader, true, 1) == 0);
	must(rtpfork_core_take_dtls(call->core, call->ports[2]) == 0);
	let_hear(call);
}

static void flush(struct call *call, uint64_t now_ns)
{
	bool more = true;
	while (more) {
		more = rtpfork_core_fork(call->core);
		rtpfork_core_settle(call->core, now_ns);
	}
	while (rtpfork_core_tick(call->core, now_ns))
		rtpfork_core_settle(call->core, now_ns);
	while (rtpfork_core_speak(call->core, now_ns))
		rtpfork_core_settle(call->core, now_ns);
	rtpfork_core_settle(call->core, now_ns);
}

/* A number for what the input did: which of the books it moved. */
static int feature(struct call *call)
{
	static struct rtpfork_port_counters before[3];
	struct rtpfork_port_counters now;
	unsigned moved = 0;
	for (unsigned i = 0; i < 3; i++) {
		must(rtpfork_core_port_counters(call->core, call->ports[i], &now) == 0);
		const uint64_t *old_values = (const uint64_t *)&before[i];
		const uint64_t *new_values = (const uint64_t *)&now;
		for (unsigned n = 0; n < sizeof now / sizeof *new_values; n++)
			moved = moved * 2 % 65521 + (new_values[n] != old_values[n]);
		before[i] = now;
	}
	return (int)(moved % 65521);
}

static void check_books(const struct call *call)
{
	struct rtpfork_reader_counters c;
	must(rtpfork_core_reader_counters(call->core, call->reader, &c) == 0);
	must(c.offered == c.delivered + c.skipped_paused + c.skipped_event +
				  c.skipped_comfort_noise + c.skipped_format + c.dropped_stale +
				  c.dropped_overrun + c.dropped_full + c.dropped_send);
	for (int i = 0; i < 3; i++) {
		struct rtpfork_port_counters p;
		must(rtpfork_core_port_counters(call->core, call->ports[i], &p) == 0);
		uint64_t srs = i == 2 ? c.rtcp_received + handed : 0;
		must(call->arrived[i] ==
		     p.relayed + p.rtcp_relayed + p.raw_relayed + p.dropped_unbridged +
			     p.dropped_full + p.dropped_send + p.dropped_foreign +
			     p.dropped_malformed + p.dropped_auth + p.dropped_replay + srs);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct call call;
	static uint64_t now_ns = 1;
	if (!call.core)
		make_call(&call);
	struct rtpfork_announcement what = {.sound = call.sound, .law = RTPFORK_ALAW};
	must(rtpfork_core_announce(call.core, call.ports[bytes % 2], &what, now_ns) == 0);
	while (bytes >= 2) {
		uint8_t buffer[256];
		size_t length = data[1] < bytes - 2 ? data[1] : bytes - 2;
		memcpy(buffer, data + 2, length);
		struct rtpfork_in in = {
			.port = call.slots[data[0] % 3],
			.rtcp = (data[0] & 0x80) != 0,
			.from = call.addresses[data[0] >> 3 & 7],
			.data = buffer,
			.bytes = length,
			.now_ns = now_ns += 20 * NS_PER_MS,
		};
		call.arrived[data[0] % 3]++;
		rtpfork_core_receive(call.core, &in);
		flush(&call, now_ns);
		data += 2 + length;
		bytes -= 2 + length;
	}
	check_books(&call);
	return feature(&call);
}
