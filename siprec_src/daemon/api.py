"""The HTTP API of the control process, put together: its socket first, its routes when all else is there."""

from __future__ import annotations

import asyncio
import socket

from siprec_src import __version__
from siprec_src.api import app
from siprec_src.api.accounts import Accounts
from siprec_src.api.auth import Auth
from siprec_src.api.plain import Pages
from siprec_src.api.server import HttpServer
from siprec_src.api.tls import RenewedContext
from siprec_src.api.v1 import alerts, callbacks, calls, events, explained, recordings, srs
from siprec_src.api.v1.hub import Hub
from siprec_src.api.v1.known import KnownCalls
from siprec_src.api.v1.recent import RecentCalls
from siprec_src.app.driver import Driver
from siprec_src.communication import CommunicationSession
from siprec_src.config import Config
from siprec_src.daemon.callbacks import Outgoing
from siprec_src.daemon.scripts import LiveScripts
from siprec_src.daemon.siprecs import Siprecs
from siprec_src.errors import ConfigurationError
from siprec_src.machine import WallClock
from siprec_src.net.sockets import bind_tcp, is_loopback
from siprec_src.recording.news import CopyChanged
from siprec_src.recording.pool import RecordingPool
from siprec_src.telemetry.explain import Explainer
from siprec_src.telemetry.log import Logger

News = CommunicationSession | CopyChanged


def read_http_tls(config: Config) -> RenewedContext | None:
    """The certificate of ``[http]``; None: HTTP is spoken.

    Raises:
        ConfigurationError: naming the key whose file cannot be used.
    """
    certificate = config.http.tls_certificate
    return RenewedContext(certificate, config.http.tls_key) if certificate is not None else None


class Api:
    """What answers at ``[http] listen``, if anything does."""

    def __init__(self, config: Config, tls: RenewedContext | None, log: Logger) -> None:
        self._config = config
        self._log = log
        local = config.http_listen is not None and is_loopback(config.http_listen.host)
        self._auth = Auth(config.accounts, config.http_token, local=local)
        self._tls = tls
        self._recent = RecentCalls()
        self._hub: Hub | None = None
        self._socket: socket.socket | None = None
        self._server: HttpServer | None = None

    @property
    def accounts(self) -> Accounts:
        """Those that there are now."""
        return self._auth.accounts

    def bind(self) -> None:
        """Take the address. Raises BindError."""
        if self._config.http_listen is not None:
            self._socket = bind_tcp(self._config.http_listen)

    def notice(self, news: News) -> None:
        """A call or one of its copies has changed; a fault here is no fault of that call."""
        try:
            if isinstance(news, CommunicationSession):
                self._recent.notice(news)
            if self._hub is not None:
                self._hub.notice(news)
        except Exception:  # noqa: BLE001 as above
            self._log.error("api.failed", news=type(news).__name__, exc_info=True)

    async def start(
        self,
        pages: Pages,
        pool: RecordingPool,
        explainer: Explainer,
        driver: Driver,
        wall: WallClock,
        outgoing: Outgoing,
        siprecs: Siprecs,
        scripts: LiveScripts,
    ) -> None:
        """Answer from now on."""
        if self._socket is None:
            return
        auth = self._auth
        known = KnownCalls(
            pool=pool,
            auth=auth,
            wall=wall,
            explainer=explainer,
            recent=self._recent,
            now=asyncio.get_running_loop().time,
        )
        self._hub = Hub(known)
        outgoing.alerts.heard = self._hub.alert
        parts = app.Parts(
            auth=auth,
            pages=pages,
            routers=(
                calls.router(known, driver.record),
                recordings.router(known, driver.record),
                explained.router(explainer, auth),
                srs.router(pool, auth),
                events.router(self._hub, auth),
                callbacks.router(outgoing.callbacks, auth),
                alerts.router(outgoing.alerts, auth),
                *siprecs.routers(auth),
                *scripts.routers(auth),
            ),
            log=self._log,
            version=__version__,
        )
        self._server = HttpServer(
            self._socket,
            app.build(parts),
            self._log,
            max_connections=self._config.http.max_connections,
            tls=self._tls.context if self._tls is not None else None,
        )
        await self._server.start()

    async def renew(self, fresh: Config) -> None:
        """Take over accounts and tokens, and certificates for the connections to come."""
        if self._auth.renew(fresh.accounts, fresh.http_token) and self._hub is not None:
            self._hub.close()  # whoever listened by a token that is gone does not listen on
        if self._tls is None:
            return
        try:
            await asyncio.to_thread(self._tls.renew)
        except ConfigurationError as error:
            self._log.error("config.not-reloaded", error=f"http.{error}")
        else:
            self._log.info("http.tls-reloaded")

    async def close(self) -> None:
        """Answer no more; streams of events end first."""
        if self._hub is not None:
            self._hub.close()
        if self._server is not None:
            await self._server.close()
        elif self._socket is not None:
            self._socket.close()
