/* A tone mixed into G.711 on its way to one party (RFC 6341 REQ-018). The packets stay what they
 * are, in number, sequence, time and length; a party whose peer sends nothing hears nothing. */
#include "tone.h"

#include <string.h>

void tone_set(struct tone *tone, const struct rtpfork_tone *what)
{
	if (tone->what.sound != what->sound)
		memset(tone, 0, sizeof *tone);
	tone->what = *what;
	tone->sound = what->sound ? what->sound->number : 0;
}

/* How the packet's sound is coded; NULL: not so that it can be mixed. */
static const enum rtpfork_law *law_of(const struct tone *tone, uint8_t payload_type)
{
	for (size_t i = 0; i < tone->what.type_count; i++)
		if (tone->what.types[i].payload_type == payload_type)
			return &tone->what.types[i].law;
	return NULL;
}

bool tone_due(struct tone *tone, const struct rtpfork_rtp *rtp, uint64_t now_ns, uint64_t *begun)
{
	if (!tone->what.sound || !law_of(tone, rtp->payload_type))
		return false;
	if (!tone->sounding && now_ns >= tone->next_ns) {
		tone->sounding = true;
		tone->position = 0;
		tone->next_ns = now_ns + tone->what.interval_ns;
		(*begun)++;
	}
	return tone->sounding;
}

static int16_t sum(int one, int other)
{
	int both = one + other;
	return (int16_t)(both > INT16_MAX ? INT16_MAX : both < INT16_MIN ? INT16_MIN : both);
}

void tone_mix(struct tone *tone, const struct rtpfork_rtp *rtp, uint8_t *packet)
{
	const struct rtpfork_sound *sound = tone->what.sound;
	enum rtpfork_law law = *law_of(tone, rtp->payload_type);
	uint8_t *payload = packet + rtp->header_bytes;
	for (size_t i = 0; i < rtp->payload_bytes && tone->position < sound->count; i++) {
		int16_t voice = rtpfork_g711_decode(law, payload[i]);
		payload[i] = rtpfork_g711_encode(law, sum(voice, sound->samples[tone->position]));
		tone->position++;
	}
	tone->sounding = tone->position < sound->count;
}
