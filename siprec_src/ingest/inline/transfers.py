"""Calls that a REFER has asked for: the new call belongs to the group of the old (RFC 3515, RFC 8068 3.2.3).

Whom the transferee calls is in Refer-To. A new INVITE is that call when it names the dialog that Refer-To
names (RFC 3891). Without one it must go to whom Refer-To names, and either repeat the REFER's Referred-By
(RFC 3892) or come from who was asked; since anybody can write these, only by the trunk of who was asked.
What cannot be known is not guessed: such a call is a group of its own.
"""

from __future__ import annotations

from typing import Final

from siprec_src.communication import Name
from siprec_src.errors import RemoteProtocolError
from siprec_src.ingest.inline.dialogs import LegDialog, dialog_in, dialog_of
from siprec_src.ingest.inline.groups import Group, same_person
from siprec_src.ingest.inline.names import asserted_names, said_names
from siprec_src.sip.headers import parse_name_address
from siprec_src.sip.message import Request
from siprec_src.sip.uri import Uri, unescape
from siprec_src.values import immutable

WAIT_S: Final = 60.0  #: after a REFER the new call may come for so long
MAX_WAITING: Final = 1_000  #: REFERs of all calls that are remembered; the first ones are forgotten


@immutable(eq=False)
class Asked:
    """One REFER on its way, or accepted."""

    group: Group
    whom: tuple[Name, ...]  #: who was asked to call
    trunk: str  #: he is behind this one; "": behind one without a name
    target: Uri
    replaces: LegDialog | None  #: as it was told to him
    referred_by: str
    until: float


class Transfers:
    """The REFERs whose calls have not come yet."""

    def __init__(self) -> None:
        self._waiting: dict[Asked, None] = {}

    def ask(
        self, refer_to: str, referred_by: str, group: Group, whom: tuple[Name, ...], trunk: str, now: float
    ) -> Asked:
        """Expect the call that a REFER asks for of who is behind ``trunk``.

        Raises:
            RemoteProtocolError: Refer-To cannot be read; the REFER's receiver will say so.
        """
        target = parse_name_address(refer_to).uri
        asked = Asked(
            group=group,
            whom=whom,
            trunk=trunk,
            target=target,
            replaces=dialog_in(refer_to),
            referred_by=_referrer(referred_by),
            until=now + WAIT_S,
        )
        self._forget_late(now)
        self._waiting[asked] = None
        if len(self._waiting) > MAX_WAITING:
            self.forget(next(iter(self._waiting)))
        return asked

    def forget(self, asked: Asked) -> None:
        """The REFER was refused, or a call that it asked for is answered."""
        self._waiting.pop(asked, None)

    def asked_by(self, invite: Request, trunk: str, now: float) -> Asked | None:
        """The REFER that has asked for a new call by ``trunk``; it may come again, as after a challenge."""
        self._forget_late(now)
        return next((asked for asked in self._waiting if _is_asked_for(invite, trunk, asked)), None)

    def _forget_late(self, now: float) -> None:
        """They are in the order of their times."""
        while self._waiting and (first := next(iter(self._waiting))).until <= now:
            self.forget(first)


def _is_asked_for(invite: Request, trunk: str, asked: Asked) -> bool:
    if asked.replaces is not None:
        return dialog_of(invite.headers) == asked.replaces
    if asked.trunk not in ("", trunk):
        return False
    try:
        same_target = _user(invite.target) == _user(asked.target) != ""
    except RemoteProtocolError:
        return False
    if not same_target:
        return False
    referrer = _referrer(invite.headers.get("referred-by") or "")
    if referrer and asked.referred_by:
        return referrer == asked.referred_by
    return same_person(asked.whom, asserted_names(invite) or said_names(invite, "from"))


def _user(uri: Uri) -> str:
    return unescape(uri.user)


def _referrer(value: str) -> str:
    """The URI of a Referred-By; "" without one."""
    try:
        return str(parse_name_address(value).uri) if value else ""
    except RemoteProtocolError:
        return ""
