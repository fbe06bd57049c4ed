/* Packets carry who said them, which one it is and when it was sent; copies may be encrypted and
 * are told by their RTP header. */
#include "account.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rtpfork/octets.h"

#define MAGIC	 0x53495052U
#define LATE_NS	 100000000ULL
#define NS_PER_S 1000000000ULL

/* Of the clock by which the kernel stamps what it receives. */
uint64_t account_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void account_write(struct story *story, uint32_t speaker, uint8_t packet[PACKET_BYTES])
{
	uint64_t sent_ns = account_now_ns();
	story->counter++;
	packet[0] = 0x80;
	packet[1] = 0;
	rtpfork_put_u16(packet + 2, (uint16_t)story->counter);
	rtpfork_put_u32(packet + 4, story->counter * 160U);
	rtpfork_put_u32(packet + 8, speaker + 1);
	rtpfork_put_u32(packet + 12, MAGIC);
	rtpfork_put_u32(packet + 16, speaker);
	rtpfork_put_u32(packet + 20, story->counter);
	memcpy(packet + 24, &sent_ns, sizeof sent_ns);
}

/* Packet |number| of a stream, counted from 1. */
static void note(struct track *track, uint32_t number)
{
	uint64_t *word = &track->seen[number % WINDOW / 64];
	uint64_t bit = 1ULL << number % 64;
	if (number > track->highest) {
		for (uint32_t i = track->highest + 1; i < number && i - track->highest < WINDOW;
		     i++)
			track->seen[i % WINDOW / 64] &= ~(1ULL << i % 64);
		*word &= ~bit;
		track->highest = number;
	} else if (track->highest - number >= WINDOW || *word & bit) {
		track->duplicate++;
		return;
	} else {
		track->reordered++;
	}
	*word |= bit;
	track->received++;
}

/* Buckets are powers of two cut in shares, as floating-point numbers are. */
static uint32_t bucket_of(uint64_t delay_ns)
{
	uint32_t power = 63U - (uint32_t)__builtin_clzll(delay_ns | DELAY_SHARES);
	return (power - 4) * DELAY_SHARES + (uint32_t)(delay_ns >> (power - 4)) % DELAY_SHARES;
}

/* The upper edge of one. */
static double edge_ns(uint32_t bucket)
{
	return (double)(DELAY_SHARES + bucket % DELAY_SHARES + 1) *
	       (double)(1ULL << bucket / DELAY_SHARES);
}

static void time_it(struct account *account, uint64_t sent_ns, uint64_t came_ns)
{
	uint64_t delay_ns = came_ns > sent_ns ? came_ns - sent_ns : 0;
	account->delays[bucket_of(delay_ns)]++;
	if (delay_ns > LATE_NS)
		account->late++;
	if (delay_ns > account->worst_ns)
		account->worst_ns = delay_ns;
}

void account_hear(struct account *account, struct story *stories, uint32_t speaker,
		  const uint8_t *packet, size_t bytes, uint64_t came_ns, bool counting)
{
	if (bytes < PACKET_BYTES || rtpfork_get_u32(packet + 12) != MAGIC) {
		account->foreign++;
		return;
	}
	if (!counting)
		return;
	if (rtpfork_get_u32(packet + 16) != speaker) {
		account->misrouted++;
		return;
	}
	struct story *story = &stories[speaker];
	uint32_t number = rtpfork_get_u32(packet + 20);
	uint64_t sent_ns = 0;
	memcpy(&sent_ns, packet + 24, sizeof sent_ns);
	if (number <= story->warm)
		return;
	note(&story->heard, number - story->warm);
	time_it(account, sent_ns, came_ns);
}

/* Its numbers begin anywhere. */
void account_copy(struct account *account, struct story *story, uint32_t copy,
		  const uint8_t *packet, size_t bytes, bool counting)
{
	if (bytes < PACKET_BYTES) {
		account->foreign++;
		return;
	}
	uint16_t sequence = rtpfork_get_u16(packet + 2);
	if (!counting) {
		story->warm_copies[copy] = sequence;
		return;
	}
	struct track *track = &story->copied[copy];
	int16_t ahead = (int16_t)(uint16_t)(sequence - story->warm_copies[copy] - track->highest);
	if ((int64_t)track->highest + ahead >= 1)
		note(track, (uint32_t)((int64_t)track->highest + ahead));
}

/* The delay that |share| of all packets did not exceed. */
static double delay_ms(const struct account *account, double share)
{
	uint64_t all = 0;
	uint64_t below = 0;
	uint32_t bucket = 0;
	for (uint32_t i = 0; i < DELAY_BUCKETS; i++)
		all += account->delays[i];
	while (bucket < DELAY_BUCKETS - 1 &&
	       (double)(below += account->delays[bucket]) < share * (double)all)
		bucket++;
	return edge_ns(bucket) / 1e6;
}

static void sum(struct track *to, const struct track *more)
{
	to->received += more->received;
	to->reordered += more->reordered;
	to->duplicate += more->duplicate;
}

void account_print(const struct account *account, const struct story *stories, uint32_t count,
		   double seconds)
{
	struct track heard = {0};
	struct track copied = {0};
	uint64_t wanted = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct story *story = &stories[i];
		sum(&heard, &story->heard);
		wanted += (uint64_t)story->copies * (story->counter - story->warm);
		for (uint32_t copy = 0; copy < story->copies; copy++)
			sum(&copied, &story->copied[copy]);
	}
	printf("{\"calls\": %u, \"seconds\": %.1f, \"sent\": %llu, \"unsent\": %llu,"
	       " \"relayed\": %llu, \"relay_reordered\": %llu, \"relay_duplicate\": %llu,"
	       " \"late\": %llu, \"misrouted\": %llu, \"foreign\": %llu,"
	       " \"copies_wanted\": %llu, \"copied\": %llu, \"copies_reordered\": %llu,"
	       " \"copies_duplicate\": %llu, \"slots_late\": %llu, \"unread\": %llu,"
	       " \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"worst_ms\": %.3f}\n",
	       count / 2, seconds, (unsigned long long)account->sent,
	       (unsigned long long)account->unsent, (unsigned long long)heard.received,
	       (unsigned long long)heard.reordered, (unsigned long long)heard.duplicate,
	       (unsigned long long)account->late, (unsigned long long)account->misrouted,
	       (unsigned long long)account->foreign, (unsigned long long)wanted,
	       (unsigned long long)copied.received, (unsigned long long)copied.reordered,
	       (unsigned long long)copied.duplicate, (unsigned long long)account->slots_late,
	       (unsigned long long)account->unread, delay_ms(account, 0.5), delay_ms(account, 0.99),
	       (double)account->worst_ns / 1e6);
}
