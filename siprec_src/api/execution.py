"""Scripts carried out on live calls: one verb after the other, without waiting for any SRS (F056).

All of a script is looked at before its first verb: what cannot be done to a call that is up already refuses
the whole. What goes wrong later has nobody to answer to and becomes an alert; the next verb is carried out.
A new script of a call takes the place of one that still pauses. When no verb is left the call is hung up,
as the platform does, unless something in the script was not carried out: what it would have led to is not
known then, and the call goes on.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from siprec_src.api.accounts import Account
from siprec_src.api.calls.book import KnownCall
from siprec_src.api.errors import ApiError
from siprec_src.communication import CommunicationSession
from siprec_src.instructions import model as m

CANNOT: Final = 20001
NOT_IN_PROGRESS: Final = 21220
NOT_CARRIED_OUT: Final = 12200

Doable = m.StartSiprec | m.StopSiprec | m.Pause | m.Hangup | m.Continue | m.Unsupported


class Timer(Protocol):
    """Something that is to be done later."""

    def cancel(self) -> None:
        """It is not to be done after all."""


class Doors(Protocol):
    """What a script reaches of the rest of the daemon."""

    def start(self, call: KnownCall, account: Account, siprec: m.StartSiprec) -> None:
        """Begin a Siprec. Raises ApiError."""

    def stop(self, call: KnownCall, name: str) -> None:
        """End one by its name or SID. Raises ApiError."""

    def hang_up(self, call: int, cause: str) -> None:
        """End the call for both parties."""

    def later(self, delay_s: float, then: Callable[[], None]) -> Timer:
        """Do this after a while."""

    def report(self, call: KnownCall, code: int, text: str) -> None:
        """Tell whoever looks after the account."""


@dataclasses.dataclass(slots=True, eq=False, kw_only=True)
class _Run:
    """A script on its way."""

    call: KnownCall
    account: Account
    left: deque[Doable]
    hangs_up: bool  #: when nothing is left


class Scripts:
    """Every script that is under way; one a call at most."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._pausing: dict[int, Timer] = {}

    def begin(self, call: KnownCall, account: Account, script: m.Script) -> None:
        """Carry out TwiML; the first pause is the last that is done before this returns.

        Raises:
            ApiError: 400, something in it cannot be done on a live call; nothing was done.
        """
        self._run(call, account, script, hangs_up=True)

    def manage(self, call: KnownCall, account: Account, script: m.Script) -> None:
        """Carry out a Manage Call request, which ends a call by its action alone. Raises ApiError."""
        self._run(call, account, script, hangs_up=False)

    def notice(self, session: CommunicationSession) -> None:
        """A call is as it says now; of one that has ended nothing more is carried out."""
        if session.ended is not None:
            self._cancel(session.call)

    def _run(self, call: KnownCall, account: Account, script: m.Script, *, hangs_up: bool) -> None:
        left = deque(_doable(instruction) for instruction in script.instructions)
        carried_out = not any(isinstance(item, m.Unsupported) for item in left)
        self._cancel(call.session.call)
        for warning in script.warnings:
            self._doors.report(call, warning.code, warning.text)
        self._go_on(_Run(call=call, account=account, left=left, hangs_up=hangs_up and carried_out))

    def _go_on(self, run: _Run) -> None:
        number = run.call.session.call
        self._pausing.pop(number, None)
        while run.left and run.call.session.ended is None:
            match run.left.popleft():
                case m.Pause(length_s=length_s):
                    self._pausing[number] = self._doors.later(length_s, partial(self._go_on, run))
                    return
                case m.Hangup():
                    self._doors.hang_up(number, "hung up by instruction")
                    return
                case m.StartSiprec() | m.StopSiprec() as siprec:
                    self._siprec(run, siprec)
                case m.Unsupported(verb=verb, why=why):
                    self._doors.report(run.call, NOT_CARRIED_OUT, f"{verb}: {why}")
                case m.Continue():
                    pass
        if run.hangs_up and run.call.session.ended is None:
            self._doors.hang_up(number, "no instruction left")

    def _siprec(self, run: _Run, siprec: m.StartSiprec | m.StopSiprec) -> None:
        try:
            if isinstance(siprec, m.StartSiprec):
                self._doors.start(run.call, run.account, siprec)
            else:
                self._doors.stop(run.call, siprec.name)
        except ApiError as error:
            self._doors.report(run.call, error.code, error.message)

    def _cancel(self, call: int) -> None:
        if (pausing := self._pausing.pop(call, None)) is not None:
            pausing.cancel()


def _doable(instruction: m.Instruction) -> Doable:
    """The instruction, if it can be carried out on a call that is up."""
    match instruction:
        case m.Dial():
            raise ApiError(
                400,
                CANNOT,
                "<Dial> is not carried out on a live call: its parties are connected already."
                " Answer with it from the voice URL when a call comes in",
            )
        case m.Reject():
            raise ApiError(
                400, CANNOT, "<Reject> is for a call that was not answered yet; use <Hangup> to end this one"
            )
        case m.StartRecording() | m.StopRecording():
            raise ApiError(
                400,
                NOT_IN_PROGRESS,
                "Requested resource is not eligible for recording: this daemon keeps no recordings of its"
                " own. Record to the SRS of a connector, by <Start><Siprec>",
            )
        case _:
            return instruction
