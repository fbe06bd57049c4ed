"""What somebody from outside may see of calls and their recordings: values, made when asked for."""

from __future__ import annotations

from siprec_src.communication import CommunicationSession
from siprec_src.recording.policy import Decision
from siprec_src.recording.rule import Record
from siprec_src.values import immutable


@immutable
class StreamView:
    """One track of a recording session."""

    label: str  #: ``a=label``
    sender: bytes  #: participant_id of who speaks
    accepted: bool  #: the SRS takes it
    copying: bool  #: packets may be on their way
    failure: str  #: why the media plane refused it; "" while all is well


@immutable
class SessionView:
    """One recording session, as it is now."""

    rs: int  #: its number in the log
    srs: str
    secure: bool  #: its media is encrypted
    began: float | None  #: when the SRS agreed, seconds of the machines' clock
    ending: bool
    streams: tuple[StreamView, ...]


@immutable
class RecordingView:
    """One copy of a call, as it is now."""

    copy: str  #: its name, "" where there is one alone
    srs: str  #: that of the newest session; "" when none was begun
    state: str  #: ``setting-up``, ``recording``, ``waiting`` until SRSs are asked again, or ``ending``
    copying: bool  #: packets may be on their way to the SRS
    paused: bool  #: by command, it alone or with its call
    sessions: tuple[SessionView, ...]  #: the newest last; those before it are ending


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
