/* An index ring over a byte ring; a packet lies in one piece, the rest of a turn is left unused. */
#include "rtpfork/log.h"

#include <stdlib.h>
#include <string.h>

#include "rtpfork/errors.h"

#define LINE_BYTES     64
#define EXPECTED_BYTES 192 /* of a packet, 20 ms of G.711 */

struct entry {
	uint64_t start; /* absolute place in the byte ring; grows for ever */
	struct rtpfork_logged packet;
};

struct rtpfork_log {
	struct rtpfork_log *link;
	uint64_t head;
	uint64_t tail;
	uint64_t next_start;
	size_t packets;
	size_t bytes;
	struct entry *entries;
	uint8_t *data;
};

static bool power_of_two(size_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

struct rtpfork_log *rtpfork_log_new(size_t packets, size_t bytes)
{
	if (!power_of_two(packets) || !power_of_two(bytes))
		return NULL;
	size_t total = sizeof(struct rtpfork_log) + packets * sizeof(struct entry) + bytes;
	struct rtpfork_log *log = malloc(total);
	if (!log)
		return NULL;
	memset(log, 0, total);
	log->packets = packets;
	log->bytes = bytes;
	log->entries = (struct entry *)(log + 1);
	log->data = (uint8_t *)(log->entries + packets);
	return log;
}

void rtpfork_log_free(struct rtpfork_log *log)
{
	free(log);
}

void rtpfork_log_expect(const struct rtpfork_log *log)
{
	const struct entry *entry = &log->entries[log->head & (log->packets - 1)];
	const uint8_t *data = log->data + (log->next_start & (log->bytes - 1));
	__builtin_prefetch(entry, 1);
	__builtin_prefetch((const uint8_t *)(entry + 1) - 1, 1);
	for (size_t at = 0; at < EXPECTED_BYTES; at += LINE_BYTES)
		__builtin_prefetch(data + at, 1);
}

int rtpfork_log_append(struct rtpfork_log *log, const struct rtpfork_logged *packet)
{
	if (packet->bytes > log->bytes)
		return RTPFORK_EARGUMENT;
	uint64_t start = log->next_start;
	size_t left_in_turn = log->bytes - (size_t)(start & (log->bytes - 1));
	if (packet->bytes > left_in_turn)
		start += left_in_turn;
	uint64_t end = start + packet->bytes;
	while (log->tail != log->head &&
	       (log->head - log->tail == log->packets ||
		log->entries[log->tail & (log->packets - 1)].start + log->bytes < end))
		log->tail++;
	struct entry *entry = &log->entries[log->head & (log->packets - 1)];
	entry->start = start;
	entry->packet = *packet;
	entry->packet.data = log->data + (start & (log->bytes - 1));
	memcpy(log->data + (start & (log->bytes - 1)), packet->data, packet->bytes);
	log->next_start = end;
	log->head++;
	return 0;
}

uint64_t rtpfork_log_head(const struct rtpfork_log *log)
{
	return log->head;
}

uint64_t rtpfork_log_tail(const struct rtpfork_log *log)
{
	return log->tail;
}

int rtpfork_log_read(const struct rtpfork_log *log, uint64_t position,
		     struct rtpfork_logged *packet)
{
	if (position < log->tail || position >= log->head)
		return RTPFORK_EGONE;
	*packet = log->entries[position & (log->packets - 1)].packet;
	return 0;
}

struct rtpfork_log **rtpfork_log_link(struct rtpfork_log *log)
{
	return &log->link;
}
