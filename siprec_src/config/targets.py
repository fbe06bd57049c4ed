"""The SRSs: where recordings go, and of which trunks' calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from siprec_src.config.lines import KeyPath
from siprec_src.config.secrets import credentials_of, headers_of
from siprec_src.config.sources import Problems, suggestion
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.routing import Trunk
from siprec_src.recording.srs import SrsConfig, SrsTarget, parse_target, told_apart
from siprec_src.sip.flow import Edge


def build_targets(
    given: tuple[SrsConfig | None, ...],
    trunks: tuple[Trunk, ...],
    edges: Mapping[str, Edge],
    problems: Problems,
) -> tuple[SrsTarget, ...]:
    """Where recordings can go; their agents are behind one of ``trunks``."""
    if not given:
        problems.found.append("nothing would be recorded: give --srs, or an [[srs]]")
    names = [trunk.name for trunk in trunks]
    targets: list[SrsTarget] = []
    for number, config in enumerate(given):
        if config is None:
            continue
        try:
            targets.append(parse_target(_with_secrets(config, ("srs", number), problems), edges))
        except ConfigurationError as error:
            problems.add(("srs", number, "uri"), str(error))
        for name in config.agents:
            if name not in names:
                problems.add(("srs", number, "agents"), f"no trunk {name!r}{suggestion(name, names)}")
    return told_apart(targets)


def _with_secrets(config: SrsConfig, path: KeyPath, problems: Problems) -> SrsConfig:
    """What the files and variables hold that an SRS's keys name."""
    return dataclasses.replace(
        config,
        credentials=credentials_of(config, path, problems),
        secret_headers=headers_of(config.headers, path, problems),
    )
