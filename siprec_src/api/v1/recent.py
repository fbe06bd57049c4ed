"""Calls that have ended, for a while: whoever asks late still learns what they were."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from siprec_src.communication import CommunicationSession

MAX_KEPT: Final = 500


class RecentCalls:
    """The last publications of the calls that ended last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, CommunicationSession] = OrderedDict()

    def notice(self, session: CommunicationSession) -> None:
        """A call has changed."""
        if session.ended is None:
            return
        self._kept[session.session_id] = session
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def find(self, session_id: bytes) -> CommunicationSession | None:
        return self._kept.get(session_id)

    def numbered(self, call: int) -> CommunicationSession | None:
        """The call with this number."""
        return next((session for session in self._kept.values() if session.call == call), None)

    def newest(self) -> Iterator[CommunicationSession]:
        """All of them, the newest first."""
        return reversed(self._kept.values())
