"""Limits and times of the inline ingest, and how the parties of a call learn that it is recorded."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndicationSettings:
    """How the parties are told that they are recorded; those that are record-aware always are by SDP."""

    contact: bool = False  #: say ``+sip.src`` in Contact, so that parties may set ``a=recordpref``


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InlineSettings:
    """What an operator may set."""

    max_calls: int = 5_000  #: live calls; a newcomer beyond gets 503
    retry_after_s: int = 10  #: told in a 503, seconds
    answer_timeout_s: float | None = None  #: ringing longer is cancelled with 408; None: as long as it likes
    indication: IndicationSettings = IndicationSettings()
    media_timeout_s: float = 300.0  #: both parties silent for longer, and no session timer: hung up; 0: never
