"""A usage: everything that one INVITE started, on either side (RFC 3261 12 and 13, RFC 5057).

`ClientUsage` and `ServerUsage` know their initial INVITE; what happens inside a dialog is `DialogUsage`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siprec_src.sip.auth import Authenticator
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.message import Headers
from siprec_src.sip.stack import Stack

if TYPE_CHECKING:
    from siprec_src.sip.dialog_receiver import DialogReceiver
    from siprec_src.sip.dialog_usage import DialogUsage


class InviteUsage:
    """What both sides have: a handle, an edge, a Contact, and dialogs by name."""

    __slots__ = (
        "_contact", "_contact_parameters", "_credentials", "authenticator", "dialogs", "edge", "handle",
        "stack",
    )  # fmt: skip

    def __init__(
        self, stack: Stack, handle: int, edge: str, contact: str, contact_parameters: str = ""
    ) -> None:
        self.stack = stack
        self.handle = handle
        self.edge = edge
        self._contact = contact
        self._contact_parameters = contact_parameters
        self._credentials: Credentials | None = None
        self.authenticator: Authenticator | None = None  #: answers challenges, when there are credentials
        self.dialogs: dict[str, DialogUsage] = {}
        stack.usages[handle] = self

    @property
    def our_invite_open(self) -> bool:
        """Whether our initial INVITE has no final response."""
        return False

    @property
    def their_invite_open(self) -> bool:
        """Whether we have not finally answered their initial INVITE."""
        return False

    def authenticate(self, credentials: Credentials | None) -> None:
        """Answer challenges with these from now on; None changes nothing."""
        if credentials is not None and credentials != self._credentials:
            self._credentials = credentials
            self.authenticator = Authenticator(credentials, self.stack.identity)

    def contact(self, parameters: str = "") -> str:
        """Our Contact; the header parameters last given stay with the usage."""
        self._contact_parameters = parameters or self._contact_parameters
        return self._contact + self._contact_parameters

    def refuse_invite(self, status: int, now: float) -> None:
        """Answer their initial INVITE, where there is one, for good."""

    def cancel(self, token: int, headers: Headers, now: float) -> None:
        """The owner cancels an INVITE of this usage; one that is answered already is left alone."""
        for dialog in self.dialogs.values():
            if dialog.our_invite is not None and dialog.our_invite.token == token:
                dialog.our_invite.cancel(headers, now)
                return

    def drop(self, dialog: DialogReceiver, now: float) -> None:
        """A dialog has ended."""
        self.dialogs.pop(dialog.name, None)
        self.free()

    def free(self) -> None:
        """Forget the usage once nothing is left of it."""
        if not self.dialogs and not self.our_invite_open and not self.their_invite_open:
            self.stack.usages.pop(self.handle, None)
