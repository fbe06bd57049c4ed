/* Places of one size, each touched only as far as its sound is long. */
#include <stdbool.h>
#include <string.h>

#include "order.h"
#include "rtpfork/sound.h"

#define PLACE_BYTES (sizeof(struct rtpfork_sound) + RTPFORK_MAX_SOUND_SAMPLES * sizeof(int16_t))

struct rtpfork_sounds {
	_Alignas(struct rtpfork_sound) uint8_t places[RTPFORK_MAX_SOUNDS][PLACE_BYTES];
};

size_t rtpfork_sounds_bytes(void)
{
	return sizeof(struct rtpfork_sounds);
}

/* A place whose writing was broken off has no length. */
const struct rtpfork_sound *rtpfork_sounds_find(const struct rtpfork_sounds *sounds,
						uint32_t number)
{
	if (number == 0 || number > RTPFORK_MAX_SOUNDS)
		return NULL;
	const struct rtpfork_sound *sound =
		(const struct rtpfork_sound *)sounds->places[number - 1];
	bool sane = sound->number == number && sound->count > 0 &&
		    sound->count <= RTPFORK_MAX_SOUND_SAMPLES;
	return sane ? sound : NULL;
}

const struct rtpfork_sound *rtpfork_sounds_keep(struct rtpfork_sounds *sounds,
						const int16_t *samples, size_t count)
{
	if (count == 0 || count > RTPFORK_MAX_SOUND_SAMPLES)
		return NULL;
	uint32_t free = 0;
	for (uint32_t number = RTPFORK_MAX_SOUNDS; number > 0; number--) {
		const struct rtpfork_sound *known = rtpfork_sounds_find(sounds, number);
		if (!known)
			free = number;
		else if (known->count == count &&
			 memcmp(known->samples, samples, count * sizeof *samples) == 0)
			return known;
	}
	if (free == 0)
		return NULL;
	struct rtpfork_sound *sound = (struct rtpfork_sound *)sounds->places[free - 1];
	sound->count = 0;
	in_order();
	sound->number = free;
	memcpy(sound->samples, samples, count * sizeof *samples);
	in_order();
	sound->count = (uint32_t)count;
	return sound;
}
