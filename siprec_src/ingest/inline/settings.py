"""Limits and times of the inline ingest."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InlineSettings:
    """What an operator may set."""

    max_calls: int = 5_000  #: live calls; a newcomer beyond gets 503
    retry_after_s: int = 10  #: told in a 503, seconds
    answer_timeout_s: float | None = None  #: ringing longer is cancelled with 408; None: as long as it likes
    media_timeout_s: float = 300.0  #: both parties silent for longer, and no session timer: hung up; 0: never
