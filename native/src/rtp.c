/* RTP packets (RFC 3550 5.1) and the kinds of datagrams (RFC 7983 7, RFC 5761 4). */
#include "rtpfork/rtp.h"

#include <string.h>

#include "rtpfork/errors.h"
#include "rtpfork/octets.h"

enum {
	VERSION = 2,
	STUN_LAST = 3, /* RFC 7983 7 */
	DTLS_FIRST = 20,
	DTLS_LAST = 63,
	RTP_FIRST = 128,
	RTP_LAST = 191,
	RTCP_TYPE_FIRST = 192, /* RFC 5761 4 */
	RTCP_TYPE_LAST = 223,
	STUN_HEADER_BYTES = 20,
	DTLS_HEADER_BYTES = 13,
	RTCP_HEADER_BYTES = 8,
	EXTENSION_HEADER_BYTES = 4,
};

enum rtpfork_kind rtpfork_classify(const uint8_t *datagram, size_t bytes)
{
	if (bytes < RTCP_HEADER_BYTES)
		return RTPFORK_KIND_UNKNOWN;
	uint8_t first = datagram[0];
	if (first >= RTP_FIRST && first <= RTP_LAST) {
		if (datagram[1] >= RTCP_TYPE_FIRST && datagram[1] <= RTCP_TYPE_LAST)
			return RTPFORK_KIND_RTCP;
		return bytes < RTPFORK_RTP_HEADER_BYTES ? RTPFORK_KIND_UNKNOWN : RTPFORK_KIND_RTP;
	}
	if (first >= DTLS_FIRST && first <= DTLS_LAST && bytes >= DTLS_HEADER_BYTES)
		return RTPFORK_KIND_DTLS;
	if (first <= STUN_LAST && bytes >= STUN_HEADER_BYTES)
		return RTPFORK_KIND_STUN;
	return RTPFORK_KIND_UNKNOWN;
}

int rtpfork_rtp_parse_header(const uint8_t *datagram, size_t bytes, struct rtpfork_rtp *out)
{
	if (bytes < RTPFORK_RTP_HEADER_BYTES)
		return RTPFORK_ETRUNCATED;
	if (datagram[0] >> 6 != VERSION)
		return RTPFORK_EVERSION;
	*out = (struct rtpfork_rtp){
		.padding = datagram[0] >> 5 & 1,
		.extension = datagram[0] >> 4 & 1,
		.csrc_count = datagram[0] & 0x0f,
		.marker = datagram[1] >> 7,
		.payload_type = datagram[1] & 0x7f,
		.sequence = rtpfork_get_u16(datagram + 2),
		.timestamp = rtpfork_get_u32(datagram + 4),
		.ssrc = rtpfork_get_u32(datagram + 8),
	};
	out->header_bytes = RTPFORK_RTP_HEADER_BYTES + 4u * out->csrc_count;
	if (out->extension) {
		if (bytes < out->header_bytes + EXTENSION_HEADER_BYTES)
			return RTPFORK_ETRUNCATED;
		const uint8_t *extension = datagram + out->header_bytes;
		out->extension_profile = rtpfork_get_u16(extension);
		out->header_bytes +=
			EXTENSION_HEADER_BYTES + 4u * (size_t)rtpfork_get_u16(extension + 2);
	}
	if (bytes < out->header_bytes)
		return RTPFORK_ETRUNCATED;
	out->payload_bytes = bytes - out->header_bytes;
	return RTPFORK_OK;
}

int rtpfork_rtp_parse(const uint8_t *datagram, size_t bytes, struct rtpfork_rtp *out)
{
	int error = rtpfork_rtp_parse_header(datagram, bytes, out);

	if (error || !out->padding)
		return error;
	size_t padding = datagram[bytes - 1];
	if (padding == 0 || padding > out->payload_bytes)
		return RTPFORK_EMALFORMED;
	out->padding_bytes = padding;
	out->payload_bytes -= padding;
	return RTPFORK_OK;
}

void rtpfork_rtp_rewrite(uint8_t *packet, const struct rtpfork_rtp_rewrite *to)
{
	packet[1] = (uint8_t)((unsigned)to->marker << 7 | (to->payload_type & 0x7fu));
	rtpfork_put_u16(packet + 2, to->sequence);
	rtpfork_put_u32(packet + 4, to->timestamp);
	rtpfork_put_u32(packet + 8, to->ssrc);
}

int rtpfork_rtp_copy(const uint8_t *packet, size_t bytes, const struct rtpfork_rtp_rewrite *to,
		     uint8_t *dst, size_t room)
{
	if (room < bytes)
		return RTPFORK_ENOROOM;
	memcpy(dst, packet, bytes);
	rtpfork_rtp_rewrite(dst, to);
	return RTPFORK_OK;
}
