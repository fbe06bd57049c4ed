"""The non-INVITE server transaction (RFC 3261 17.2.2, figure 8).

A user that lets the request lie for 64*T1 loses it: by then the client has given up, and a late 408
would only add to the noise (RFC 4320 4.2).
"""

from __future__ import annotations

from typing import ClassVar, Final

from siprec_src.sip.transaction.base import Do, On, Outcome, ServerTransaction, State, Table

_TRYING, _PROCEEDING = State.TRYING, State.PROCEEDING
_COMPLETED, _TERMINATED = State.COMPLETED, State.TERMINATED
_FINAL = (_COMPLETED, (Do.STOP, Do.SEND, Do.START_J))

TABLE: Final[Table] = {
    (_TRYING, On.PROVISIONAL): (_PROCEEDING, (Do.SEND,)),
    (_TRYING, On.SUCCESS): _FINAL,
    (_TRYING, On.FAILURE): _FINAL,
    (_TRYING, On.UNANSWERED): (_TERMINATED, (Do.TIMED_OUT,)),
    (_PROCEEDING, On.REQUEST): (_PROCEEDING, (Do.RESEND,)),
    (_PROCEEDING, On.PROVISIONAL): (_PROCEEDING, (Do.SEND,)),
    (_PROCEEDING, On.SUCCESS): _FINAL,
    (_PROCEEDING, On.FAILURE): _FINAL,
    (_PROCEEDING, On.UNANSWERED): (_TERMINATED, (Do.TIMED_OUT,)),
    (_COMPLETED, On.REQUEST): (_COMPLETED, (Do.RESEND,)),
    (_COMPLETED, On.J): (_TERMINATED, ()),
}


class NonInviteServer(ServerTransaction):
    """One request other than INVITE and ACK that came to us."""

    __slots__ = ()
    table: ClassVar[Table] = TABLE
    starts_in: ClassVar[State] = State.TRYING

    def start(self, now: float) -> list[Outcome]:
        out: list[Outcome] = []
        self._perform(Do.START_UNANSWERED, now, out, None, b"")
        return out
