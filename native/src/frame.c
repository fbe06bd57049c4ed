/* Headers that are made once and finished for each datagram. */
#include "frame.h"

#include <string.h>

#include "rtpfork/octets.h"

#define IPV4_BYTES	20
#define IPV6_BYTES	40
#define UDP_BYTES	8
#define HOPS		64
#define UDP_PROTOCOL	17
#define DO_NOT_FRAGMENT 0x4000

/* RFC 1071 of an even number of octets, not folded. */
static uint32_t sum_of(const uint8_t *octets, size_t bytes)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < bytes; i += 2)
		sum += rtpfork_get_u16(octets + i);
	return sum;
}

/* The same of a payload: eight octets at once, in the order of this machine. */
static uint32_t payload_sum(const uint8_t *octets, size_t bytes)
{
	uint64_t sum = 0;
	uint8_t last[8] = {0};
	for (; bytes >= 8; octets += 8, bytes -= 8) {
		uint64_t eight;
		memcpy(&eight, octets, sizeof eight);
		sum += eight;
		sum += sum < eight;
	}
	uint64_t rest;
	memcpy(last, octets, bytes);
	memcpy(&rest, last, sizeof rest);
	sum += rest;
	sum += sum < rest;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	uint8_t folded[2];
	uint16_t two = (uint16_t)sum;
	memcpy(folded, &two, sizeof two);
	return rtpfork_get_u16(folded);
}

static uint16_t finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void make_v4(struct frame *frame, const struct rtpfork_address *from,
		    const struct rtpfork_address *to)
{
	uint8_t *ip = frame->octets + PATH_ETHERNET_BYTES;
	ip[0] = 0x45;
	rtpfork_put_u16(ip + 6,
			DO_NOT_FRAGMENT); /* so the identification says nothing (RFC 6864) */
	ip[8] = HOPS;
	ip[9] = UDP_PROTOCOL;
	memcpy(ip + 12, &from->v4.sin_addr, 4);
	memcpy(ip + 16, &to->v4.sin_addr, 4);
	frame->ip_sum = sum_of(ip, IPV4_BYTES);
	frame->udp_sum = sum_of(ip + 12, 8);
	frame->bytes = PATH_ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
}

static void make_v6(struct frame *frame, const struct rtpfork_address *from,
		    const struct rtpfork_address *to)
{
	uint8_t *ip = frame->octets + PATH_ETHERNET_BYTES;
	ip[0] = 0x60;
	ip[6] = UDP_PROTOCOL;
	ip[7] = HOPS;
	memcpy(ip + 8, &from->v6.sin6_addr, 16);
	memcpy(ip + 24, &to->v6.sin6_addr, 16);
	frame->udp_sum = sum_of(ip + 8, 32);
	frame->bytes = PATH_ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES;
}

void frame_make(struct frame *frame, const struct path *path, const struct rtpfork_address *from,
		const struct rtpfork_address *to)
{
	memset(frame, 0, sizeof *frame);
	memcpy(frame->octets, path->ethernet, PATH_ETHERNET_BYTES);
	if (to->any.sa_family == AF_INET6)
		make_v6(frame, from, to);
	else
		make_v4(frame, from, to);
	uint8_t *udp = frame->octets + frame->bytes - UDP_BYTES;
	rtpfork_put_u16(udp, rtpfork_address_port(from));
	rtpfork_put_u16(udp + 2, rtpfork_address_port(to));
	frame->udp_sum += UDP_PROTOCOL + sum_of(udp, 4);
}

void frame_write(const struct frame *frame, const uint8_t *data, size_t bytes, uint8_t *header)
{
	uint16_t udp_bytes = (uint16_t)(bytes + UDP_BYTES);
	uint8_t *ip = header + PATH_ETHERNET_BYTES;
	uint8_t *udp = header + frame->bytes - UDP_BYTES;
	memcpy(header, frame->octets, FRAME_HEADER_BYTES);
	if (ip[0] == 0x60) {
		rtpfork_put_u16(ip + 4, udp_bytes);
	} else {
		rtpfork_put_u16(ip + 2, (uint16_t)(udp_bytes + IPV4_BYTES));
		rtpfork_put_u16(ip + 10, finish(frame->ip_sum + udp_bytes + IPV4_BYTES));
	}
	rtpfork_put_u16(udp + 4, udp_bytes);
	/* The length is in the pseudo-header and in the header. */
	uint16_t sum = finish(frame->udp_sum + 2U * udp_bytes + payload_sum(data, bytes));
	rtpfork_put_u16(udp + 6, sum == 0 ? 0xffff : sum);
}
