"""How recording uses the SRSs that are configured."""

from __future__ import annotations

import enum

from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable


class Distribution(enum.Enum):
    """Which of the SRSs that hold the same copy a new call is offered to first."""

    ORDERED = "ordered"  #: the first that is up
    ROUND_ROBIN = "round-robin"  #: each in its turn
    PARALLEL = "parallel"  #: all of them: an SRS that names no copy has one for itself


@immutable
class RecordingSettings:
    """How the SRSs are used."""

    automatic: bool = True  #: record every call; false: only those that somebody asks for
    distribution: Distribution = Distribution.ORDERED  #: which SRS of a copy a new call is offered to first
    max_forked_streams: int = 4  #: of one call, over all copies: a copy that does not fit is not begun
    honour_recordpref: bool = False  #: let parties start, pause and end it by ``a=recordpref``
    required_grace_s: float = 10.0  #: so long a call goes on unrecorded whose rule requires a recording
    options_interval_s: float = 30.0  #: between two OPTIONS that ask an SRS whether it is there; 0: never

    def __post_init__(self) -> None:
        if not 1 <= self.max_forked_streams <= 64:
            raise ConfigurationError("max_forked_streams: expected 1 to 64")
        if not 1 <= self.required_grace_s <= 3600:
            raise ConfigurationError("required_grace_s: expected 1 to 3600")
        if not (self.options_interval_s == 0 or 1 <= self.options_interval_s <= 3600):
            raise ConfigurationError("options_interval_s: expected 0, or 1 to 3600")
