"""What must hold between the keys, and the result: everything the daemon is made of, as values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siprec_src.api.accounts import Accounts
from siprec_src.api.callbacks.settings import CallbackSettings
from siprec_src.api.settings import HttpSettings
from siprec_src.app import sounds
from siprec_src.config.accounts import build_accounts, check_http, check_http_files
from siprec_src.config.addresses import listen_address, name_servers
from siprec_src.config.build import build_sections
from siprec_src.config.callbacks import check_callback_files
from siprec_src.config.connectors import TABLE, build_connectors
from siprec_src.config.edges import build_edges
from siprec_src.config.profiles import TABLE as PROFILES
from siprec_src.config.rules import build_rules
from siprec_src.config.secrets import token_of
from siprec_src.config.settings import (
    DaemonSettings,
    MediaSettings,
    SipSettings,
    TelemetrySettings,
    TrunkSettings,
)
from siprec_src.config.sources import Problems, merge
from siprec_src.config.targets import build_targets
from siprec_src.config.tls import Entry, PeerTls, check_files, peers_with_tls
from siprec_src.config.trunks import build_trunks
from siprec_src.config.voice import check_voice
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.routing import Trunk
from siprec_src.ingest.inline.settings import IndicationSettings
from siprec_src.media.model import Sound
from siprec_src.net.tls import TlsContexts, TlsSettings
from siprec_src.recording.connector import Connectors
from siprec_src.recording.copies import crowded
from siprec_src.recording.rule import Rule
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import SrsConfig, SrsTarget
from siprec_src.sip.flow import Address, Edge
from siprec_src.values import SecretText, immutable


class InvalidConfiguration(ConfigurationError):
    """At least one thing is wrong; `problems` names each with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@immutable
class Config:
    """A configuration that can be run."""

    daemon: DaemonSettings
    http: HttpSettings
    sip: SipSettings
    media: MediaSettings
    telemetry: TelemetrySettings
    callbacks: CallbackSettings
    tls: TlsSettings
    tls_peers: Mapping[str, PeerTls]  #: by host, where an entry has keys of its own
    edges: Mapping[str, Edge]  #: the first one is the default
    trunks: tuple[Trunk, ...]
    recording: RecordingSettings
    indication: IndicationSettings
    srs: tuple[SrsConfig, ...]
    targets: tuple[SrsTarget, ...]  #: of `srs`, in order
    connectors: Connectors
    rules: tuple[Rule, ...]  #: which calls are recorded, in order
    http_listen: Address | None
    http_token: SecretText | None = dataclasses.field(repr=False)  #: that the operator must show by HTTP
    accounts: Accounts
    dns_servers: tuple[Address, ...]  #: none: the system's
    notes: tuple[str, ...]  #: what was chosen for the operator, or deserves a warning
    values: dict[str, Any]  #: what it was made from, for the processes that make it again


def load(
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any],
    connectors: str | None = None,
) -> Config:
    """The configuration of this start; with ``connectors``, as it would be if that stood in their file.

    Raises:
        InvalidConfiguration: with everything that is wrong.
    """
    problems = Problems()
    values = merge(file, environment, flags, problems, connectors)
    if problems.unreadable:
        raise InvalidConfiguration(problems.found)
    config = _config(values, problems)
    notes = check_files(config.edges.values(), config.tls, config.tls_peers, problems)
    _check_sounds(config.indication, problems)
    check_http_files(config.http, problems)
    check_callback_files(config.callbacks, problems)
    _end_if(problems)
    return dataclasses.replace(config, notes=(*config.notes, *notes))


def from_values(values: dict[str, Any]) -> Config:
    """The configuration made again from `Config.values`; the files that it names are not looked at."""
    return _config(values, Problems())


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
    http: HttpSettings = built["http"] or HttpSettings()
    recording: RecordingSettings = built["recording"] or RecordingSettings()
    notes: list[str] = []
    dns_servers = name_servers(sip.dns_servers, problems)
    http_listen = listen_address(http.listen, ("http", "listen"), problems) if http.listen else None
    http_token = token_of(http, problems)
    accounts = build_accounts(built["account"], built["trunk"], problems)
    check_http(http_listen, http, accounts, problems)
    check_voice(built["trunk"], accounts, problems)
    edges, complete = build_edges(built["edge"], sip, media, problems, notes)
    trunks = build_trunks(built["trunk"], built["sip"], edges, problems) if complete else ()
    targets = build_targets(built["srs"], trunks, edges, problems) if complete else ()
    connectors = Connectors()
    if complete:
        connectors = build_connectors(built["connector"], built[PROFILES], trunks, edges, problems)
        targets, connectors = connectors.told_apart_from(targets)
    if not built["srs"] and not built["connector"]:
        problems.found.append("nothing would be recorded: give --srs, or an [[srs]], or a [[connector]]")
    rules = build_rules(built["rule"], trunks, targets, connectors, problems) if complete else ()
    if not targets:
        recording = dataclasses.replace(recording, automatic=False)  # connectors are for what is asked for
    _end_if(problems)
    tls = built["tls"] or TlsSettings()
    tls_peers = peers_with_tls(tls, _entries(built["trunk"], trunks, targets, connectors), problems)
    _end_if(problems)
    notes.extend(
        f"{target.name}: {target.warning}" for target in (*targets, *connectors.targets) if target.warning
    )
    return Config(
        daemon=built["daemon"] or DaemonSettings(),
        http=http,
        sip=sip,
        media=media,
        telemetry=built["telemetry"] or TelemetrySettings(),
        callbacks=built["callbacks"] or CallbackSettings(),
        tls=tls,
        tls_peers=tls_peers,
        edges=edges,
        trunks=trunks,
        recording=recording,
        indication=built["indication"] or IndicationSettings(),
        srs=tuple(target.config for target in targets),
        targets=targets,
        connectors=connectors,
        rules=rules,
        http_listen=http_listen,
        http_token=http_token,
        accounts=accounts,
        dns_servers=dns_servers,
        notes=(*notes, *crowded(targets, recording)),
        values=values,
    )


def _end_if(problems: Problems) -> None:
    if problems.found:
        raise InvalidConfiguration(problems.found)


def _entries(
    given: tuple[TrunkSettings | None, ...],
    trunks: tuple[Trunk, ...],
    targets: tuple[SrsTarget, ...],
    connectors: Connectors,
) -> list[Entry]:
    """Every entry that names a host to which connections are opened."""
    uris = {trunk.name: trunk.uri for trunk in trunks}
    entries: list[Entry] = []
    for number, settings in enumerate(given):
        uri = None if settings is None else uris.get(settings.name)
        if settings is not None and uri is not None:
            entries.append((("trunk", number), settings, uri))
    entries.extend((("srs", number), target.config, target.uri) for number, target in enumerate(targets))
    for number, connector in enumerate(connectors.every):
        path = ("connector", number, TABLE)
        entries.extend((path, target.config, target.uri) for target in connector.targets)
    return entries


def _check_sounds(indication: IndicationSettings, problems: Problems) -> None:
    """Files that parties are to hear must be there, and of the right kind, before the first call."""
    for key, file in (
        ("tone_file", indication.tone_file),
        ("announcement_file", indication.announcement_file),
    ):
        try:
            sounds.render(Sound(file=file))
        except OSError as error:
            problems.add(("indication", key), f"{file}: {error.strerror}")
        except ValueError as error:
            problems.add(("indication", key), str(error))
