/* RTCP compound packets (RFC 3550 6.1, 6.4-6.6, A.2). */
#include "rtpfork/rtcp.h"

#include <string.h>

#include "rtpfork/errors.h"
#include "rtpfork/octets.h"

enum {
	VERSION = 2,
	HEADER_BYTES = 4,
	SSRC_BYTES = 4,
	SENDER_BYTES = 20,
	BLOCK_BYTES = 24,
	SDES_CNAME = 1, /* RFC 3550 6.5.1 */
};

/* building */

static uint8_t *put_header(uint8_t *at, size_t count, uint8_t type, size_t packet_bytes)
{
	at[0] = (uint8_t)(VERSION << 6 | (unsigned)count);
	at[1] = type;
	rtpfork_put_u16(at + 2, (uint16_t)(packet_bytes / 4 - 1));
	return at + HEADER_BYTES;
}

static uint8_t *put_sender(uint8_t *at, const struct rtpfork_rtcp_sender *sender)
{
	rtpfork_put_u32(at, (uint32_t)(sender->ntp >> 32));
	rtpfork_put_u32(at + 4, (uint32_t)sender->ntp);
	rtpfork_put_u32(at + 8, sender->rtp_timestamp);
	rtpfork_put_u32(at + 12, sender->packets);
	rtpfork_put_u32(at + 16, sender->octets);
	return at + SENDER_BYTES;
}

static uint8_t *put_block(uint8_t *at, const struct rtpfork_rtcp_block *block)
{
	rtpfork_put_u32(at, block->ssrc);
	rtpfork_put_u32(at + 4, (uint32_t)block->fraction_lost << 24 |
					((uint32_t)block->cumulative_lost & 0xffffffu));
	rtpfork_put_u32(at + 8, block->extended_highest_sequence);
	rtpfork_put_u32(at + 12, block->jitter);
	rtpfork_put_u32(at + 16, block->last_sr);
	rtpfork_put_u32(at + 20, block->delay_since_last_sr);
	return at + BLOCK_BYTES;
}

/* SSRC, one CNAME item, and 1 to 4 null octets to the next word (RFC 3550 6.5). */
static size_t sdes_bytes(size_t cname_bytes)
{
	return HEADER_BYTES + ((SSRC_BYTES + 2 + cname_bytes + 1 + 3) & ~(size_t)3);
}

static uint8_t *put_sdes(uint8_t *at, uint32_t ssrc, const char *cname, size_t cname_bytes)
{
	uint8_t *end = at + sdes_bytes(cname_bytes);

	at = put_header(at, 1, RTPFORK_RTCP_SDES, sdes_bytes(cname_bytes));
	rtpfork_put_u32(at, ssrc);
	at[4] = SDES_CNAME;
	at[5] = (uint8_t)cname_bytes;
	memcpy(at + 6, cname, cname_bytes);
	at += 6 + cname_bytes;
	memset(at, 0, (size_t)(end - at));
	return end;
}

int rtpfork_rtcp_build(const struct rtpfork_rtcp_report *report, uint8_t *dst, size_t room,
		       size_t *bytes)
{
	size_t cname_bytes = strnlen(report->cname, RTPFORK_RTCP_CNAME_BYTES + 1);

	if (cname_bytes == 0 || cname_bytes > RTPFORK_RTCP_CNAME_BYTES ||
	    report->block_count > RTPFORK_RTCP_MAX_BLOCKS)
		return RTPFORK_EARGUMENT;
	size_t report_bytes = HEADER_BYTES + SSRC_BYTES +
			      (report->sender ? (size_t)SENDER_BYTES : 0) +
			      report->block_count * BLOCK_BYTES;
	size_t bye_bytes = report->bye ? HEADER_BYTES + SSRC_BYTES : 0;
	*bytes = report_bytes + sdes_bytes(cname_bytes) + bye_bytes;
	if (room < *bytes)
		return RTPFORK_ENOROOM;

	uint8_t type = report->sender ? RTPFORK_RTCP_SR : RTPFORK_RTCP_RR;
	uint8_t *at = put_header(dst, report->block_count, type, report_bytes);
	rtpfork_put_u32(at, report->ssrc);
	at += SSRC_BYTES;
	if (report->sender)
		at = put_sender(at, report->sender);
	for (size_t i = 0; i < report->block_count; i++)
		at = put_block(at, &report->blocks[i]);
	at = put_sdes(at, report->ssrc, report->cname, cname_bytes);
	if (report->bye) {
		at = put_header(at, 1, RTPFORK_RTCP_BYE, bye_bytes);
		rtpfork_put_u32(at, report->ssrc);
	}
	return RTPFORK_OK;
}

/* reading */

static size_t reports_at(uint8_t type)
{
	return type == RTPFORK_RTCP_SR ? SSRC_BYTES + SENDER_BYTES : SSRC_BYTES;
}

static int check_sdes(const uint8_t *body, size_t bytes, size_t chunks)
{
	size_t at = 0;

	for (; chunks > 0; chunks--) {
		at += SSRC_BYTES;
		while (at < bytes && body[at] != 0) {
			if (at + 2 > bytes || body[at + 1] > bytes - at - 2)
				return RTPFORK_EMALFORMED;
			at += 2u + body[at + 1];
		}
		/* The list ends with a null octet, the chunk at the next word. */
		at = (at + 4) & ~(size_t)3;
		if (at > bytes)
			return RTPFORK_EMALFORMED;
	}
	return RTPFORK_OK;
}

