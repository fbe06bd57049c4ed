"""What somebody from outside may see of calls and their recordings: values, made when asked for."""

from __future__ import annotations

import dataclasses

from siprec_src.communication import CommunicationSession


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordingView:
    """One copy of a call, as it is now."""

    copy: str  #: its name, "" where there is one alone
    srs: str  #: that of the newest session; "" when none was begun
    state: str  #: ``setting-up``, ``recording``, ``waiting`` until SRSs are asked again, or ``ending``
    copying: bool  #: packets may be on their way to the SRS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One call and its recordings."""

    call: CommunicationSession
    paused: bool
    recordings: tuple[RecordingView, ...]

    @property
    def copying(self) -> bool:
        return any(recording.copying for recording in self.recordings)
