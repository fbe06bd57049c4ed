"""The non-INVITE client transaction (RFC 3261 17.1.2, figure 6)."""

from __future__ import annotations

from typing import ClassVar, Final

from siprec_src.sip.transaction.base import ClientTransaction, Do, On, State, Table

_TRYING, _PROCEEDING = State.TRYING, State.PROCEEDING
_COMPLETED, _TERMINATED = State.COMPLETED, State.TERMINATED
_FINAL = (_COMPLETED, (Do.STOP, Do.DELIVER, Do.START_K))

TABLE: Final[Table] = {
    (_TRYING, On.E): (_TRYING, (Do.RETRANSMIT, Do.DOUBLE_E)),
    (_TRYING, On.F): (_TERMINATED, (Do.TIMED_OUT,)),
    (_TRYING, On.TRANSPORT_ERROR): (_TERMINATED, (Do.FAILED,)),
    (_TRYING, On.PROVISIONAL): (_PROCEEDING, (Do.DELIVER,)),
    (_TRYING, On.SUCCESS): _FINAL,
    (_TRYING, On.FAILURE): _FINAL,
    (_PROCEEDING, On.E): (_PROCEEDING, (Do.RETRANSMIT, Do.SLOW_E)),
    (_PROCEEDING, On.F): (_TERMINATED, (Do.TIMED_OUT,)),
    (_PROCEEDING, On.TRANSPORT_ERROR): (_TERMINATED, (Do.FAILED,)),
    (_PROCEEDING, On.PROVISIONAL): (_PROCEEDING, (Do.DELIVER,)),
    (_PROCEEDING, On.SUCCESS): _FINAL,
    (_PROCEEDING, On.FAILURE): _FINAL,
    (_COMPLETED, On.K): (_TERMINATED, ()),
}


class NonInviteClient(ClientTransaction):
    """One request other than INVITE and ACK that we sent to one next hop."""

    __slots__ = ()
    table: ClassVar[Table] = TABLE
    starts_in: ClassVar[State] = State.TRYING

    def _first(self) -> tuple[Do, ...]:
        return (Do.START_E, Do.START_F)
