"""Where a request goes: route set, next hop, transport (RFC 3261 8.1.2 and 12.2.1.1, RFC 3263 4.1).

A numeric host needs no name server. Addresses that mean many hosts or none are never sent to: a
Contact from the network must not aim our requests at a multicast group or at ourselves-as-zero.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Final

from siprec_src.remembered import numeric_address
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.headers import NameAddress
from siprec_src.sip.uri import Uri
from siprec_src.values import immutable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@immutable(kw_only=False)
class Unreachable:
    """No way leads there: the transport is not ours, the scheme cannot be routed, the address is no host."""


@immutable(kw_only=False)
class Question:
    """The host is a name; it must be resolved with these (RFC 3263 4)."""

    host: str
    port: int | None
    transport: Transport | None
    secure: bool
    domain: str  #: host of the URI, whatever ``maddr`` says (RFC 5922 7.1)


Way = tuple[Flow, ...] | Question | Unreachable


@immutable(kw_only=False)
class Routed:
    """A Request-URI, the Route fields that go with it, and whom to send to."""

    uri: str
    routes: tuple[str, ...]
    hop: Uri


def route(target: Uri, routes: tuple[NameAddress, ...]) -> Routed:
    """Apply a route set (12.2.1.1). A first element without ``lr`` is a strict router: it becomes the URI."""
    if not routes:
        return Routed(str(target), (), target)
    first = routes[0].uri
    if first.lr:
        return Routed(str(target), tuple(str(r) for r in routes), first)
    strict = dataclasses.replace(first.without_parameters("method"), headers="")
    return Routed(str(strict), (*(str(r) for r in routes[1:]), f"<{target}>"), first)


def way_to(hop: Uri, edge: Edge) -> Way:
    """How ``hop`` is reached from ``edge``: its flow, a question for the resolver, or not at all."""
    if hop.scheme not in _ROUTABLE:
        return Unreachable()
    asked = transport_of(hop)
    if isinstance(asked, Unreachable) or (asked is not None and asked not in edge.transports):
        return Unreachable()
    host = hop.parameter("maddr") or hop.host
    address = numeric(host)
    if address is None:
        return Question(host, hop.port, asked, hop.secure, hop.host)
    if not usable(host):
        return Unreachable()
    transport = asked or default_transport(edge)
    remote = Address(host.strip("[]"), hop.port or transport.default_port)
    return (Flow(transport, remote, edge.name, domain=domain_of(transport, hop.host)),)


def domain_of(transport: Transport, host: str) -> str:
    """Whom the peer at the other end of a flow must prove to be; nobody where nothing is proved."""
    return host.strip("[]").lower().rstrip(".") if transport is Transport.TLS else ""


def transport_of(uri: Uri) -> Transport | Unreachable | None:
    """The transport that a URI asks for (RFC 3263 4.1); None: it leaves the choice."""
    named = uri.transport
    if uri.secure:
        return Transport.TLS if named in {None, "tcp", "tls"} else Unreachable()
    if named is None:
        return None
    return _TRANSPORTS.get(named, Unreachable())


def default_transport(edge: Edge) -> Transport:
    """For a ``sip`` URI that names none: UDP, or the first that the edge has (RFC 3263 4.1)."""
    return Transport.UDP if Transport.UDP in edge.transports else edge.transports[0]


def numeric(host: str) -> IpAddress | None:
    """The address when ``host`` is one and no name."""
    return numeric_address(host.strip("[]"))


def usable(host: str) -> bool:
    """Whether a numeric host is a single one: not multicast, broadcast or unspecified."""
    address = numeric(host)
    return address is not None and not (
        address.is_multicast or address.is_unspecified or address == _BROADCAST
    )


def contact_value(edge: Edge, transport: Transport, user: str = "", *, secure: bool) -> str:
    """Our Contact on ``edge``; the URI names the transport where it is not the default (RFC 3261 8.1.1.8)."""
    named = ";transport=tls" if transport is Transport.TLS else ";transport=tcp"
    by = "" if transport is Transport.UDP or secure else named
    scheme = "sips" if secure else "sip"
    at = f"{user}@" if user else ""
    return f"<{scheme}:{at}{edge.advertised(transport)}{by}>"


_ROUTABLE: Final = frozenset({"sip", "sips"})
_TRANSPORTS: Final = {"udp": Transport.UDP, "tcp": Transport.TCP, "tls": Transport.TLS}
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")
