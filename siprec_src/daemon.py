"""The composition root: what the three processes are made of.

`start` is the supervisor, `media` and `control` are its children. Nothing else in the package chooses an
implementation.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from siprec_src import __version__
from siprec_src.app import descriptors, exits
from siprec_src.app.control import Control
from siprec_src.app.driver import Driver
from siprec_src.app.entropy import SystemIdentity
from siprec_src.app.http import METRICS, TEXT, HttpServer, Page
from siprec_src.app.media_client import MediaClient
from siprec_src.app.media_process import listen
from siprec_src.app.pulse import Heart
from siprec_src.app.runtime import MEDIA_SOCKET, parent_directory, runtime_directory
from siprec_src.app.supervisor import ChildSpec, Supervisor
from siprec_src.config import Config, InvalidConfiguration, from_values
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.ingest import InlineIngest
from siprec_src.ingest.inline.routing import RoutingTable
from siprec_src.ingest.inline.settings import InlineSettings
from siprec_src.machine import WallClock
from siprec_src.media import plane
from siprec_src.net.resolver import Resolver, ResolverLimits
from siprec_src.net.sockets import BindError
from siprec_src.net.tcp import StreamLimits
from siprec_src.net.transport import SipTransport
from siprec_src.recording.pool import RecordingPool
from siprec_src.sip.settings import AgentLimits
from siprec_src.sip.timers import Timers
from siprec_src.sip.user_agent import UserAgent
from siprec_src.telemetry import log as logs
from siprec_src.telemetry.metrics import Metrics

SETTINGS_TRIES: Final = 20
SETTINGS_RETRY_S: Final = 0.01
_USAGES_PER_CALL: Final = 4  # caller, callee, a recording session, and one that is being replaced
_TRANSACTIONS_PER_CALL: Final = 12  # of those, with the ended ones that still absorb retransmissions
_FIXED: Final = ("edges", "http", "sip", "media")  # what a running process does not change


def start(config: Config, reload: Callable[[], Config]) -> int:
    """Run the service until it is told to stop; the exit code.

    ``reload`` reads the configuration again, or raises InvalidConfiguration.
    """
    log = logs.get_logger("supervisor")
    log.info("daemon.start", version=__version__, srs=[target.name for target in config.targets])
    for note in config.notes:
        log.info("config.note", note=note)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit(exits.OK))  # until the supervisor listens
    with contextlib.ExitStack() as stack:
        parent = parent_directory(config.daemon.runtime_directory)
        try:
            directory = stack.enter_context(runtime_directory(parent))
            listener = stack.enter_context(listen(directory / MEDIA_SOCKET))
        except OSError as error:
            why = error.strerror or str(error)
            log.error("daemon.cannot-start", runtime_directory=str(parent), error=why)  # noqa: TRY400
            return exits.FAILED
        settings = os.memfd_create("siprec-src-settings")
        stack.callback(os.close, settings)
        _write_settings(settings, config)
        status, told = os.pipe()
        stack.callback(os.close, status)
        stack.callback(os.close, told)

        def read_again() -> bool:
            try:
                _write_settings(settings, reload())
            except InvalidConfiguration as error:
                log.error("config.invalid", problems=error.problems)  # noqa: TRY400 says it all
                return False
            return True

        async def supervise() -> int:
            supervisor = Supervisor(
                media=_media_child(config, listener.fileno()),
                control=_control_child(directory / MEDIA_SOCKET, settings, told),
                status=status,
                hang_limit_s=config.daemon.hang_limit_s,
                reload=read_again,
                log=log,
            )
            return await supervisor.run()

        return asyncio.run(supervise())


def _media_child(config: Config, listener: int) -> ChildSpec:
    options = ["--listen-fd", str(listener), "--threads", str(config.media.threads)]
    options += ["--log-level", config.daemon.log_level]
    if config.daemon.log_format is not None:
        options += ["--log-format", config.daemon.log_format]
    return ChildSpec(name="media", command=_child_command("media", *options), descriptors=(listener,))


def _control_child(media_socket: Path, settings: int, status: int) -> ChildSpec:
    options = ("--media-socket", str(media_socket), "--settings-fd", str(settings))
    return ChildSpec(
        name="control",
        command=_child_command("control", *options, "--status-fd", str(status)),
        descriptors=(settings, status),
    )


def _child_command(name: str, *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "siprec_src", name, "--parent", str(os.getpid()), *options)


def control(settings: int, media_socket: Path, status: int) -> int:
    """Run the control process."""
    config = _read_settings(settings)
    _configure_logs(config)
    return asyncio.run(_control(config, media_socket, settings, status))


async def _control(config: Config, media_socket: Path, settings: int, status: int) -> int:
    log = logs.get_logger("control")
    transport = SipTransport(
        config.edges,
        on_received=lambda fact: driver.received(fact),  # noqa: PLW0108 the driver is made below
        on_malformed=lambda malformed, flow: driver.malformed(malformed, flow),  # noqa: PLW0108
        on_failed=lambda fact: driver.received(fact),  # noqa: PLW0108
        stream_limits=StreamLimits(
            max_connections=config.sip.max_connections, connect_timeout_s=config.sip.connect_timeout_s
        ),
    )
    metrics = Metrics(__version__)
    http = HttpServer(_pages(metrics, lambda: process.ready, lambda: process.phase.value))
    try:
        edges = transport.bind()
        if config.http_listen is not None:
            await http.start(config.http_listen)
    except BindError as error:
        await transport.close()
        log.error("control.cannot-start", error=str(error))  # noqa: TRY400 one line is enough
        return exits.UNAVAILABLE

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log_stray(log, context))
    descriptors.allow_all()
    identity = SystemIdentity()
    user_agent = UserAgent(
        identity=identity,
        edges=edges,
        limits=AgentLimits(
            max_usages=_USAGES_PER_CALL * config.daemon.max_calls,
            max_transactions=_TRANSACTIONS_PER_CALL * config.daemon.max_calls,
        ),
        timers=Timers(t1_s=config.sip.t1_s, t2_s=config.sip.t2_s, t4_s=config.sip.t4_s),
    )
    ingest = InlineIngest(
        identity=identity,
        edges=edges,
        routing=RoutingTable(config.trunks, edges),
        settings=InlineSettings(
            max_calls=config.daemon.max_calls, answer_timeout_s=config.sip.answer_timeout_s
        ),
    )
    wall = WallClock(time.time() - loop.time())
    pool = RecordingPool(identity, wall, edges, config.srs)
    resolver = Resolver(
        edges,
        lambda fact: driver.received(fact),  # noqa: PLW0108 the driver is made below
        limits=ResolverLimits(timeout_s=config.sip.dns_timeout_s),
    )

    def media_says(message: plane.Answer | plane.Event) -> None:
        if isinstance(message, plane.MediaUp):
            process.media_is_up()
        driver.media(message)

    media_client = MediaClient(media_socket, media_says)
    _gauges(metrics, ingest, pool, user_agent, transport)
    driver = Driver(
        user_agent=user_agent,
        ingest=ingest,
        pool=pool,
        identity=identity,
        transmit=transport.send,
        resolve=resolver.resolve,
        submit=media_client.submit,
        observe=metrics.observe,
        log=log,
    )

    def refuse_calls() -> None:
        user_agent.draining = True
        ingest.draining = True

    def reload() -> None:
        try:
            fresh = _read_settings(settings)
            routing = RoutingTable(fresh.trunks, edges)
            pool.retarget(fresh.srs)
        except ConfigurationError as error:
            log.error("config.not-reloaded", error=str(error))  # noqa: TRY400 says it all
            return
        ingest.reroute(routing)
        _configure_logs(fresh)
        needs_restart = [name for name in _FIXED if getattr(fresh, name) != getattr(config, name)]
        log.info("config.reloaded", needs_restart=needs_restart)

    process = Control(
        log=log,
        driver=driver,
        media=media_client,
        quiet=lambda: user_agent.idle,
        refuse_calls=refuse_calls,
        reload=reload,
        tell_ready=lambda: _tell_ready(heart, log, edges),
    )
    heart = Heart(status)
    heart.start()
    media_client.start()
    await transport.start()
    try:
        await process.run()
    finally:
        driver.close()
        media_client.close()
        await resolver.close()
        await transport.close()
        await http.close()
    return exits.OK


def _log_stray(log: logs.Logger, context: dict[str, Any]) -> None:
    """A fault that no door of ours caught; the loop goes on."""
    log.error("control.failed", what=context.get("message", ""), exc_info=context.get("exception"))


def _tell_ready(heart: Heart, log: logs.Logger, edges: Any) -> None:
    for edge in edges.values():
        log.info(
            "control.listening",
            edge=edge.name,
            sip=str(edge.sip_bind),
            advertised=str(edge.sip_advertised),
            transports=[transport.value for transport in edge.transports],
            rtp=f"{edge.rtp_bind}:{edge.rtp_low}-{edge.rtp_high}",
        )
    heart.tell_ready()


def _gauges(
    metrics: Metrics,
    ingest: InlineIngest,
    pool: RecordingPool,
    user_agent: UserAgent,
    transport: SipTransport,
) -> None:
    sip, lines = transport.counters, logs.line_counters()
    metrics.gauge("calls_active", "Calls that have not ended.", lambda: ingest.calls)
    metrics.gauge("recordings_active", "Calls with a recording that is not over.", lambda: pool.live)
    metrics.gauge("sip_transactions", "SIP transactions remembered.", lambda: user_agent.transactions)
    metrics.counts(
        "sip_messages",
        "SIP messages, by what became of them.",
        "fate",
        lambda: (
            ("received", sip.received),
            ("sent", sip.sent),
            ("malformed", sip.malformed),
            ("send_failed", sip.send_failed),
        ),
    )
    metrics.counts(
        "sip_dropped",
        "SIP messages and connections dropped, by reason.",
        "reason",
        lambda: (*sip.dropped.items(), ("receive-buffer-full", transport.overrun)),
    )
    metrics.counts(
        "log_lines",
        "Lines of this process's log, by what became of them.",
        "fate",
        lambda: (("written", lines.written), ("dropped", lines.dropped)),
    )


def _pages(
    metrics: Metrics, ready: Callable[[], bool], phase: Callable[[], str]
) -> dict[str, Callable[[], Page]]:
    def readyz() -> Page:
        return (200, TEXT, b"ready\n") if ready() else (503, TEXT, f"not ready: {phase()}\n".encode())

    return {
        "/metrics": lambda: (200, METRICS, metrics.exposition()),
        "/healthz": lambda: (200, TEXT, b"ok\n"),
        "/readyz": readyz,
    }


def _configure_logs(config: Config) -> None:
    logs.configure(format_=config.daemon.log_format, level=config.daemon.log_level)


def _write_settings(descriptor: int, config: Config) -> None:
    data = json.dumps(config.values, separators=(",", ":"), default=str).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)


def _read_settings(descriptor: int) -> Config:
    """The settings as they were written last.

    A reading that falls between the two steps of a writing sees less than a whole document.
    """
    for _ in range(SETTINGS_TRIES):
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        with contextlib.suppress(json.JSONDecodeError):
            return from_values(json.loads(data))
        time.sleep(SETTINGS_RETRY_S)
    raise ConfigurationError("the settings are not whole")
