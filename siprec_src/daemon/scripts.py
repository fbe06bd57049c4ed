"""Scripts on live calls put together: the API asks for them, Siprecs and calls are what they reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter

from siprec_src.api.accounts import Account, Accounts
from siprec_src.api.application import ApplicationAuth
from siprec_src.api.auth import Auth
from siprec_src.api.calls import manage, update
from siprec_src.api.calls.book import KnownCall
from siprec_src.api.errors import ApiError
from siprec_src.api.execution import NOT_IN_PROGRESS, Scripts
from siprec_src.communication import CommunicationSession, HangUp
from siprec_src.daemon.callbacks import Outgoing
from siprec_src.daemon.siprecs import Siprecs
from siprec_src.instructions.model import StartSiprec
from siprec_src.machine import WallClock
from siprec_src.recording.news import CopyChanged
from siprec_src.recording.view import CallView
from siprec_src.telemetry.log import Logger

REPORT: Final = "script.report"  #: of an alert


class LiveScripts:
    """The doors of `Scripts`, and what it is told.

    Args:
        view: of a live call, by its handle.
        tell_call: hands an event to the machine of a live call.
    """

    def __init__(
        self,
        siprecs: Siprecs,
        outgoing: Outgoing,
        wall: WallClock,
        log: Logger,
        *,
        accounts: Callable[[], Accounts],
        view: Callable[[int], CallView | None],
        tell_call: Callable[[int, HangUp], None],
    ) -> None:
        self._siprecs = siprecs
        self._outgoing = outgoing
        self._wall = wall
        self._log = log
        self._accounts = accounts
        self._view = view
        self._tell_call = tell_call
        self.scripts = Scripts(self)

    def routers(self, auth: Auth) -> tuple[APIRouter, ...]:
        """Their resources, for the application."""
        calls = self._siprecs.calls
        application = ApplicationAuth(self._accounts, self._wall, asyncio.get_running_loop().time)
        return (
            update.router(auth, calls, self.scripts, self.hang_up, self._outgoing.outside, self._wall),
            manage.router(application.admit, calls, self.scripts),
        )

    def notice(self, news: CommunicationSession | CopyChanged) -> None:
        """What the driver tells; a fault here is no fault of the call that it is about."""
        try:
            if isinstance(news, CommunicationSession):
                self.scripts.notice(news)
        except Exception:  # noqa: BLE001 as above
            self._log.error("api.failed", news=type(news).__name__, exc_info=True)

    # the doors

    def start(self, call: KnownCall, account: Account, siprec: StartSiprec) -> None:
        view = self._view(call.session.call)
        if view is None:
            raise ApiError(400, NOT_IN_PROGRESS, "The call is not in progress")
        self._siprecs.book.start(view, account, siprec)

    def stop(self, call: KnownCall, name: str) -> None:
        self._siprecs.book.stop(call.sid, name)

    def hang_up(self, call: int, cause: str) -> None:
        self._tell_call(call, HangUp(cause))

    def later(self, delay_s: float, then: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, then)

    def report(self, call: KnownCall, code: int, text: str) -> None:
        self._outgoing.alerts.report(REPORT, code, text, account_sid=call.account_sid, call_sid=call.sid)
