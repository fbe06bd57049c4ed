/* What came of every packet: loss, order, duplicates, misrouting and delay. */
#ifndef RTPLOAD_ACCOUNT_H
#define RTPLOAD_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_BYTES  172
#define WINDOW	      1024 /* packets back in which a duplicate is known */
#define DELAY_SHARES  16   /* of each power of two of a delay: known to 6 % */
#define DELAY_BUCKETS (64 * DELAY_SHARES)
#define MAX_COPIES    4 /* of what a party says */

/* What has come at one place. */
struct track {
	uint64_t received;
	uint64_t reordered;
	uint64_t duplicate;
	uint32_t highest; /* number of the newest packet, from 1 */
	uint64_t seen[WINDOW / 64];
};

struct account {
	uint64_t sent;
	uint64_t unsent;
	uint64_t late;
	uint64_t misrouted;
	uint64_t foreign; /* no packet of ours */
	uint64_t slots_late;
	uint64_t unread; /* packets for which this program had no room */
	uint64_t worst_ns;
	uint64_t delays[DELAY_BUCKETS];
};

/* What one party says and how it came. */
struct story {
	uint32_t counter;		  /* of packets sent */
	uint32_t warm;			  /* the last one before the account begins */
	uint32_t copies;		  /* that an SRS gets */
	uint16_t warm_copies[MAX_COPIES]; /* RTP sequence number of the last copy before */
	struct track heard;		  /* by its peer */
	struct track copied[MAX_COPIES];  /* by each SRS */
};

uint64_t account_now_ns(void);

/* The packet of |speaker| that is sent now. */
void account_write(struct story *story, uint32_t speaker, uint8_t packet[PACKET_BYTES]);

/* A packet came at |came_ns| to the peer of |speaker|, whose |story| it is; |counting| once the
 * account has begun. */
void account_hear(struct account *account, struct story *stories, uint32_t speaker,
		  const uint8_t *packet, size_t bytes, uint64_t came_ns, bool counting);

/* Copy |copy| of what |story| tells came. */
void account_copy(struct account *account, struct story *story, uint32_t copy,
		  const uint8_t *packet, size_t bytes, bool counting);

/* One JSON object to standard output. */
void account_print(const struct account *account, const struct story *stories, uint32_t count,
		   double seconds);

#endif
