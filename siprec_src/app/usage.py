"""What the driver remembers of a usage, so that it can be ended when its owner cannot do it any more.

Learned only from the commands and events that pass by; the user agent knows the protocol's state.
"""

from __future__ import annotations

from siprec_src.sip import vocabulary as sip


class UsageTrace:
    """The open ends of one usage: an unanswered INVITE, unacknowledged 2xx, confirmed dialogs."""

    __slots__ = ("_dialogs", "_received_invite", "_sent_invite", "_unacknowledged", "_usage")

    def __init__(self, usage: int) -> None:
        self._usage = usage
        self._received_invite: sip.InviteArrived | None = None
        self._sent_invite: int | None = None
        self._unacknowledged: dict[str, int] = {}
        self._dialogs: set[str] = set()

    @property
    def pending(self) -> sip.InviteArrived | None:
        """The INVITE that opened this usage, as long as it has no final response."""
        return self._received_invite

    @property
    def dialogs(self) -> tuple[str, ...]:
        """Confirmed dialogs that have not ended."""
        return tuple(self._dialogs)

    def commanded(self, command: sip.Command) -> None:
        """The owner has given this command."""
        match command:
            case sip.StartInvite():
                self._sent_invite = command.token
            case sip.Respond():
                received = self._received_invite
                if received is not None and command.token == received.token and command.status >= 200:
                    self._received_invite = None
                    if command.status < 300:
                        self._dialogs.add(command.dialog)
            case sip.SendAck():
                self._unacknowledged.pop(command.dialog, None)
            case sip.SendRequest():
                if command.method == "BYE":
                    self._dialogs.discard(command.dialog)
            case sip.CancelInvite() | sip.SendOptions():
                pass

    def told(self, event: sip.Event) -> None:
        """The owner is told this event."""
        match event:
            case sip.InviteArrived():
                self._received_invite = event
            case sip.CancelArrived():
                self._received_invite = None
            case sip.ResponseArrived():
                self._response(event)
            case sip.RequestArrived():
                if event.request.method == "BYE":
                    self._dialogs.discard(event.dialog)
            case sip.DialogEnded():
                self._dialogs.discard(event.dialog)
            case sip.AckArrived() | sip.FlowLost():
                pass

    def closing(self, status: int, token: int) -> list[sip.Command]:
        """Commands that end everything open: ``status`` to a caller, CANCEL, or BYE in each dialog."""
        commands: list[sip.Command] = []
        if (received := self._received_invite) is not None:
            commands.append(sip.Respond(usage=self._usage, token=received.token, status=status))
        if self._sent_invite is not None:
            commands.append(sip.CancelInvite(usage=self._usage, token=self._sent_invite))
        commands.extend(
            sip.SendAck(usage=self._usage, dialog=dialog, token=acknowledged)
            for dialog, acknowledged in self._unacknowledged.items()
        )
        commands.extend(
            sip.SendRequest(usage=self._usage, dialog=dialog, token=token, method="BYE")
            for dialog in self._dialogs
        )
        return commands

    def _response(self, event: sip.ResponseArrived) -> None:
        if event.response.status < 200:
            return
        if event.token == self._sent_invite:
            self._sent_invite = None
            if event.response.status < 300 and not event.made_here:
                self._dialogs.add(event.dialog)
                self._unacknowledged[event.dialog] = event.token


def closing_answer(event: sip.ResponseArrived, token: int) -> list[sip.Command]:
    """What ends the dialog that a 2xx to an INVITE has made (RFC 3261 15); nothing for another response."""
    response = event.response
    if event.made_here or not 200 <= response.status < 300 or response.cseq.method != "INVITE":
        return []
    return [
        sip.SendAck(usage=event.usage, dialog=event.dialog, token=event.token),
        sip.SendRequest(usage=event.usage, dialog=event.dialog, token=token, method="BYE"),
    ]
