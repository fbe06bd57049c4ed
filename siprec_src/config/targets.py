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
            whole = completed(config, ("srs", number), trunks, problems)
            targets.append(target_at(whole, ("srs", number, "uri"), edges, problems))
    return tuple(target for target in targets if target is not None)


def completed(config: SrsConfig, path: KeyPath, trunks: tuple[Trunk, ...], problems: Problems) -> SrsConfig:
    """The keys under ``path`` with what the files and variables hold that they name."""
    names = [trunk.name for trunk in trunks]
    for name in config.agents:
        if name not in names:
            problems.add((*path, "agents"), f"no trunk {name!r}{suggestion(name, names)}")
    return dataclasses.replace(
        config,
        credentials=credentials_of(config, path, problems),
        secret_headers=(*config.secret_headers, *headers_of(config.headers, path, problems)),
    )


def target_at(
    config: SrsConfig, path: KeyPath, edges: Mapping[str, Edge], problems: Problems
) -> SrsTarget | None:
    """The SRS at the URI under ``path``; None when that cannot be used."""
    try:
        return parse_target(config, edges)
    except ConfigurationError as error:
        problems.add(path, str(error))
        return None
