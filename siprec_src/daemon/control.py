"""The control process: every part of it made, and told what the others have to say."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from pathlib import Path
from typing import Any, Final

from siprec_src import __version__
from siprec_src.api.tls import RenewedContext
from siprec_src.app import descriptors, exits, garbage
from siprec_src.app.control import Control
from siprec_src.app.driver import Driver
from siprec_src.app.entropy import SystemIdentity
from siprec_src.app.media_client import MediaClient, Told
from siprec_src.app.occupancy import Occupancy, expected_load
from siprec_src.app.pulse import Heart
from siprec_src.config import Config, read_tls
from siprec_src.daemon import settings, watching
from siprec_src.daemon.api import Api, News, read_http_tls
from siprec_src.daemon.callbacks import Outgoing
from siprec_src.daemon.scripts import LiveScripts
from siprec_src.daemon.siprecs import Siprecs
from siprec_src.daemon.voices import Voices
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.ingest import InlineIngest
from siprec_src.ingest.inline.routing import RoutingTable
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.ingest.inline.voice import VoiceEffect
from siprec_src.machine import WallClock
from siprec_src.media import plane
from siprec_src.net.resolver import Resolver, ResolverLimits
from siprec_src.net.sockets import BindError
from siprec_src.net.tcp import StreamLimits
from siprec_src.net.tls import TlsContexts, TlsLayer
from siprec_src.net.transport import SipTransport
from siprec_src.recording.commands import CopyCommand
from siprec_src.recording.copies import copies_of
from siprec_src.recording.pool import RecordingPool
from siprec_src.recording.rule import Policy
from siprec_src.recording.rules import RuleBook
from siprec_src.sip.flow import Edge, Flow, Transport
from siprec_src.sip.parser import Malformed
from siprec_src.sip.settings import AgentLimits, AgentSettings
from siprec_src.sip.throttle import Throttle
from siprec_src.sip.timers import Timers
from siprec_src.sip.user_agent import UserAgent
from siprec_src.sip.vocabulary import Fact
from siprec_src.telemetry import log as logs
from siprec_src.telemetry.explain import Explainer
from siprec_src.telemetry.ladder import Ladder
from siprec_src.telemetry.metrics import Metrics

_TRANSACTIONS_PER_USAGE: Final = 3  # with the ended ones that still absorb retransmissions
# What a running process does not change.
_FIXED: Final = ("edges", "http", "sip", "media", "indication", "telemetry", "callbacks")


def control(shared: int, media_socket: Path, status: int) -> int:
    """Run the control process; its exit code.

    Args:
        shared: descriptor of the configuration (`daemon.settings`).
        media_socket: where the media process listens.
        status: descriptor of the pipe to the supervisor (`app.pulse`).
    """
    config = settings.read(shared)
    _configure_logs(config)
    log = logs.get_logger("control")
    try:
        tls = _tls_contexts(config)
    except ConfigurationError as error:
        log.error("control.cannot-start", error=f"tls.{error}")  # noqa: TRY400 says it all
        return exits.UNAVAILABLE
    try:
        http_tls = read_http_tls(config)
    except ConfigurationError as error:
        log.error("control.cannot-start", error=f"http.{error}")  # noqa: TRY400 says it all
        return exits.UNAVAILABLE
    process = _ControlProcess(config, shared, tls, http_tls)
    with asyncio.Runner(loop_factory=process.occupancy.new_loop) as runner:
        return runner.run(process.run(media_socket, status))


class _ControlProcess:
    """The parts. Sockets first: what cannot be bound is told before anything else is made."""

    def __init__(
        self, config: Config, shared: int, tls: TlsContexts | None, http_tls: RenewedContext | None
    ) -> None:
        self._config = config
        self._http_tls = http_tls
        self._tls = None if tls is None else TlsLayer(tls)
        self._reloading: asyncio.Task[None] | None = None
        self._one_reload = asyncio.Lock()
        self._shared = shared
        self._log = logs.get_logger("control")
        self._metrics = Metrics(__version__)
        self._media_state: plane.MediaState | None = None
        self._throttle = Throttle(config.daemon.max_load)
        self.occupancy = Occupancy(self._throttle, self._log, self._media_load)

    async def run(self, media_socket: Path, status: int) -> int:
        """Serve until told to stop; the exit code."""
        asyncio.get_running_loop().set_exception_handler(self._stray)
        limits = StreamLimits(
            max_connections=self._config.sip.max_connections,
            connect_timeout_s=self._config.sip.connect_timeout_s,
            idle_s=self._config.sip.idle_timeout_s,
        )
        transport = SipTransport(
            self._config.edges,
            on_received=self._received,
            on_malformed=self._malformed,
            on_failed=self._received,
            stream_limits=limits,
            tls=self._tls,
        )
        self._api = Api(self._config, self._http_tls, self._log)
        try:
            self._edges = transport.bind()
            self._api.bind()
        except BindError as error:
            await transport.close()
            self._log.error("control.cannot-start", error=str(error))
            return exits.UNAVAILABLE
        self._make(transport, media_socket, status)
        descriptors.allow_all()
        garbage.collect_seldom()
        self._heart.start()
        self.occupancy.start()
        await self._voices.start(self._config)
        self._media.start()
        await transport.start()
        self._driver.start()
        pages = watching.pages(self._metrics, self._process)
        self._outgoing.start()
        await self._api.start(
            pages,
            self._pool,
            self._explainer,
            self._driver,
            self._wall,
            self._outgoing,
            self._siprecs,
            self._scripts,
        )
        try:
            await self._process.run()
        finally:
            await self._api.close()
            await self._voices.close()
            await self._outgoing.close()
            self._driver.close()
            self._media.close()
            await self._resolver.close()
            await transport.close()
        return exits.OK

    def _make(self, transport: SipTransport, media_socket: Path, status: int) -> None:
        """Everything behind the sockets."""
        config, identity = self._config, SystemIdentity()
        self._user_agent = _user_agent(config, identity, self._edges, self._throttle)
        self._ingest = _ingest(config, identity, self._edges)
        self._wall = wall = WallClock(time.time() - asyncio.get_running_loop().time())
        self._outgoing = Outgoing(config, wall, self._metrics, self._log, accounts=lambda: self._api.accounts)
        self._pool = RecordingPool(
            identity,
            wall,
            self._edges,
            config.srs,
            decide=RuleBook(config.rules, wall).decide,
            settings=config.recording,
            asked_for=tuple(config.connectors.targets),
        )
        self._siprecs = Siprecs(
            config,
            self._pool,
            identity,
            wall,
            self._log,
            accounts=lambda: self._api.accounts,
            record=self._record,
            send=self._outgoing.callbacks.send,
            alerts=self._outgoing.alerts,
            now=asyncio.get_running_loop().time,
        )
        lookups = ResolverLimits(timeout_s=config.sip.dns_timeout_s)
        self._resolver = Resolver(self._edges, self._received, limits=lookups, servers=config.dns_servers)
        self._media = MediaClient(media_socket, self._media_says)
        self._heart = Heart(status)
        self._require(config)
        ladder = Ladder(config.telemetry.explain_calls)
        self._explainer = Explainer(ladder, wall, _secret_fields(config))
        self._driver = Driver(
            user_agent=self._user_agent,
            ingest=self._ingest,
            pool=self._pool,
            identity=identity,
            transmit=transport.send,
            resolve=self._resolver.resolve,
            keep=transport.keep,
            submit=self._media.submit,
            observe=self._metrics.observe,
            log=self._log,
            ladder=ladder,
            notice=self._notice,
            ask_voice=self._ask_voice,
        )
        self._scripts = LiveScripts(
            self._siprecs,
            self._outgoing,
            wall,
            self._log,
            accounts=lambda: self._api.accounts,
            view=self._pool.view,
            tell_call=self._driver.tell_call,
        )
        self._voices = Voices(
            config,
            self._scripts.scripts,
            self._siprecs.calls,
            wall,
            self._log,
            accounts=lambda: self._api.accounts,
            tell_call=self._driver.tell_call,
            observe=self._metrics.observe,
            alerts=self._outgoing.alerts,
            now=asyncio.get_running_loop().time,
        )
        self._process = Control(
            log=self._log,
            driver=self._driver,
            media=self._media,
            quiet=lambda: self._user_agent.idle,
            refuse_calls=self._refuse_calls,
            reload=self._reload,
            tell_ready=self._tell_ready,
        )
        watching.gauges(
            self._metrics,
            self._ingest,
            self._pool,
            self._user_agent,
            transport,
            self._throttle,
            self.occupancy,
            lambda: self._media_state,
        )

    def _record(self, command: CopyCommand) -> None:
        self._driver.record(command)

    def _ask_voice(self, effect: VoiceEffect) -> None:
        self._voices.applications.take(effect)

    def _notice(self, news: News) -> None:
        self._siprecs.notice(news)
        self._scripts.notice(news)
        self._api.notice(news)

    def _received(self, fact: Fact) -> None:
        self._driver.received(fact)

    def _malformed(self, malformed: Malformed, flow: Flow) -> None:
        self._driver.malformed(malformed, flow)

    def _media_says(self, message: Told) -> None:
        if isinstance(message, plane.MediaState):
            self._media_state = message
            return
        if isinstance(message, plane.MediaUp):
            self._process.media_is_up()
        elif isinstance(message, plane.MediaDown):
            self._media_state = None
        self._driver.media(message)

    def _media_load(self) -> float:
        loads = self._media_state.loads if self._media_state else ()
        return expected_load(loads, self._ingest.calls, self._ingest.talking)

    def _refuse_calls(self) -> None:
        self._user_agent.draining = True
        self._ingest.draining = True
        self._pool.draining = True

    def _reload(self) -> None:
        self._reloading = asyncio.create_task(self._read_again())

    async def _read_again(self) -> None:
        async with self._one_reload:
            try:
                fresh = await asyncio.to_thread(settings.read, self._shared)
                self._take_over(fresh)
            except ConfigurationError as error:
                self._log.error("config.not-reloaded", error=str(error))
                return
            await self._api.renew(fresh)
            self._outgoing.start()
            await self._voices.start(fresh)
            if self._tls is not None:
                await self._renew_tls(fresh, self._tls)

    def _take_over(self, fresh: Config) -> None:
        """Take over what changes for new calls; name what would need a restart."""
        routing = RoutingTable(fresh.trunks, self._edges)
        self._pool.retarget(
            fresh.srs,
            fresh.recording,
            tuple(fresh.connectors.targets),
            decide=RuleBook(fresh.rules, self._wall).decide,
        )
        self._siprecs.renew(fresh)
        self._ingest.reroute(routing)
        self._require(fresh)
        self._explainer.hide(_secret_fields(fresh))
        self._driver.start()
        _configure_logs(fresh)
        was = self._config
        needs_restart = [name for name in _FIXED if getattr(fresh, name) != getattr(was, name)]
        logging = {"log_level": was.daemon.log_level, "log_format": was.daemon.log_format}
        if dataclasses.replace(fresh.daemon, **logging) != was.daemon:  # type: ignore[arg-type] # its own values
            needs_restart.append("daemon")
        self._log.info("config.reloaded", needs_restart=needs_restart)

    def _require(self, config: Config) -> None:
        """Where a rule requires a recording, calls are asked for before they are made."""
        required = any(rule.policy is Policy.REQUIRED for rule in config.rules)
        self._ingest.admit = self._pool.refuses if required else None

    async def _renew_tls(self, fresh: Config, tls: TlsLayer) -> None:
        """Read certificates again, also when their names have stayed, for the connections to come."""
        try:
            tls.renew(await asyncio.to_thread(read_tls, fresh))
        except ConfigurationError as error:
            self._log.error("config.not-reloaded", error=f"tls.{error}")
        else:
            self._log.info("tls.reloaded")

    def _tell_ready(self) -> None:
        for edge in self._edges.values():
            self._log.info(
                "control.listening",
                edge=edge.name,
                sip=str(edge.sip_bind),
                tls=str(edge.tls_bind) if Transport.TLS in edge.transports else None,
                advertised=str(edge.sip_advertised),
                transports=[transport.value for transport in edge.transports],
                rtp=f"{edge.rtp_bind}:{edge.rtp_low}-{edge.rtp_high}",
            )
        self._heart.tell_ready()

    def _stray(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A fault that no door of ours caught; the loop goes on."""
        self._log.error("control.failed", what=context.get("message", ""), exc_info=context.get("exception"))


