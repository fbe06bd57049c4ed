"""The connectors: each an SRS with all that an ``[[srs]]`` can say, and those that stand in for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from siprec_src.config.build import build_table
from siprec_src.config.lines import KeyPath
from siprec_src.config.profiles import unknown_profile, with_profile
from siprec_src.config.secrets import field_of
from siprec_src.config.settings import ConnectorSettings
from siprec_src.config.sources import Problems
from siprec_src.config.targets import completed, target_at
from siprec_src.ingest.inline.routing import Trunk
from siprec_src.recording.connector import Connector, Connectors, sid_of
from siprec_src.recording.srs import SrsConfig, SrsTarget
from siprec_src.sip.flow import Edge
from siprec_src.sip.message import header_key

TABLE: Final = "srs"  #: ``[connector.srs]``, keys of an ``[[srs]]``
ELSEWHERE: Final = ("uri", "profile", "copy")  #: which the connector says itself, or which mean nothing here


def build_connectors(
    given: tuple[ConnectorSettings | None, ...],
    profiles: Mapping[str, Mapping[str, Any]],
    trunks: tuple[Trunk, ...],
    edges: Mapping[str, Edge],
    problems: Problems,
) -> Connectors:
    """The connectors whose keys can be used; what is wrong with the others is told to ``problems``."""
    found: list[Connector] = []
    for number, settings in enumerate(given):
        path: KeyPath = ("connector", number)
        if settings is None:
            continue
        sid = settings.sid or sid_of(settings.name)
        if any(settings.name == known.name for known in found):
            problems.add((*path, "name"), f"connector {settings.name!r} is there already")
        elif any(sid == known.sid for known in found):
            problems.add((*path, "sid"), f"{sid} is that of another connector")
        targets = _targets(settings, path, profiles, trunks, edges, problems)
        found.append(Connector(sid=sid, name=settings.name, use_in=settings.use_in, targets=targets))
    return Connectors(every=tuple(found))


def _targets(
    settings: ConnectorSettings,
    path: KeyPath,
    profiles: Mapping[str, Mapping[str, Any]],
    trunks: tuple[Trunk, ...],
    edges: Mapping[str, Edge],
    problems: Problems,
) -> tuple[SrsTarget, ...]:
    config = _config(settings, path, profiles, problems)
    if config is None:
        return ()
    config = _with_credentials(config, settings, path, problems)
    config = completed(config, (*path, TABLE), trunks, problems)
    uris = [((*path, "uri"), settings.uri)]
    uris += [((*path, "failover", index), uri) for index, uri in enumerate(settings.failover)]
    targets = (target_at(dataclasses.replace(config, uri=uri), at, edges, problems) for at, uri in uris)
    return tuple(target for target in targets if target is not None)


def _config(
    settings: ConnectorSettings,
    path: KeyPath,
    profiles: Mapping[str, Mapping[str, Any]],
    problems: Problems,
) -> SrsConfig | None:
    """What holds for all its SRSs, with the URI of the first."""
    if settings.profile not in profiles:
        problems.add((*path, "profile"), unknown_profile(settings.profile, profiles))
        return None
    own = {key: value for key, value in settings.srs.items() if key not in ELSEWHERE}
    inner: KeyPath = (*path, TABLE)
    for key in ELSEWHERE:
        if key in settings.srs:
            problems.add((*inner, key), "does not stand here: the connector says it, or needs none")
    entry = {**own, "uri": settings.uri, "profile": settings.profile}
    return build_table(SrsConfig, with_profile(entry, profiles, inner, problems), inner, problems)


def _with_credentials(
    config: SrsConfig, settings: ConnectorSettings, path: KeyPath, problems: Problems
) -> SrsConfig:
    """The field that shows the SRS who we are, as one of its secret ones."""
    if any(header_key(name) == header_key(settings.credentials_header) for name in config.headers):
        problems.add((*path, "credentials_header"), "is one of headers too")
    return dataclasses.replace(config, secret_headers=field_of(settings, path, problems))
