"""The SRSs: where recordings go, and of which trunks' calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from siprec_src.config.lines import KeyPath
from siprec_src.config.secrets import credentials_of, headers_of
from siprec_src.config.sources import Problems, suggestion
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.routing import Trunk
from siprec_src.recording.srs import SrsConfig, SrsTarget, parse_target
from siprec_src.sip.flow import Edge


def build_targets(
    given: tuple[SrsConfig | None, ...],
    trunks: tuple[Trunk, ...],
    edges: Mapping[str, Edge],
    problems: Problems,
) -> tuple[SrsTarget, ...]:
    """Where recordings can go; their agents are behind one of ``trunks``."""
    targets = []
    for number, config in enumerate(given):
        if config is not None:
            path = ("srs", number)
            targets.append(build_target(config, path, (*path, "uri"), trunks, edges, problems))
    return tuple(target for target in targets if target is not None)


def build_target(
    config: SrsConfig,
    path: KeyPath,
    uri: KeyPath,
    trunks: tuple[Trunk, ...],
    edges: Mapping[str, Edge],
    problems: Problems,
) -> SrsTarget | None:
    """One SRS, whose keys stand under ``path`` and whose URI at ``uri``; None when that cannot be used."""
    names = [trunk.name for trunk in trunks]
    for name in config.agents:
        if name not in names:
            problems.add((*path, "agents"), f"no trunk {name!r}{suggestion(name, names)}")
    try:
        return parse_target(_with_secrets(config, path, problems), edges)
    except ConfigurationError as error:
        problems.add(uri, str(error))
        return None


def _with_secrets(config: SrsConfig, path: KeyPath, problems: Problems) -> SrsConfig:
    """What the files and variables hold that an SRS's keys name."""
    return dataclasses.replace(
        config,
        credentials=credentials_of(config, path, problems),
        secret_headers=(*config.secret_headers, *headers_of(config.headers, path, problems)),
    )