static int check_body(const struct rtpfork_rtcp_packet *packet)
{
	switch (packet->type) {
	case RTPFORK_RTCP_SR:
	case RTPFORK_RTCP_RR:
		if (packet->body_bytes <
		    reports_at(packet->type) + packet->count * (size_t)BLOCK_BYTES)
			return RTPFORK_EMALFORMED;
		return RTPFORK_OK;
	case RTPFORK_RTCP_SDES:
		return check_sdes(packet->body, packet->body_bytes, packet->count);
	case RTPFORK_RTCP_BYE:
		if (packet->body_bytes < packet->count * (size_t)SSRC_BYTES)
			return RTPFORK_EMALFORMED;
		return RTPFORK_OK;
	default:
		return RTPFORK_OK;
	}
}

static void read_packet(const uint8_t *at, size_t packet_bytes, struct rtpfork_rtcp_packet *out)
{
	size_t padding = at[0] >> 5 & 1 ? at[packet_bytes - 1] : 0;

	*out = (struct rtpfork_rtcp_packet){
		.type = at[1],
		.count = at[0] & 0x1f,
		.body = at + HEADER_BYTES,
		.body_bytes = packet_bytes - HEADER_BYTES - padding,
	};
	bool has_ssrc =
		(out->type != RTPFORK_RTCP_SDES && out->type != RTPFORK_RTCP_BYE) || out->count;
	if (has_ssrc && out->body_bytes >= SSRC_BYTES)
		out->ssrc = rtpfork_get_u32(out->body);
}

/* Check the packet at |at| of a compound of which |left| octets remain. */
static int check_packet(const uint8_t *at, size_t left, bool first, size_t *packet_bytes)
{
	if (left < HEADER_BYTES)
		return RTPFORK_ETRUNCATED;
	if (at[0] >> 6 != VERSION)
		return RTPFORK_EVERSION;
	size_t bytes = 4u * ((size_t)rtpfork_get_u16(at + 2) + 1);
	if (bytes > left)
		return RTPFORK_ETRUNCATED;
	if (first && at[1] != RTPFORK_RTCP_SR && at[1] != RTPFORK_RTCP_RR)
		return RTPFORK_EMALFORMED;
	if (at[0] >> 5 & 1) {
		size_t padding = at[bytes - 1];
		/* Padding belongs to the last packet, and the first has none (RFC 3550 A.2). */
		if (first || bytes < left || padding == 0 || padding % 4 ||
		    padding > bytes - HEADER_BYTES)
			return RTPFORK_EMALFORMED;
	}
	struct rtpfork_rtcp_packet packet;
	read_packet(at, bytes, &packet);
	*packet_bytes = bytes;
	return check_body(&packet);
}

int rtpfork_rtcp_check(const uint8_t *datagram, size_t bytes)
{
	size_t offset = 0;

	do {
		size_t packet_bytes;
		int error =
			check_packet(datagram + offset, bytes - offset, offset == 0, &packet_bytes);
		if (error)
			return error;
		offset += packet_bytes;
	} while (offset < bytes);
	return RTPFORK_OK;
}

bool rtpfork_rtcp_next(const uint8_t *datagram, size_t bytes, size_t *offset,
		       struct rtpfork_rtcp_packet *out)
{
	if (*offset >= bytes)
		return false;
	const uint8_t *at = datagram + *offset;
	size_t packet_bytes = 4u * ((size_t)rtpfork_get_u16(at + 2) + 1);
	read_packet(at, packet_bytes, out);
	*offset += packet_bytes;
	return true;
}

bool rtpfork_rtcp_sender(const struct rtpfork_rtcp_packet *packet, struct rtpfork_rtcp_sender *out)
{
	if (packet->type != RTPFORK_RTCP_SR)
		return false;
	const uint8_t *at = packet->body + SSRC_BYTES;
	*out = (struct rtpfork_rtcp_sender){
		.ntp = (uint64_t)rtpfork_get_u32(at) << 32 | rtpfork_get_u32(at + 4),
		.rtp_timestamp = rtpfork_get_u32(at + 8),
		.packets = rtpfork_get_u32(at + 12),
		.octets = rtpfork_get_u32(at + 16),
	};
	return true;
}

bool rtpfork_rtcp_block(const struct rtpfork_rtcp_packet *packet, size_t index,
			struct rtpfork_rtcp_block *out)
{
	if ((packet->type != RTPFORK_RTCP_SR && packet->type != RTPFORK_RTCP_RR) ||
	    index >= packet->count)
		return false;
	const uint8_t *at = packet->body + reports_at(packet->type) + index * BLOCK_BYTES;
	uint32_t lost = rtpfork_get_u24(at + 5);
	*out = (struct rtpfork_rtcp_block){
		.ssrc = rtpfork_get_u32(at),
		.fraction_lost = at[4],
		.cumulative_lost = lost & 0x800000u ? (int32_t)lost - 0x1000000 : (int32_t)lost,
		.extended_highest_sequence = rtpfork_get_u32(at + 8),
		.jitter = rtpfork_get_u32(at + 12),
		.last_sr = rtpfork_get_u32(at + 16),
		.delay_since_last_sr = rtpfork_get_u32(at + 20),
	};
	return true;
}

bool rtpfork_rtcp_says_bye(const struct rtpfork_rtcp_packet *packet, uint32_t ssrc)
{
	if (packet->type != RTPFORK_RTCP_BYE)
		return false;
	for (size_t i = 0; i < packet->count; i++) {
		if (rtpfork_get_u32(packet->body + i * SSRC_BYTES) == ssrc)
			return true;
	}
	return false;
}
