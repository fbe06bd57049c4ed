/* Network byte order, without alignment and without surprises of integer promotion. */
#ifndef RTPFORK_OCTETS_H
#define RTPFORK_OCTETS_H

#include <stdint.h>

static inline uint16_t rtpfork_get_u16(const uint8_t *from)
{
	return (uint16_t)((unsigned)from[0] << 8 | from[1]);
}

static inline uint32_t rtpfork_get_u24(const uint8_t *from)
{
	return (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
}

static inline uint32_t rtpfork_get_u32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | rtpfork_get_u24(from + 1);
}

static inline void rtpfork_put_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static inline void rtpfork_put_u32(uint8_t *to, uint32_t value)
{
	rtpfork_put_u16(to, (uint16_t)(value >> 16));
	rtpfork_put_u16(to + 2, (uint16_t)value);
}

#endif
