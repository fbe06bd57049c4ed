/* Whatever is wrong with the memory that a killed process has left, it is refused, or the core that
 * goes on with it stays inside it. The input is a list of places, as three bytes, and of what is
 * there. */
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

static void take_dtls(void *owner, const struct rtpfork_handed *dtls)
{
	(void)owner;
	must(dtls->bytes <= sizeof dtls->data);
}

static struct rtpfork_core_options options = {.max_ports = 4,
					      .max_readers = 4,
					      .max_outs = 4,
					      .silence_ns = 1000 * NS_PER_MS,
					      .random_seed = 1,
					      .notify = ignore,
					      .hand_over = take_dtls};

static struct rtpfork_address address_of(uint32_t number)
{
	struct rtpfork_address address;
	rtpfork_address_parse(&address, "192.0.2.1", (uint16_t)(4000 + number));
	return address;
}

/* A call on SRTP with a recorder. */
static void make_call(struct rtpfork_core *core)
{
	uint64_t ports[3];
	uint32_t slot = 0;
	uint64_t reader = 0;
	for (uint32_t i = 0; i < 3; i++) {
		must(rtpfork_core_open(core, &ports[i], &slot) == 0);
		struct rtpfork_party party = {.clock_rate = 8000, .remote = address_of(i)};
		party.send_key.suite = rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_80");
		must(i == 2 || rtpfork_core_connect(core, ports[i], &party) == 0);
	}
	must(rtpfork_core_bridge(core, ports[0], ports[1]) == 0);
	struct rtpfork_identity identity = {.ssrc = 1, .clock_rate = 8000, .cname = "x"};
	struct rtpfork_target target = {.remote = address_of(2)};
	target.send_key.suite = rtpfork_srtp_suite("AEAD_AES_256_GCM");
	struct rtpfork_log *log = rtpfork_log_new(16, 4096);
	must(rtpfork_core_attach(core, ports[0], ports[2], &identity, &target, &log, &reader) == 0);
	must(rtpfork_core_set_live(core, reader, true, 1) == 0);
}

static size_t use(struct rtpfork_core *core)
{
	uint8_t packet[172] = {0x80, 0, 1};
	uint32_t slot = 0;
	size_t sent = 0;
	size_t count = 0;
	for (uint64_t id; (id = rtpfork_core_each_port(core, &slot)) != 0;) {
		struct rtpfork_in in = {.port = slot - 1, .from = address_of(slot - 1)};
		in.data = packet;
		in.bytes = sizeof packet;
		in.now_ns = slot * 20 * NS_PER_MS;
		rtpfork_core_receive(core, &in);
		bool more = true;
		while (more) {
			more = rtpfork_core_fork(core);
			rtpfork_core_outs(core, &count);
			rtpfork_core_settle(core, in.now_ns);
			sent += count;
		}
	}
	while (rtpfork_core_tick(core, 100000 * NS_PER_MS))
		rtpfork_core_settle(core, 1);
	return sent;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t *left;
	static uint8_t *memory;
	static size_t size;
	struct rtpfork_core *core = NULL;
	if (!left) {
		size = rtpfork_core_bytes(&options);
		left = calloc(1, size);
		memory = calloc(1, size);
		must(left && memory);
		options.memory = memory;
		must(rtpfork_core_new(&options, &core) == 0);
		make_call(core);
		memcpy(left, memory, size);
		rtpfork_core_free(core);
	}
	memcpy(memory, left, size);
	for (; bytes >= 4; data += 4, bytes -= 4)
		memory[((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % size] = data[3];
	if (rtpfork_core_resume(&options, 16, 4096, &core) != 0)
		return 0;
	size_t sent = use(core);
	rtpfork_core_free(core);
	return 1 + (int)sent;
}
