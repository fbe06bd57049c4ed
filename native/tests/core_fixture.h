/* A core with a caller, a callee and an SRS that exist as addresses only; time is a number. */
#ifndef RTPFORK_TESTS_CORE_FIXTURE_H
#define RTPFORK_TESTS_CORE_FIXTURE_H

#include "check.h"
#include "rtpfork/core.h"
#include "rtpfork/octets.h"

#define MS	    1000000ULL
#define NS_PER_S    1000000000ULL
#define MAX_NOTICES 256
#define UNIX_NS	    (1700000000ULL * NS_PER_S)

struct fixture {
	struct rtpfork_core *core;
	uint64_t now_ns;
	struct rtpfork_notice notices[MAX_NOTICES];
	size_t notice_count;
	struct rtpfork_handed handed; /* the latest */
	size_t handed_count;
	void *memory;	 /* of the core; NULL: its own */
	uint64_t ids[3]; /* caller, callee, via */
	uint32_t slots[3];
	struct rtpfork_address addresses[4]; /* caller, callee, srs, stranger */
	uint8_t last[RTPFORK_MAX_DATAGRAM_BYTES];
};

enum { CALLER, CALLEE, SRS, STRANGER };
enum { VIA = 2 };

static inline void fixture_notify(void *owner, const struct rtpfork_notice *notice)
{
	struct fixture *fixture = owner;
	CHECK(fixture->notice_count < MAX_NOTICES);
	fixture->notices[fixture->notice_count++] = *notice;
}

static inline void fixture_hand_over(void *owner, const struct rtpfork_handed *handed)
{
	struct fixture *fixture = owner;
	fixture->handed = *handed;
	fixture->handed_count++;
}

static inline struct rtpfork_party fixture_party(const struct rtpfork_address *remote)
{
	return (struct rtpfork_party){.remote = *remote, .clock_rate = 8000};
}

static inline struct rtpfork_core_options fixture_options(struct fixture *fixture,
							  uint32_t max_outs)
{
	return (struct rtpfork_core_options){
		.max_ports = 8,
		.max_readers = 8,
		.max_outs = max_outs,
		.silence_ns = 5 * NS_PER_S,
		.unix_offset_ns = UNIX_NS - fixture->now_ns,
		.random_seed = 42,
		.memory = fixture->memory,
		.notify = fixture_notify,
		.hand_over = fixture_hand_over,
		.owner = fixture,
	};
}

static inline void fixture_begin(struct fixture *fixture, uint32_t max_outs)
{
	struct rtpfork_core_options options = fixture_options(fixture, max_outs);
	CHECK_EQ(rtpfork_core_new(&options, &fixture->core), 0);
	for (uint16_t i = 0; i < 4; i++)
		rtpfork_address_parse(&fixture->addresses[i], "192.0.2.1",
				      (uint16_t)(4000 + 10 * i));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(rtpfork_core_open(fixture->core, &fixture->ids[i], &fixture->slots[i]), 0);
	for (int i = CALLER; i <= CALLEE; i++) {
		struct rtpfork_party party = fixture_party(&fixture->addresses[i]);
		CHECK_EQ(rtpfork_core_connect(fixture->core, fixture->ids[i], &party), 0);
	}
	CHECK_EQ(rtpfork_core_bridge(fixture->core, fixture->ids[CALLER], fixture->ids[CALLEE]), 0);
}

static inline void fixture_new(struct fixture *fixture, uint32_t max_outs)
{
	memset(fixture, 0, sizeof *fixture);
	fixture->now_ns = 1000 * NS_PER_S;
	fixture_begin(fixture, max_outs);
}

static inline void fixture_free(struct fixture *fixture)
{
	rtpfork_core_free(fixture->core);
}

/* readers */

static inline struct rtpfork_target fixture_target(const struct fixture *fixture)
{
	struct rtpfork_target target = {.remote = fixture->addresses[SRS]};
	memset(target.map, RTPFORK_UNMAPPED, sizeof target.map);
	target.map[0] = 0;
	return target;
}

static inline uint64_t fixture_attach(struct fixture *fixture, uint32_t ssrc)
{
	struct rtpfork_identity identity = {
		.ssrc = ssrc, .clock_rate = 8000, .first_sequence = 100, .first_timestamp = 5000};
	strcpy(identity.cname, "c25hbWU");
	struct rtpfork_target target = fixture_target(fixture);
	struct rtpfork_log *log = rtpfork_log_new(16, 4096);
	uint64_t reader = 0;
	CHECK_EQ(rtpfork_core_attach(fixture->core, fixture->ids[CALLER], fixture->ids[VIA],
				     &identity, &target, &log, &reader),
		 0);
	rtpfork_log_free(log);
	return reader;
}

static inline void fixture_live(struct fixture *fixture, uint64_t reader, bool live)
{
	CHECK_EQ(rtpfork_core_set_live(fixture->core, reader, live, fixture->now_ns), 0);
}

static inline struct rtpfork_reader_counters fixture_books(const struct fixture *fixture,
							   uint64_t reader)
{
	struct rtpfork_reader_counters counters;
	CHECK_EQ(rtpfork_core_reader_counters(fixture->core, reader, &counters), 0);
	return counters;
}

static inline void fixture_detach(struct fixture *fixture, uint64_t reader)
{
	struct rtpfork_reader_counters counters;
	struct rtpfork_log *garbage = NULL;
	CHECK_EQ(rtpfork_core_detach(fixture->core, reader, fixture->now_ns, &counters, &garbage),
		 0);
	rtpfork_log_free(garbage);
}

/* datagrams */

static inline size_t fixture_rtp(uint8_t *to, uint16_t sequence, uint32_t timestamp, uint32_t ssrc,
				 uint8_t payload_type)
{
	memset(to, 0xd5, 172);
	to[0] = 0x80;
	to[1] = payload_type;
	rtpfork_put_u16(to + 2, sequence);
	rtpfork_put_u32(to + 4, timestamp);
	rtpfork_put_u32(to + 8, ssrc);
	return 172;
}

static inline void fixture_receive(struct fixture *fixture, int at, int from, uint8_t *data,
				   size_t bytes)
{
	struct rtpfork_in in = {
		.port = fixture->slots[at],
		.from = fixture->addresses[from],
		.data = data,
		.bytes = bytes,
		.now_ns = fixture->now_ns,
	};
	CHECK(rtpfork_core_room(fixture->core) > 0);
	rtpfork_core_receive(fixture->core, &in);
}

/* Let the caller send one packet; it stays in |fixture->last| until the next. */
static inline void fixture_speak(struct fixture *fixture, uint16_t sequence, uint32_t timestamp)
{
	size_t bytes = fixture_rtp(fixture->last, sequence, timestamp, 1, 0);
	fixture_receive(fixture, CALLER, CALLER, fixture->last, bytes);
}

/* Say that all outs failed with |error| (0: were sent). Returns how many there were. */
static inline size_t fixture_settle(struct fixture *fixture, int error)
{
	size_t count = 0;
	struct rtpfork_out *outs = rtpfork_core_outs(fixture->core, &count);
	for (size_t i = 0; i < count; i++)
		outs[i].error = error;
	rtpfork_core_settle(fixture->core, fixture->now_ns);
	return count;
}

/* Fork and send until nothing is left. */
static inline size_t fixture_flush(struct fixture *fixture)
{
	size_t count = 0;
	bool more = true;
	while (more) {
		more = rtpfork_core_fork(fixture->core);
		count += fixture_settle(fixture, 0);
	}
	return count;
}

#endif
