"""The bundled SRS on the network: SIP over UDP, TCP and TLS, one user agent, one writer thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from siprec_src.app import dtls
from siprec_src.app.entropy import SystemIdentity
from siprec_src.net.resolver import Resolver
from siprec_src.net.tls import TlsContexts, TlsLayer
from siprec_src.net.transport import SipTransport
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.message import Headers, Request
from siprec_src.sip.parser import Malformed
from siprec_src.sip.user_agent import UserAgent
from siprec_src.srs.gate import Gate
from siprec_src.srs.recording import LiveRecording
from siprec_src.srs.session import FACE, ServedSession
from siprec_src.srs.settings import SrsSettings
from siprec_src.telemetry.log import Logger, get_logger

TICK_S: Final = 0.1  #: how often received media is handed to the writer
STOP_S: Final = 5.0  #: for BYEs and files when the server stops
_EDGE: Final = "srs"


class SrsServer:
    """Serves recording sessions until closed."""

    def __init__(
        self, settings: SrsSettings, log: Logger | None = None, tls: TlsContexts | None = None
    ) -> None:
        """``tls``: with it SIP is spoken over TLS too."""
        self._settings = settings
        self._log = log or get_logger("srs")
        self._identity = SystemIdentity()
        self._dtls = dtls.Identity()
        behaviour = settings.behaviour
        self._gate = Gate(behaviour, self._identity) if behaviour.digest else None
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="srs-writer")
        self._sessions: dict[int, ServedSession] = {}
        self._recordings: set[LiveRecording] = set()
        self._queue: deque[sip.Event] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._busy = False
        address = Address(settings.host, settings.port)
        edge = Edge(
            name=_EDGE,
            sip_bind=address,
            sip_advertised=Address(settings.advertised or settings.host, settings.port),
            transports=(Transport.UDP, Transport.TCP, *(() if tls is None else (Transport.TLS,))),
            rtp_bind=settings.host,
            rtp_advertised=settings.advertised or settings.host,
            tls_bind=Address(settings.host, settings.tls_port),
        )
        self._transport = SipTransport(
            {_EDGE: edge},
            on_received=self._received,
            on_malformed=self._malformed,
            on_failed=self._received,
            tls=None if tls is None else TlsLayer(tls),
        )
        edges = self._transport.bind()
        self.address: Final = edges[_EDGE].sip_bind
        self._agent = UserAgent(self._identity, edges, settings=FACE)
        self._resolver = Resolver(edges, self._received)

    async def start(self) -> None:
        """Begin to serve."""
        await self._transport.start()
        self._tick()

    async def close(self) -> None:
        """End every session with BYE, finish their files, close the sockets."""
        for session in tuple(self._sessions.values()):
            self._command(session.hang_up("shutdown"))
        self._work()
        waited = self._loop.time() + STOP_S
        while (self._recordings or not self._settled) and self._loop.time() < waited:
            await asyncio.sleep(0.02)
        for timer in (self._timer, self._ticker):
            if timer is not None:
                timer.cancel()
        await self._transport.close()
        await self._resolver.close()
        self._writer.shutdown(wait=True)

    @property
    def _settled(self) -> bool:
        """No session is left; their BYEs were sent."""
        return not self._sessions

    def _received(self, fact: sip.Fact) -> None:
        self._perform(self._agent.receive(fact, self._loop.time()))
        self._work()

    def _malformed(self, malformed: Malformed, flow: Flow) -> None:
        self._perform(self._agent.refuse(malformed, flow, self._loop.time()))
        self._work()

    def _wake(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._perform(self._agent.wake(now))
        for session in tuple(self._sessions.values()):
            if session.deadline is not None and session.deadline <= now:
                self._command(session.wake(now))
        self._work()

    def _work(self) -> None:
        """Serve every event that waits, then set the timer."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                self._serve(self._queue.popleft())
        finally:
            self._busy = False
        for usage in [usage for usage, session in self._sessions.items() if session.finished]:
            del self._sessions[usage]
        self._arm()

    def _serve(self, event: sip.Event) -> None:
        session = self._sessions.get(event.usage)
        if session is None and isinstance(event, sip.InviteArrived):
            session = self._new_session(event)
        if session is not None:
            try:
                self._command(session.receive(event, self._loop.time()))
            except Exception:  # noqa: BLE001 -- one session's fault must not end another's
                self._log.error("session.failed", usage=event.usage, exc_info=True)
        elif isinstance(event, sip.RequestArrived):
            gone = sip.Respond(usage=event.usage, token=event.token, status=481, dialog=event.dialog)
            self._command([gone])

    def _new_session(self, event: sip.InviteArrived) -> ServedSession | None:
        if len(self._sessions) >= self._settings.max_sessions:
            retry = Headers([("Retry-After", "5")])
            self._command([sip.Respond(usage=event.usage, token=event.token, status=503, headers=retry)])
            return None
        shown = dtls.Identity() if self._settings.behaviour.dtls_forged else self._dtls
        session = ServedSession(
            event,
            identity=self._identity,
            settings=self._settings,
            begin=self._begin,
            gate=self._gate,
            fingerprint=shown.fingerprint,
        )
        self._sessions[event.usage] = session
        return session

    def _begin(self, request: Request, document: bytes | None) -> LiveRecording:
        recording = LiveRecording(
            request,
            document,
            settings=self._settings,
            identity=self._identity,
            dtls=self._dtls,
            writer=self._writer,
            log=self._log,
            on_end=self._recordings.discard,
        )
        self._recordings.add(recording)
        return recording

    def _command(self, commands: Sequence[sip.Command]) -> None:
        for command in commands:
            self._perform(self._agent.command(command, self._loop.time()))

    def _perform(self, effects: Sequence[sip.Effect]) -> None:
        for effect in effects:
            match effect:
                case sip.Transmit():
                    self._transport.send(effect)
                case sip.Resolve():
                    self._resolver.resolve(effect)
                case sip.Tell():
                    self._queue.append(effect.event)

    def _arm(self) -> None:
        times = [session.deadline for session in self._sessions.values()] + [self._agent.deadline]
        earliest = min((when for when in times if when is not None), default=None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if earliest is not None:
            self._timer = self._loop.call_at(earliest, self._wake)

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(TICK_S, self._tick)
        for recording in tuple(self._recordings):
            recording.tick()


async def serve(settings: SrsSettings, stop: asyncio.Event, tls: TlsContexts | None = None) -> None:
    """Run the bundled SRS until ``stop`` is set.

    Raises:
        BindError: the address is taken or not ours.
    """
    log = get_logger("srs")
    server = SrsServer(settings, log, tls)
    await server.start()
    log.info("srs.ready", listen=str(server.address), directory=str(settings.directory))
    try:
        await stop.wait()
    finally:
        await server.close()
        log.info("srs.end")
