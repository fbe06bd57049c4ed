"""How a recording session ended, and the lines and numbers that say so.

One ``recording.begin`` and one ``recording.end`` for each session that an SRS accepted; one
``recording.attempt-failed`` for each that none accepted. Each counts once in ``recordings_total``.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Final, assert_never

from siprec_src.machine import LogLine, Observe
from siprec_src.media import plane
from siprec_src.recording.line import RecordedLine

Fields = tuple[tuple[str, object], ...]


class Result(enum.Enum):
    """What became of one recording session."""

    RECORDED = "recorded"  #: up until the call, or whoever commands us, ended it
    INTERRUPTED = "interrupted"  #: it was up, and ended before the call did
    FAILED = "failed"  #: no SRS took it
    CANCELLED = "cancelled"  #: the call ended before the SRS answered


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one recording session."""

    result: Result
    reason: str  #: slug, also a metric label
    detail: str = ""  #: for people
    status: int | None = None  #: SIP status of the refusal
    wait_s: float | None = None  #: for how long the SRS asks to be left alone (RFC 3261 20.33)
    again: bool = True  #: whether the call may still be recorded by a new session
    vanished: bool = False  #: the SRS does not answer any more
    unusable: bool = False  #: the peer is no SRS; it is not asked again for this call
    other_type: bool = False  #: the SRS takes the metadata's other media type (RFC 9806)


def begun(
    fields: Fields, lines: Sequence[RecordedLine], setup_s: float, warnings: Sequence[str]
) -> list[LogLine | Observe]:
    """The session is up."""
    tracks = ",".join(line.label for line in lines if line.accepted)
    begin = LogLine("info", "recording.begin", (*fields, ("tracks", tracks), ("setup_s", round(setup_s, 3))))
    told = [LogLine("warning", "recording.answer", (*fields, ("what", text))) for text in warnings]
    return [begin, *told, Observe("recording_setup_seconds", (), setup_s)]


def ended(
    fields: Fields, srs: str, lines: Sequence[RecordedLine], outcome: Outcome, duration_s: float
) -> list[LogLine | Observe]:
    """A session that was up is over: the totals of all its tracks, then of each by its label."""
    totals: list[tuple[str, object]] = [("before_recording", _total(lines, "before_attach"))]
    totals.extend((name, _total(lines, name)) for name in _BOOKS)
    for line in lines:
        totals.append((f"before_recording_{line.label}", line.fork.counters.before_attach))
        totals.append((f"offered_{line.label}", line.fork.counters.offered))
        totals.append((f"delivered_{line.label}", line.fork.counters.delivered))
    unaccounted = ",".join(line.label for line in lines if line.fork.unaccounted)
    if unaccounted:
        totals.append(("unaccounted", unaccounted))
    unreachable = ",".join(line.label for line in lines if line.fork.unreachable)
    if unreachable:
        totals.append(("unreachable", unreachable))
    whole = outcome.result is Result.RECORDED and not unreachable
    level = "info" if whole else "warning"
    said = (
        ("duration_s", round(duration_s, 3)),
        ("result", outcome.result.value),
        ("reason", outcome.reason),
    )
    detail = (("detail", outcome.detail),) if outcome.detail else ()
    dropped = _total(lines, "dropped_overrun") + _total(lines, "dropped_send")
    return [
        LogLine(level, "recording.end", (*fields, *said, *detail, *totals)),
        *([Observe("fork_packets_dropped_total", (("srs", srs),), dropped)] if dropped else []),
        _counted(outcome),
    ]


def failed(fields: Fields, outcome: Outcome) -> list[LogLine | Observe]:
    """A session that never was up is over."""
    level = "info" if outcome.result is Result.CANCELLED else "warning"
    status = (("status", outcome.status),) if outcome.status is not None else ()
    detail = (("detail", outcome.detail),) if outcome.detail else ()
    return [
        LogLine(level, "recording.attempt-failed", (*fields, ("reason", outcome.reason), *status, *detail)),
        _counted(outcome),
    ]


def forks_failed(fields: Fields, lines: Sequence[RecordedLine], refused: plane.Refused) -> list[LogLine]:
    """The media plane refused a command of a fork; its track does not reach the SRS."""
    labels = ",".join(line.label for line in lines if line.fork.failure == refused.reason)
    what = (("what", refused.reason), ("labels", labels))
    return [LogLine("warning", "recording.fork-failed", (*fields, *what))] if labels else []


def heard(fields: Fields, event: plane.ReaderReport | plane.ReaderUnreachable) -> LogLine:
    """What the network says of one fork; what the SRS reports is in the final totals too."""
    match event:
        case plane.ReaderUnreachable():
            return LogLine("warning", "recording.unreachable", fields)
        case plane.ReaderReport(fraction_lost=lost, jitter_us=jitter):
            seen = (("fraction_lost", round(lost, 4)), ("jitter_us", jitter))
            return LogLine("debug", "recording.report", (*fields, *seen))
        case _:
            assert_never(event)


_BOOKS: Final = (
    "offered",
    "delivered",
    "delivered_octets",
    "skipped_paused",
    "skipped_event",
    "skipped_format",
    "dropped_overrun",
    "dropped_send",
    "reported_lost",
)


def _total(lines: Sequence[RecordedLine], name: str) -> int:
    return sum(int(getattr(line.fork.counters, name)) for line in lines)


def _counted(outcome: Outcome) -> Observe:
    return Observe("recordings_total", (("outcome", outcome.result.value), ("reason", outcome.reason)), 1.0)
