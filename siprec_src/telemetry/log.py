"""Structured logs: one JSON object a line, or readable text on a terminal.

A line is queued and written by a thread (`telemetry.lines`): nobody who logs ever waits, or fails, for it.
"""

from __future__ import annotations

import atexit
import os
import sys
from functools import cache
from typing import Any, Final, Literal, Protocol, TextIO

import structlog

from siprec_src.telemetry.lines import LineCounters, LineWriter
from siprec_src.telemetry.redaction import redact

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Logger(Protocol):
    """The part of structlog's loggers that is used here."""

    def debug(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


def configure(
    *, format_: LogFormat | None = None, level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Set up the process's logging; without a format it is ``console`` on a terminal, else ``json``.

    A ``stream`` takes the lines at once, in the thread that logs; standard error gets them by a queue.
    """
    out = stream or sys.stderr
    sink: Any = stream or _standard_error()
    chosen = format_ or ("console" if out.isatty() else "json")
    renderer: Any
    if chosen == "json":
        renderer = structlog.processors.JSONRenderer(default=str)
    else:
        colors = out.isatty() and not os.environ.get("NO_COLOR")
        # A traceback is text by now: the renderer's own would show the values of locals, keys among them.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=plain)
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
        renderer,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sink),
        cache_logger_on_first_use=False,
    )


def get_logger(process: str) -> Logger:
    """The logger of one process, ``supervisor``, ``media``, ``control`` or ``srs``.

    It follows every later `configure`.
    """
    logger: Logger = structlog.get_logger(process=process)
    return logger


def line_counters() -> LineCounters:
    """What became of the lines of this process."""
    return _standard_error().counters


@cache
def _standard_error() -> LineWriter:
    writer = LineWriter(
        sys.stderr.fileno(),
        on_dropped=lambda lines: structlog.get_logger().warning("log.dropped", lines=lines),
    )
    atexit.register(writer.drain)
    return writer
