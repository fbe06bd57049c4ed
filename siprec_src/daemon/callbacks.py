"""Callbacks put together: their queue, the store below it, and the way outside."""

from __future__ import annotations

import os
from collections.abc import Callable

from siprec_src.api.accounts import Accounts
from siprec_src.api.alerts import Alerts
from siprec_src.api.callbacks import Callbacks
from siprec_src.api.callbacks.delivery import HttpDelivery
from siprec_src.api.outside import Outside
from siprec_src.config import Config
from siprec_src.machine import WallClock
from siprec_src.store.directory import state_directory
from siprec_src.store.letters import Letters
from siprec_src.store.store import Store
from siprec_src.telemetry.log import Logger
from siprec_src.telemetry.metrics import Metrics


class Outgoing:
    """What is asked of, and told to, customers' servers; nothing of it is loaded before there is an account.

    Args:
        accounts: those that there are now.
    """

    def __init__(
        self,
        config: Config,
        wall: WallClock,
        metrics: Metrics,
        log: Logger,
        *,
        accounts: Callable[[], Accounts],
    ) -> None:
        settings, at = config.callbacks, config.http_listen
        self.alerts = Alerts(log, metrics.observe)
        self.outside = Outside(
            settings.networks, own_port=at.port if at is not None else None, trusted_ca=settings.trusted_ca
        )
        self._accounts = accounts
        self._store = Store(state_directory(config.daemon.state_directory, os.environ), log)
        self.callbacks = Callbacks(
            settings,
            HttpDelivery(self.outside, settings, self._token_of),
            Letters(self._store),
            wall,
            observe=metrics.observe,
            alerts=self.alerts,
            log=log,
        )
        box = self.callbacks.outbox
        metrics.gauge("callbacks_pending", "Callbacks on their way.", lambda: self.callbacks.pending)
        metrics.gauge("callbacks_dead", "Callbacks that are tried no more.", lambda: len(box.dead))

    def start(self) -> None:
        """Deliver, if there is an account by now."""
        if self._accounts().known:
            self.callbacks.start()

    async def close(self) -> None:
        """Deliver no more, and keep what is left."""
        await self.callbacks.close()
        await self.outside.close()
        await self._store.close()

    def _token_of(self, account_sid: str) -> str | None:
        account = self._accounts().find(account_sid)
        return account.auth_token if account is not None else None
