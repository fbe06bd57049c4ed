"""The INVITE client transaction (RFC 3261 17.1.1, figure 5, as RFC 6026 8.4 draws it).

A connection that breaks while the peer is already ringing does not end it: the response may come by
another connection (RFC 3261 18.2.2), and the figure has no such arrow.
"""

from __future__ import annotations

from typing import ClassVar, Final

from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.timers import Timers
from siprec_src.sip.transaction.base import ClientTransaction, Do, On, State, Table
from siprec_src.sip.writer import write_message

_CALLING, _PROCEEDING = State.CALLING, State.PROCEEDING
_ACCEPTED, _COMPLETED, _TERMINATED = State.ACCEPTED, State.COMPLETED, State.TERMINATED
_SUCCESS = (_ACCEPTED, (Do.STOP, Do.DELIVER, Do.START_M))
_FAILURE = (_COMPLETED, (Do.STOP, Do.ACK, Do.DELIVER, Do.START_D))

TABLE: Final[Table] = {
    (_CALLING, On.A): (_CALLING, (Do.RETRANSMIT, Do.DOUBLE_A)),
    (_CALLING, On.B): (_TERMINATED, (Do.TIMED_OUT,)),
    (_CALLING, On.TRANSPORT_ERROR): (_TERMINATED, (Do.FAILED,)),
    (_CALLING, On.PROVISIONAL): (_PROCEEDING, (Do.STOP, Do.DELIVER)),
    (_CALLING, On.SUCCESS): _SUCCESS,
    (_CALLING, On.FAILURE): _FAILURE,
    (_PROCEEDING, On.PROVISIONAL): (_PROCEEDING, (Do.DELIVER,)),
    (_PROCEEDING, On.SUCCESS): _SUCCESS,
    (_PROCEEDING, On.FAILURE): _FAILURE,
    (_ACCEPTED, On.SUCCESS): (_ACCEPTED, (Do.DELIVER,)),
    (_ACCEPTED, On.M): (_TERMINATED, ()),
    (_COMPLETED, On.FAILURE): (_COMPLETED, (Do.ACK,)),
    (_COMPLETED, On.TRANSPORT_ERROR): (_TERMINATED, ()),
    (_COMPLETED, On.D): (_TERMINATED, ()),
}


class InviteClient(ClientTransaction):
    """One INVITE that we sent to one next hop."""

    __slots__ = ("_ack",)
    table: ClassVar[Table] = TABLE
    starts_in: ClassVar[State] = State.CALLING

    def __init__(self, request: Request, data: bytes, *, reliable: bool, timers: Timers) -> None:
        super().__init__(request, data, reliable=reliable, timers=timers)
        self._ack = b""

    def _first(self) -> tuple[Do, ...]:
        return (Do.START_A, Do.START_B)

    def _acknowledge(self, response: Response) -> bytes:
        if not self._ack:
            self._ack = write_message(acknowledgement(self.request, response))
        return self._ack


def acknowledgement(invite: Request, failure: Response) -> Request:
    """The ACK to a 3xx-6xx: same top Via, URI, Route and From, the response's To (RFC 3261 17.1.1.3).

    Built from a fixed list of fields, so Require and Proxy-Require never get in (8.2.2.3).
    """
    fields = [("Via", invite.headers.all("via")[0])]
    fields += [("Route", value) for value in invite.headers.all("route")]
    fields += [
        ("Max-Forwards", "70"),
        ("From", invite.headers.get("from") or ""),
        ("To", failure.headers.get("to") or ""),
        ("Call-ID", invite.headers.get("call-id") or ""),
        ("CSeq", f"{invite.cseq.number} ACK"),
    ]
    return Request(method="ACK", uri=invite.uri, headers=Headers(fields))