def _user_agent(
    config: Config, identity: SystemIdentity, edges: dict[str, Edge], throttle: Throttle
) -> UserAgent:
    # Of a call: caller, callee, and for each copy a recording session and one that is being replaced.
    copies = len(copies_of(config.targets, config.recording.distribution, 0))
    if config.connectors.every:
        copies = max(copies, config.recording.max_forked_streams)
    usages = (2 + 2 * copies) * config.daemon.max_calls
    return UserAgent(
        identity=identity,
        edges=edges,
        limits=AgentLimits(max_usages=usages, max_transactions=_TRANSACTIONS_PER_USAGE * usages),
        settings=AgentSettings(hold_down_s=config.sip.hold_down_s, keepalive_s=config.sip.keepalive_s),
        timers=Timers(t1_s=config.sip.t1_s, t2_s=config.sip.t2_s, t4_s=config.sip.t4_s),
        throttle=throttle,
    )


def _ingest(config: Config, identity: SystemIdentity, edges: dict[str, Edge]) -> InlineIngest:
    return InlineIngest(
        identity=identity,
        edges=edges,
        routing=RoutingTable(config.trunks, edges),
        settings=InlineSettings(
            max_calls=config.daemon.max_calls,
            answer_timeout_s=config.sip.answer_timeout_s,
            indication=config.indication,
            media_timeout_s=config.media.media_timeout_s,
        ),
    )


def _tls_contexts(config: Config) -> TlsContexts | None:
    """The files of ``[tls]``, read where an edge needs them."""
    wanted = any(Transport.TLS in edge.transports for edge in config.edges.values())
    return read_tls(config) if wanted else None


def _secret_fields(config: Config) -> list[str]:
    """Names of the header fields whose values are secret."""
    targets = (*config.targets, *config.connectors.targets)
    return [name for target in targets for name, _ in target.config.secret_headers]


def _configure_logs(config: Config) -> None:
    logs.configure(format_=config.daemon.log_format, level=config.daemon.log_level)
