"""One OPTIONS to one SRS, to learn whether it is there (RFC 3261 11.1)."""

from __future__ import annotations

from typing import Any, Final

from siprec_src.machine import Finished, Forward, Machine
from siprec_src.recording import commands, request
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.srs import SrsTarget
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.holddown import retry_after_s

TIMEOUT_S: Final = 4.0  #: for each address of the SRS


class SrsCheck:
    """The machine of one check. Any answer but 503 says that the SRS is there, also one that refuses."""

    deadline: float | None = None

    def __init__(self, ground: Ground, pool: Machine[Any, Any], target: SrsTarget) -> None:
        self._ground = ground
        self._pool = pool
        self._target = target

    def receive(self, event: object, now: float) -> Effects:
        match event:
            case commands.Check():
                return [request.check(self._ground, self._target, TIMEOUT_S)]
            case sip.ResponseArrived():
                return [Forward(self._pool, self._found(event)), Finished()]
            case _:
                return []

    def wake(self, now: float) -> Effects:
        """No timer runs here: the user agent tells a time-out."""
        return []

    def _found(self, event: sip.ResponseArrived) -> commands.SrsAlive | commands.SrsFailed:
        status, uri = event.response.status, self._target.config.uri
        if event.made_here:
            reason = "options-timeout" if status == 408 else "options-unreachable"
            return commands.SrsFailed(uri=uri, reason=reason, checked=True)
        if status == 503:
            wait_s = retry_after_s(event.response)
            return commands.SrsFailed(uri=uri, reason="options-503", wait_s=wait_s, checked=True)
        return commands.SrsAlive(uri=uri)
