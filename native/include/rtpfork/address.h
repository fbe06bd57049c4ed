/* A numeric IPv4 or IPv6 address with a UDP port. */
#ifndef RTPFORK_ADDRESS_H
#define RTPFORK_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Longest text of an address and its NUL. */
#define RTPFORK_HOST_BYTES INET6_ADDRSTRLEN

/* Family AF_UNSPEC: no address. Plain value, copied freely. */
struct rtpfork_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

/* Read numeric |host| (no name, no zone). RTPFORK_EARGUMENT: it is not an address. */
int rtpfork_address_parse(struct rtpfork_address *address, const char *host, uint16_t port);

/* Write the host without its port. RTPFORK_EARGUMENT: there is no address, |host| is then "". */
int rtpfork_address_host(const struct rtpfork_address *address, char host[RTPFORK_HOST_BYTES]);

bool rtpfork_address_known(const struct rtpfork_address *address);
uint16_t rtpfork_address_port(const struct rtpfork_address *address);
void rtpfork_address_set_port(struct rtpfork_address *address, uint16_t port);

/* Bytes of the sockaddr, for the socket calls. */
socklen_t rtpfork_address_bytes(const struct rtpfork_address *address);

/* The same host, whatever the port; never true of no address. */
bool rtpfork_address_same_host(const struct rtpfork_address *a, const struct rtpfork_address *b);

/* The same host and port; never true of no address. */
bool rtpfork_address_equal(const struct rtpfork_address *a, const struct rtpfork_address *b);

#endif
