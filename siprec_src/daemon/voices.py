"""Voice applications put together: calls on one side, customers' servers on the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from siprec_src.api.accounts import Accounts
from siprec_src.api.alerts import Alerts
from siprec_src.api.calls.book import CallBook
from siprec_src.api.execution import Scripts
from siprec_src.api.outside import Outside, OutsideAnswer, OutsideRequest
from siprec_src.api.sids import call_sid
from siprec_src.api.voice.applications import Applications
from siprec_src.communication import CommunicationSession
from siprec_src.config import Config
from siprec_src.ingest.inline.voice import VoiceAnswered
from siprec_src.instructions.model import Script
from siprec_src.machine import Observe, WallClock
from siprec_src.telemetry.log import Logger


class Voices:
    """The doors of `Applications`. They have connections of their own: a callback never stands in their way.

    Args:
        accounts: those that there are now.
        tell_call: hands an event to a live call.
        now: seconds of the machines' clock.
    """

    def __init__(
        self,
        config: Config,
        scripts: Scripts,
        calls: CallBook,
        wall: WallClock,
        log: Logger,
        *,
        accounts: Callable[[], Accounts],
        tell_call: Callable[[int, VoiceAnswered], None],
        observe: Callable[[Observe], None],
        alerts: Alerts,
        now: Callable[[], float],
    ) -> None:
        at, settings = config.http_listen, config.callbacks
        self._outside = Outside(
            settings.networks,
            own_port=None if at is None else at.port,
            trusted_ca=settings.trusted_ca,
        )
        self._scripts = scripts
        self._calls = calls
        self._wall = wall
        self._accounts = accounts
        self._tell_call = tell_call
        self._observe = observe
        self._alerts = alerts
        self._now = now
        self.applications = Applications(self, log)

    async def start(self, config: Config) -> None:
        """Have the way outside ready before the first call needs it."""
        if any(trunk.voice is not None for trunk in config.trunks):
            await self._outside.prepare()

    async def close(self) -> None:
        """Ask nobody any more."""
        await self.applications.close()
        await self._outside.close()

    # the doors

    def accounts(self) -> Accounts:
        return self._accounts()

    async def ask(self, request: OutsideRequest, *, timeout_s: float, max_bytes: int) -> OutsideAnswer:
        return await self._outside.ask(
            request, connect_timeout_s=timeout_s, timeout_s=timeout_s, max_bytes=max_bytes
        )

    def answered(self, call: int, event: VoiceAnswered) -> None:
        self._tell_call(call, event)

    def begin(self, session: CommunicationSession, script: Script) -> None:
        call = self._calls.find(call_sid(session.session_id))
        account = self._accounts().of_call(session)
        if call is not None and account is not None:
            self._scripts.manage(call, account, script)

    def report(self, event: str, code: int, text: str, **fields: object) -> None:
        self._alerts.report(event, code, text, **fields)

    def observe(self, observe: Observe) -> None:
        self._observe(observe)

    def now(self) -> float:
        return self._now()

    def today(self) -> dt.datetime:
        return self._wall.at(self._now())
