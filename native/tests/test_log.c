/* The bounded log of a stream: what was written is read unchanged until it is overwritten. */
#include "rtpfork/log.h"

#include <stdlib.h>

#include "check.h"
#include "rtpfork/errors.h"

static uint8_t pattern(uint64_t position, size_t octet)
{
	return (uint8_t)(position * 31 + octet);
}

static void append(struct rtpfork_log *log, size_t bytes)
{
	uint8_t data[2048];
	uint64_t position = rtpfork_log_head(log);
	for (size_t i = 0; i < bytes; i++)
		data[i] = pattern(position, i);
	struct rtpfork_logged packet = {
		.data = data,
		.bytes = (uint16_t)bytes,
		.arrival_ns = position * 1000,
		.extended = (int64_t)position,
	};
	CHECK_EQ(rtpfork_log_append(log, &packet), 0);
}

/* Every packet between tail and head is as it was written; all others are gone. */
static void verify(const struct rtpfork_log *log)
{
	struct rtpfork_logged packet;
	uint64_t head = rtpfork_log_head(log);
	uint64_t tail = rtpfork_log_tail(log);
	for (uint64_t position = tail; position < head; position++) {
		CHECK_EQ(rtpfork_log_read(log, position, &packet), 0);
		CHECK_EQ(packet.arrival_ns, position * 1000);
		for (size_t i = 0; i < packet.bytes; i++)
			CHECK_EQ(packet.data[i], pattern(position, i));
	}
	CHECK_EQ(rtpfork_log_read(log, head, &packet), RTPFORK_EGONE);
	if (tail > 0)
		CHECK_EQ(rtpfork_log_read(log, tail - 1, &packet), RTPFORK_EGONE);
}

static void odd_sizes_are_refused(void)
{
	CHECK(rtpfork_log_new(0, 256) == NULL);
	CHECK(rtpfork_log_new(16, 0) == NULL);
	CHECK(rtpfork_log_new(12, 256) == NULL);
	CHECK(rtpfork_log_new(16, 300) == NULL);
	rtpfork_log_free(NULL);
}

static void the_number_of_packets_is_bounded(void)
{
	struct rtpfork_log *log = rtpfork_log_new(16, 65536);
	for (int i = 0; i < 40; i++)
		append(log, 12);
	CHECK_EQ(rtpfork_log_head(log), 40);
	CHECK_EQ(rtpfork_log_tail(log), 24);
	verify(log);
	rtpfork_log_free(log);
}

static void the_number_of_bytes_is_bounded(void)
{
	struct rtpfork_log *log = rtpfork_log_new(64, 4096);
	for (int i = 0; i < 10; i++) {
		append(log, 1500);
		CHECK(rtpfork_log_head(log) - rtpfork_log_tail(log) <= 2);
		verify(log);
	}
	rtpfork_log_free(log);
}

static void a_packet_longer_than_the_log_is_refused(void)
{
	uint8_t data[300] = {0};
	struct rtpfork_log *log = rtpfork_log_new(16, 256);
	struct rtpfork_logged packet = {.data = data, .bytes = 257};
	CHECK_EQ(rtpfork_log_append(log, &packet), RTPFORK_EARGUMENT);
	CHECK_EQ(rtpfork_log_head(log), 0);
	packet.bytes = 256;
	CHECK_EQ(rtpfork_log_append(log, &packet), 0);
	CHECK_EQ(rtpfork_log_append(log, &packet), 0);
	CHECK_EQ(rtpfork_log_head(log) - rtpfork_log_tail(log), 1);
	rtpfork_log_free(log);
}

static void packets_of_any_length_stay_whole_while_they_last(void)
{
	srand(20260101);
	struct rtpfork_log *log = rtpfork_log_new(32, 8192);
	for (int i = 0; i < 20000; i++) {
		append(log, (size_t)(rand() % 1600));
		CHECK(i < 3 || rtpfork_log_head(log) - rtpfork_log_tail(log) >= 3);
		if (i % 7 == 0)
			verify(log);
	}
	rtpfork_log_free(log);
}

int main(void)
{
	RUN(odd_sizes_are_refused);
	RUN(the_number_of_packets_is_bounded);
	RUN(the_number_of_bytes_is_bounded);
	RUN(a_packet_longer_than_the_log_is_refused);
	RUN(packets_of_any_length_stay_whole_while_they_last);
	return 0;
}
