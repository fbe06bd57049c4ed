"""How a recording session ended."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from siprec_src.recording.refusal import Remedy
from siprec_src.sip.uri import Uri
from siprec_src.values import immutable

Fields = tuple[tuple[str, object], ...]

MEDIA_RESTART: Final = "media-restart"  #: the reason of what is lost with a media process though calls go on


class Result(enum.Enum):
    """What became of one recording session."""

    RECORDED = "recorded"  #: up until the call, or whoever commands us, ended it; nothing is missing
    PARTLY = "partly"  #: the same, but some packets or a whole track did not reach the SRS
    EMPTY = "empty"  #: the same, but no packet did
    UNCONFIRMED = "unconfirmed"  #: all was sent, but the SRS did not answer for the end
    INTERRUPTED = "interrupted"  #: it was up, and ended before the call did
    FAILED = "failed"  #: no SRS took it
    CANCELLED = "cancelled"  #: the call ended before the SRS answered


@immutable
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
    remedy: Remedy | None = None  #: how the same SRS may be asked instead
    contacts: tuple[Uri, ...] = ()  #: where it sends us, preferred first (RFC 3261 8.1.3.4)


def of_several(ends: Sequence[Outcome]) -> Outcome:
    """The ends of sessions that followed each other as one; there is at least one.

    What was lost between two of them, or by one of them, is missing: `Result.PARTLY`.
    """
    results = {end.result for end in ends}
    bad = next((end for end in ends if end.result is not Result.RECORDED), ends[-1])
    if results == {Result.RECORDED, Result.UNCONFIRMED}:
        results = {Result.UNCONFIRMED}
    one = len(results) == 1 and Result.INTERRUPTED not in results
    result = results.pop() if one else Result.PARTLY
    return Outcome(result=result, reason=bad.reason, detail=bad.detail)
