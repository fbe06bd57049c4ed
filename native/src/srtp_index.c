/* Packet indices and replay lists (RFC 3711 3.3.1, 3.3.2, appendix A). */
#include "srtp_index.h"

bool rtpfork_srtp_estimate(uint64_t highest, uint16_t sequence, uint64_t *index)
{
	uint64_t roll_over = highest >> 16;
	uint16_t last = (uint16_t)highest;
	uint64_t same = roll_over << 16 | sequence;

	*index = same;
	if (last < 0x8000u) {
		if (sequence - last <= 0x8000)
			return true;
		if (roll_over == 0)
			return false;
		*index = same - 0x10000u;
		return true;
	}
	if (last - 0x8000 <= sequence)
		return true;
	if (roll_over == UINT32_MAX)
		return false;
	*index = same + 0x10000u;
	return true;
}

bool rtpfork_srtp_is_new(uint64_t highest, const uint64_t window[2], uint64_t index)
{
	if (index > highest)
		return true;
	uint64_t back = highest - index;
	return back < RTPFORK_SRTP_WINDOW && !(window[back / 64] >> back % 64 & 1);
}

uint64_t rtpfork_srtp_mark(uint64_t highest, uint64_t window[2], uint64_t index)
{
	if (index <= highest) {
		uint64_t back = highest - index;
		window[back / 64] |= UINT64_C(1) << back % 64;
		return highest;
	}
	uint64_t by = index - highest;
	if (by >= RTPFORK_SRTP_WINDOW) {
		window[0] = window[1] = 0;
	} else if (by >= 64) {
		window[1] = window[0] << (by - 64);
		window[0] = 0;
	} else {
		window[1] = window[1] << by | window[0] >> (64 - by);
		window[0] <<= by;
	}
	window[0] |= 1;
	return index;
}
