"""The daemon's own client for one SRS, made anew with everything it says and hears in view.

User agent, driver, recording, transports, resolver and engine are those that record calls; only their
neighbours are the probe's: it shows them one call that it makes up itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from siprec_src.app.driver import Driver
from siprec_src.app.entropy import SystemIdentity
from siprec_src.communication import CommunicationSession
from siprec_src.config import Config
from siprec_src.machine import Finished, WallClock
from siprec_src.media import plane
from siprec_src.net.resolver import Resolver, ResolverLimits
from siprec_src.net.tcp import StreamLimits
from siprec_src.net.tls import TlsContexts, TlsLayer
from siprec_src.net.transport import SipTransport
from siprec_src.probe.plane import ProbePlane
from siprec_src.recording import commands
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.settings import RecordingSettings
from siprec_src.recording.srs import SrsConfig
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Address, Edge, Flow, Transport
from siprec_src.sip.message import Headers, Message, Request, Response
from siprec_src.sip.parser import Malformed, parse_datagram
from siprec_src.sip.settings import AgentSettings
from siprec_src.sip.timers import Timers
from siprec_src.sip.user_agent import UserAgent
from siprec_src.values import immutable

TICK_S: Final = 0.05  #: how often it is looked whether what is waited for holds
MAX_KEPT: Final = 2000  #: messages and lines; an SRS that says more is not listened to any more
_OPTIONS_INTERVAL_S: Final = 1.0  #: one check leaves after half of it to all of it


@immutable
class Seen:
    """One SIP message on the wire."""

    at: float
    ours: bool
    flow: Flow
    message: Message


@immutable
class Said:
    """One line that the machines would have logged."""

    at: float
    event: str
    fields: Mapping[str, Any]


class Bench:
    """Everything between the probe and the SRS. `open` it before use, `close` it in any case."""

    def __init__(self, config: Config, srs: SrsConfig, tls: TlsContexts | None) -> None:
        self.identity: Final = SystemIdentity()
        self.seen: Final[list[Seen]] = []
        self.said: Final[list[Said]] = []
        self.broken: Final[list[str]] = []  #: what came and was no SIP message
        self.config: Final = config
        self.srs: Final = srs
        self.tls: Final = tls
        self.edges: Mapping[str, Edge] = {name: _elsewhere(edge) for name, edge in config.edges.items()}
        self._loop = asyncio.get_running_loop()
        self._located: dict[int, asyncio.Future[tuple[Flow, ...]]] = {}
        self._transport = SipTransport(
            self.edges,
            on_received=self._received,
            on_malformed=self._malformed,
            on_failed=self._told,
            stream_limits=StreamLimits(connect_timeout_s=config.sip.connect_timeout_s),
            tls=None if tls is None else TlsLayer(tls),
        )

    @property
    def now(self) -> float:
        return self._loop.time()

    async def open(self) -> None:
        """Take sockets, start the engine.

        Raises:
            BindError: there is no such address here.
        """
        config = self.config
        self.edges = self._transport.bind()
        self.resolver = Resolver(
            self.edges,
            self._resolved,
            limits=ResolverLimits(timeout_s=config.sip.dns_timeout_s),
            servers=config.dns_servers,
        )
        self.user_agent = UserAgent(
            identity=self.identity,
            edges=self.edges,
            settings=AgentSettings(hold_down_s=0),
            timers=Timers(t1_s=config.sip.t1_s, t2_s=config.sip.t2_s, t4_s=config.sip.t4_s),
        )
        wall = WallClock(time.time() - self.now)
        settings = RecordingSettings(options_interval_s=_OPTIONS_INTERVAL_S)
        self.pool = RecordingPool(self.identity, wall, self.edges, (self.srs,), settings=settings)
        self.media = ProbePlane(self._media_says)
        self.driver = Driver(
            user_agent=self.user_agent,
            ingest=_Nobody(),
            pool=self.pool,
            identity=self.identity,
            transmit=self._transmit,
            resolve=self.resolver.resolve,
            keep=self._transport.keep,
            submit=self.media.submit,
            observe=lambda _: None,
            log=_Log(self._say),
        )
        await self._transport.start()

    async def close(self) -> None:
        self.driver.close()
        self.media.close()
        await self.resolver.close()
        await self._transport.close()

    def stop_checking(self) -> None:
        """No further OPTIONS is sent."""
        self.pool.retarget((self.srs,), RecordingSettings(options_interval_s=0))

    def record(self, event: CommunicationSession | commands.Command) -> None:
        """Show recording the call, or command it."""
        self.driver.record(event)

    def give_up(self, session: CommunicationSession) -> None:
        """The call is over, if recording has not been told yet."""
        self.record(dataclasses.replace(session, ended=self.now))

    @property
    def waits_for_bye(self) -> bool:
        """Whether a BYE of ours has no answer yet."""
        bye = self.request("BYE", ours=True)
        return bye is not None and self.answer(bye) is None

    async def locate(self, question: sip.Resolve) -> tuple[Flow, ...]:
        """Where a name leads, as a call would be told."""
        self._located[question.query] = self._loop.create_future()
        self.resolver.resolve(question)
        return await self._located[question.query]

    async def until(self, holds: Callable[[], bool], patience_s: float) -> bool:
        """Wait until it ``holds``; whether it does."""
        deadline = self.now + patience_s
        while not holds() and self.now < deadline:
            await asyncio.sleep(TICK_S)
        return holds()

    # what has been seen

    def line(self, *events: str, since: float = 0.0) -> Said | None:
        """The first line with one of these names."""
        return next((said for said in self.said if said.event in events and said.at >= since), None)

    def request(self, *methods: str, ours: bool, since: float = 0.0) -> Seen | None:
        """The newest request with one of these methods."""
        for seen in reversed(self.seen):
            message = seen.message
            known = isinstance(message, Request) and message.method in methods
            if known and seen.ours is ours and seen.at >= since:
                return seen
        return None

    def answer(self, request: Seen, *, final: bool = True) -> tuple[Seen, Response] | None:
        """The response to a request, by Call-ID, CSeq and who sent it."""
        wanted = request.message
        for seen in self.seen:
            message = seen.message
            if seen.ours is request.ours or not isinstance(message, Response):
                continue
            if (final and message.status < 200) or seen.at < request.at:
                continue
            if message.headers.get("call-id") == wanted.headers.get("call-id") and (
                message.headers.get("cseq") == wanted.headers.get("cseq")
            ):
                return seen, message
        return None

    # taps

    def _transmit(self, transmit: sip.Transmit) -> None:
        parsed = parse_datagram(transmit.data)
        if isinstance(parsed, Message):
            self._see(transmit.flow, parsed, ours=True)
        self._transport.send(transmit)

    def _received(self, fact: sip.Received) -> None:
        self._see(fact.flow, fact.message, ours=False)
        self.driver.received(fact)

    def _see(self, flow: Flow, message: Message, *, ours: bool) -> None:
        if len(self.seen) < MAX_KEPT:
            self.seen.append(Seen(at=self.now, ours=ours, flow=flow, message=message))

    def _malformed(self, malformed: Malformed, flow: Flow) -> None:
        if len(self.broken) < MAX_KEPT:
            self.broken.append(str(malformed.error))
        self.driver.malformed(malformed, flow)

    def _told(self, fact: sip.Fact) -> None:
        self.driver.received(fact)

    def _resolved(self, fact: sip.Resolved) -> None:
        if (waiting := self._located.pop(fact.query, None)) is not None:
            waiting.set_result(fact.flows)
        else:
            self.driver.received(fact)

    def _media_says(self, message: plane.Answer | plane.Event) -> None:
        self.driver.media(message)

    def _say(self, event: str, fields: Mapping[str, Any]) -> None:
        if len(self.said) < MAX_KEPT:
            self.said.append(Said(at=self.now, event=event, fields=fields))


class _Nobody:
    """The ingest of a process that takes no calls."""

    deadline: float | None = None

    def receive(self, event: object, now: float) -> list[sip.Respond | Finished]:
        if isinstance(event, sip.InviteArrived):
            return [sip.Respond(usage=event.usage, token=event.token, status=603, headers=Headers())]
        return []

    def wake(self, now: float) -> list[sip.Respond | Finished]:
        return []


class _Log:
    """A logger whose lines stay here."""

    def __init__(self, say: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._say = say

    def debug(self, event: str, **fields: object) -> None:
        self._say(event, fields)

    info = warning = error = debug


def _elsewhere(edge: Edge) -> Edge:
    """The same edge on ports that the daemon, which may be running, does not have."""
    return dataclasses.replace(
        edge,
        sip_bind=Address(edge.sip_bind.host, 0),
        sip_advertised=Address(edge.sip_advertised.host, 0),
        tls_bind=Address(edge.sip_bind.host, 0) if Transport.TLS in edge.transports else None,
        tls_advertised=None,
    )
