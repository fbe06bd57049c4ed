"""What recording may be told by those who command the daemon, and what it tells its pool."""

from __future__ import annotations

from siprec_src.recording.copies import Copy
from siprec_src.recording.outcome import Outcome
from siprec_src.recording.srs import SrsTarget
from siprec_src.values import immutable


@immutable(kw_only=False)
class Pause:
    """Nothing of this call reaches an SRS until `Resume` (RFC 7866 7.1.1.1)."""

    call: int
    copy: str | None = None  #: of this copy alone; None: of all, also of those that begin later


@immutable(kw_only=False)
class Resume:
    """The end of `Pause`. A copy of a call that is paused as a whole stays so."""

    call: int
    copy: str | None = None  #: of this copy alone; None: of all


@immutable(kw_only=False)
class Stop:
    """The rest of this call is not recorded, until `Start`. Ends a pause as well."""

    call: int


@immutable(kw_only=False)
class Start:
    """Record this call from now on, with a complete snapshot first; copies that are recorded go on.

    A call that is paused stays so.
    """

    call: int
    copy: str | None = None  #: this copy alone; None: all that the configuration knows


@immutable(kw_only=False)
class Record:
    """Keep one more copy of this call, apart from all others; what becomes of it is told by `CopyChanged`."""

    call: int
    copy: Copy
    streams: int  #: so many of the call's forked streams are kept for it from now on


@immutable(kw_only=False)
class End:
    """This copy alone is not kept any more."""

    call: int
    copy: str


@immutable
class Over:
    """One copy of this call has nothing left to do."""

    call: int
    recording: object  #: the machine that kept it
    end: Outcome  #: of all its sessions; `Result.FAILED` where no SRS took any
    sessions: int  #: how many an SRS took


@immutable
class Copying:
    """An SRS gets this copy of the call from now on, or none does any more."""

    call: int
    recording: object
    up: bool
    cause: str  #: slug


@immutable(kw_only=False)
class Check:
    """Ask the SRS whether it is there."""


@immutable
class SrsAlive:
    """An SRS, by its configured URI, has answered a call or a check."""

    uri: str
    took: SrsTarget | None = None  #: how it was asked when it took a recording session


@immutable
class SrsFailed:
    """An SRS was silent, could not be reached, or said 503."""

    uri: str
    reason: str
    wait_s: float | None = None  #: its Retry-After
    checked: bool = False  #: found by a check, not by a call


Command = Pause | Resume | Stop | Start  #: for all copies of a call
CopyCommand = Record | End
