"""Structured logs: one JSON object a line, or readable text on a terminal.

A line is queued and written by a thread (`telemetry.lines`): nobody who logs ever waits, or fails, for it.
"""

from __future__ import annotations

import atexit
import dataclasses
import datetime as dt
import json
import math
import os
import sys
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal, Protocol, TextIO

import orjson
import structlog

from siprec_src.machine import LogLine
from siprec_src.telemetry.lines import LineCounters, LineWriter
from siprec_src.telemetry.redaction import redact, redact_text

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Logger(Protocol):
    """Who writes lines; ``exc_info``, an exception or True for the one being handled, adds its traceback."""

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


def configure(
    *, format_: LogFormat | None = None, level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Set up the process's logging; without a format it is ``console`` on a terminal, else ``json``.

    A ``stream`` takes the lines at once, in the thread that logs; standard error gets them by a queue.
    """
    out = stream or sys.stderr
    chosen = format_ or ("console" if out.isatty() else "json")
    colors = out.isatty() and not os.environ.get("NO_COLOR")
    _OUTPUT.render = _json if chosen == "json" else _console(colors=colors)
    _OUTPUT.write = (stream or _standard_error()).write
    _OUTPUT.level = _LEVELS[level]


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


@dataclasses.dataclass(slots=True)
class _Output:
    """Which lines of this process are written, how and where to; nothing before `configure`."""

    level: float = math.inf
    render: Callable[[dict[str, Any]], str] = repr
    write: Callable[[str], object] = str


_OUTPUT: Final = _Output()


class _ProcessLogger:
    """As structlog's bound loggers, for half of what their chain of processors takes."""

    def __init__(self, process: str) -> None:
        self._process = process

    def debug(self, event: str, **fields: object) -> None:
        self._line("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._line("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._line("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._line("error", event, fields)

    def _line(self, level: str, event: str, fields: dict[str, object]) -> None:
        if _LEVELS[level] < _OUTPUT.level:
            return
        if (fault := fields.pop("exc_info", None)) is not None:
            raised = fault if isinstance(fault, BaseException) else sys.exc_info()[1]
            fields["exception"] = "".join(traceback.format_exception(raised)).rstrip()
        line = redact({"process": self._process, **fields})
        line |= {"event": redact_text(event), "level": level, "timestamp": _now()}
        _OUTPUT.write(f"{_OUTPUT.render(line)}\n")


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")


def _console(*, colors: bool) -> Callable[[dict[str, Any]], str]:
    # A traceback is text by now: the renderer's own would show the values of locals, keys among them.
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=plain)
    return lambda line: renderer(None, "", line)


def _json(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # octets that are no text, numbers beyond 64 bits
        return json.dumps(line, default=str)


@cache
def _standard_error() -> LineWriter:
    writer = LineWriter(
        sys.stderr.fileno(),
        on_dropped=lambda lines: get_logger("log").warning("log.dropped", lines=lines),
    )
    atexit.register(writer.drain)
    return writer
