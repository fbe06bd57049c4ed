"""What each SRS and each connector is in effect configured with, and where each value has come from."""

from __future__ import annotations

from collections.abc import Mapping

from siprec_src.config.checks import Config
from siprec_src.config.connectors import ELSEWHERE
from siprec_src.config.example import assignment
from siprec_src.config.settings import keys_of
from siprec_src.recording.connector import Connector
from siprec_src.recording.srs import SrsConfig
from siprec_src.telemetry.redaction import redact_text


def effective(config: Config) -> str:
    """Every ``[[srs]]`` and ``[[connector]]`` with all its keys, in the words of the file."""
    entries = config.values.get("srs", [])
    tables = [
        "\n".join(["[[srs]]", *_keys(srs, entry, ())]) for srs, entry in zip(config.srs, entries, strict=True)
    ]
    written = config.values.get("connector", [])
    tables += [
        _connector(connector, entry)
        for connector, entry in zip(config.connectors.every, written, strict=True)
    ]
    return "\n\n".join(tables) + "\n"


def _connector(connector: Connector, written: Mapping[str, object]) -> str:
    own = {"sid": connector.sid, **{key: value for key, value in written.items() if key != "srs"}}
    lines = [redact_text(assignment(key, value)) for key, value in own.items()]
    inner = written.get("srs", {})
    assert isinstance(inner, Mapping)  # noqa: S101 it was read as one
    keys = _keys(connector.targets[0].config, inner, ELSEWHERE)
    return "\n".join(["[[connector]]", *lines, "[connector.srs]", *keys])


def _keys(srs: SrsConfig, written: Mapping[str, object], without: tuple[str, ...]) -> list[str]:
    lines = []
    for key, field in keys_of(SrsConfig).items():
        if key in without:
            continue
        value = getattr(srs, field.name)
        line = assignment(key, value)
        if key not in written:
            default = value == getattr(SrsConfig(uri=srs.uri), field.name)
            line += "  # default" if default else f"  # profile {srs.profile}"
        lines.append(redact_text(line))
    return lines
