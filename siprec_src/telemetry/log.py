"""Structured logs: one JSON object a line, or readable text on a terminal.

A line is queued and written by a thread (`telemetry.lines`): nobody who logs ever waits, or fails, for it.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from functools import cache
from typing import Any, Final, Literal, Protocol, TextIO

import orjson
import structlog

from siprec_src.machine import LogLine
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
        renderer = structlog.processors.JSONRenderer(serializer=_json)
    else:
        colors = out.isatty() and not os.environ.get("NO_COLOR")
        # A traceback is text by now: the renderer's own would show the values of locals, keys among them.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=plain)
    processors: list[Any] = [
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
    )
    _bound.cache_clear()


def get_logger(process: str) -> Logger:
    """The logger of one process, ``supervisor``, ``media``, ``control`` or ``srs``.

    It follows every later `configure`.
    """
    return _ProcessLogger(process)


def write(log: Logger, line: LogLine) -> None:
    """Write what a machine has to say; its field ``event`` becomes ``event_``, beside the line's own name."""
    fields = {name if name != "event" else "event_": value for name, value in line.fields}
    match line.level:
        case "debug":
            log.debug(line.event, **fields)
        case "warning":
            log.warning(line.event, **fields)
        case "error":
            log.error(line.event, **fields)
        case _:
            log.info(line.event, **fields)


def line_counters() -> LineCounters:
    """What became of the lines of this process."""
    return _standard_error().counters


class _ProcessLogger:
    """Structlog's own proxy does the same, but binds anew for each line."""

    def __init__(self, process: str) -> None:
        self._process = process

    def debug(self, event: str, **fields: object) -> object:
        return _bound(self._process).debug(event, **fields)

    def info(self, event: str, **fields: object) -> object:
        return _bound(self._process).info(event, **fields)

    def warning(self, event: str, **fields: object) -> object:
        return _bound(self._process).warning(event, **fields)

    def error(self, event: str, **fields: object) -> object:
        return _bound(self._process).error(event, **fields)


@cache
def _bound(process: str) -> Logger:
    """Until the next `configure`."""
    logger: Logger = structlog.get_logger(process=process).bind()
    return logger


def _json(event: dict[str, Any], **_: Any) -> str:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # octets that are no text, numbers beyond 64 bits
        return json.dumps(event, default=str)


@cache
def _standard_error() -> LineWriter:
    writer = LineWriter(
        sys.stderr.fileno(),
        on_dropped=lambda lines: structlog.get_logger().warning("log.dropped", lines=lines),
    )
    atexit.register(writer.drain)
    return writer
