"""What must hold between the keys, and the result: everything the daemon is made of, as values."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siprec_src.app import sounds
from siprec_src.config.build import build_sections
from siprec_src.config.lines import KeyPath
from siprec_src.config.secrets import read_credentials, read_headers, read_token
from siprec_src.config.settings import (
    DaemonSettings,
    EdgeSettings,
    HttpSettings,
    MediaSettings,
    SipSettings,
    TelemetrySettings,
    TrunkSettings,
)
from siprec_src.config.sources import Problems, merge, suggestion
from siprec_src.config.tls import Entry, PeerTls, check_files, peers_with_tls
from siprec_src.errors import ConfigurationError, RemoteProtocolError
from siprec_src.ingest.inline.routing import RoutingTable, Trunk, catch_all
from siprec_src.ingest.inline.settings import IndicationSettings
from siprec_src.media.model import Sound, SourcePolicy
from siprec_src.net.sockets import default_route_address
from siprec_src.net.tls import TlsContexts, TlsSettings
from siprec_src.recording.copies import crowded
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import SrsConfig, SrsTarget, parse_target
from siprec_src.sip.credentials import Credentials, SecretText
from siprec_src.sip.flow import Address, Edge, Transport
from siprec_src.sip.target import transport_of
from siprec_src.sip.uri import Uri, parse_uri

DEFAULT_EDGE = "default"
DNS_PORT = 53


class InvalidConfiguration(ConfigurationError):
    """At least one thing is wrong; `problems` names each with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that can be run."""

    daemon: DaemonSettings
    http: HttpSettings
    sip: SipSettings
    media: MediaSettings
    telemetry: TelemetrySettings
    tls: TlsSettings
    tls_peers: Mapping[str, PeerTls]  #: by host, where an entry has keys of its own
    edges: Mapping[str, Edge]  #: the first one is the default
    trunks: tuple[Trunk, ...]
    recording: RecordingSettings
    indication: IndicationSettings
    srs: tuple[SrsConfig, ...]
    targets: tuple[SrsTarget, ...]  #: of `srs`, in order
    http_listen: Address | None
    http_token: SecretText | None = dataclasses.field(repr=False)  #: that commands by HTTP must show
    dns_servers: tuple[Address, ...]  #: none: the system's
    notes: tuple[str, ...]  #: what was chosen for the operator, or deserves a warning
    values: dict[str, Any]  #: what it was made from, for the processes that make it again


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """The configuration of this start.

    Raises:
        InvalidConfiguration: with everything that is wrong.
    """
    problems = Problems()
    values = merge(file, environment, flags, problems)
    if problems.unreadable:
        raise InvalidConfiguration(problems.found)
    config = _config(values, problems)
    notes = check_files(config.edges.values(), config.tls, config.tls_peers, problems)
    _check_sounds(config.indication, problems)
    if problems.found:
        raise InvalidConfiguration(problems.found)
    return dataclasses.replace(config, notes=(*config.notes, *notes))


def from_values(values: dict[str, Any]) -> Config:
    """The configuration made again from `Config.values`; the files that it names are not looked at."""
    return _config(values, Problems())


def _check_sounds(indication: IndicationSettings, problems: Problems) -> None:
    """Files that parties are to hear must be there, and of the right kind, before the first call."""
    for key, file in (
        ("tone_file", indication.tone_file),
        ("announcement_file", indication.announcement_file),
    ):
        try:
            sounds.render(Sound(file=file))
        except (OSError, ValueError) as error:
            problems.add(("indication", key), str(error))


def read_tls(config: Config) -> TlsContexts:
    """The files of ``[tls]``, and of the entries that have their own; tens of milliseconds.

    Raises:
        ConfigurationError: naming the key whose file cannot be used.
    """
    return TlsContexts.load(config.tls, {host: peer.settings for host, peer in config.tls_peers.items()})


def _config(values: dict[str, Any], problems: Problems) -> Config:
    built = build_sections(values, problems)
    # A broken section is checked no further; the others still are, so that one run finds every error.
    sip: SipSettings = built["sip"] or SipSettings()
    media: MediaSettings = built["media"] or MediaSettings()
    daemon: DaemonSettings = built["daemon"] or DaemonSettings()
    http: HttpSettings = built["http"] or HttpSettings()
    recording: RecordingSettings = built["recording"] or RecordingSettings()
    notes: list[str] = []
    dns_servers = _name_servers(sip.dns_servers, problems)
    http_listen = _listen(http.listen, ("http", "listen"), problems) if http.listen else None
    http_token = _token(http, problems)
    edges, complete = _edges(built["edge"], sip, media, problems, notes)
    trunks: tuple[Trunk, ...] = ()
    targets: tuple[SrsTarget, ...] = ()
    if complete:
        trunks = _trunks(built["trunk"], built["sip"], edges, problems)
        _check_ways(trunks, edges, problems)
        targets = _targets(built["srs"], edges, problems)
        _check_agents(targets, trunks, problems)
    if problems.found:
        raise InvalidConfiguration(problems.found)
    tls = built["tls"] or TlsSettings()
    tls_peers = peers_with_tls(tls, _entries(built["trunk"], trunks, targets), problems)
    if problems.found:
        raise InvalidConfiguration(problems.found)
    notes.extend(f"{target.name}: {target.warning}" for target in targets if target.warning)
    notes.extend(crowded(targets, recording))
    return Config(
        daemon=daemon,
        http=http,
        sip=sip,
        media=media,
        telemetry=built["telemetry"] or TelemetrySettings(),
        tls=tls,
        tls_peers=tls_peers,
        edges=edges,
        trunks=trunks,
        recording=recording,
        indication=built["indication"] or IndicationSettings(),
        srs=tuple(target.config for target in targets),
        targets=targets,
        http_listen=http_listen,
        http_token=http_token,
        dns_servers=dns_servers,
        notes=tuple(notes),
        values=values,
    )


def _entries(
    given: tuple[TrunkSettings | None, ...], trunks: tuple[Trunk, ...], targets: tuple[SrsTarget, ...]
) -> list[Entry]:
    """Every entry that names a host to which connections are opened."""
    uris = {trunk.name: trunk.uri for trunk in trunks}
    entries: list[Entry] = []
    for number, settings in enumerate(given):
        uri = None if settings is None else uris.get(settings.name)
        if settings is not None and uri is not None:
            entries.append((("trunk", number), settings, uri))
    entries.extend((("srs", number), target.config, target.uri) for number, target in enumerate(targets))
    return entries


def _edges(
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
    bind = _listen(settings.listen, (*path, "listen"), problems)
    if bind is None:
        return None
    host, port = settings.advertised, bind.port
    if ":" in host and not _is_numeric(host):
        at = _listen(host, (*path, "advertised"), problems, numeric=False)
        if at is None:
            return None
        host, port = at.host, at.port
    tls_bind = _tls_bind(settings, bind, path, problems)
    if tls_bind is None:
        return None
    host = host or _reachable(bind.host, f"edge {settings.name}", notes)
    rtp_bind = settings.rtp_bind or bind.host
    if not _is_numeric(rtp_bind):
        problems.add((*path, "rtp_bind"), f"{rtp_bind!r}: expected a numeric address")
        return None
    rtp_host = settings.rtp_advertised or (host if _is_numeric(host) else "")
    rtp_host = rtp_host or _reachable(rtp_bind, f"media of edge {settings.name}", notes)
    if not _is_numeric(rtp_host):
        problems.add((*path, "rtp_advertised"), f"{rtp_host!r}: expected a numeric address")
        return None
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
    )


def _tls_bind(settings: EdgeSettings, bind: Address, path: KeyPath, problems: Problems) -> Address | None:
    """Where the edge would accept TLS; None when that cannot be used."""
    default = Address(bind.host, Transport.TLS.default_port if bind.port else 0)
    where = (
        default if not settings.tls_listen else _listen(settings.tls_listen, (*path, "tls_listen"), problems)
    )
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


def _check_ways(trunks: tuple[Trunk, ...], edges: Mapping[str, Edge], problems: Problems) -> None:
    """A next hop whose transport its edge does not have would fail every call."""
    for trunk in trunks:
        for uri in (trunk.uri, trunk.to):
            asked = transport_of(uri) if isinstance(uri, Uri) else None
            if isinstance(asked, Transport) and asked not in edges[trunk.edge].transports:
                what = f"edge {trunk.edge!r} has no {asked.value}, which its next hop is reached by"
                problems.found.append(f"trunk {trunk.name!r}: {what}")


def _reachable(host: str, what: str, notes: list[str]) -> str:
    """``host``, or when it means "every interface" the address of the default route's one."""
    if not ipaddress.ip_address(host).is_unspecified:
        return host
    chosen = default_route_address(host)
    notes.append(f"{what}: peers are told {chosen}, the address towards the default route")
    return chosen


