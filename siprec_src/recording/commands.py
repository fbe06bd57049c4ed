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


Command = Pause | Resume | Stop
