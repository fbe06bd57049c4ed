"""The life of a recording session below its messages: what it is made of, its stages, and how it ends.

At the end the forks stop first, then the final metadata goes, then the BYE: nothing is sent after it was
said to be over. What its SRS is still told depends on why it ends (`Farewell`).
"""

from __future__ import annotations

import enum
from typing import Final, assert_never

from siprec_src.communication import CommunicationSession
from siprec_src.recording import request
from siprec_src.recording.forks import Forks
from siprec_src.recording.ground import Effects, Ground
from siprec_src.recording.ledger import Ledger
from siprec_src.recording.outcome import Outcome, Result
from siprec_src.recording.policy import held
from siprec_src.recording.presentation import presented
from siprec_src.recording.srs import OnEnd, OnHold, OnSrsBye, SrsTarget
from siprec_src.recording.talks import Talks
from siprec_src.recording.updates import Updates
from siprec_src.recording.view import SessionView, StreamView
from siprec_src.sip import vocabulary as sip

PATIENCE_S: Final = 2.0  #: the end waits this long for readers to end, and for the final metadata's answer

SOON_S: Final = 2.0  #: a BYE that follows a document within this time may be for its sake (RFC 7866 9.2)


class State(enum.Enum):
    """Where a recording session is in its life."""

    OPENING = "opening"  #: ports are asked for
    INVITING = "inviting"
    CANCELLING = "cancelling"
    ACTIVE = "active"
    STOPPING = "stopping"  #: the forks are ending
    CLOSING = "closing"  #: the final metadata is out
    LEAVING = "leaving"  #: nothing is left but answers
    OVER = "over"


class Farewell(enum.Enum):
    """What the SRS is still told at the end."""

    FINAL = "final"  #: metadata with the call's end, then BYE
    BYE = "bye"
    NONE = "none"  #: the dialog is gone