def _check_overlap(edge: Edge, others: Any, path: KeyPath, problems: Problems) -> None:
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


def _trunks(
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
        next_hop = _uri(sip.route, ("sip", "route"), problems)
        if next_hop is not None:
            trunks.append(catch_all(next_hop, next(iter(edges)), SourcePolicy(sip.media_source)))
    elif sip is not None and not given:
        problems.found.append("no calls could be taken: give --route, or a [[trunk]]")
    if len(problems.found) == before and None not in given:
        try:
            RoutingTable(trunks, edges)
        except ConfigurationError as error:
            problems.add(("trunk",), str(error))
    return tuple(trunks)


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
        to = _uri(settings.to, (*path, "to"), problems) if ":" in settings.to else None
    uri = _uri(settings.uri, (*path, "uri"), problems) if settings.uri else None
    credentials = _credentials(settings, path, problems)
    if to is None or len(problems.found) > before:
        return None
    return Trunk(
        name=settings.name,
        sources=tuple(sources),
        to=to,
        uri=uri,
        edge=edge,
        source_policy=SourcePolicy(settings.media_source),
        credentials=credentials,
    )


def _targets(
    given: tuple[SrsConfig | None, ...], edges: Mapping[str, Edge], problems: Problems
) -> tuple[SrsTarget, ...]:
    if not given:
        problems.found.append("nothing would be recorded: give --srs, or an [[srs]]")
    targets: list[SrsTarget] = []
    for number, config in enumerate(given):
        if config is None:
            continue
        try:
            targets.append(parse_target(_with_secrets(config, ("srs", number), problems), edges))
        except ConfigurationError as error:
            problems.add(("srs", number, "uri"), str(error))
    return tuple(targets)


def _check_agents(targets: tuple[SrsTarget, ...], trunks: tuple[Trunk, ...], problems: Problems) -> None:
    names = [trunk.name for trunk in trunks]
    for number, target in enumerate(targets):
        for name in target.config.agents:
            if name not in names:
                problems.add(("srs", number, "agents"), f"no trunk {name!r}{suggestion(name, names)}")


def _with_secrets(config: SrsConfig, path: KeyPath, problems: Problems) -> SrsConfig:
    """What the files and variables hold that an SRS's keys name."""
    headers: tuple[tuple[str, str], ...] = ()
    try:
        headers = read_headers(config.headers)
    except ConfigurationError as error:
        _blame(path, error, problems)
    return dataclasses.replace(
        config, credentials=_credentials(config, path, problems), secret_headers=headers
    )


def _credentials(
    settings: SrsConfig | TrunkSettings, path: KeyPath, problems: Problems
) -> Credentials | None:
    try:
        return read_credentials(
            settings.username,
            settings.password_file,
            settings.password_env,
            allow_md5=settings.allow_md5,
        )
    except ConfigurationError as error:
        _blame(path, error, problems)
        return None


def _token(http: HttpSettings, problems: Problems) -> SecretText | None:
    try:
        return read_token(http.token_file, http.token_env)
    except ConfigurationError as error:
        _blame(("http",), error, problems)
        return None


def _blame(path: KeyPath, error: ConfigurationError, problems: Problems) -> None:
    """An error whose text begins with its key."""
    key, _, what = str(error).partition(": ")
    problems.add((*path, key), what)


def _uri(text: str, path: KeyPath, problems: Problems) -> Uri | None:
    try:
        uri = parse_uri(text)
    except RemoteProtocolError as error:
        problems.add(path, str(error))
        return None
    if uri.scheme not in ("sip", "sips"):
        problems.add(path, f"{text!r}: expected a sip: URI")
        return None
    return uri


def _listen(text: str, path: KeyPath, problems: Problems, *, numeric: bool = True) -> Address | None:
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") if host.startswith("[") else host
    if not colon or not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        problems.add(path, f"{text!r}: expected ADDRESS:PORT")
        return None
    if numeric and not _is_numeric(host):
        hint = "" if path[0] == "http" else "; a name that peers shall use goes into 'advertised'"
        what = f"expected a numeric address before the port, such as 127.0.0.1:{port}{hint}"
        problems.add(path, f"{text!r}: {what}")
        return None
    return Address(host, int(port))


def _name_servers(given: tuple[str, ...], problems: Problems) -> tuple[Address, ...]:
    """Name servers; the port is 53 where none is given."""
    found = []
    for number, text in enumerate(given):
        if _is_numeric(text.strip("[]")):
            found.append(Address(text.strip("[]"), DNS_PORT))
        elif (server := _listen(text, ("sip", "dns_servers", number), problems)) is not None:
            found.append(server)
    return tuple(found)


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
