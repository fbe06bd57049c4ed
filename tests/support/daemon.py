"""The real daemon as a process: started on free ports, waited for by its `/readyz`, always stopped."""

from __future__ import annotations

import atexit
import contextlib
import functools
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from siprec_src.media.model import MediaIo
from tests.support import capabilities
from tests.support.ports import free_port as free_port  # noqa: PLC0414 - tests take it from here
from tests.support.ports import media_ports

LOOPBACK = "127.0.0.1"
FORCED_IO = os.environ.get("TEST_MEDIA_IO", "")  #: the engine of daemons; by sockets they have no capability
REPOSITORY = Path(__file__).resolve().parents[2]


def until(holds: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait until ``holds``, or fail with ``what`` was waited for."""
    deadline = time.monotonic() + patient(timeout_s)
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patient(timeout_s)} s: {what}")
        time.sleep(0.02)


def patient(seconds: float) -> float:
    """How long to wait for what takes at most so long on an ordinary machine: others have more to do."""
    return 5 * seconds


@functools.cache
def runtime_directory() -> Path:
    """Where all daemons of this process have their sockets: short, as paths of Unix sockets must be."""
    directory = tempfile.TemporaryDirectory(prefix="siprec-")
    atexit.register(directory.cleanup)
    return Path(directory.name)


def logged(log: bytes, name: str) -> list[dict[str, Any]]:
    """Every whole JSON line of a log whose event is ``name``, in order."""
    lines = (line for line in log.splitlines(keepends=True) if line.startswith(b"{") and line.endswith(b"\n"))
    return [event for event in map(json.loads, lines) if event["event"] == name]


class Daemon:
    """One `siprec-src` process, with its log in a file."""

    def __init__(
        self,
        *arguments: str,
        directory: Path,
        http: int | None = None,
        environment: Mapping[str, str] | None = None,
        working_directory: Path = REPOSITORY,
    ) -> None:
        self.http = http
        self.log_file = directory / "daemon.log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SIPREC_SRC_")}
        by_sockets = (
            environment is not None and environment.get("SIPREC_SRC_MEDIA_IO") == MediaIo.SOCKETS.value
        )
        rights = capabilities.dropped() if by_sockets else contextlib.nullcontext()
        with self.log_file.open("wb") as log, rights:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "siprec_src", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=working_directory,
                env={
                    **clean,
                    "RUNTIME_DIRECTORY": str(runtime_directory()),
                    "STATE_DIRECTORY": str(directory / "state"),
                    **(environment or {}),
                },
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every log line whose event is ``name``, in order."""
        return logged(self.log_file.read_bytes(), name)

    def event(self, name: str) -> dict[str, Any]:
        """The only log line whose event is ``name``; waits for it."""
        until(lambda: bool(self.events(name)), 10, f"{name}; the log:\n{self.log}")
        (event,) = self.events(name)
        return event

    def pid_of(self, child: str) -> int:
        """The process id of the child that was started last."""
        return int([e["pid"] for e in self.events("supervisor.started") if e["child"] == child][-1])

    def spoil_media_memory(self) -> None:
        """Write over the beginning of what the media process leaves to the next one."""
        for fd in Path(f"/proc/{self.process.pid}/fd").iterdir():
            if "siprec-src-media" in str(fd.readlink()):
                with fd.open("r+b") as memory:
                    memory.write(b"x" * 64)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET."""
        return self._ask("GET", path)

    def post(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON body of a POST without body."""
        status, body = self._ask("POST", path)
        return status, json.loads(body)

    def _ask(self, method: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(LOOPBACK, self.http or 0, timeout=patient(5))
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    @property
    def ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_ready(self, timeout_s: float = 20.0) -> None:
        def ready_or_dead() -> bool:
            return self.ready or self.process.poll() is not None

        until(ready_or_dead, timeout_s, f"ready; its log:\n{self.log}")
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon ended with {self.process.returncode}:\n{self.log}")
        # A control process that is killed at once would take its first lines with it.
        for line in ("control.listening", "media.up"):
            until(lambda name=line: bool(self.events(name)), timeout_s, line)  # type: ignore[misc]

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample of `/metrics`; 0 when it is not there. ``name`` is without the prefix."""
        wanted = "siprec_src_" + name
        if labels:
            wanted += "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
        for line in self.get("/metrics")[1].splitlines():
            sample, _, value = line.rpartition(" ")
            if sample == wanted:
                return float(value)
        return 0.0

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 20.0) -> int:
        """Its exit code."""
        return self.process.wait(patient(timeout_s))

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM, and the exit code; killed when it does not end in time."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    srs: Sequence[str] = (),
    route: str = "",
    listen: int | None = None,
    config: str = "",
    arguments: Sequence[str] = (),
    working_directory: Path = REPOSITORY,
) -> Iterator[Daemon]:
    """A ready daemon on loopback; ended at once when the block is left.

    ``config``: a configuration file's text; with it only what is given here goes on the command line. Where
    it does not say which ports media has, they are those of this process, and where it says nothing of
    OPTIONS, no SRS gets any: whether one falls into a test would be chance.
    """
    http_port = free_port()
    flags = [flag for uri in srs for flag in ("--srs", uri)]
    if route:
        flags += ["--route", route]
    if listen or not config:
        flags += ["--listen", f"{LOOPBACK}:{listen or free_port()}"]
    if config:
        file = directory / "siprec-src.toml"
        file.write_text(config)
        flags += ["--config", str(file)]
    daemon = Daemon(
        "start",
        *flags,
        *("--http", f"{LOOPBACK}:{http_port}", "--log-format", "json", *arguments),
        directory=directory,
        http=http_port,
        environment=_unless_said(config),
        working_directory=working_directory,
    )
    try:
        daemon.wait_ready()
        yield daemon
    finally:
        # Again and again, because two that are pending at once are one.
        deadline = time.monotonic() + 20
        while daemon.process.poll() is None and time.monotonic() < deadline:
            daemon.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.process.wait(0.1)
        daemon.stop(0)


def _unless_said(config: str) -> Mapping[str, str]:
    """The environment of a daemon with this configuration file."""
    low, high = media_ports()
    settings: dict[str, str] = {}
    if "rtp_low" not in config:
        settings |= {"SIPREC_SRC_MEDIA_RTP_LOW": str(low), "SIPREC_SRC_MEDIA_RTP_HIGH": str(high)}
    if FORCED_IO and "\nio = " not in config:
        settings |= {"SIPREC_SRC_MEDIA_IO": FORCED_IO}
    if "options_interval_s" not in config:
        settings |= {"SIPREC_SRC_RECORDING_OPTIONS_INTERVAL_S": "0"}
    return settings
