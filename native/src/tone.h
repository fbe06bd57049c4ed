/* The tone that a port's party hears over its peer, now and then; of a core alone. */
#ifndef RTPFORK_SRC_TONE_H
#define RTPFORK_SRC_TONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/core.h"
#include "rtpfork/rtp.h"

struct tone {
	struct rtpfork_tone what;
	uint32_t sound; /* its number, which outlives the process */
	bool sounding;
	uint64_t next_ns; /* when it begins again */
	size_t position;  /* in the sound, while it is sounding */
};

/* Play |what| from now on; the same sound goes on where it is. */
void tone_set(struct tone *tone, const struct rtpfork_tone *what);

/* Whether the packet |rtp| carries a part of the tone, at |now_ns|. A tone that is due begins:
 * |*begun| counts it. */
bool tone_due(struct tone *tone, const struct rtpfork_rtp *rtp, uint64_t now_ns, uint64_t *begun);

/* Add the next part of the tone to the payload of |packet|, whose header is |rtp|. */
void tone_mix(struct tone *tone, const struct rtpfork_rtp *rtp, uint8_t *packet);

#endif
