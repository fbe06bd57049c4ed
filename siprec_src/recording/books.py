"""The books of a recording session: what became of every packet of its tracks, by label and in all.

``offered`` is the sum of ``delivered`` and of every ``skipped_…`` and ``dropped_…``; with
``before_recording`` it is what the call has received of the track. A session of which something is
missing is not called recorded: the books say what, and the largest cause gives the reason.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

from siprec_src.recording.line import RecordedLine
from siprec_src.recording.outcome import MEDIA_RESTART, Fields, Outcome, Result

LOST: Final[Mapping[str, str]] = {  #: what a packet is lost by, and the reason that it gives
    "skipped_format": "format",
    "dropped_overrun": "overrun",
    "dropped_full": "full",
    "dropped_send": "send",
    "dropped_restart": MEDIA_RESTART,
}
WITHHELD: Final[Mapping[str, str]] = {  #: not sent on purpose: no loss, but nothing is recorded by it either
    "skipped_paused": "paused",
    "skipped_event": "event",
    "skipped_comfort_noise": "comfort-noise",
    "dropped_stale": "stale",
}


def totals(lines: Sequence[RecordedLine]) -> Fields:
    """Every number of the books, in all and for each label, and the labels of which something is unknown."""
    counts = [_COUNTS(line.fork.counters) for line in lines]
    sums = [sum(of_all) for of_all in zip((0,) * len(_TOTALS), *counts, strict=True)]
    found: list[tuple[str, object]] = list(zip(_TOTALS, sums, strict=True))
    for line, numbers in zip(lines, counts, strict=True):
        found += [(f"{name}_{line.label}", number) for name, number in zip(_EACH, numbers, strict=False)]
    named = {
        "unaccounted": [line.label for line in lines if _unaccounted(line)],
        "unreachable": [line.label for line in lines if line.fork.unreachable],
    }
    found += [(name, ",".join(labels)) for name, labels in named.items() if labels]
    return tuple(found)


def dropped(lines: Sequence[RecordedLine]) -> int:
    """Packets that were meant for the SRS and did not get away."""
    return sum(_sum(lines, fate) for fate in LOST if fate.startswith("dropped_"))


def judged(outcome: Outcome, lines: Sequence[RecordedLine]) -> Outcome:
    """The outcome as the books show it."""
    if outcome.result not in (Result.RECORDED, Result.UNCONFIRMED):
        return outcome
    missing = [why for line in lines if (why := _missing(line))]
    lost = _causes(lines, LOST)
    unknown = any(_unaccounted(line) for line in lines)
    if not (_sum(lines, "delivered") or unknown) and (missing or _sum(lines, "offered")):
        return _as(outcome, Result.EMPTY, missing, _causes(lines, {**LOST, **WITHHELD}))
    return _as(outcome, Result.PARTLY, missing, lost) if missing or lost else outcome


def _as(outcome: Outcome, result: Result, missing: Sequence[str], causes: Counter[str]) -> Outcome:
    """Another result; a whole track that is missing is reason before any packets are."""
    reason = missing[0] if missing else causes.most_common(1)[0][0]
    detail = "; ".join(text for text in (outcome.reason, outcome.detail) if text)
    return dataclasses.replace(outcome, result=result, reason=reason, detail=detail)


def _missing(line: RecordedLine) -> str:
    """Why a whole track, or nobody knows how much of it, did not reach the SRS; "" when it did."""
    if line.fork.failure:
        return line.fork.failure
    if _unaccounted(line):
        return "unaccounted"
    if line.fork.unreachable:
        return "unreachable"
    if line.removed or line.accepted:
        return ""
    return "track-not-agreed" if line.verdict is None else "track-refused"


def _unaccounted(line: RecordedLine) -> bool:
    """Whether a reader of the track has ended, or still ends, without having said what it delivered."""
    return line.fork.unaccounted or line.fork.reader is not None or not line.fork.settled


def _causes(lines: Sequence[RecordedLine], reasons: Mapping[str, str]) -> Counter[str]:
    return +Counter({reason: _sum(lines, counter) for counter, reason in reasons.items()})


def _sum(lines: Sequence[RecordedLine], counter: str) -> int:
    return sum(int(getattr(line.fork.counters, counter)) for line in lines)


_EACH: Final = {  # field of the line: reader's counter
    "before_recording": "before_attach",
    **{name: name for name in ("offered", "delivered", *WITHHELD, *LOST)},
}
_TOTALS: Final = _EACH | {name: name for name in ("delivered_octets", "reported_lost")}
_COUNTS: Final = attrgetter(*_TOTALS.values())
