"""The usage that a received INVITE starts: one transaction, a dialog per label (RFC 3261 12.1.1, 13.3).

The owner keeps the forks of its other side apart by labels; each gets a To tag of its own, and the 2xx
confirms one of them. Responses outside any fork use the label "".
"""

from __future__ import annotations

from siprec_src.sip.dialog import Dialog
from siprec_src.sip.dialog_receiver import DialogReceiver, tidy
from siprec_src.sip.dialog_usage import DialogUsage
from siprec_src.sip.incoming import Incoming
from siprec_src.sip.invite_usage import InviteUsage
from siprec_src.sip.message import Request
from siprec_src.sip.stack import Stack
from siprec_src.sip.target import contact_value
from siprec_src.sip.vocabulary import CancelArrived, DialogEnded, InviteArrived, Respond
from siprec_src.sip.writer import write_message


class ServerUsage(InviteUsage):
    """One INVITE that came to us, and the dialogs that our responses made."""

    __slots__ = ("_answer_by", "_invite", "_tags", "queued")

    def __init__(self, stack: Stack, incoming: Incoming, now: float) -> None:
        flow = incoming.flow
        secure = incoming.request.target.secure
        contact = contact_value(stack.edges[flow.edge], flow.transport, secure=secure)
        super().__init__(stack, stack.identity.number(), flow.edge, contact)
        self.queued: float | None = None
        self._invite: Incoming = incoming
        self._tags: dict[str, str] = {}
        self._answer_by: float | None = now + stack.limits.unanswered_s

    def start(self, now: float) -> None:
        """Say 100, and give the call to whoever takes new ones."""
        self._invite.answer(100, now)
        token = self._invite.own(self)
        self.stack.schedule.arm(self)
        self.stack.tell(
            InviteArrived(
                usage=self.handle, token=token, request=self._invite.request, flow=self._invite.flow
            )
        )

    @property
    def their_invite_open(self) -> bool:
        return not self._invite.answered

    @property
    def deadline(self) -> float | None:
        return None if self._invite.answered else self._answer_by

    def wake(self, now: float) -> None:
        """The owner has let the INVITE lie for too long."""
        if self._answer_by is not None and self._answer_by <= now:
            self._answer_by = None
            self.stack.tell(DialogEnded(usage=self.handle, dialog="", cause="408"))
            self.refuse_invite(408, now)

    def respond(self, incoming: Incoming, command: Respond, now: float) -> None:
        """The owner answers the initial INVITE."""
        if command.status >= 300:
            self._fail(command, now)
            return
        dialog = self.dialogs.get(command.dialog)
        if dialog is None:
            if command.status < 200 and len(self.dialogs) >= self.stack.limits.max_dialogs_per_usage:
                return
            if command.tag:
                self._tags[command.dialog] = command.tag
            dialog = self._new_dialog(command.dialog)
        tag = dialog.dialog.local_tag
        if command.status < 200:
            dialog.provisional(incoming, command, tag, now)
            return
        dialog.success(incoming, command, tag, now)
        if incoming.answered:
            dialog.confirmed = True
            for other in [d for d in self.dialogs.values() if d is not dialog]:
                other.end(now)

    def cancelled(self, incoming: Incoming, request: Request, now: float) -> None:
        """The peer cancels the INVITE (9.2)."""
        if not incoming.answered:
            self.refuse_invite(487, now)
            self.stack.tell(CancelArrived(usage=self.handle, token=incoming.token, request=request))

    def refuse_invite(self, status: int, now: float) -> None:
        if not self._invite.answered:
            self._invite.answer(status, now, tag=self.tag(""))
            self._end_all(now)

    def lapsed(self, incoming: Incoming) -> None:
        """The initial transaction is over; its dialogs live on."""

    def drop(self, dialog: DialogReceiver, now: float) -> None:
        """A BYE that ends the last early dialog ends the INVITE with 487 (15.1.2)."""
        self.dialogs.pop(dialog.name, None)
        if not self.dialogs and not self._invite.answered:
            self.refuse_invite(487, now)
            self.stack.tell(DialogEnded(usage=self.handle, dialog="", cause="487"))
        self.free()

    def tag(self, label: str) -> str:
        """Our To tag under ``label``; one each."""
        if label not in self._tags:
            self._tags[label] = self.stack.identity.tag()
        return self._tags[label]

    def _new_dialog(self, label: str) -> DialogUsage:
        dialog = DialogUsage(self, label, Dialog.of_server(self._invite.request, self.tag(label)))
        dialog.offers.they_send(self._invite.request)
        self.dialogs[label] = dialog
        return dialog

    def _fail(self, command: Respond, now: float) -> None:
        invite = self._invite
        response = invite.make(
            command.status,
            tag=self.tag(command.dialog),
            reason=command.reason,
            fields=tidy(command.headers, contact=False),
            body=command.body,
        )
        data = write_message(response)
        if command.once:
            invite.send_once(data)
        else:
            invite.send(command.status, data, now)
        self._end_all(now)

    def _end_all(self, now: float) -> None:
        for dialog in list(self.dialogs.values()):
            dialog.end(now)
        self.free()
