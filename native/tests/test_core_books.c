/* Whatever happens, in whatever order: the books balance and no sequence number is used twice. */
#include <errno.h>
#include <stdlib.h>

#include "core_fixture.h"

#define ROUNDS	60000
#define READERS 4

struct seen {
	uint64_t reader; /* id; 0: none */
	bool numbers[65536];
	uint32_t sent;
};

static struct seen seen[READERS];

static uint64_t sum(const struct rtpfork_reader_counters *books)
{
	return books->delivered + books->skipped_paused + books->skipped_event +
	       books->skipped_comfort_noise + books->skipped_format + books->dropped_stale +
	       books->dropped_overrun + books->dropped_full + books->dropped_send;
}

/* Copies leave the core with numbers that were not used before; some fail to be sent. */
static void send_all(struct fixture *f)
{
	bool more = true;
	while (more) {
		more = rtpfork_core_fork(f->core);
		size_t count = 0;
		struct rtpfork_out *outs = rtpfork_core_outs(f->core, &count);
		for (size_t i = 0; i < count; i++) {
			outs[i].error = rand() % 20 == 0 ? EAGAIN : 0;
			if (outs[i].kind != RTPFORK_OUT_FORK)
				continue;
			uint32_t ssrc = rtpfork_get_u32(outs[i].data + 8);
			uint16_t sequence = rtpfork_get_u16(outs[i].data + 2);
			CHECK(!seen[ssrc].numbers[sequence]);
			seen[ssrc].numbers[sequence] = true;
			/* Forget what is half a turn away, so that a wrap may pass. */
			seen[ssrc].numbers[(uint16_t)(sequence + 32768)] = false;
			seen[ssrc].sent++;
		}
		rtpfork_core_settle(f->core, f->now_ns);
	}
}

static void change_readers(struct fixture *f)
{
	uint32_t n = (uint32_t)rand() % READERS;
	struct seen *one = &seen[n];
	if (one->reader == 0) {
		memset(one, 0, sizeof *one);
		one->reader = fixture_attach(f, n);
		return;
	}
	if (rand() % 8 == 0) {
		struct rtpfork_reader_counters books;
		struct rtpfork_log *garbage = NULL;
		CHECK_EQ(rtpfork_core_detach(f->core, one->reader, f->now_ns, &books, &garbage), 0);
		rtpfork_log_free(garbage);
		CHECK_EQ(sum(&books), books.offered);
		one->reader = 0;
		fixture_settle(f, 0);
		return;
	}
	fixture_live(f, one->reader, rand() % 3 != 0);
}

/* A source that loses, repeats, reorders, jumps, restarts, changes SSRC and sends junk. */
static void speak_wildly(struct fixture *f)
{
	static uint16_t sequence;
	static uint32_t ssrc = 1;
	static uint8_t packet[64][172];
	static unsigned turn;
	uint8_t *to = packet[turn++ % 64];
	int chance = rand() % 200;
	if (chance == 0)
		ssrc = (uint32_t)rand() % 3;
	else if (chance == 1)
		sequence = (uint16_t)rand();
	else if (chance < 20)
		sequence = (uint16_t)(sequence + rand() % 5);
	else if (chance < 40)
		sequence = (uint16_t)(sequence - rand() % 5);
	static const uint8_t types[] = {0, 0, 0, 0, 0, 0, 8, 101};
	fixture_rtp(to, sequence, sequence * 160U, ssrc, types[rand() % 8]);
	sequence++;
	fixture_receive(f, CALLER, rand() % 50 == 0 ? STRANGER : CALLER, to,
			rand() % 100 == 0 ? (size_t)rand() % 172 : 172);
}

static void check_books(struct fixture *f)
{
	for (int i = 0; i < READERS; i++) {
		if (seen[i].reader == 0)
			continue;
		struct rtpfork_reader_counters books = fixture_books(f, seen[i].reader);
		CHECK_EQ(sum(&books), books.offered);
		CHECK_EQ(books.delivered + books.dropped_full, seen[i].sent);
	}
}

static void every_packet_is_in_the_books_and_no_number_is_used_twice(void)
{
	struct fixture f;
	srand(20260102);
	fixture_new(&f, 8);
	struct rtpfork_party party = fixture_party(&f.addresses[CALLER]);
	party.event_types[0] = 101;
	party.event_type_count = 1;
	CHECK_EQ(rtpfork_core_connect(f.core, f.ids[CALLER], &party), 0);
	for (int i = 0; i < ROUNDS; i++) {
		f.now_ns += (unsigned)rand() % 40 * MS;
		f.notice_count = 0;
		for (int n = rand() % 8; n > 0 && rtpfork_core_room(f.core) > 0; n--)
			speak_wildly(&f);
		/* Now and then the sender is late and the log runs over. */
		if (rand() % 3 == 0) {
			fixture_settle(&f, 0);
			continue;
		}
		send_all(&f);
		check_books(&f);
		if (rand() % 10 == 0)
			change_readers(&f);
		rtpfork_core_tick(f.core, f.now_ns);
		fixture_settle(&f, 0);
	}
	fixture_free(&f);
}

int main(void)
{
	RUN(every_packet_is_in_the_books_and_no_number_is_used_twice);
	return 0;
}
