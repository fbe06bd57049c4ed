"""Inside one dialog, our direction: requests of the owner and their responses (RFC 3261 12.2.1, 14, 15).

`DialogReceiver`, the base, has the other direction. A response 481 or 408, or none, ends the dialog
(12.2.1.2, RFC 5057 5.1); after a silence a BYE is sent, since the peer may only have lost ours.
"""

from __future__ import annotations

from siprec_src.sip import glare
from siprec_src.sip.dialog_receiver import DialogReceiver
from siprec_src.sip.flow import Flow
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.offer_state import Open, has_sdp
from siprec_src.sip.outgoing import Nobody, Outgoing, Taker, local_response
from siprec_src.sip.outgoing_invite import OutgoingInvite
from siprec_src.sip.reliable import ReliableReceiver, is_reliable
from siprec_src.sip.uri import Uri
from siprec_src.sip.vocabulary import DialogEnded, ResponseArrived, SendAck, SendRequest


class DialogUsage(DialogReceiver):
    """One dialog of a usage, early or confirmed."""

    __slots__ = ()

    def send(self, command: SendRequest, now: float) -> None:
        """Send a request of the owner, or tell at once why it cannot be sent."""
        self.usage.authenticate(command.credentials)
        match command.method:
            case "INVITE":
                self._send_invite(command, now)
            case "BYE":
                self._send_bye(command, now)
            case "PRACK":
                self._send_prack(command, now)
            case "UPDATE":
                self._send_update(command, now)
            case _:
                self._send(command, command.headers, now)

    def acknowledge(self, command: SendAck, now: float) -> None:
        """Send the owner's ACK; the second one for the same 2xx is ignored."""
        invite = self.unacknowledged.pop(command.token, None)
        if invite is None:
            return
        if self.offers.open is Open.THEIRS:
            self.offers.close()
        invite.acknowledge(self.dialog, self.name, now, command.headers, command.body)

    def answered(
        self, outgoing: Outgoing, response: Response, flow: Flow | None, now: float, *, made_here: bool
    ) -> None:
        """A response to one of these requests."""
        if flow is not None and response.status < 300:
            self.stack.keep(self, flow)
        if isinstance(outgoing, OutgoingInvite):
            self._invite_answered(outgoing, response, flow, now, made_here=made_here)
            return
        method = outgoing.request.method
        if response.status >= 200:
            if method == "BYE":
                self.stack.leaving.discard(self.dialog.key)
            if method == "UPDATE" and response.status < 300:
                self.dialog.refresh(response)
            if method in {"UPDATE", "PRACK"} and has_sdp(outgoing.request):
                self.offers.close()
        self._tell_response(outgoing.token, response, flow, made_here=made_here)
        if method not in {"BYE", "PRACK"}:
            self._end_if_lost(outgoing, response, now)

    def dismiss(self, response: Response, now: float) -> None:
        """The peer is the same at both addresses: what it says counts where it was asked again."""

    def goes_again(self, outgoing: Outgoing, now: float) -> int:
        """The next number of the dialog; a re-INVITE's reliable 1xx begin anew."""
        del now
        if outgoing is self.our_invite:
            self.receiver = ReliableReceiver(self.stack.limits.max_requests_per_dialog)
        self.dialog.local_cseq += 1
        return self.dialog.local_cseq

    def not_acknowledged(self, now: float) -> None:
        """Nobody acknowledged our 2xx: the dialog is ended with a BYE (13.3.1.4, 14.2)."""
        if self.held_bye is not None:
            self._end_with_bye(self.held_bye, now)
            return
        self._bye_unasked(now)
        self._lost("no-ack", now)

    def not_pracked(self, now: float) -> None:
        """Nobody acknowledged our reliable 1xx: the INVITE is refused (RFC 3262 3) and the dialog is over."""
        invite = self.their_invite
        self.stack.tell(DialogEnded(usage=self.usage.handle, dialog=self.name, cause="no-prack"))
        if invite is not None:
            self.end_invite()
            invite.answer(504, now)
            self._bye_unasked(now)
            self.end(now)
        else:
            self.usage.refuse_invite(504, now)

    def acked(self, request: Request, now: float) -> None:
        super().acked(request, now)
        if not self.accepted and self.held_bye is not None:
            self._end_with_bye(self.held_bye, now)

    def _send(self, command: SendRequest, headers: Headers, now: float, *, contact: str = "") -> Request:
        request, hop = self.dialog.request(command.method, headers, command.body, contact=contact)
        self._start(request, hop, self, now, command)
        return request

    def _start(
        self, request: Request, hop: Uri, taker: Taker, now: float, command: SendRequest | None = None
    ) -> None:
        token = 0 if command is None else command.token
        outgoing = Outgoing(
            self.stack, request, self.usage.edge, taker, token, authenticator=self.usage.authenticator
        )
        outgoing.spares_dialog = command is not None and command.spares_dialog
        outgoing.start(hop, now)

    def _send_invite(self, command: SendRequest, now: float) -> None:
        refused = glare.invite_leaves(self)
        if refused is not None:
            self.answer_here(command, refused)
            return
        request, hop = self._refreshing(command)
        self.offers.invite_starts()
        self.offers.we_send(request)
        self.receiver = ReliableReceiver(self.stack.limits.max_requests_per_dialog)
        by = now + self.stack.limits.unanswered_s
        self.our_invite = OutgoingInvite(
            self.stack, request, self.usage.edge, self, command.token, by, self.usage.authenticator
        )
        self.our_invite.spares_dialog = command.spares_dialog
        self.our_invite.start(hop, now)

    def _send_update(self, command: SendRequest, now: float) -> None:
        probe = Request(method="UPDATE", uri="", headers=command.headers, body=command.body)
        refused = glare.update_leaves(self, offer=has_sdp(probe))
        if refused is not None:
            self.answer_here(command, refused)
            return
        request, hop = self._refreshing(command)
        self.offers.we_send(request)
        self._start(request, hop, self, now, command)

    def _send_prack(self, command: SendRequest, now: float) -> None:
        rack = self.receiver.next_rack()
        if rack is None:
            self.answer_here(command, 481)
            return
        headers = command.headers.without("rack").appended(("RAck", str(rack)))
        self.offers.we_send(Request(method="PRACK", uri="", headers=headers, body=command.body))
        self._send(command, headers, now)

    def _send_bye(self, command: SendRequest, now: float) -> None:
        """A callee may not send BYE before its 2xx has been acknowledged (15): it waits for the ACK.

        A 2xx that itself waits for a PRACK has not been sent: its INVITE is refused instead.
        """
        if self.accepted:
            self.held_bye = command
        elif not self.confirmed and self.held_success is not None:
            self.usage.refuse_invite(487, now)
            self.answer_here(command, 200)
        elif not self.confirmed and self.usage.their_invite_open:
            self.answer_here(command, 481)
        else:
            self._end_with_bye(command, now)

    def _end_with_bye(self, command: SendRequest, now: float) -> None:
        self.held_bye = None
        for invite in self.unacknowledged.values():
            invite.acknowledge(self.dialog, self.name, now)
        self.unacknowledged.clear()
        self.stack.leaving.add(self.dialog.key)
        self._send(command, command.headers, now)
        self.end(now)

    def _bye_unasked(self, now: float) -> None:
        request, hop = self.dialog.request("BYE", Headers())
        self._start(request, hop, Nobody(), now)

    def _refreshing(self, command: SendRequest) -> tuple[Request, Uri]:
        return self.dialog.request(
            command.method, command.headers, command.body, contact=self.usage.contact()
        )

    def _invite_answered(
        self,
        invite: OutgoingInvite,
        response: Response,
        flow: Flow | None,
        now: float,
        *,
        made_here: bool,
    ) -> None:
        if response.status < 200:
            self._reinvite_proceeds(invite, response, flow)
        elif response.status < 300:
            self._reinvite_succeeds(invite, response, flow, now)
        else:
            if self.our_invite is invite:
                self.our_invite = None
                self.offers.close()
            self._tell_response(invite.token, response, flow, made_here=made_here)
            self._end_if_lost(invite, response, now)

    def _reinvite_proceeds(self, invite: OutgoingInvite, response: Response, flow: Flow | None) -> None:
        if self.our_invite is not invite:
            return
        if is_reliable(response):
            if not self.receiver.accept(response):
                return
            self.dialog.refresh(response)
            self.offers.they_answer_invite(response)
        self._tell_response(invite.token, response, flow)

    def _reinvite_succeeds(
        self, invite: OutgoingInvite, response: Response, flow: Flow | None, now: float
    ) -> None:
        if invite.acknowledged(self.name):
            invite.repeat_ack(self.name)
        elif self.ended:
            invite.acknowledge(self.dialog, self.name, now)
            self._tell_response(invite.token, local_response(481), None, made_here=True)
        elif self.our_invite is invite:
            self.our_invite = None
            self.unacknowledged[invite.token] = invite
            self.dialog.refresh(response)
            self.offers.they_answer_invite(response)
            self._tell_response(invite.token, response, flow)

    def answer_here(self, command: SendRequest, status: int) -> None:
        """Tell the owner that its request was not sent, and what stands for the answer."""
        self._tell_response(command.token, local_response(status), None, made_here=True)

    def _tell_response(
        self, token: int, response: Response, flow: Flow | None, *, made_here: bool = False
    ) -> None:
        self.stack.tell(
            ResponseArrived(
                usage=self.usage.handle,
                dialog=self.name,
                token=token,
                response=response,
                flow=flow,
                made_here=made_here,
            )
        )

    def _end_if_lost(self, outgoing: Outgoing, response: Response, now: float) -> None:
        if response.status not in {408, 481} or self.ended:
            return
        if response.status == 408 and outgoing.spares_dialog:
            return
        if response.status == 408:
            self._bye_unasked(now)
        self._lost(str(response.status), now)

    def _lost(self, cause: str, now: float) -> None:
        self.end(now)
        self.stack.tell(DialogEnded(usage=self.usage.handle, dialog=self.name, cause=cause))
