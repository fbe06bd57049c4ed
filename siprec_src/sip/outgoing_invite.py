"""An INVITE of ours: CANCEL, the limit on the wait for an answer, the ACKs (RFC 3261 9.1, 13.2.2.4)."""

from __future__ import annotations

import dataclasses
from typing import Final

from siprec_src.sip.auth import Authenticator
from siprec_src.sip.dialog import Dialog
from siprec_src.sip.flow import Flow, Transport
from siprec_src.sip.left_invite import LeftInvite
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.outgoing import Attempt, Nobody, Outgoing, Taker, via_value
from siprec_src.sip.stack import Stack
from siprec_src.sip.transaction.base import Outcome, State
from siprec_src.sip.transaction.key import client_key
from siprec_src.sip.uri import Uri
from siprec_src.sip.writer import write_message

_NONE: Final = Headers()
_CREDENTIALS: Final = ("authorization", "proxy-authorization")


@dataclasses.dataclass(slots=True)
class SentAck:
    """An ACK kept for as long as its 2xx may be repeated; ``data`` is empty until the hop is found."""

    flow: Flow | None = None
    data: bytes = b""


class OutgoingInvite(Outgoing):
    """An INVITE or re-INVITE, from the command until its transaction has ended."""

    __slots__ = ("_acks", "_answer_by", "_cancel", "_cancel_by", "_cancel_sent", "_move_by", "queued")

    def __init__(
        self,
        stack: Stack,
        request: Request,
        edge: str,
        taker: Taker,
        token: int,
        answer_by: float,
        authenticator: Authenticator | None = None,
    ) -> None:
        super().__init__(stack, request, edge, taker, token, authenticator)
        self.queued: float | None = None
        self._answer_by: float | None = answer_by
        self._move_by: float | None = None  #: then a silent address is left for the next one
        self._cancel: Headers | None = None
        self._cancel_by: float | None = None
        self._cancel_sent = False
        self._acks: dict[str, SentAck] = {}

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more."""
        return self._cancel is not None

    @property
    def deadline(self) -> float | None:
        due = [at for at in (self._answer_by, self._cancel_by, self._move_by) if at is not None]
        return min(due) if due else None

    def start(self, hop: Uri, now: float) -> None:
        super().start(hop, now)
        self.stack.schedule.arm(self)

    def begin(self, request: Request, data: bytes, flow: Flow, key: str, now: float) -> None:
        """While others are left each address gets its share of the time there is for an answer."""
        super().begin(request, data, flow, key, now)
        self._move_by = None
        if self.others and self._answer_by is not None:
            self._move_by = now + (self._answer_by - now) / (self.others + 1)
        self.stack.schedule.arm(self)

    def wake(self, now: float) -> None:
        if self._move_by is not None and self._move_by <= now:
            self._move_by = None
            if self._state() is State.CALLING and self.may_move_on():
                self.move_on(now)
        if self._answer_by is not None and self._answer_by <= now:
            self._answer_by = None
            if self.current is not None and self._state() is State.CALLING:
                self.stack.hold_down.failed(self.current.flow.remote, now)
            self.cancel(_NONE, now, told_as=408)
            self.give_up(408, now)
        if self._cancel_by is not None and self._cancel_by <= now:
            self._cancel_by = None
            self._abandon()
            self.give_up(487, now)

    def cancel(self, headers: Headers, now: float, *, told_as: int = 487) -> None:
        """Cancel: at once when the peer has shown signs of life, else at its first 1xx (9.1).

        One that has not been sent yet never is; that is told as ``told_as``.
        """
        if self.cancelled or self.done:
            return
        self._cancel = headers
        if self.current is None:
            self.give_up(told_as, now)
        elif self._state() is State.PROCEEDING:
            self._send_cancel(now)

    def give(self, response: Response, flow: Flow | None, now: float, *, made_here: bool = False) -> None:
        if response.status >= 200:
            self._answer_by = self._move_by = None
            if not made_here:
                self._cancel_by = None
        super().give(response, flow, now, made_here=made_here)

    def may_move_on(self) -> bool:
        return not self.cancelled

    def leave(self, attempt: Attempt, now: float) -> None:
        """What comes from there late is settled."""
        LeftInvite(self, attempt, now)

    def acknowledge(
        self, dialog: Dialog, name: str, now: float, headers: Headers = _NONE, body: bytes = b""
    ) -> None:
        """Send the ACK to the 2xx of ``dialog`` and keep it to be repeated (13.2.2.4).

        It carries the credentials of the INVITE (22.1), unless it brings its own, and no Require (8.2.2.3).
        """
        headers = headers.without("require", "proxy-require")
        if not any(field in headers for field in _CREDENTIALS):
            headers = headers.appended(*self.request.headers.only(*_CREDENTIALS))
        request, hop = dialog.request("ACK", headers, body, cseq=self.request.cseq.number)
        write_message(request)  # a field that cannot be written is told now, not when the hop is known
        self._acks[name] = ack = SentAck()

        def located(flows: tuple[Flow, ...], now: float) -> None:
            if flows:
                ack.flow = self._same_transport(flows[0])
                via = via_value(self.stack, ack.flow, self.stack.identity.branch())
                whole = dataclasses.replace(request, headers=request.headers.prepended("Via", via))
                ack.data = write_message(whole)
                self.stack.transmit(ack.flow, ack.data)

        self.stack.locate(hop, self.edge, located, now)

    def acknowledged(self, name: str) -> bool:
        """Whether the 2xx of dialog ``name`` has its ACK."""
        return name in self._acks

    @property
    def acks(self) -> int:
        """How many dialogs have had their ACK."""
        return len(self._acks)

    def repeat_ack(self, name: str) -> None:
        """The 2xx of dialog ``name`` came again: so goes its ACK."""
        ack = self._acks.get(name)
        if ack is not None and ack.flow is not None:
            self.stack.transmit(ack.flow, ack.data)

    def happened(self, attempt: Attempt, outcomes: list[Outcome], now: float) -> None:
        super().happened(attempt, outcomes, now)
        if self.cancelled and not self._cancel_sent and self._state() is State.PROCEEDING:
            self._send_cancel(now)

    def _state(self) -> State | None:
        return None if self.current is None else self.current.transaction.state

    def _send_cancel(self, now: float) -> None:
        """The CANCEL has the INVITE's Via, so it follows the same way (9.1)."""
        invite = self.current
        if invite is None:
            return
        self._cancel_sent = True
        self._cancel_by = now + self.stack.timers.give_up_s
        self.stack.schedule.arm(self)
        self.send_cancel(invite.transaction.request, invite.flow, now, self._cancel or _NONE)

    def send_cancel(self, invite: Request, flow: Flow, now: float, extra: Headers = _NONE) -> None:
        """Cancel one attempt: ``invite`` as it went by ``flow``."""
        request = cancellation(invite, extra)
        branch = request.via.branch or ""
        sender = Outgoing(self.stack, request, self.edge, Nobody())
        sender.begin(request, write_message(request), flow, client_key(branch, "CANCEL"), now)

    def _abandon(self) -> None:
        """No final response followed the CANCEL: the transaction is taken as ended (9.1)."""
        if self.current is not None:
            self.stack.clients.pop(self.current.key, None)
            self.current.transaction.stop()

    def _same_transport(self, flow: Flow) -> Flow:
        """The INVITE's own transport to the same peer: its length may have moved it to TCP."""
        used = self.current.flow if self.current is not None else flow
        if used.remote == flow.remote and used.transport is Transport.TCP and flow.transport is Transport.UDP:
            return used
        return flow


def cancellation(invite: Request, extra: Headers) -> Request:
    """The CANCEL of ``invite``, which has its Via: a fixed list of fields, never Require (9.1)."""
    fields = [("Via", invite.headers.all("via")[0])]
    fields += [("Route", value) for value in invite.headers.all("route")]
    fields += [
        ("Max-Forwards", "70"),
        ("From", invite.headers.get("from") or ""),
        ("To", invite.headers.get("to") or ""),
        ("Call-ID", invite.headers.get("call-id") or ""),
        ("CSeq", f"{invite.cseq.number} CANCEL"),
        *extra.without("require", "proxy-require", "content-type"),
    ]
    return Request(method="CANCEL", uri=invite.uri, headers=Headers(fields))
