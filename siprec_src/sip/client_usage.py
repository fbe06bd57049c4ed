"""The usage that an INVITE of ours starts: forks, the first 2xx, surplus ones (RFC 3261 13.2, 12.1.2)."""

from __future__ import annotations

from siprec_src.sip.dialog import Dialog
from siprec_src.sip.dialog_usage import DialogUsage
from siprec_src.sip.flow import Flow, Transport
from siprec_src.sip.invite_usage import InviteUsage
from siprec_src.sip.keepalive import agreed_interval_s
from siprec_src.sip.message import Headers, Request, Response, header_key
from siprec_src.sip.outgoing import Nobody, Outgoing, local_response
from siprec_src.sip.outgoing_invite import OutgoingInvite
from siprec_src.sip.reliable import is_reliable
from siprec_src.sip.stack import Stack
from siprec_src.sip.target import contact_value, default_transport, route, transport_of
from siprec_src.sip.uri import Uri, parse_uri
from siprec_src.sip.vocabulary import ResponseArrived, StartInvite


class ClientUsage(InviteUsage):
    """One INVITE that we sent, its early dialogs, and the one that its first 2xx confirms."""

    __slots__ = ("_finished", "_forks", "confirmed", "invite")

    def __init__(self, stack: Stack, command: StartInvite, now: float) -> None:
        target = parse_uri(command.request_uri)
        contact = _contact(stack, command, target)
        super().__init__(stack, command.usage, command.edge, contact, command.contact_parameters)
        request, hop = _invite(stack, command, target, self.contact())
        self._finished = False  #: the owner has been told the final response
        self._forks: dict[str, Dialog] = {}  #: by every tag that made one, ended ones too
        self.confirmed: str | None = None
        wait_s = command.answer_timeout_s or stack.limits.unanswered_s
        self.authenticate(command.credentials)
        self.invite = OutgoingInvite(
            stack, request, command.edge, self, command.token, now + wait_s, self.authenticator
        )
        self.invite.keep_alive = command.keep_alive and stack.settings.keepalive_s > 0
        self.invite.start(hop, now)

    @property
    def our_invite_open(self) -> bool:
        return not self._finished

    def cancel(self, token: int, headers: Headers, now: float) -> None:
        if token == self.invite.token:
            self.invite.cancel(headers, now)
        else:
            super().cancel(token, headers, now)

    def answered(
        self, outgoing: Outgoing, response: Response, flow: Flow | None, now: float, *, made_here: bool
    ) -> None:
        """A response to the initial INVITE."""
        if response.status >= 300:
            self._fail(response, flow, now, made_here=made_here)
        elif response.status >= 200:
            self._success(response, flow, now)
        elif not self._finished and not self.invite.cancelled:
            self._provisional(response, flow)

    def dismiss(self, response: Response, now: float) -> None:
        self._surplus(response.to.tag or "", response, now)

    def goes_again(self, outgoing: Outgoing, now: float) -> int:
        """The forks of the refused INVITE are over; those of the next one may have the same tags."""
        for dialog in list(self.dialogs.values()):
            dialog.end(now)
        self._forks.clear()
        return outgoing.request.cseq.number + 1

    def _provisional(self, response: Response, flow: Flow | None) -> None:
        """A 101-199 makes an early dialog when it has a tag (12.1); a reliable one must be in order."""
        name = response.to.tag or ""
        dialog = self.dialogs.get(name)
        if dialog is None and name:
            if name in self._forks or len(self._forks) >= self.stack.limits.max_dialogs_per_usage:
                return
            dialog = self._new_dialog(name, response)
        elif dialog is not None:
            dialog.dialog.refresh(response)
        if is_reliable(response):
            if dialog is None or not dialog.receiver.accept(response):
                return
            dialog.offers.they_answer_invite(response)
        self._tell(name, response, flow)

    def _success(self, response: Response, flow: Flow | None, now: float) -> None:
        """The first 2xx confirms its dialog and ends the other forks; later ones are settled here."""
        name = response.to.tag or ""
        gone = name in self._forks and name not in self.dialogs
        if self._finished or self.invite.cancelled or gone:
            self._surplus(name, response, now)
            if not self._finished:
                self._fail(local_response(487), None, now, made_here=True)
            return
        dialog = self.dialogs.get(name)
        if dialog is None:
            dialog = self._new_dialog(name, response)
        self._finished = True
        self.confirmed = name
        for other in [d for d in self.dialogs.values() if d is not dialog]:
            other.end(now)
        dialog.dialog.confirm(response)
        dialog.confirmed = True
        dialog.offers.they_answer_invite(response)
        dialog.unacknowledged[self.invite.token] = self.invite
        self._keep(dialog, response, flow)
        self._tell(name, response, flow)

    def _keep(self, dialog: DialogUsage, response: Response, flow: Flow | None) -> None:
        """Keep the connection alive if we have offered it and the peer wants it (RFC 6223 4.2.1)."""
        interval_s = agreed_interval_s(response.via, self.stack.settings.keepalive_s)
        if self.invite.keep_alive and interval_s is not None and flow is not None:
            self.stack.kept.agree(dialog, interval_s)
            self.stack.keep(dialog, flow)

    def _surplus(self, name: str, response: Response, now: float) -> None:
        """A 2xx once more: its ACK again. One of another fork: ACK and BYE (13.2.2.4).

        Not without end: each goes where the peer's Contact points.
        """
        if self.invite.acknowledged(name):
            self.invite.repeat_ack(name)
        elif name != self.confirmed and self.invite.acks < self.stack.limits.max_dialogs_per_usage:
            dialog = self._forks.get(name) or Dialog.of_client(self.invite.request, response)
            dialog.confirm(response)
            self.invite.acknowledge(dialog, name, now)
            request, hop = dialog.request("BYE", Headers())
            bye = Outgoing(self.stack, request, self.edge, Nobody(), authenticator=self.authenticator)
            bye.start(hop, now)

    def _fail(self, response: Response, flow: Flow | None, now: float, *, made_here: bool) -> None:
        if self._finished:
            return
        self._finished = True
        self._tell("", response, flow, made_here=made_here)
        for dialog in list(self.dialogs.values()):
            dialog.end(now)
        self.free()

    def _new_dialog(self, name: str, response: Response) -> DialogUsage:
        dialog = DialogUsage(self, name, Dialog.of_client(self.invite.request, response))
        dialog.offers.we_send(self.invite.request)
        self.dialogs[name] = dialog
        self._forks[name] = dialog.dialog
        return dialog

    def _tell(self, name: str, response: Response, flow: Flow | None, *, made_here: bool = False) -> None:
        self.stack.tell(
            ResponseArrived(
                usage=self.handle,
                dialog=name,
                token=self.invite.token,
                response=response,
                flow=flow,
                made_here=made_here,
            )
        )


