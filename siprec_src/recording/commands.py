"""What recording may be told by those who command the daemon, and what it tells its pool."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of this call reaches an SRS until `Resume` (RFC 7866 7.1.1.1)."""

    call: int


@dataclasses.dataclass(frozen=True, slots=True)
class Resume:
    """The end of `Pause`."""

    call: int


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """The rest of this call is not recorded."""

    call: int


@dataclasses.dataclass(frozen=True, slots=True)
class Over:
    """The recording of this call has nothing left to do."""

    call: int


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """Ask the SRS whether it is there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SrsAlive:
    """An SRS, by its configured URI, has answered a call or a check."""

    uri: str
    records: bool = False  #: it has taken a recording session


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SrsFailed:
    """An SRS was silent, could not be reached, or said 503."""

    uri: str
    reason: str
    wait_s: float | None = None  #: its Retry-After
    checked: bool = False  #: found by a check, not by a call


Command = Pause | Resume | Stop
