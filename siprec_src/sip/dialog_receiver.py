"""Inside one dialog, the peer's direction: its requests and our responses (RFC 3261 12.2.2, 14.2, 15.1.2).

Every request is told to the owner, who answers. The exceptions are refusals that RFC 3261 leaves no
choice in: numbers out of order, glare, a PRACK for nothing. What is pending when the dialog ends is
answered with 487 if it is an INVITE; the rest stays the owner's to answer.
"""

from __future__ import annotations

from siprec_src.sip import glare
from siprec_src.sip.accepted import Accepted
from siprec_src.sip.dialog import Dialog
from siprec_src.sip.incoming import Incoming
from siprec_src.sip.invite_usage import InviteUsage
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.offer_state import OfferState, Open, has_sdp
from siprec_src.sip.outgoing import local_response
from siprec_src.sip.outgoing_invite import OutgoingInvite
from siprec_src.sip.reliable import ReliableReceiver, ReliableSender, takes_reliable
from siprec_src.sip.vocabulary import (
    AckArrived,
    CancelArrived,
    RequestArrived,
    Respond,
    ResponseArrived,
    SendRequest,
)
from siprec_src.sip.writer import write_message


class DialogReceiver:
    """State of one dialog, and the requests that come in it."""

    __slots__ = (
        "accepted", "confirmed", "dialog", "ended", "held_bye", "held_success", "name", "offers",
        "our_invite", "pending", "receiver", "sender", "stack", "their_invite", "their_update",
        "unacknowledged", "usage",
    )  # fmt: skip

    def __init__(self, usage: InviteUsage, name: str, dialog: Dialog) -> None:
        self.usage = usage
        self.stack = usage.stack
        self.name = name
        self.dialog = dialog
        self.offers = OfferState()
        self.receiver = ReliableReceiver(self.stack.limits.max_requests_per_dialog)
        self.sender: ReliableSender | None = None
        self.confirmed = False
        self.ended = False
        self.our_invite: OutgoingInvite | None = None  #: re-INVITE without final response
        self.unacknowledged: dict[int, OutgoingInvite] = {}  #: by token; the owner's ACK is due
        self.their_invite: Incoming | None = None  #: re-INVITE that we have not finally answered
        self.their_update: Incoming | None = None
        self.accepted: dict[int, Accepted] = {}  #: our 2xx without ACK, by CSeq
        self.held_bye: SendRequest | None = None  #: waits for that ACK
        self.held_success: tuple[Incoming, Respond] | None = None  #: waits for a PRACK
        self.pending = 0  #: received requests that the owner has not answered
        self.stack.dialogs[dialog.key] = self

    @property
    def our_invite_open(self) -> bool:
        return self.our_invite is not None or (self.usage.our_invite_open and not self.confirmed)

    @property
    def their_invite_open(self) -> bool:
        return self.their_invite is not None or (self.usage.their_invite_open and not self.confirmed)

    def receive(self, incoming: Incoming, now: float) -> None:
        """Take a request inside the dialog (12.2.2)."""
        request = incoming.request
        if not self.dialog.accept(request.cseq.number):
            incoming.answer(500, now)
            return
        if self.held_bye is not None:
            self._receive_while_leaving(incoming, now)
            return
        if self.pending >= self.stack.limits.max_requests_per_dialog:
            self._refuse(incoming, glare.TOO_SOON, now)
            return
        match request.method:
            case "INVITE":
                self._invite_arrives(incoming, now)
            case "UPDATE":
                self._update_arrives(incoming, now)
            case "PRACK":
                self._prack_arrives(incoming, now)
            case "BYE":
                self.end(now)
                self._tell(incoming)
            case _:
                self._tell(incoming)

    def acked(self, request: Request, now: float) -> None:
        """An ACK: stops the repetitions of the 2xx with its number; any other is a stray (13.3.1.4)."""
        accepted = self.accepted.pop(request.cseq.number, None)
        if accepted is None:
            return
        accepted.stop()
        if accepted.offered:
            self.offers.close()
        if self.held_bye is None:
            self.stack.tell(
                AckArrived(
                    usage=self.usage.handle, dialog=self.name, token=accepted.incoming.token, request=request
                )
            )

    def respond(self, incoming: Incoming, command: Respond, now: float) -> None:
        """The owner answers one of these requests."""
        if incoming.request.method == "INVITE":
            if command.status < 200:
                self.provisional(incoming, command, "", now)
            elif command.status < 300:
                self.success(incoming, command, "", now)
            else:
                self._invite_refused(incoming, command, now)
            return
        succeeded = 200 <= command.status < 300
        contact = succeeded and incoming.request.method in _REFRESH
        response = self._make(incoming, command, "", contact=contact)
        incoming.send(command.status, write_message(response), now)
        if command.status >= 200:
            self.pending -= 1
            self._exchange_ends(incoming, succeeded=succeeded)

    def cancelled(self, incoming: Incoming, request: Request, now: float) -> None:
        """The peer cancels its re-INVITE (9.2). The owner answers: its other side may have said yes."""
        if incoming is not self.their_invite:
            return
        self.stack.tell(CancelArrived(usage=self.usage.handle, token=incoming.token, request=request))

    def lapsed(self, incoming: Incoming) -> None:
        """A transaction is over; one that the owner never answered no longer blocks the next."""
        if incoming.answered:
            return
        self.pending -= 1
        if incoming is self.their_update:
            self._exchange_ends(incoming, succeeded=False)

    def provisional(self, incoming: Incoming, command: Respond, tag: str, now: float) -> None:
        """Send a 101-199 to an INVITE, reliably when the owner wants it and the peer can (RFC 3262 3)."""
        if command.status == 100:
            return
        if not command.reliable or not takes_reliable(incoming.request):
            response = self._make(incoming, command, tag, contact=True)
            incoming.send(command.status, write_message(response), now)
            return
        if self.sender is None:
            self.sender = ReliableSender(self.stack, incoming, self.not_pracked)
        marks = (("Require", "100rel"), ("RSeq", str(self.sender.number)))
        response = self._make(incoming, command, tag, contact=True, extra=marks)
        data = write_message(response)
        self.offers.we_answer_invite(response)
        if self.confirmed:
            self.dialog.refresh(incoming.request)
        self.sender.send(command.status, data, now, sdp=has_sdp(response))

    def success(self, incoming: Incoming, command: Respond, tag: str, now: float) -> None:
        """Send a 2xx to an INVITE, when no reliable 1xx with SDP waits for its PRACK (RFC 3262 3)."""
        if self.sender is not None and self.sender.awaits_sdp:
            self.held_success = (incoming, command)
            return
        response = self._make(incoming, command, tag, contact=True)
        data = write_message(response)
        incoming.send(command.status, data, now)
        self.offers.we_answer_invite(response)
        if self.confirmed:
            self.dialog.refresh(incoming.request)
        self.end_invite(settled=True)
        offered = self.offers.open is Open.OURS and not has_sdp(incoming.request)
        self.accepted[incoming.request.cseq.number] = Accepted(
            self.stack, incoming, data, self.not_acknowledged, now, offered=offered
        )

    def end_invite(self, *, settled: bool = False) -> None:
        """Their re-INVITE has its final answer. ``settled``: a 2xx, so the offer may still be open."""
        if self.sender is not None:
            self.sender.stop()
        self.held_success = None
        if self.their_invite is not None:
            self.their_invite = None
            self.pending -= 1
            if not settled:
                self.offers.close()

    def end(self, now: float) -> None:
        """The dialog is gone: nothing in it is repeated, waited for or found any more."""
        if self.ended:
            return
        self.ended = True
        self.stack.dialogs.pop(self.dialog.key, None)
        self.stack.let_go(self)
        for accepted in self.accepted.values():
            accepted.stop()
        self.accepted.clear()
        invite = self.their_invite
        self.end_invite()
        if invite is not None:
            invite.answer(487, now)
        self.usage.drop(self, now)

    def not_acknowledged(self, now: float) -> None:
        """Our 2xx has had no ACK for 64*T1."""
        raise NotImplementedError

    def not_pracked(self, now: float) -> None:
        """Our reliable 1xx has had no PRACK for 64*T1."""
        raise NotImplementedError

    def _invite_arrives(self, incoming: Incoming, now: float) -> None:
        refused = glare.invite_arrives(self)
        if refused is not None:
            self._refuse(incoming, refused, now)
            return
        incoming.answer(100, now)
        self.their_invite = incoming
        self.sender = None
        self.offers.invite_starts()
        self.offers.they_send(incoming.request)
        self._tell(incoming)

    def _update_arrives(self, incoming: Incoming, now: float) -> None:
        refused = glare.update_arrives(self, offer=has_sdp(incoming.request))
        if refused is not None:
            self._refuse(incoming, refused, now)
            return
        self.their_update = incoming
        self.offers.they_send(incoming.request)
        self._tell(incoming)

    def _prack_arrives(self, incoming: Incoming, now: float) -> None:
        if self.sender is None or not self.sender.acknowledge(incoming.request, now):
            incoming.answer(481, now)
            return
        self.offers.they_send(incoming.request)
        self._tell(incoming)
        if self.held_success is not None and not self.sender.awaits_sdp:
            invite, command = self.held_success
            self.held_success = None
            if invite.answerer is not None:
                invite.answerer.respond(invite, command, now)

    def _receive_while_leaving(self, incoming: Incoming, now: float) -> None:
        """The owner has said BYE, which waits for an ACK: to it the dialog is over (15)."""
        command = self.held_bye
        if incoming.request.method != "BYE" or command is None:
            incoming.answer(481, now)
            return
        self.held_bye = None
        incoming.answer(200, now)
        self.end(now)
        self.stack.tell(
            ResponseArrived(
                usage=self.usage.handle,
                dialog=self.name,
                token=command.token,
                response=local_response(200),
                made_here=True,
            )
        )

    def _invite_refused(self, incoming: Incoming, command: Respond, now: float) -> None:
        data = write_message(self._make(incoming, command, "", contact=False))
        self.end_invite()
        incoming.send(command.status, data, now)

    def _exchange_ends(self, incoming: Incoming, *, succeeded: bool) -> None:
        """The final answer to an UPDATE or PRACK closes the offer it carried."""
        if incoming is self.their_update:
            self.their_update = None
            if succeeded:
                self.dialog.refresh(incoming.request)
        elif incoming.request.method != "PRACK":
            return
        if has_sdp(incoming.request) and self.offers.open is Open.THEIRS:
            self.offers.close()

    def _refuse(self, incoming: Incoming, status: int, now: float) -> None:
        """500 tells when to come again: a random time of 0 to 10 s (14.2)."""
        wait = str(int(self.stack.identity.uniform(0, 10)))
        fields = (("Retry-After", wait),) if status == glare.TOO_SOON else ()
        incoming.answer(status, now, fields=fields)

    def _tell(self, incoming: Incoming) -> None:
        self.pending += 1
        token = incoming.own(self)
        self.stack.tell(
            RequestArrived(
                usage=self.usage.handle,
                dialog=self.name,
                token=token,
                request=incoming.request,
                flow=incoming.flow,
            )
        )

    def _make(
        self,
        incoming: Incoming,
        command: Respond,
        tag: str,
        *,
        contact: bool,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        fields = [("Contact", self.usage.contact(command.contact_parameters))] if contact else []
        fields += extra
        fields += tidy(command.headers, contact=contact)
        return incoming.make(
            command.status,
            tag=tag,
            reason=command.reason,
            fields=fields,
            body=command.body,
            dialog=contact,
        )


def tidy(headers: Headers, *, contact: bool) -> Headers:
    """The owner's fields without those that belong to this leg alone: Contact, RSeq, ``100rel`` required."""
    required = [t.strip() for value in headers.all("require") for t in value.split(",")]
    if any(tag.lower() == "100rel" for tag in required):
        kept = ", ".join(tag for tag in required if tag.lower() != "100rel")
        headers = headers.replaced("Require", *([kept] if kept else []))
    return headers.without("rseq", "contact") if contact else headers.without("rseq")


_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