class SessionLife:
    """What a recording session is apart from its set-up and its changes; `RecordingSession` adds these."""

    def __init__(
        self, ground: Ground, target: SrsTarget, call: CommunicationSession, *, paused: bool
    ) -> None:
        self.target = target
        self.usage = ground.identity.number()
        self._ground = ground
        self._call = presented(call, target.config)
        self._own = request.own_fields(target.config, call)
        edge = ground.edges[target.edge]
        self._forks = Forks(ground.identity, target, edge)
        self._talks = Talks(ground.identity, target, edge.rtp_advertised)
        self._updates = Updates(ground, target, self._forks, self._talks, self._own)
        self._ledger = Ledger(call, self.usage, target, self._forks)
        self._state = State.OPENING
        self._farewell = Farewell.FINAL
        self._patience: float | None = None
        self._dialog = ""
        self._invite = 0
        self._bye: int | None = None
        self._told_to_pause = paused

    @property
    def outcome(self) -> Outcome | None:
        """Set when it ends, also while answers are still awaited."""
        return self._ledger.outcome

    @property
    def began(self) -> float | None:
        """When the SRS agreed."""
        return self._ledger.began

    @property
    def copying(self) -> bool:
        """Whether packets may be leaving now."""
        return not self._forks.silent

    @property
    def over(self) -> bool:
        return self._state is State.OVER

    @property
    def view(self) -> SessionView:
        return SessionView(
            rs=self._ledger.rs,
            srs=self.target.name,
            secure=self.target.secure,
            began=self.began,
            ending=self.outcome is not None,
            streams=tuple(
                StreamView(
                    label=line.label,
                    sender=line.stream.sender,
                    accepted=line.accepted,
                    copying=line.fork.copying,
                    failure=line.fork.failure,
                )
                for line in self._forks.lines
            ),
        )

    def stop(self, reason: str, now: float) -> Effects:
        """End it in good order: the call has ended, or it shall not be recorded any more."""
        result = Result.CANCELLED if self.began is None else Result.RECORDED
        return self._abandon(Outcome(result=result, reason=reason), Farewell.FINAL, now)

    def ended(self, call: CommunicationSession, now: float) -> Effects:
        """The call is over; its newest state goes into the final metadata."""
        self._call = presented(call, self.target.config)
        return self.stop("call-ended", now)

    def give_up(self, reason: str, now: float) -> Effects:
        """End it though the call goes on and may be recorded elsewhere."""
        result = Result.FAILED if self.began is None else Result.INTERRUPTED
        return self._abandon(Outcome(result=result, reason=reason), Farewell.BYE, now)

    def media_down(self, now: float) -> Effects:
        """The media process died: what was recorded is all there is; the SRS gets its BYE."""
        self._forks.void()
        return self.give_up("media-down", now) + self._proceed(now)

    def dialog_ended(self, cause: str, now: float) -> Effects:
        """The user agent has lost the dialog, or ends all of them."""
        return self._gone("shutdown" if cause == "shutdown" else "srs-dialog-lost", cause, now)

    @property
    def _paused(self) -> bool:
        """By command, or because a party holds the other."""
        return self._told_to_pause or (self.target.config.on_hold is OnHold.PAUSE and held(self._call))

    def _abandon(self, outcome: Outcome, farewell: Farewell, now: float) -> Effects:
        match self._state:
            case State.OPENING:
                return self._end(outcome, Farewell.NONE, now)
            case State.INVITING:
                self._ledger.settle(outcome)
                self._state = State.CANCELLING
                return [sip.CancelInvite(usage=self.usage, token=self._invite), *self._ledger.close(now)]
            case State.ACTIVE:
                return self._end(outcome, farewell, now)
            case State.CANCELLING | State.STOPPING | State.CLOSING | State.LEAVING | State.OVER:
                return []
            case _:
                assert_never(self._state)

    def _gone(self, reason: str, detail: str, now: float) -> Effects:
        """The dialog is no more, by the SRS's BYE or because it forgot it (RFC 3261 12.2.1.2)."""
        self._bye = None
        restart = self.target.config.on_srs_bye is OnSrsBye.RESTART
        again = reason == "srs-dialog-lost" or (reason == "srs-bye" and restart)
        lost = Outcome(
            result=Result.INTERRUPTED,
            reason=reason,
            detail=detail,
            again=again,
            vanished=detail in ("408", "no-ack"),
        )
        match self._state:
            case State.ACTIVE:
                blamed = self._updates.newest_since(now - SOON_S) if reason == "srs-bye" else b""
                return [*self._ledger.blame(blamed), *self._end(lost, Farewell.NONE, now)]
            case State.STOPPING:
                self._farewell = Farewell.NONE
            case State.CLOSING:
                if lost.reason == "srs-dialog-lost":
                    self._ledger.doubt(lost.reason)
                return self._depart(now)
            case _:
                pass
        return self._proceed(now)

    def _unreachable(self, now: float) -> Effects:
        """Neither media nor signalling gets through: the SRS is gone though its dialog is not."""
        self._talks.refused()
        outcome = Outcome(result=Result.INTERRUPTED, reason="srs-unreachable", status=503, vanished=True)
        return self._end(outcome, Farewell.BYE, now) if self._state is State.ACTIVE else []

    def _end(self, outcome: Outcome, farewell: Farewell, now: float) -> Effects:
        self._ledger.settle(outcome)
        self._farewell = farewell
        self._updates.cease()
        self._state = State.STOPPING
        self._patience = now + PATIENCE_S
        return [*self._forks.stop(), *self._proceed(now)]

    def _proceed(self, now: float) -> Effects:
        """Go on with the end as far as the answers that have come allow."""
        if self._state is State.STOPPING and self._forks.stopped:
            return self._say_farewell(now)
        if self._state is State.CLOSING:
            return self._send_final(now)
        if self._state is State.LEAVING and self._forks.closed and self._bye is None:
            self._state = State.OVER
        return []

    def _say_farewell(self, now: float) -> Effects:
        match self._farewell:
            case Farewell.FINAL if self.target.on_end is OnEnd.UPDATE:
                self._state = State.CLOSING
                self._patience = now + PATIENCE_S
                return self._send_final(now)
            case Farewell.FINAL | Farewell.BYE:
                return self._say_bye(now)
            case Farewell.NONE:
                return self._depart(now)
            case _:
                assert_never(self._farewell)

    def _send_final(self, now: float) -> Effects:
        return self._updates.send_final(self.usage, self._dialog, self._call, now, paused=self._paused)

    def _say_bye(self, now: float) -> Effects:
        self._bye = self._ground.identity.number()
        headers, body = request.leaving(self._ground.wall.at(now), self._own), b""
        if self._farewell is Farewell.FINAL and self.target.on_end is OnEnd.BYE_BODY:
            document = self._updates.final(self._call, now)
            fields, body = request.enclose(self._ground, self.target.config, None, document)
            headers = headers.appended(*fields)
        bye = sip.SendRequest(
            usage=self.usage, dialog=self._dialog, token=self._bye, method="BYE", headers=headers, body=body
        )
        return [bye, *self._depart(now)]

    def _depart(self, now: float) -> Effects:
        """Give back the ports and write the books."""
        self._state = State.LEAVING
        self._patience = None
        return [*self._forks.close(), *self._ledger.close(now), *self._proceed(now)]
