/* NTP time, round trip and report interval (RFC 3550 4, 6.2, 6.3, 6.4.1, A.7). */
#include "rtpfork/rtcp.h"

#define NS_PER_S	UINT64_C(1000000000)
#define NTP_UNIX_EPOCH	UINT64_C(2208988800) /* 1900 to 1970, seconds */
#define MINIMUM_S	5.0		     /* RFC 3550 6.2 */
#define SENDER_FRACTION 0.25
#define COMPENSATION	1.21828 /* e - 3/2, RFC 3550 6.3.1 */

uint64_t rtpfork_ntp_from_unix_ns(uint64_t unix_ns)
{
	uint64_t seconds = unix_ns / NS_PER_S + NTP_UNIX_EPOCH;
	uint64_t fraction = (unix_ns % NS_PER_S << 32) / NS_PER_S;

	return seconds << 32 | fraction;
}

uint32_t rtpfork_ntp_middle(uint64_t ntp)
{
	return (uint32_t)(ntp >> 16);
}

bool rtpfork_rtcp_round_trip(const struct rtpfork_rtcp_block *block, uint64_t now_ntp,
			     uint64_t *round_trip_us)
{
	if (block->last_sr == 0)
		return false;
	uint32_t since_sr = rtpfork_ntp_middle(now_ntp) - block->last_sr;
	if (block->delay_since_last_sr > since_sr)
		return false;
	*round_trip_us = (uint64_t)(since_sr - block->delay_since_last_sr) * 1000000u >> 16;
	return true;
}

uint64_t rtpfork_rtcp_interval_ns(const struct rtpfork_rtcp_session *session, uint32_t random)
{
	double minimum_s = session->initial ? MINIMUM_S / 2 : MINIMUM_S;
	double bandwidth = session->bandwidth_bytes_per_s;
	double members = session->members;

	/* Few senders share a quarter of the bandwidth, the receivers the rest. */
	if (session->senders <= session->members * SENDER_FRACTION) {
		if (session->we_sent) {
			bandwidth *= SENDER_FRACTION;
			members = session->senders;
		} else {
			bandwidth *= 1 - SENDER_FRACTION;
			members -= session->senders;
		}
	}
	double interval_s = bandwidth > 0 ? session->average_bytes * members / bandwidth : 0;
	if (interval_s < minimum_s)
		interval_s = minimum_s;
	interval_s *= 0.5 + (double)random / 4294967296.0;
	return (uint64_t)(interval_s / COMPENSATION * (double)NS_PER_S);
}

uint32_t rtpfork_rtcp_average_bytes(uint32_t average_bytes, uint32_t bytes)
{
	if (average_bytes == 0)
		return bytes;
	return (uint32_t)(((uint64_t)average_bytes * 15 + bytes) / 16);
}
