"""How recording uses the SRSs that are configured."""

from __future__ import annotations

import dataclasses
import enum

from siprec_src.errors import ConfigurationError


class Distribution(enum.Enum):
    """Which SRS a new call is offered to first."""

    ORDERED = "ordered"  #: the first that is up
    ROUND_ROBIN = "round-robin"  #: each in its turn


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """How the SRSs are used."""

    distribution: Distribution = Distribution.ORDERED  #: which SRS a new call is offered to first
    options_interval_s: float = 30.0  #: between two OPTIONS that ask an SRS whether it is there; 0: never

    def __post_init__(self) -> None:
        if not (self.options_interval_s == 0 or 1 <= self.options_interval_s <= 3600):
            raise ConfigurationError("options_interval_s: expected 0, or 1 to 3600")
