"""What recording tells those who asked for a copy of a call."""

from __future__ import annotations

import enum

from siprec_src.recording.outcome import Outcome
from siprec_src.values import immutable


class CopyState(enum.Enum):
    """What has become of one copy."""

    STARTED = "started"  #: an SRS has agreed; said once, however many SRSs follow each other
    STOPPED = "stopped"  #: the call has ended, or somebody has stopped it
    FAILED = "failed"  #: no SRS has it, and none is asked any more


@immutable
class CopyChanged:
    """An effect: a copy has begun, or has ended for good. The last one of a copy is `STOPPED` or `FAILED`."""

    call: int
    session_id: bytes  #: of the call
    copy: str
    state: CopyState
    srs: str  #: name of the newest; "" when none was asked
    outcome: Outcome | None = None  #: of what has ended
