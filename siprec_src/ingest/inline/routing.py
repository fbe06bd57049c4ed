"""Where a call goes: trunks by source address, the next hop, and the Request-URI (RFC 3261 16.4 to 16.6).

The Request-URI's host is replaced by that of the next hop only where it names us; user part and
parameters always stay. Who is not known is refused with 403, a call that would come back to us with 482.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

from siprec_src.communication import CallDirection, Side
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.dialogs import LegEnd
from siprec_src.ingest.inline.voice import Dialled, Voice
from siprec_src.media.model import SourcePolicy
from siprec_src.remembered import numeric_address
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.flow import Edge, Flow, Transport
from siprec_src.sip.message import Request
from siprec_src.sip.target import default_transport, transport_of
from siprec_src.sip.uri import Uri, parse_any_uri
from siprec_src.values import immutable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE: Final[tuple[Network, ...]] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
_UNSPECIFIED: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared, never bound
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@immutable
class Trunk:
    """One neighbour: a PBX, a carrier."""

    name: str
    sources: tuple[Network, ...]  #: addresses it sends from
    to: str | Uri  #: name of the trunk its calls go to, or the next hop itself
    uri: Uri | None = None  #: how to reach it; None: no call goes to it
    edge: str = "default"  #: by which calls to it leave
    direction: CallDirection = CallDirection.INBOUND  #: of the calls that it sends
    source_policy: SourcePolicy = SourcePolicy.STRICT  #: whose packets count as its media
    credentials: Credentials | None = None  #: answer its challenges; None: they pass to the other side
    voice: Voice | None = None  #: asked what to do with each call that it sends


@immutable
class Route:
    """How one call goes on."""

    trunk: str  #: it came by this one
    direction: CallDirection = CallDirection.INBOUND  #: as that trunk says
    to: str  #: trunk, or next hop, it goes to
    next_hop: Uri
    request_uri: str
    caller_edge: str
    callee_edge: str
    policies: Mapping[Side, SourcePolicy]
    credentials: Mapping[Side, Credentials | None] = dataclasses.field(default_factory=dict)
    voice: Voice | None = None  #: asked before it goes there


@immutable(kw_only=False)
class Refusal:
    """The call is refused with this status."""

    status: int
    why: str
    stranger: bool = False  #: its source is none of ours, so it may be forged
    reason: str = ""  #: text of the Reason that the caller gets (RFC 3326)


class RoutingTable:
    """All trunks, in the order of configuration; among networks that hold an address the longest wins."""

    def __init__(self, trunks: Iterable[Trunk], edges: Mapping[str, Edge]) -> None:
        """Raises ConfigurationError for a trunk or edge that does not exist."""
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._edges = edges
        for trunk in self._trunks.values():
            self._check(trunk)

    def route(self, flow: Flow, request: Request, named: LegEnd | None = None) -> Route | Refusal:
        """Where ``request``, which came by ``flow``, goes: to ``named``, if it replaces or joins its call."""
        trunk = self._trunk_of(flow.remote.host)
        if trunk is None:
            return Refusal(403, "unknown source", stranger=True)
        if flow.edge not in self._edges:
            return Refusal(500, "unknown edge")
        target = trunk.to if isinstance(trunk.to, Uri) else self._trunks[trunk.to]
        there = self._trunks.get(named.trunk) if named is not None else None
        if there is not None and there.uri is not None:
            target = there
        next_hop = target if isinstance(target, Uri) else target.uri
        if next_hop is None:
            return Refusal(404, "the trunk it goes to cannot be reached")
        if self._is_ours(next_hop):
            return Refusal(482, "the next hop is this server")
        callee_edge = trunk.edge if isinstance(target, Uri) else target.edge
        transport = transport_of(next_hop) or default_transport(self._edges[callee_edge])
        if request.target.secure and transport is not Transport.TLS:
            return Refusal(480, "sips goes over TLS only, the next hop is reached without")  # RFC 5630 4
        return Route(
            trunk=trunk.name,
            direction=trunk.direction,
            to=str(target) if isinstance(target, Uri) else target.name,
            next_hop=next_hop,
            request_uri=self._request_uri(request, next_hop, named),
            caller_edge=flow.edge,
            callee_edge=callee_edge,
            policies={
                Side.CALLER: trunk.source_policy,
                Side.CALLEE: trunk.source_policy if isinstance(target, Uri) else target.source_policy,
            },
            credentials={
                Side.CALLER: trunk.credentials,
                Side.CALLEE: None if isinstance(target, Uri) else target.credentials,
            },
            voice=trunk.voice,
        )

    def dialled(self, route: Route, request: Request, dialled: Dialled) -> Route | Refusal:
        """Where ``request``, that would go by ``route``, goes when somebody else is called."""
        if dialled.to is None:
            return route
        if not isinstance(dialled.to, Uri):
            uri = parse_any_uri(route.request_uri)
            place = uri if uri.host else dataclasses.replace(route.next_hop, parameters=())
            to = dataclasses.replace(place, user=dialled.to, password=None)
            return dataclasses.replace(route, request_uri=str(to))
        uri = dataclasses.replace(dialled.to, headers="")
        if uri.scheme not in ("sip", "sips"):
            return Refusal(416, f"no call can go to a {uri.scheme}: URI")
        if self._is_ours(uri):
            return Refusal(482, "the next hop is this server")
        there = self._trunk_at(uri)
        here = there or self._trunks.get(route.trunk)
        edge = route.callee_edge if here is None else here.edge
        next_hop = uri
        if there is not None and there.uri is not None and transport_of(uri) is None:
            next_hop = there.uri
        transport = transport_of(next_hop) or default_transport(self._edges[edge])
        if transport not in self._edges[edge].transports:
            return Refusal(480, f"edge {edge!r} has no transport that leads there")
        if request.target.secure and transport is not Transport.TLS:
            return Refusal(480, "sips goes over TLS only, the next hop is reached without")  # RFC 5630 4
        callee = route.policies[Side.CALLER] if there is None else there.source_policy
        return dataclasses.replace(
            route,
            to=str(next_hop) if there is None else there.name,
            next_hop=next_hop,
            request_uri=str(uri),
            callee_edge=edge,
            policies={**route.policies, Side.CALLEE: callee},
            credentials={**route.credentials, Side.CALLEE: None if there is None else there.credentials},
        )

    def _trunk_at(self, uri: Uri) -> Trunk | None:
        """The trunk that is reached at the same host and port; a transport that both name is the same."""
        for trunk in self._trunks.values():
            if trunk.uri is None or not _same_host(trunk.uri.host, uri.host):
                continue
            ways = {transport_of(trunk.uri), transport_of(uri)} - {None}
            if len(ways) <= 1 and _port(trunk.uri) == _port(uri):
                return trunk
        return None

    def _check(self, trunk: Trunk) -> None:
        if trunk.edge not in self._edges:
            raise ConfigurationError(f"trunk {trunk.name!r}: edge {trunk.edge!r} does not exist")
        if isinstance(trunk.to, str) and trunk.to not in self._trunks:
            raise ConfigurationError(f"trunk {trunk.name!r}: its calls go to {trunk.to!r}, which is no trunk")

    def _trunk_of(self, host: str) -> Trunk | None:
        address = numeric_address(host.partition("%")[0])
        if address is None:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        best: tuple[int, Trunk] | None = None
        for trunk in self._trunks.values():
            for network in trunk.sources:
                if address in network and (best is None or network.prefixlen > best[0]):
                    best = (network.prefixlen, trunk)
        return None if best is None else best[1]

    def _request_uri(self, request: Request, next_hop: Uri, named: LegEnd | None) -> str:
        """One that is nothing but us is our Contact, and stands for the party whose call is replaced."""
        uri = request.target
        if uri.scheme not in ("sip", "sips") or not self._names_us(uri):
            return request.uri
        if named is not None and named.contact and not uri.user:
            return named.contact
        return str(uri.with_host_port(next_hop.host, next_hop.port))

    def _names_us(self, uri: Uri) -> bool:
        """Whether a host is one of ours; a port, where it is said, must be ours too."""
        return any(
            _same_host(uri.host, host) and uri.port in (None, port)
            for edge in self._edges.values()
            for host, port in _places(edge)
        )

    def _is_ours(self, uri: Uri) -> bool:
        return self._names_us(dataclasses.replace(uri, port=_port(uri)))


def catch_all(next_hop: Uri, edge: str, policy: SourcePolicy = SourcePolicy.STRICT) -> Trunk:
    """The one trunk of the simplest case: every call from anywhere goes to ``next_hop``."""
    return Trunk(name="default", sources=EVERYWHERE, to=next_hop, edge=edge, source_policy=policy)


def _places(edge: Edge) -> Iterable[tuple[str, int]]:
    yield edge.sip_advertised.host, edge.sip_advertised.port
    yield edge.sip_bind.host, edge.sip_bind.port
    if Transport.TLS in edge.transports:
        yield from ((at.host, at.port) for at in (edge.tls_advertised, edge.tls_bind) if at is not None)
    if edge.sip_bind.host in _UNSPECIFIED:
        yield from ((host, edge.sip_bind.port) for host in sorted(_LOOPBACK))


def _port(uri: Uri) -> int:
    """The port that a URI means (RFC 3261 19.1.2)."""
    default = Transport.TLS if uri.secure or uri.transport == "tls" else Transport.UDP
    return uri.port or default.default_port


def _same_host(one: str, other: str) -> bool:
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    if one == other:
        return True
    address = numeric_address(one)
    return address is not None and address == numeric_address(other)
