"""The calls that the API knows: live ones, and those that ended a short while ago.

Fed by the publications of every call; each is forgotten some minutes after its end, and with it all that
belongs to it.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.calls.parties import Parties, parties_of
from siprec_src.api.errors import TREE, not_found
from siprec_src.api.sids import call_sid
from siprec_src.communication import CommunicationSession

KEPT_S: Final = 600.0  #: after the end of a call
MAX_KEPT: Final = 10_000  #: ended calls; the one that ended first is forgotten first


@dataclasses.dataclass(slots=True, eq=False, kw_only=True)
class KnownCall:
    """One call, as it is now."""

    sid: str
    account_sid: str
    parties: Parties  #: as they were when the call was answered
    session: CommunicationSession

    @property
    def status(self) -> str:
        """In the platform's words; a call is known once it was answered."""
        return "in-progress" if self.session.ended is None else "completed"


class CallBook:
    """Every known call by its SID.

    Args:
        accounts: those that calls may belong to, as they are now.
        now: seconds of the machines' clock.
    """

    def __init__(
        self,
        *,
        accounts: Callable[[], Accounts],
        now: Callable[[], float],
        max_kept: int = MAX_KEPT,
    ) -> None:
        self._accounts = accounts
        self._now = now
        self._listeners: list[Callable[[str], None]] = []
        self._max_kept = max_kept
        self._live: dict[str, KnownCall] = {}
        self._ended: OrderedDict[str, KnownCall] = OrderedDict()  #: in the order in which they ended

    def when_forgotten(self, listener: Callable[[str], None]) -> None:
        """Have it told the SID of each call that is forgotten."""
        self._listeners.append(listener)

    def notice(self, session: CommunicationSession) -> None:
        """A call was answered, has changed, or has ended."""
        sid = call_sid(session.session_id)
        call = self._live.get(sid)
        if call is None:
            owner = self._accounts().of_call(session)
            call = self._live[sid] = KnownCall(
                sid=sid,
                account_sid=owner.sid if owner is not None else "",
                parties=parties_of(session),
                session=session,
            )
        call.session = session
        if session.ended is not None:
            # Of very many ended calls no more is kept than is shown.
            call.session = dataclasses.replace(session, participants=(), streams=(), headers=())
            self._ended[sid] = self._live.pop(sid)
        self._clear()

    def find(self, sid: str) -> KnownCall | None:
        """The call with this SID; None: there is none, or it was forgotten."""
        self._clear()
        return self._live.get(sid) or self._ended.get(sid)

    def of_account(self, sid: str, account: Account) -> KnownCall:
        """The same, for an account that asks.

        Raises:
            ApiError: 404, also for a call of another account.
        """
        call = self.find(sid)
        if call is None or call.account_sid != account.sid:
            raise not_found(f"{TREE}/Accounts/{account.sid}/Calls/{sid}.json")
        return call

    def newest_first(self) -> Iterator[KnownCall]:
        """Every call, in the reverse of the order in which they began."""
        self._clear()
        calls = [*self._ended.values(), *self._live.values()]
        calls.sort(key=lambda call: (call.session.started, call.session.call), reverse=True)
        return iter(calls)

    def _clear(self) -> None:
        """Forget what has ended long ago, or is too much."""
        oldest = self._now() - KEPT_S
        while self._ended:
            sid, call = next(iter(self._ended.items()))
            if len(self._ended) <= self._max_kept and (call.session.ended or 0.0) > oldest:
                return
            del self._ended[sid]
            for listener in self._listeners:
                listener(sid)