def _contact(stack: Stack, command: StartInvite, target: Uri) -> str:
    edge = stack.edges[command.edge]
    asked = transport_of(command.next_hop or target)
    transport = asked if isinstance(asked, Transport) else default_transport(edge)
    return contact_value(edge, transport, command.contact_user, secure=target.secure)


def _invite(stack: Stack, command: StartInvite, target: Uri, contact: str) -> tuple[Request, Uri]:
    """The INVITE without Via, and its next hop (8.1.1, 8.1.2)."""
    wanted = command.headers
    routed = route(target, Request(method="INVITE", uri="", headers=wanted).routes)
    head = [("Route", value) for value in routed.routes]
    head += [
        ("Max-Forwards", wanted.get("max-forwards") or "70"),
        ("From", f"{wanted.get('from')};tag={stack.identity.tag()}"),
        ("To", wanted.get("to") or f"<{command.request_uri}>"),
        ("Call-ID", stack.identity.call_id()),
        ("CSeq", "1 INVITE"),
        ("Contact", contact),
    ]
    head += [field for field in wanted if header_key(field[0]) not in _PLACED]
    uri = routed.uri if routed.uri != str(target) else command.request_uri
    request = Request(method="INVITE", uri=uri, headers=Headers(head), body=command.body)
    return request, command.next_hop or routed.hop


_PLACED = frozenset(
    {"route", "max-forwards", "from", "to", "call-id", "cseq", "contact", "via", "content-length"}
)
