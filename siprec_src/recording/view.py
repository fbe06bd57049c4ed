"""What somebody from outside may see of calls and their recordings: values, made when asked for."""

from __future__ import annotations

from siprec_src.communication import CommunicationSession
from siprec_src.recording.policy import Decision
from siprec_src.recording.rule import Record
from siprec_src.values import immutable


@immutable
class RecordingView:
    """One copy of a call, as it is now."""

    copy: str  #: its name, "" where there is one alone
    srs: str  #: that of the newest session; "" when none was begun
    state: str  #: ``setting-up``, ``recording``, ``waiting`` until SRSs are asked again, or ``ending``
    copying: bool  #: packets may be on their way to the SRS


@immutable
class CallView:
    """One call and its recordings."""

    call: CommunicationSession
    paused: bool
    decision: Decision  #: what was decided when it came, and by which rule
    recordings: tuple[RecordingView, ...]

    @property
    def bound(self) -> Record | None:
        """`Record.FORCE`: nobody may stop or pause it. `Record.NEVER`: nobody may record it."""
        return self.decision.record if self.decision.record.binds else None

    @property
    def copying(self) -> bool:
        return any(recording.copying for recording in self.recordings)
