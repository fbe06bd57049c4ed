"""Durations of the SIP timers (RFC 3261 17.1.1.1 and Table 4, RFC 6026 8, RFC 3262 3)."""

from __future__ import annotations

from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable


@immutable
class Timers:
    """The three numbers from which every timer of RFC 3261 follows."""

    t1_s: float = 0.5  #: estimate of the round trip
    t2_s: float = 4.0  #: longest interval between retransmissions of a non-INVITE request or a response
    t4_s: float = 5.0  #: how long a message may stay in the network

    def __post_init__(self) -> None:
        if not 0 < self.t1_s <= self.t2_s:
            raise ConfigurationError("timers: expected 0 < t1_s <= t2_s")
        if self.t4_s <= 0:
            raise ConfigurationError("timers: expected 0 < t4_s")

    @property
    def give_up_s(self) -> float:
        """64*T1: timers B, F, H, J, L, M, the wait for an ACK, a PRACK, the end of a cancelled INVITE."""
        return 64 * self.t1_s

    @property
    def linger_s(self) -> float:
        """Timer D: how long a finished INVITE client absorbs late responses; at least 32 s (17.1.1.2)."""
        return max(32.0, self.give_up_s)
