"""What is written of one recording session, and each only once.

``recording.begin`` and ``recording.end`` for one that an SRS accepted, ``recording.attempt-failed`` for one
that it did not. Each counts once in ``recordings_total``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import assert_never

from siprec_src.communication import CommunicationSession, id_text
from siprec_src.machine import LogLine, Observe
from siprec_src.media import plane
from siprec_src.metadata.shape import shape_of
from siprec_src.recording import books
from siprec_src.recording.forks import Forks
from siprec_src.recording.outcome import Fields, Outcome, Result
from siprec_src.recording.srs import SrsTarget

Written = list[LogLine | Observe]


class Ledger:
    """One session's begin and end, and the lines between them."""

    def __init__(self, call: CommunicationSession, rs: int, target: SrsTarget, forks: Forks) -> None:
        self.outcome: Outcome | None = None
        self.began: float | None = None  #: when the SRS agreed
        self.rs = rs
        self._srs = target.name
        self._forks = forks
        self._opened = 0.0
        self._written = False
        self._fields: Fields = (
            ("call", call.call),
            ("session", id_text(call.session_id)),
            ("rs", rs),
            ("srs", target.name),
            *((("copy", target.config.copy),) if target.config.copy else ()),
            ("edge", target.edge),
            ("secure", target.secure),
        )

    def open(self, now: float) -> None:
        """The set-up begins; its time is taken from here."""
        self._opened = now

    def begin(self, warnings: Sequence[str], now: float) -> Written:
        """The session is up."""
        self.began = now
        setup_s = now - self._opened
        tracks = ",".join(line.label for line in self._forks.lines if line.accepted)
        said = (("tracks", tracks), ("setup_s", round(setup_s, 3)))
        return [
            LogLine("info", "recording.begin", (*self._fields, *said)),
            *(self.warn("recording.answer", ("what", text)) for text in warnings),
            Observe("recording_setup_seconds", (), setup_s),
        ]

    def warn(self, event: str, *what: tuple[str, object]) -> LogLine:
        return LogLine("warning", event, (*self._fields, *what))

    def collided(self, label: str, *, looped: bool) -> LogLine:
        """The SRS has the SSRC of a fork, or sends us back what it gets."""
        return self.warn("recording.rtcp-looped" if looped else "recording.ssrc-collision", ("label", label))

    def heard(
        self, event: plane.ReaderReport | plane.ReaderUnreachable | plane.ReaderSilence, label: str
    ) -> Written:
        """What the network says of one fork; what the SRS reports is in the final totals too."""
        match event:
            case plane.ReaderUnreachable():
                return [self.warn("recording.unreachable", ("label", label))]
            case plane.ReaderSilence(silent=False):
                return [LogLine("info", "recording.rtcp-again", (*self._fields, ("label", label)))]
            case plane.ReaderSilence():
                alarm = Observe("srs_rtcp_silences_total", (("srs", self._srs),))
                return [self.warn("recording.rtcp-silent", ("label", label)), alarm]
            case plane.ReaderReport():
                seen = (("fraction_lost", round(event.fraction_lost, 4)), ("jitter_us", event.jitter_us))
                srs = (("srs", self._srs),)
                return [
                    LogLine("debug", "recording.report", (*self._fields, ("label", label), *seen)),
                    Observe("srs_reported_loss_ratio", srs, event.fraction_lost),
                    Observe("srs_reported_jitter_seconds", srs, event.jitter_us / 1e6),
                ]
            case _:
                assert_never(event)

    def refused(self, refusal: plane.Refused) -> Written:
        """The media plane refused a command; the tracks that it was for do not reach the SRS."""
        labels = [line.label for line in self._forks.lines if line.fork.failure == refusal.reason]
        added = self._forks.refusal == refusal.reason
        if not labels and not added:
            return []
        named = ",".join([*labels, *(["new"] if added else [])])
        return [self.warn("recording.fork-failed", ("what", refusal.reason), ("labels", named))]

    def blame(self, document: bytes) -> Written:
        """The SRS has said BYE at once after ``document``, as one does that cannot use it (RFC 7866 9.2)."""
        if not document:
            return []
        line = self.warn("recording.metadata-suspected", ("document", shape_of(document)))
        return [line, Observe("srs_byes_after_metadata_total", (("srs", self._srs),))]

    def settle(self, outcome: Outcome) -> None:
        """How it ends; the first word holds."""
        if self.outcome is None:
            self.outcome = outcome

    def doubt(self, reason: str) -> None:
        """The SRS has not confirmed the end of what was taken for recorded."""
        if self.outcome is not None and self.outcome.result is Result.RECORDED:
            detail = self.outcome.reason
            self.outcome = dataclasses.replace(
                self.outcome, result=Result.UNCONFIRMED, reason=reason, detail=detail
            )

    def close(self, now: float) -> Written:
        """The last lines, as soon as the books are complete; nothing before that and nothing twice."""
        if self._written or self.outcome is None:
            return []
        self._written = True
        outcome = self.outcome if self.began is None else books.judged(self.outcome, self._forks.lines)
        self.outcome = outcome
        counted = (("outcome", outcome.result.value), ("reason", outcome.reason))
        lines = self._failed(outcome) if self.began is None else self._ended(outcome, now - self.began)
        return [*lines, Observe("recordings_total", counted)]

    def _failed(self, outcome: Outcome) -> Written:
        level = "info" if outcome.result is Result.CANCELLED else "warning"
        status = (("status", outcome.status),) if outcome.status is not None else ()
        said = (("reason", outcome.reason), *status, *_detail(outcome))
        return [LogLine(level, "recording.attempt-failed", (*self._fields, *said))]

    def _ended(self, outcome: Outcome, duration_s: float) -> Written:
        level = "info" if outcome.result is Result.RECORDED else "warning"
        said = (
            ("duration_s", round(duration_s, 3)),
            ("result", outcome.result.value),
            ("reason", outcome.reason),
            *_detail(outcome),
            *books.totals(self._forks.lines),
        )
        dropped = books.dropped(self._forks.lines)
        return [
            LogLine(level, "recording.end", (*self._fields, *said)),
            *([Observe("fork_packets_dropped_total", (("srs", self._srs),), dropped)] if dropped else []),
        ]


def _detail(outcome: Outcome) -> Fields:
    return (("detail", outcome.detail),) if outcome.detail else ()
