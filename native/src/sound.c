/* Sounds, and G.711 as its segments are defined (ITU-T G.711 tables 1 and 2). */
#include "rtpfork/sound.h"

#include <stdlib.h>
#include <string.h>

enum {
	SIGN = 0x80,
	MANTISSA = 0x0f,
	ULAW_BIAS = 132, /* 33 of 14 bits, in 16 */
	ULAW_CLIP = 32635,
	ALAW_MASK = 0x55,
};

struct rtpfork_sound *rtpfork_sound_new(const int16_t *samples, size_t count)
{
	if (count == 0 || count > UINT32_MAX / sizeof *samples)
		return NULL;
	struct rtpfork_sound *sound = malloc(sizeof *sound + count * sizeof *samples);
	if (!sound)
		return NULL;
	sound->number = 0;
	sound->count = (uint32_t)count;
	memcpy(sound->samples, samples, count * sizeof *samples);
	return sound;
}

void rtpfork_sound_free(struct rtpfork_sound *sound)
{
	free(sound);
}

static int decode_ulaw(uint8_t code)
{
	unsigned bits = (uint8_t)~code;
	int segment = (int)(bits >> 4 & 7);
	int magnitude = ((((int)(bits & MANTISSA) << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
	return bits & SIGN ? -magnitude : magnitude;
}

static int decode_alaw(uint8_t code)
{
	unsigned bits = code ^ ALAW_MASK;
	int segment = (int)(bits >> 4 & 7);
	int magnitude = (int)(bits & MANTISSA) << 4;
	magnitude = segment == 0 ? magnitude + 8 : (magnitude + 264) << (segment - 1);
	return bits & SIGN ? magnitude : -magnitude;
}

int16_t rtpfork_g711_decode(enum rtpfork_law law, uint8_t code)
{
	return (int16_t)(law == RTPFORK_ULAW ? decode_ulaw(code) : decode_alaw(code));
}

/* The segment in which |magnitude| of 15 bits lies: 0 up to 255, then one for each power of two. */
static unsigned segment_of(unsigned magnitude)
{
	unsigned segment = 0;
	while (segment < 7 && magnitude >= 256U << segment)
		segment++;
	return segment;
}

static uint8_t encode_ulaw(int sample)
{
	unsigned sign = sample < 0 ? SIGN : 0;
	int magnitude = sample < 0 ? -sample : sample;
	unsigned biased = (unsigned)((magnitude > ULAW_CLIP ? ULAW_CLIP : magnitude) + ULAW_BIAS);
	unsigned segment = segment_of(biased);
	return (uint8_t)~(sign | segment << 4 | (biased >> (segment + 3) & MANTISSA));
}

static uint8_t encode_alaw(int sample)
{
	unsigned sign = sample < 0 ? 0 : SIGN;
	unsigned magnitude = (unsigned)(sample < 0 ? -sample - 1 : sample);
	unsigned segment = segment_of(magnitude);
	unsigned shift = segment == 0 ? 4 : segment + 3;
	return (uint8_t)((sign | segment << 4 | (magnitude >> shift & MANTISSA)) ^ ALAW_MASK);
}

uint8_t rtpfork_g711_encode(enum rtpfork_law law, int16_t sample)
{
	return law == RTPFORK_ULAW ? encode_ulaw(sample) : encode_alaw(sample);
}
