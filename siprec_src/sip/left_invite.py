"""An INVITE at an address that was left for the next one (RFC 3263 4.3, RFC 3261 9.1, 13.2.2.4).

Nothing more is sent to it, but what it sends late is taken: a 1xx is followed by CANCEL, a 2xx is
acknowledged and its dialog ended, a failure is acknowledged. So nobody believes that he has the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siprec_src.sip.message import Response
from siprec_src.sip.outgoing import Attempt
from siprec_src.sip.transaction.invite_client import acknowledgement
from siprec_src.sip.writer import write_message

if TYPE_CHECKING:
    from siprec_src.sip.outgoing_invite import OutgoingInvite


class LeftInvite(Attempt):
    """Stands for its transaction until nothing can come any more."""

    __slots__ = ("_cancelled", "_invite", "_taker", "_until")

    def __init__(self, invite: OutgoingInvite, attempt: Attempt, now: float) -> None:
        super().__init__(invite, attempt.transaction, attempt.flow, attempt.key)
        self.transaction.stop()
        self._invite = invite
        self._taker = invite.taker
        self._cancelled = False
        self._until: float | None = now + invite.stack.timers.give_up_s
        invite.stack.clients[self.key] = self
        invite.stack.schedule.arm(self)

    @property
    def deadline(self) -> float | None:
        return self._until

    def wake(self, now: float) -> None:
        if self._until is not None and self._until <= now:
            self._forget()

    def receive(self, response: Response, now: float) -> None:
        invite, stack = self._invite, self._invite.stack
        if response.status < 200:
            if not self._cancelled:
                self._cancelled = True
                self._until = now + stack.timers.give_up_s
                invite.send_cancel(self.transaction.request, self.flow, now)
        elif response.status < 300:
            self._taker.dismiss(response, now)
        else:
            stack.transmit(self.flow, write_message(acknowledgement(self.transaction.request, response)))

    def fail(self, now: float) -> None:
        """Its connection is gone, and so is whatever might have come."""
        del now
        self._forget()

    def _forget(self) -> None:
        self._until = None
        self._invite.stack.clients.pop(self.key, None)
