"""What happens, to whoever listens: each listener has a bounded queue, and learns how much it has missed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from siprec_src.api import sids
from siprec_src.api.accounts import Operator, Principal
from siprec_src.api.alerts import Alert
from siprec_src.api.errors import ApiError, as_json
from siprec_src.api.v1.alerts import shown
from siprec_src.api.v1.known import KnownCalls
from siprec_src.api.v1.models import Change
from siprec_src.communication import CommunicationSession, id_text
from siprec_src.recording.news import CopyChanged, CopyState

MAX_LISTENERS: Final = 32
MAX_OF_ACCOUNT: Final = 8  #: listeners, so that no account keeps all others from listening
MAX_QUEUED: Final = 256  #: events of one listener; the newest are missed
_EVENTS: Final = {
    CopyState.STARTED: "recording.started",
    CopyState.STOPPED: "recording.stopped",
    CopyState.FAILED: "recording.failed",
}


class Listener:
    """One client's queue."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.ended = False
        self._queue: deque[bytes] = deque()
        self._missed = 0
        self._news = asyncio.Event()

    def put(self, event: bytes) -> None:
        """One more event, if there is room; nobody waits."""
        if len(self._queue) < MAX_QUEUED and not self._missed:
            self._queue.append(event)
        else:
            self._missed += 1
        self._news.set()

    def end(self) -> None:
        """There is no more to come."""
        self.ended = True
        self._news.set()

    async def take(self, patience_s: float) -> list[bytes]:
        """What has come, after all that came before; nothing when it took too long, or is over."""
        if not (self._queue or self._missed or self.ended):
            try:
                async with asyncio.timeout(patience_s):
                    await self._news.wait()
            except TimeoutError:
                return []
        self._news.clear()
        taken = list(self._queue)
        self._queue.clear()
        if self._missed:
            taken.append(framed("missed", {"events": self._missed}))
            self._missed = 0
        return taken


class Hub:
    """Turns news into events, each made once for all listeners."""

    def __init__(self, known: KnownCalls) -> None:
        self._known = known
        self._listeners: set[Listener] = set()
        self._calls: set[int] = set()  #: that were told to have begun

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def listen(self, principal: Principal) -> Listener:
        """A new listener. Raises ApiError when there are too many."""
        same = sum(listener.principal == principal for listener in self._listeners)
        most = MAX_LISTENERS if isinstance(principal, Operator) else MAX_OF_ACCOUNT
        if same >= most or len(self._listeners) >= MAX_LISTENERS:
            raise ApiError(503, None, "as many clients listen already as may", headers={"Retry-After": "10"})
        listener = Listener(principal)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def close(self) -> None:
        """The server ends, or asks anew who is there: all streams end; a client may begin another."""
        for listener in self._listeners:
            listener.end()

    def notice(self, news: CommunicationSession | CopyChanged) -> None:
        """A call or one of its copies has changed."""
        if isinstance(news, CommunicationSession):
            self._call(news)
        elif self._listeners:
            view = self._known.pool.view(news.call)
            session = view.call if view is not None else self._known.recent.find(news.session_id)
            if session is not None:
                self._tell(_EVENTS[news.state], _change(news), self._sees(session))

    def alert(self, alert: Alert) -> None:
        """Something that should be seen."""
        of = alert.fields.get("account_sid")
        self._tell("alert", shown(alert), lambda who: isinstance(who, Operator) or who.sid == of)

    def _call(self, session: CommunicationSession) -> None:
        begun = session.call in self._calls
        if session.ended is not None:
            self._calls.discard(session.call)
            event = "call.end"
        else:
            self._calls.add(session.call)
            event = "call.change" if begun else "call.begin"
        if self._listeners:
            self._tell(event, self._known.shown_session(session), self._sees(session))

    def _sees(self, session: CommunicationSession) -> Callable[[Principal], bool]:
        return lambda who: self._known.auth.accounts.may_see(who, session)

    def _tell(self, event: str, value: Any, sees: Callable[[Principal], bool]) -> None:
        concerned = [listener for listener in self._listeners if sees(listener.principal)]
        if concerned:
            octets = framed(event, value)
            for listener in concerned:
                listener.put(octets)


def framed(event: str, value: Any) -> bytes:
    """One event of a stream (WHATWG HTML 9.2)."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), as_json(value))


def _change(news: CopyChanged) -> Change:
    outcome = news.outcome
    return {
        "call": news.call,
        "session": id_text(news.session_id),
        "sid": sids.call_sid(news.session_id),
        "copy": news.copy,
        "srs": news.srs,
        "result": outcome.result.value if outcome is not None else None,
        "reason": outcome.reason if outcome is not None else None,
    }
