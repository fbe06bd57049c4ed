"""Addresses that a customer's URL must not lead to: those of this host and of the networks behind it.

Otherwise whoever may name a URL could have the daemon speak to what only it can reach (server-side request
forgery): the cloud's metadata service, a database, its own API.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# The registries of special-purpose addresses (RFC 6890), written out: what Python's `is_private` says of them
# differs from one version to the next.
_INSIDE: Final = tuple(
    (ipaddress.ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "of this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared, behind a carrier's NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local, where clouds have their metadata"),
        ("168.63.129.16/32", "of a cloud's own services"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/96", "of this host"),
        ("64:ff9b:1::/48", "private, behind a NAT64"),
        ("100::/64", "discarded"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
        ("5f00::/16", "reserved"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 2.1


def refusal(host: str, allowed: Sequence[IpNetwork]) -> str | None:
    """Why nothing is sent to this numeric address; None when it may be, or is in an ``allowed`` network."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return f"{host!r} is no address in its usual form"
    for meant in _meant(address):
        if any(meant in network for network in allowed):
            continue
        for network, what in _INSIDE:
            if meant in network:
                return f"{address} is {what}" if meant is address else f"{address} leads to {meant}, {what}"
    return None


def _meant(address: IpAddress) -> tuple[IpAddress, ...]:
    """Where packets to this address end up: itself, or the IPv4 address within it."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:  # ::ffff:0:0/96
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:  # 2002::/16
        return (address.sixtofour,)
    if address in _NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address,)
