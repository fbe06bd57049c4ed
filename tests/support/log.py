"""A log that keeps its lines for the test."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Log:
    """`lines`: level, event, fields of each."""

    lines: list[tuple[str, str, dict[str, object]]] = dataclasses.field(default_factory=list)

    def debug(self, event: str, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))
