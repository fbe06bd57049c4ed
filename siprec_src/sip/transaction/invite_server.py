"""The INVITE server transaction (RFC 3261 17.2.1, figure 7, as RFC 6026 8.5 draws it).

In Accepted it absorbs the INVITE's repetitions and lets the user repeat its 2xx; a transport error does
not end it (RFC 6026 7.1). A missing ACK to a failure is nobody's business but the peer's.
"""

from __future__ import annotations

from typing import ClassVar, Final

from siprec_src.sip.message import Request
from siprec_src.sip.transaction.base import Do, On, Outcome, ServerTransaction, State, Table

_PROCEEDING, _ACCEPTED, _COMPLETED = State.PROCEEDING, State.ACCEPTED, State.COMPLETED
_CONFIRMED, _TERMINATED = State.CONFIRMED, State.TERMINATED

TABLE: Final[Table] = {
    (_PROCEEDING, On.REQUEST): (_PROCEEDING, (Do.RESEND,)),
    (_PROCEEDING, On.PROVISIONAL): (_PROCEEDING, (Do.SEND,)),
    (_PROCEEDING, On.SUCCESS): (_ACCEPTED, (Do.SEND, Do.START_L)),
    (_PROCEEDING, On.FAILURE): (_COMPLETED, (Do.SEND, Do.START_G, Do.START_H)),
    (_ACCEPTED, On.SUCCESS): (_ACCEPTED, (Do.SEND,)),
    (_ACCEPTED, On.ACK): (_ACCEPTED, (Do.DELIVER,)),
    (_ACCEPTED, On.L): (_TERMINATED, ()),
    (_COMPLETED, On.REQUEST): (_COMPLETED, (Do.RESEND,)),
    (_COMPLETED, On.G): (_COMPLETED, (Do.RESEND, Do.DOUBLE_G)),
    (_COMPLETED, On.H): (_TERMINATED, (Do.TIMED_OUT,)),
    (_COMPLETED, On.ACK): (_CONFIRMED, (Do.STOP, Do.START_I)),
    (_CONFIRMED, On.I): (_TERMINATED, ()),
}


class InviteServer(ServerTransaction):
    """One INVITE that came to us."""

    __slots__ = ()
    table: ClassVar[Table] = TABLE
    starts_in: ClassVar[State] = State.PROCEEDING

    def start(self, now: float) -> list[Outcome]:
        """Nothing runs until the user answers; it sends its 100 at once (RFC 3261 17.2.1)."""
        return []

    def acknowledge(self, ack: Request, now: float) -> list[Outcome]:
        """An ACK that matches this INVITE's branch."""
        return self._take(On.ACK, now, ack)
