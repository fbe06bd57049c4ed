"""Addresses that failed are tried last for a while, whoever asks for them (RFC 3263 4.3, RFC 3261 21.5.4).

Nothing is ever taken away: where all addresses of a name are held down they are tried as they stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.flow import Address, Flow
from siprec_src.sip.headers import parse_retry_after
from siprec_src.sip.message import Response

LONGEST_S: Final = 300.0  #: however long a Retry-After asks for


class HoldDown:
    """The addresses held down in one process."""

    __slots__ = ("_hold_s", "_most", "_until")

    def __init__(self, hold_s: float, most: int) -> None:
        self._hold_s = hold_s
        self._most = most
        self._until: dict[Address, float] = {}

    def failed(self, remote: Address, now: float, wait_s: float | None = None) -> None:
        """It was silent, could not be reached, or said 503; ``wait_s``: its Retry-After."""
        hold_s = self._hold_s if wait_s is None else min(wait_s, LONGEST_S)
        self._until.pop(remote, None)
        if hold_s > 0:
            self._until[remote] = now + hold_s
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    def answered(self, remote: Address) -> None:
        """It is there."""
        self._until.pop(remote, None)

    def order(self, flows: Iterable[Flow], now: float) -> tuple[Flow, ...]:
        """Those held down last; otherwise as they were."""
        return tuple(sorted(flows, key=lambda flow: self._until.get(flow.remote, now) > now))


def retry_after_s(response: Response) -> float | None:
    """How long the peer asks to be left alone; None when it does not say, or says it badly (20.33)."""
    value = response.headers.get("retry-after")
    try:
        return None if value is None else float(parse_retry_after(value).after_s)
    except RemoteProtocolError:
        return None
