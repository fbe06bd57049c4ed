/* Numeric IP addresses with a port. */
#include "rtpfork/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "rtpfork/errors.h"

int rtpfork_address_parse(struct rtpfork_address *address, const char *host, uint16_t port)
{
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1)
		address->v4.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1)
		address->v6.sin6_family = AF_INET6;
	else
		return RTPFORK_EARGUMENT;
	rtpfork_address_set_port(address, port);
	return 0;
}

int rtpfork_address_host(const struct rtpfork_address *address, char host[RTPFORK_HOST_BYTES])
{
	host[0] = '\0';
	const void *raw = address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
							     : (const void *)&address->v4.sin_addr;
	if (!rtpfork_address_known(address) ||
	    !inet_ntop(address->any.sa_family, raw, host, RTPFORK_HOST_BYTES))
		return RTPFORK_EARGUMENT;
	return 0;
}

bool rtpfork_address_known(const struct rtpfork_address *address)
{
	return address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6;
}

/* sin_port and sin6_port lie at the same place, but only the family says which one is there. */
uint16_t rtpfork_address_port(const struct rtpfork_address *address)
{
	if (address->any.sa_family == AF_INET6)
		return ntohs(address->v6.sin6_port);
	return address->any.sa_family == AF_INET ? ntohs(address->v4.sin_port) : 0;
}

void rtpfork_address_set_port(struct rtpfork_address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
}

socklen_t rtpfork_address_bytes(const struct rtpfork_address *address)
{
	if (address->any.sa_family == AF_INET6)
		return (socklen_t)sizeof address->v6;
	return (socklen_t)sizeof address->v4;
}

bool rtpfork_address_same_host(const struct rtpfork_address *a, const struct rtpfork_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->any.sa_family == AF_INET6 &&
	       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

bool rtpfork_address_equal(const struct rtpfork_address *a, const struct rtpfork_address *b)
{
	return rtpfork_address_same_host(a, b) &&
	       rtpfork_address_port(a) == rtpfork_address_port(b);
}
