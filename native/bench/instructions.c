/* One step of a packet's way again and again, for callgrind to count the instructions of.
 *
 *   instructions          says the names of the steps
 *   instructions NAME     does that step STEPS times within step(), which alone is to be counted */
#include <stdio.h>
#include <string.h>

#include "../src/frame.h"
#include "../tests/core_fixture.h"
#include "rtpfork/rtp.h"
#include "rtpfork/source.h"

#define STEPS	     1000
#define WARM_STEPS   10
#define PACKET_BYTES 172

static struct {
	uint16_t sequence;
	uint8_t packet[PACKET_BYTES];
	uint8_t copy[RTPFORK_MAX_DATAGRAM_BYTES];
	struct rtpfork_rtp rtp;
	struct rtpfork_source source;
	struct rtpfork_log *log;
	struct rtpfork_logged logged;
	struct rtpfork_reader reader;
	struct frame frame;
	struct rtpfork_crypto *crypto;
	struct rtpfork_srtp_key key;
	struct fixture calls;
} state;

static void speak(void)
{
	state.sequence++;
	fixture_rtp(state.packet, state.sequence, state.sequence * 160U, 7, 0);
	CHECK_EQ(rtpfork_rtp_parse(state.packet, PACKET_BYTES, &state.rtp), 0);
}

/* the steps */

static void parse(void)
{
	CHECK_EQ(rtpfork_rtp_parse(state.packet, PACKET_BYTES, &state.rtp), 0);
}

static void account(void)
{
	state.rtp.sequence++;
	state.rtp.timestamp += 160;
	rtpfork_source_receive(&state.source, &state.rtp, state.rtp.sequence * 20 * MS, 8000);
}

static void append_and_read(void)
{
	struct rtpfork_logged read;
	CHECK_EQ(rtpfork_log_append(state.log, &state.logged), 0);
	CHECK_EQ(rtpfork_log_read(state.log, rtpfork_log_head(state.log) - 1, &read), 0);
}

static void take(void)
{
	struct rtpfork_rtp_rewrite to;
	state.logged.extended++;
	state.logged.timestamp += 160;
	state.logged.arrival_ns += 20 * MS;
	CHECK(rtpfork_reader_take(&state.reader, &state.logged, &to));
}

static void copy(void)
{
	struct rtpfork_rtp_rewrite to = {.ssrc = 9, .sequence = 8};
	CHECK_EQ(rtpfork_rtp_copy(state.packet, PACKET_BYTES, &to, state.copy, sizeof state.copy),
		 0);
}

static void frame(void)
{
	uint8_t header[FRAME_HEADER_BYTES];
	frame_write(&state.frame, state.packet, PACKET_BYTES, header);
}

static void protect(void)
{
	size_t bytes = 0;
	rtpfork_put_u16(state.packet + 2, ++state.sequence);
	CHECK_EQ(rtpfork_srtp_protect(&state.key, state.crypto, state.packet, PACKET_BYTES,
				      state.copy, sizeof state.copy, &bytes),
		 0);
}

static void carry(void)
{
	state.sequence++;
	fixture_speak(&state.calls, state.sequence, state.sequence * 160U);
	fixture_settle(&state.calls, 0);
	fixture_flush(&state.calls);
}

/* what they begin with */

static void begin_protect(const char *suite)
{
	uint8_t material[RTPFORK_SRTP_MATERIAL_BYTES] = {1, 2, 3};
	const struct rtpfork_srtp_suite *found = rtpfork_srtp_suite(suite);
	CHECK(found);
	CHECK_EQ(rtpfork_crypto_new(&state.crypto), 0);
	CHECK_EQ(rtpfork_srtp_key_init(&state.key, state.crypto, found, material,
				       (size_t)found->key_bytes + found->salt_bytes,
				       RTPFORK_SRTP_SEND),
		 0);
}

static void begin(void)
{
	static const struct path path = {.ready = true};
	struct rtpfork_address from;
	struct rtpfork_address to;
	speak();
	rtpfork_source_init(&state.source);
	state.log = rtpfork_log_new(8, 2048);
	state.logged = (struct rtpfork_logged){.data = state.packet, .bytes = PACKET_BYTES};
	rtpfork_reader_init(&state.reader, 9, 8000, 1, 0, 0);
	rtpfork_reader_set_live(&state.reader, true);
	state.reader.map[0] = 0;
	rtpfork_address_parse(&from, "192.0.2.1", 4000);
	rtpfork_address_parse(&to, "192.0.2.2", 5000);
	frame_make(&state.frame, &path, &from, &to);
	fixture_new(&state.calls, 64);
}

static void begin_fork(void)
{
	fixture_live(&state.calls, fixture_attach(&state.calls, 9), true);
}

__attribute__((noinline)) void step(void (*what)(void), int times);
void step(void (*what)(void), int times)
{
	for (int i = 0; i < times; i++)
		what();
}

static void count(void (*what)(void))
{
	for (int i = 0; i < WARM_STEPS; i++)
		what();
	step(what, STEPS);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*what)(void);
	} steps[] = {
		{"parse", parse},	  {"account", account},
		{"log", append_and_read}, {"reader", take},
		{"copy", copy},		  {"frame", frame},
		{"core: relay", carry},	  {"core: relay + RTP fork", carry},
	};
	size_t suite_count = 0;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&suite_count);
	begin();
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (argc < 2) {
			puts(steps[i].name);
		} else if (strcmp(argv[1], steps[i].name) == 0) {
			if (strstr(argv[1], "fork"))
				begin_fork();
			count(steps[i].what);
			return 0;
		}
	}
	for (size_t i = 0; i < suite_count; i++) {
		if (argc < 2) {
			printf("protect: %s\n", suites[i].name);
		} else if (strcmp(argv[1] + strlen("protect: "), suites[i].name) == 0) {
			begin_protect(suites[i].name);
			count(protect);
			return 0;
		}
	}
	return argc < 2 ? 0 : 2;
}
