"""The supervisor's process: one runtime directory, two children, and the configuration they share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from siprec_src import __version__
from siprec_src.app import exits
from siprec_src.app.media_process import listen
from siprec_src.app.runtime import MEDIA_SOCKET, parent_directory, runtime_directory
from siprec_src.app.supervisor import ChildSpec, Supervisor
from siprec_src.config import Config, InvalidConfiguration
from siprec_src.daemon import settings
from siprec_src.telemetry import log as logs


def start(config: Config, reload: Callable[[], Config]) -> int:
    """Run the service until it is told to stop; the exit code.

    ``reload`` reads the configuration again, or raises InvalidConfiguration.
    """
    log = logs.get_logger("supervisor")
    _leave_no_core()
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
        shared = os.memfd_create("siprec-src-settings")
        stack.callback(os.close, shared)
        settings.write(shared, config)
        status, told = os.pipe()
        stack.callback(os.close, status)
        stack.callback(os.close, told)
        media = _media_child(config, listener.fileno())
        control = _control_child(directory / MEDIA_SOCKET, shared, told)
        return asyncio.run(_supervise(config, media, control, status, _reader(reload, shared, log), log))


def _leave_no_core() -> None:
    """The children have keys and speech in their memory, which is not for the disk when one crashes."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


async def _supervise(
    config: Config,
    media: ChildSpec,
    control: ChildSpec,
    status: int,
    reload: Callable[[], bool],
    log: logs.Logger,
) -> int:
    supervisor = Supervisor(
        media=media,
        control=control,
        status=status,
        hang_limit_s=config.daemon.hang_limit_s,
        reload=reload,
        log=log,
    )
    return await supervisor.run()


def _reader(reload: Callable[[], Config], shared: int, log: logs.Logger) -> Callable[[], bool]:
    def read_again() -> bool:
        try:
            settings.write(shared, reload())
        except InvalidConfiguration as error:
            log.error("config.invalid", problems=error.problems)  # noqa: TRY400 says it all
            return False
        return True

    return read_again


def _media_child(config: Config, listener: int) -> ChildSpec:
    options = ["--listen-fd", str(listener), "--threads", str(config.media.threads)]
    options += ["--io", config.media.io, "--pins", str(_pins(config))]
    options += ["--priority", config.media.priority]
    for cpu in config.media.cpus:
        options += ["--cpu", str(cpu)]
    options += ["--log-level", config.daemon.log_level]
    if config.daemon.log_format is not None:
        options += ["--log-format", config.daemon.log_format]
    return ChildSpec(name="media", command=_child_command("media", *options), descriptors=(listener,))


def _pins(config: Config) -> Path:
    """Ours alone and the same after a crash; a bpffs takes no dots in names."""
    bound = next(iter(config.edges.values())).sip_bind
    return config.media.pins / f"{bound.host}_{bound.port}".translate(str.maketrans(".:", "__"))


def _control_child(media_socket: Path, settings: int, status: int) -> ChildSpec:
    options = ("--media-socket", str(media_socket), "--settings-fd", str(settings))
    return ChildSpec(
        name="control",
        command=_child_command("control", *options, "--status-fd", str(status)),
        descriptors=(settings, status),
    )


def _child_command(name: str, *options: str) -> tuple[str, ...]:
    # -P: what lies in the working directory is not run, be it a clone of ours without its engine.
    return (sys.executable, "-P", "-m", "siprec_src", name, "--parent", str(os.getpid()), *options)
