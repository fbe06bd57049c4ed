"""Structured logs: one JSON object a line, or readable text on a terminal.

Secrets are kept out by their owners; `redact` is the second wall: values of fields whose name says that they
are secret, SDES key material (``inline:``) and Authorization header fields never reach a log.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, Protocol, TextIO

import structlog

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

REDACTED: Final = "[redacted]"
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SECRET_NAME: Final = re.compile(r"(?i)(password|secret|credential|authorization|(^|_)(key|token|material)$)")
_SECRET_TEXT: Final = re.compile(
    r"(?i)(inline:)[A-Za-z0-9+/=|:]+"
    r"|((?:proxy-)?authorization:[ \t]*)[^\r\n]+"
    r"|(\bsips?:[^:@\s;>]+:)[^@\s]+(?=@)"
)


class Logger(Protocol):
    """The part of structlog's loggers that is used here."""

    def debug(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


def configure(
    *, format_: LogFormat | None = None, level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Set up the process's logging; without a format it is ``console`` on a terminal, else ``json``."""
    out = stream or sys.stderr
    chosen = format_ or ("console" if out.isatty() else "json")
    renderer: Any
    if chosen == "json":
        renderer = structlog.processors.JSONRenderer(default=str)
    else:
        colors = out.isatty() and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if chosen == "json":
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def get_logger(process: str) -> Logger:
    """The logger of one process, ``supervisor``, ``media``, ``control`` or ``srs``."""
    logger: Logger = structlog.get_logger().bind(process=process)
    return logger


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor: no secret leaves by any field, whatever its owner put there."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = REDACTED
        elif isinstance(value, str):
            event[name] = _SECRET_TEXT.sub(_hide, value)
    return event


def _hide(match: re.Match[str]) -> str:
    kept = next((group for group in match.groups() if group), "")
    return kept + REDACTED
