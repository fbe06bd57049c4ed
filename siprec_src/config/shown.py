"""What each SRS is in effect configured with, and where each value has come from."""

from __future__ import annotations

from siprec_src.config.checks import Config
from siprec_src.config.example import assignment
from siprec_src.config.settings import keys_of
from siprec_src.recording.srs import SrsConfig
from siprec_src.telemetry.redaction import redact_text


def effective(config: Config) -> str:
    """Every ``[[srs]]`` with all its keys, in the words of the file."""
    entries = config.values.get("srs", [])
    return "\n".join(_table(srs, entry) for srs, entry in zip(config.srs, entries, strict=True))


def _table(srs: SrsConfig, written: dict[str, object]) -> str:
    lines = ["[[srs]]"]
    for key, field in keys_of(SrsConfig).items():
        value = getattr(srs, field.name)
        line = assignment(key, value)
        if key not in written:
            ordinary = SrsConfig(uri=srs.uri)
            default = value == getattr(ordinary, field.name)
            line += "  # default" if default else f"  # profile {srs.profile}"
        lines.append(redact_text(line))
    return "\n".join(lines) + "\n"
