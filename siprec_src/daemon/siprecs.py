"""The Siprecs put together: who asks for them on one side, recording and callbacks on the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from fastapi import APIRouter

from siprec_src.api.accounts import Accounts
from siprec_src.api.alerts import Alerts
from siprec_src.api.auth import Auth
from siprec_src.api.callbacks import Callback
from siprec_src.api.callbacks.fault import siprec_fault
from siprec_src.api.calls import routes as call_routes
from siprec_src.api.calls.book import CallBook
from siprec_src.api.siprec import routes as siprec_routes
from siprec_src.api.siprec.book import SiprecBook
from siprec_src.api.siprec.resource import Siprec
from siprec_src.communication import CommunicationSession
from siprec_src.config import Config
from siprec_src.identity import Identity
from siprec_src.machine import WallClock
from siprec_src.recording.commands import CopyCommand
from siprec_src.recording.connector import Connector
from siprec_src.recording.news import CopyChanged
from siprec_src.recording.outcome import Outcome, Result
from siprec_src.recording.pool import RecordingPool
from siprec_src.sip.flow import Transport
from siprec_src.telemetry.log import Logger


class Siprecs:
    """The doors of `SiprecBook`, and what it and `CallBook` are told.

    Args:
        accounts: those that there are now.
        record: hands a command to recording.
        send: sends a status callback.
        now: seconds of the machines' clock.
    """

    def __init__(
        self,
        config: Config,
        pool: RecordingPool,
        identity: Identity,
        wall: WallClock,
        log: Logger,
        *,
        accounts: Callable[[], Accounts],
        record: Callable[[CopyCommand], None],
        send: Callable[[Callback], None],
        alerts: Alerts,
        now: Callable[[], float],
    ) -> None:
        self._connectors = config.connectors
        self._pool = pool
        self._identity = identity
        self._wall = wall
        self._log = log
        self._record = record
        self._send = send
        self._alerts = alerts
        self._now = now
        self.calls = CallBook(accounts=accounts, now=now)
        self.book = SiprecBook(self.calls, self)

    def renew(self, fresh: Config) -> None:
        """Siprecs to come go to these connectors."""
        self._connectors = fresh.connectors

    def routers(self, auth: Auth) -> tuple[APIRouter, ...]:
        """Their resources, for the application."""
        return (
            call_routes.router(auth, self.calls, self._wall),
            siprec_routes.router(auth, self.book, self.calls, self._pool.view),
        )

    def notice(self, news: CommunicationSession | CopyChanged) -> None:
        """What the driver tells; a fault here is no fault of the call that it is about."""
        try:
            if isinstance(news, CommunicationSession):
                self.calls.notice(news)
            self.book.notice(news)
        except Exception:  # noqa: BLE001 as above
            self._log.error("api.failed", news=type(news).__name__, exc_info=True)

    # the doors

    def connector(self, name: str) -> Connector | None:
        return self._connectors.find(name)

    def room(self, call: int) -> int:
        return self._pool.room(call)

    def command(self, command: CopyCommand) -> None:
        self._record(command)

    def send(self, callback: Callback) -> None:
        self._send(callback)

    def failed(self, siprec: Siprec, news: CopyChanged) -> tuple[str, int]:
        outcome = news.outcome or Outcome(result=Result.FAILED, reason="internal-error")
        target = next((t for t in self._connectors.targets if t.name == news.srs), None)
        fault = siprec_fault(
            outcome,
            secure=target is not None and target.secure,
            tls=target is not None and target.transport is Transport.TLS,
        )
        self._alerts.report(
            "siprec.failed",
            fault.code,
            fault.text,
            account_sid=siprec.account_sid,
            call_sid=siprec.call_sid,
            siprec_sid=siprec.sid,
            srs=news.srs,
            reason=outcome.reason,
            status=outcome.status,
        )
        return fault.text, fault.code

    def new_id(self) -> bytes:
        return self._identity.uuid()

    def today(self) -> dt.datetime:
        return self._wall.at(self._now())
