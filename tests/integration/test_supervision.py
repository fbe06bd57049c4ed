"""The service in an operator's hands and on bad days: hung, unread, stopped as it starts, reconfigured."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from tests.integration.test_restart import Call
from tests.support.conversation import Conversation
from tests.support.daemon import (
    LOOPBACK,
    REPOSITORY,
    Daemon,
    free_port,
    patient,
    running,
    runtime_directory,
    until,
)
from tests.support.recorder import recorder

SRS = "sip:127.0.0.1:5999"


class Pinger:
    """A neighbour that sends requests from one socket."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.settimeout(patient(5))
        self._sock.bind((LOOPBACK, 0))
        self._sock.connect((LOOPBACK, port))
        self._port = port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def answer(self, number: int, method: str) -> bytes:
        """The final response to this request, or to its retransmission."""
        mine = self._sock.getsockname()[1]
        head = (
            f"{method} sip:{LOOPBACK}:{self._port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {LOOPBACK}:{mine};branch=z9hG4bK-{number}\r\n"
            f"From: <sip:test@{LOOPBACK}>;tag=1\r\nTo: <sip:{LOOPBACK}>\r\n"
            f"Call-ID: ping-{number}\r\nCSeq: 1 {method}\r\nContact: <sip:{LOOPBACK}:{mine}>\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        self._sock.send(head.encode())
        while (response := self._sock.recv(65535)).startswith(b"SIP/2.0 1"):
            continue
        return response

    def answered(self) -> bool:
        try:
            return self.answer(1, "OPTIONS").startswith(b"SIP/2.0 200")
        except OSError:
            return False


def start(directory: Path, *arguments: str, **environment: str) -> Daemon:
    return Daemon(
        *("start", "--srs", SRS, "--route", "sip:127.0.0.1:5998", "--http", "", "--log-format", "json"),
        *arguments,
        directory=directory,
        environment=environment,
    )


def test_a_hung_control_process_is_started_again_and_a_running_call_is_still_heard(tmp_path: Path) -> None:
    port, route = free_port(), free_port()
    config = (
        f'[daemon]\nhang_limit_s = 2\n[sip]\nlisten = "{LOOPBACK}:{port}"\nroute = "sip:{LOOPBACK}:{route}"\n'
        f'[[srs]]\nuri = "{SRS}"\n'
    )
    with running(tmp_path, config=config) as daemon:
        call = Call(daemon, port, route, tmp_path)
        try:
            until(call.talks, 10, "media both ways")
            hung = daemon.pid_of("control")
            os.kill(hung, signal.SIGSTOP)
            until(lambda: len(daemon.events("control.listening")) == 2, 15, "another control process")
            assert daemon.event("supervisor.hung")["pid"] == hung
            until(call.talks, 5, "media both ways")
            with Pinger(port) as pinger:
                assert pinger.answered()
        finally:
            call.close()


def test_a_log_that_nobody_reads_holds_up_neither_signalling_nor_the_end() -> None:
    port = free_port()
    unread, log = os.pipe()
    os.set_blocking(log, False)
    try:
        while True:
            os.write(log, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(log, True)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "siprec_src", "start", "--srs", SRS, "--route", "sip:127.0.0.1:5998"),
            *("--http", "", "--listen", f"{LOOPBACK}:{port}"),
        ],
        stderr=log,
        cwd=REPOSITORY,
        env={**os.environ, "RUNTIME_DIRECTORY": str(runtime_directory())},
    )
    os.close(log)
    try:
        with Pinger(port) as pinger:
            until(pinger.answered, 20, "an answer")
        process.send_signal(signal.SIGTERM)
        assert process.wait(patient(20)) == 0
    finally:
        process.kill()
        process.wait()
        os.close(unread)


@pytest.mark.parametrize("delay_lines", [1, 3])
def test_sigterm_while_it_starts_ends_it_with_0(tmp_path: Path, delay_lines: int) -> None:
    daemon = start(tmp_path, "--listen", f"{LOOPBACK}:{free_port()}")
    until(lambda: len(daemon.log.splitlines()) >= delay_lines, 20, "it begins")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert not daemon.events("supervisor.died")
    assert not list(runtime_directory().iterdir())


def test_a_runtime_directory_that_cannot_be_used_is_told_and_ends_with_1(tmp_path: Path) -> None:
    for directory, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path / ("long" * 30), "AF_UNIX path too long"),
    ):
        if "long" in directory.name:
            directory.mkdir()
        daemon = start(tmp_path, SIPREC_SRC_DAEMON_RUNTIME_DIRECTORY=str(directory))
        assert daemon.wait() == 1
        (line,) = daemon.events("daemon.cannot-start")
        assert (line["runtime_directory"], line["error"]) == (str(directory), why)


def test_an_engine_that_cannot_run_as_it_is_told_ends_the_start_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "siprec-src.toml"
    file.write_text(f'[media]\ncpus = [1023]\n[sip]\nlisten = "{LOOPBACK}:{free_port()}"\n')
    daemon = start(tmp_path, "--config", str(file))
    assert daemon.wait() == 1
    assert daemon.event("media.no-engine")["error"].startswith(
        "media.cpus: [1023] are not among those of this process"
    )
    assert not daemon.events("supervisor.died")


def test_a_drained_service_waits_for_late_retransmissions_and_no_longer(tmp_path: Path) -> None:
    port = free_port()
    with (
        running(tmp_path, srs=[SRS], route="sip:127.0.0.1:5998", listen=port) as daemon,
        Pinger(port) as pinger,
    ):
        refused = pinger.answer(1, "INVITE")
        daemon.signal(signal.SIGTERM)
        until(lambda: bool(daemon.events("control.draining")), 10, "the drain")
        assert pinger.answer(1, "INVITE") == refused
        assert daemon.wait(10) == 0


def test_sighup_sends_new_calls_by_the_new_trunk_to_the_new_srs(tmp_path: Path) -> None:
    port, before, after = free_port(), free_port(), free_port()
    file = tmp_path / "siprec-src.toml"

    def settings(srs: str, to: int) -> str:
        return (
            f'[sip]\nlisten = "{LOOPBACK}:{port}"\n'
            f'[[trunk]]\nname = "pbx"\nfrom = ["127.0.0.0/8"]\nto = "sip:{LOOPBACK}:{to}"\n'
            f'[[srs]]\nuri = "{srs}"\n'
        )

    with (
        recorder(tmp_path / "old") as old,
        recorder(tmp_path / "new") as new,
        running(tmp_path, config=settings(old.uri(), before)) as daemon,
    ):
        file.write_text(settings(new.uri(), after))
        daemon.signal(signal.SIGHUP)
        until(lambda: bool(daemon.events("config.reloaded")), 10, "the reload")
        with Conversation(tmp_path, via=(LOOPBACK, port), bob_at=(LOOPBACK, after), seconds=0.5) as call:
            until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
            call.talk()
            call.wait_heard()
            call.hang_up()
            assert new.recording().labels == ["1", "2"]
        assert daemon.events("recording.begin")[0]["srs"] == new.name
        assert not list((old.directory / "out").glob("*.json"))
