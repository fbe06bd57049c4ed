"""The trunks: which calls are taken, and where they go."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from siprec_src.communication import CallDirection
from siprec_src.config.addresses import sip_uri
from siprec_src.config.lines import KeyPath
from siprec_src.config.secrets import credentials_of
from siprec_src.config.settings import SipSettings, TrunkSettings
from siprec_src.config.sources import Problems, suggestion
from siprec_src.config.voice import voice_of
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.routing import RoutingTable, Trunk, catch_all
from siprec_src.media.model import SourcePolicy
from siprec_src.sip.flow import Edge, Transport
from siprec_src.sip.target import transport_of
from siprec_src.sip.uri import Uri


def build_trunks(
    given: tuple[TrunkSettings | None, ...],
    sip: SipSettings | None,
    edges: Mapping[str, Edge],
    problems: Problems,
) -> tuple[Trunk, ...]:
    """The trunks, the last one for ``sip.route``; a broken ``[sip]``, None, may have had that."""
    before = len(problems.found)
    names = [settings.name if settings is not None else "" for settings in given]
    trunks: list[Trunk] = []
    for number, settings in enumerate(given):
        path: KeyPath = ("trunk", number)
        if settings is None:
            continue
        if settings.name in names[:number]:
            problems.add((*path, "name"), f"trunk {settings.name!r} is there already")
        elif (trunk := _trunk(settings, path, names, edges, problems)) is not None:
            trunks.append(trunk)
    if sip is not None and sip.route:
        next_hop = sip_uri(sip.route, ("sip", "route"), problems)
        if next_hop is not None:
            trunks.append(catch_all(next_hop, next(iter(edges)), SourcePolicy(sip.media_source)))
    elif sip is not None and not given:
        problems.found.append("no calls could be taken: give --route, or a [[trunk]]")
    if len(problems.found) == before and None not in given:
        try:
            RoutingTable(trunks, edges)
        except ConfigurationError as error:
            problems.add(("trunk",), str(error))
    _check_ways(trunks, edges, problems)
    return tuple(trunks)


def _check_ways(trunks: Iterable[Trunk], edges: Mapping[str, Edge], problems: Problems) -> None:
    """A next hop whose transport its edge does not have would fail every call."""
    for trunk in trunks:
        for uri in (trunk.uri, trunk.to):
            asked = transport_of(uri) if isinstance(uri, Uri) else None
            if isinstance(asked, Transport) and asked not in edges[trunk.edge].transports:
                what = f"edge {trunk.edge!r} has no {asked.value}, which its next hop is reached by"
                problems.found.append(f"trunk {trunk.name!r}: {what}")


def _trunk(
    settings: TrunkSettings,
    path: KeyPath,
    names: list[str],
    edges: Mapping[str, Edge],
    problems: Problems,
) -> Trunk | None:
    before = len(problems.found)
    edge = settings.edge or next(iter(edges))
    if edge not in edges:
        problems.add((*path, "edge"), f"edge {edge!r} does not exist{suggestion(edge, edges)}")
    sources = []
    for text in settings.sources:
        try:
            sources.append(ipaddress.ip_network(text))
        except ValueError as error:
            problems.add((*path, "from"), str(error))
    to: str | Uri | None = settings.to
    if settings.to not in names:
        if ":" not in settings.to:
            hint = suggestion(settings.to, names)
            problems.add((*path, "to"), f"{settings.to!r} is neither a trunk nor a SIP URI{hint}")
        to = sip_uri(settings.to, (*path, "to"), problems) if ":" in settings.to else None
    uri = sip_uri(settings.uri, (*path, "uri"), problems) if settings.uri else None
    credentials = credentials_of(settings, path, problems)
    voice = voice_of(settings, path, problems)
    if to is None or len(problems.found) > before:
        return None
    return Trunk(
        name=settings.name,
        sources=tuple(sources),
        to=to,
        uri=uri,
        edge=edge,
        direction=CallDirection(settings.direction),
        source_policy=SourcePolicy(settings.media_source),
        credentials=credentials,
        voice=voice,
    )
