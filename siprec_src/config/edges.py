"""The edges: where the daemon listens, and what it tells its peers of that."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from siprec_src.config.addresses import is_numeric, listen_address
from siprec_src.config.lines import KeyPath
from siprec_src.config.settings import EdgeSettings, MediaSettings, SipSettings
from siprec_src.config.sources import Problems
from siprec_src.net.sockets import default_route_address
from siprec_src.sip.flow import Address, Edge, Transport

DEFAULT_EDGE: Final = "default"


def build_edges(
    given: tuple[EdgeSettings | None, ...],
    sip: SipSettings,
    media: MediaSettings,
    problems: Problems,
    notes: list[str],
) -> tuple[dict[str, Edge], bool]:
    """The edges that can be used, and whether these are all."""
    before = len(problems.found)
    paths: list[KeyPath] = [("edge", number) for number in range(len(given))]
    if not given:
        given = (
            EdgeSettings(
                name=DEFAULT_EDGE,
                listen=sip.listen,
                advertised=sip.advertised,
                transports=sip.transports,
                tls_listen=sip.tls_listen,
                rtp_low=media.rtp_low,
                rtp_high=media.rtp_high,
            ),
        )
        paths = [("sip",)]
    edges: dict[str, Edge] = {}
    for settings, path in zip(given, paths, strict=True):
        if settings is None:
            continue
        if settings.name in edges:
            problems.add((*path, "name"), f"edge {settings.name!r} is there already")
            continue
        edge = _edge(settings, path, problems, notes)
        if edge is not None:
            _check_overlap(edge, edges.values(), path, problems)
            edges[edge.name] = edge
    return edges, len(problems.found) == before and None not in given


def _edge(settings: EdgeSettings, path: KeyPath, problems: Problems, notes: list[str]) -> Edge | None:
    bind = listen_address(settings.listen, (*path, "listen"), problems)
    if bind is None:
        return None
    host, port = settings.advertised, bind.port
    if ":" in host and not is_numeric(host):
        at = listen_address(host, (*path, "advertised"), problems, numeric=False)
        if at is None:
            return None
        host, port = at.host, at.port
    tls_bind = _tls_bind(settings, bind, path, problems)
    if tls_bind is None:
        return None
    host = host or _reachable(bind.host, f"edge {settings.name}", notes)
    rtp_bind = settings.rtp_bind or bind.host
    if not is_numeric(rtp_bind):
        problems.add((*path, "rtp_bind"), f"{rtp_bind!r}: expected a numeric address")
        return None
    rtp_host = settings.rtp_advertised or (host if is_numeric(host) else "")
    rtp_host = rtp_host or _reachable(rtp_bind, f"media of edge {settings.name}", notes)
    if not is_numeric(rtp_host):
        problems.add((*path, "rtp_advertised"), f"{rtp_host!r}: expected a numeric address")
        return None
    _check_within("signalling_networks", settings.signalling_networks, host, path, problems)
    _check_within("media_networks", settings.media_networks, rtp_host, path, problems)
    return Edge(
        name=settings.name,
        sip_bind=bind,
        sip_advertised=Address(host, port),
        transports=tuple(Transport[name.upper()] for name in settings.transports),
        rtp_bind=rtp_bind,
        rtp_advertised=rtp_host,
        rtp_low=settings.rtp_low,
        rtp_high=settings.rtp_high,
        tls_bind=tls_bind,
        tls_advertised=Address(host, tls_bind.port),
        signalling_networks=settings.signalling_networks,
        media_networks=settings.media_networks,
    )


def _check_within(key: str, networks: tuple[str, ...], host: str, path: KeyPath, problems: Problems) -> None:
    """An SRS that admits ``networks`` alone must see us in them; where a name leads is not known here."""
    try:
        known = [ipaddress.ip_network(network) for network in networks]
    except ValueError as error:
        problems.add((*path, key), str(error))
        return
    if known and is_numeric(host) and not any(ipaddress.ip_address(host) in network for network in known):
        problems.add((*path, key), f"{host}, which peers are told, is in none of them")


def _tls_bind(settings: EdgeSettings, bind: Address, path: KeyPath, problems: Problems) -> Address | None:
    """Where the edge would accept TLS; None when that cannot be used."""
    default = Address(bind.host, Transport.TLS.default_port if bind.port else 0)
    given = settings.tls_listen
    where = listen_address(given, (*path, "tls_listen"), problems) if given else default
    if where is None:
        return None
    names = {name.lower() for name in settings.transports}
    if {"tcp", "tls"} <= names and where == bind and bind.port:
        problems.add((*path, "tls_listen"), f"{where} is where the edge listens for TCP")
        return None
    if ipaddress.ip_address(where.host).version != ipaddress.ip_address(bind.host).version:
        problems.add((*path, "tls_listen"), f"{where}: expected an address of the family of {bind.host}")
        return None
    return where


def _reachable(host: str, what: str, notes: list[str]) -> str:
    """``host``, or when it means "every interface" the address of the default route's one."""
    if not ipaddress.ip_address(host).is_unspecified:
        return host
    chosen = default_route_address(host)
    notes.append(f"{what}: peers are told {chosen}, the address towards the default route")
    return chosen


def _check_overlap(edge: Edge, others: Iterable[Edge], path: KeyPath, problems: Problems) -> None:
    for other in others:
        if _share(edge.rtp_bind, other.rtp_bind) and not (
            edge.rtp_high < other.rtp_low or other.rtp_high < edge.rtp_low
        ):
            problems.add((*path, "rtp_low"), f"its RTP ports overlap those of edge {other.name!r}")
        same_port = edge.sip_bind.port == other.sip_bind.port != 0
        if same_port and _share(edge.sip_bind.host, other.sip_bind.host):
            problems.add((*path, "listen"), f"{edge.sip_bind} is that of edge {other.name!r}")
        at, taken = _over_tls(edge), _over_tls(other)
        if at is None or taken is None:
            continue
        if at.port == taken.port != 0 and _share(at.host, taken.host):
            problems.add((*path, "tls_listen"), f"{at} is that of edge {other.name!r}")


def _over_tls(edge: Edge) -> Address | None:
    return edge.tls_bind if Transport.TLS in edge.transports else None


def _share(one: str, other: str) -> bool:
    a, b = ipaddress.ip_address(one), ipaddress.ip_address(other)
    return a.version == b.version and (a == b or a.is_unspecified or b.is_unspecified)
