/* Packet indices and replay lists (RFC 3711 3.3.1, 3.3.2). Pure, private. */
#ifndef RTPFORK_SRTP_INDEX_H
#define RTPFORK_SRTP_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#define RTPFORK_SRTP_WINDOW	128u			  /* RFC 3711 3.3.2 asks for 64 at least */
#define RTPFORK_SRTP_INDEX_MAX	((UINT64_C(1) << 48) - 1) /* RFC 3711 9.2 */
#define RTPFORK_SRTCP_INDEX_MAX ((UINT32_C(1) << 31) - 1)

/* Estimate the index of |sequence| after |highest| (RFC 3711 3.3.1, appendix A). False when it
 * would lie before ROC 0 or after the last ROC; |*index| is then the nearest within. */
bool rtpfork_srtp_estimate(uint64_t highest, uint16_t sequence, uint64_t *index);

/* Whether |index| is new: ahead of |highest|, or within the window behind it and not marked. */
bool rtpfork_srtp_is_new(uint64_t highest, const uint64_t window[2], uint64_t index);

/* Mark |index| as seen and move the window when it is ahead; returns the highest index. */
uint64_t rtpfork_srtp_mark(uint64_t highest, uint64_t window[2], uint64_t index);

#endif
