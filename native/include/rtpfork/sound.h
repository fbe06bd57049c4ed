/* Sounds that the parties of a call hear beside each other: made once, then shared and never
 * changed. G.711 (ITU-T G.711), sample by sample. Pure functions but for making and freeing. */
#ifndef RTPFORK_SOUND_H
#define RTPFORK_SOUND_H

#include <stddef.h>
#include <stdint.h>

#define RTPFORK_SOUND_HZ 8000

enum rtpfork_law {
	RTPFORK_ULAW, /* PCMU */
	RTPFORK_ALAW, /* PCMA */
};

/* |count| linear samples at RTPFORK_SOUND_HZ. */
struct rtpfork_sound {
	uint32_t number; /* among struct rtpfork_sounds; 0: of this process alone */
	uint32_t count;
	int16_t samples[];
};

/* A copy of |samples|. NULL: none are given, or there is no memory. */
struct rtpfork_sound *rtpfork_sound_new(const int16_t *samples, size_t count);

/* No port may play |sound| any more. NULL is allowed. */
void rtpfork_sound_free(struct rtpfork_sound *sound);

/* Sounds in memory that outlives the process. */
#define RTPFORK_MAX_SOUNDS	  64
#define RTPFORK_MAX_SOUND_SAMPLES 160000U /* 20 s */

struct rtpfork_sounds;

/* Of zeros, where they are. */
size_t rtpfork_sounds_bytes(void);

/* Keep |samples|, or find the same. NULL: none are given, or too many, or there is no room. */
const struct rtpfork_sound *rtpfork_sounds_keep(struct rtpfork_sounds *sounds,
						const int16_t *samples, size_t count);

/* NULL: there is none of that number. */
const struct rtpfork_sound *rtpfork_sounds_find(const struct rtpfork_sounds *sounds,
						uint32_t number);

int16_t rtpfork_g711_decode(enum rtpfork_law law, uint8_t code);
uint8_t rtpfork_g711_encode(enum rtpfork_law law, int16_t sample);

#endif
