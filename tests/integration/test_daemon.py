"""The service as an operator sees it: start, ready, signals, deaths, exit codes."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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

SRS = "sip:127.0.0.1:5999"
ROUTE = "sip:127.0.0.1:5998"


@pytest.fixture
def sip_port() -> int:
    return free_port()


@pytest.fixture
def daemon(tmp_path: Path, sip_port: int) -> Iterator[Daemon]:
    with running(tmp_path, srs=[SRS], route=ROUTE, listen=sip_port) as started:
        yield started


def options(port: int) -> bytes:
    """What the daemon answers to an OPTIONS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patient(5))
        sock.bind((LOOPBACK, 0))
        mine = sock.getsockname()[1]
        lines = (
            f"OPTIONS sip:{LOOPBACK}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {LOOPBACK}:{mine};branch=z9hG4bKoptions{mine}",
            "From: <sip:test@127.0.0.1>;tag=1",
            f"To: <sip:{LOOPBACK}>",
            f"Call-ID: options-{mine}",
            "CSeq: 1 OPTIONS",
            "Max-Forwards: 70",
            "Content-Length: 0",
            "",
            "",
        )
        sock.sendto("\r\n".join(lines).encode(), (LOOPBACK, port))
        return sock.recv(65535)


@pytest.mark.rfc("3261", "11.2")
def test_a_ready_daemon_answers_options_and_ends_with_0_on_sigterm(daemon: Daemon, sip_port: int) -> None:
    assert options(sip_port).startswith(b"SIP/2.0 200 ")
    assert daemon.get("/healthz") == (200, "ok\n")
    status, metrics = daemon.get("/metrics")
    assert status == 200
    assert "siprec_src_calls_active 0.0" in metrics
    assert "_created" not in metrics
    serving = daemon.event("media.serving")
    assert serving["priority"] in {"raised", "normal"}
    until(lambda: daemon.metric("media_io", io=serving["io"]) == 1, 5, "the state of the media process")
    loads = [line for line in daemon.get("/metrics")[1].splitlines() if "_media_load{" in line]
    assert len(loads) == serving["threads"]
    assert daemon.stop() == 0


def test_sigint_is_sigterm(daemon: Daemon) -> None:
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0


def test_a_second_daemon_on_the_same_port_says_so_and_ends_with_1(
    daemon: Daemon, sip_port: int, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = Daemon(
        *("start", "--srs", SRS, "--route", ROUTE, "--http", "", "--log-format", "json"),
        *("--listen", f"{LOOPBACK}:{sip_port}"),
        directory=other,
    )
    assert second.wait() == 1
    (event,) = second.events("control.cannot-start")
    assert event["error"] == f"cannot listen on UDP {LOOPBACK}:{sip_port}: Address already in use"
    assert daemon.ready


def test_a_busy_http_port_is_told_too(daemon: Daemon, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = Daemon(
        *("start", "--srs", SRS, "--route", ROUTE, "--log-format", "json"),
        *("--http", f"{LOOPBACK}:{daemon.http}", "--listen", f"{LOOPBACK}:{free_port()}"),
        directory=other,
    )
    assert second.wait() == 1
    (event,) = second.events("control.cannot-start")
    assert event["error"] == f"cannot listen on TCP {LOOPBACK}:{daemon.http}: Address already in use"


@pytest.fixture
def cores() -> Iterator[None]:
    """As where the system keeps the cores of what crashes."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_killed_media_process_is_started_again_and_the_service_is_ready(
    cores: None, daemon: Daemon
) -> None:
    before = daemon.pid_of("media")
    os.kill(before, signal.SIGKILL)
    until(lambda: daemon.pid_of("media") != before, 10, "a new media process")
    until(lambda: len(daemon.events("media.resumed")) == 2, 10, "it goes on")
    daemon.wait_ready()
    assert not daemon.events("media.down")
    for name in ("media", "control"):
        core, _ = resource.prlimit(daemon.pid_of(name), resource.RLIMIT_CORE)
        assert core == 0, "a crash would write keys and speech to disk"
    assert daemon.stop() == 0


def test_a_killed_control_process_is_started_again_beside_the_same_media_process(daemon: Daemon) -> None:
    media, control = daemon.pid_of("media"), daemon.pid_of("control")
    os.kill(control, signal.SIGKILL)
    until(lambda: daemon.pid_of("control") != control, 10, "a new control process")
    until(lambda: len(daemon.events("control.listening")) == 2, 10, "control listens again")
    daemon.wait_ready()
    assert daemon.pid_of("media") == media
    assert daemon.stop() == 0


def test_a_control_process_that_dies_again_and_again_ends_the_service_with_1(daemon: Daemon) -> None:
    for deaths in range(1, 6):
        until(lambda n=deaths: len(daemon.events("supervisor.ready")) == n, 20, "ready")  # type: ignore[misc]
        os.kill(daemon.pid_of("control"), signal.SIGKILL)
    assert daemon.wait() == 1
    (event,) = daemon.events("supervisor.gave-up")
    assert event["child"] == "control"


def test_nothing_that_lies_in_the_working_directory_is_run(tmp_path: Path, sip_port: int) -> None:
    """Such as the sources, without their engine, in a clone of which the wheel was installed."""
    (tmp_path / "click.py").write_text("raise SystemExit(3)")
    with running(tmp_path, srs=[SRS], route=ROUTE, listen=sip_port, working_directory=tmp_path) as daemon:
        assert not daemon.events("supervisor.died")


def test_nothing_of_a_killed_supervisor_is_in_the_way_of_the_next_start(
    daemon: Daemon, sip_port: int, tmp_path: Path
) -> None:
    children = [daemon.pid_of("media"), daemon.pid_of("control")]
    daemon.process.kill()
    daemon.process.wait()
    until(lambda: not any(_alive(pid) for pid in children), 10, "both children gone")
    left = set(runtime_directory().iterdir())
    again = tmp_path / "again"
    again.mkdir()
    with running(again, srs=[SRS], route=ROUTE, listen=sip_port) as successor:
        assert options(sip_port).startswith(b"SIP/2.0 200 ")
        assert left
        assert left.isdisjoint(runtime_directory().iterdir())
        assert successor.stop() == 0


def test_systemd_is_told_when_the_service_is_ready_and_when_it_stops(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(patient(20))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        daemon = Daemon(
            *("start", "--srs", SRS, "--route", ROUTE, "--http", "", "--log-format", "json"),
            *("--listen", f"{LOOPBACK}:{free_port()}"),
            directory=tmp_path,
            environment=environment,
        )
        for word in (b"READY=1", b"WATCHDOG=1"):
            while not manager.recv(4096).startswith(word):
                pass
        daemon.signal(signal.SIGTERM)
        while not manager.recv(4096).startswith(b"STOPPING=1"):
            pass
        assert daemon.wait() == 0


def test_bad_configuration_ends_with_78_and_names_file_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('[sip]\nlisten = "127.0.0.1:5060"\n\n[[srs]]\nurl = "sip:127.0.0.1"\n')
    for command in (["check"], ["start"], ["start", "--check"]):
        ended = subprocess.run(
            [sys.executable, "-m", "siprec_src", *command, "--config", str(file), "--route", ROUTE],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 78
        assert f"{file}:5: srs.1.url: unknown key (did you mean 'uri'?)" in ended.stderr


@pytest.mark.feature("F015")
def test_sighup_with_a_broken_file_changes_nothing_and_with_a_connector_takes_it_over(tmp_path: Path) -> None:
    file = tmp_path / "siprec-src.toml"
    good = f'[[srs]]\nuri = "{SRS}"\n'
    file.write_text(good)
    with running(tmp_path, srs=[], route=ROUTE, arguments=["--config", str(file)]) as daemon:
        file.write_text(good + "nonsense = 1\n")
        daemon.signal(signal.SIGHUP)
        until(lambda: bool(daemon.events("config.invalid")), 10, "the complaint")
        assert "nonsense" in daemon.events("config.invalid")[0]["problems"][0]
        file.write_text(good)
        file.with_name("connectors.toml").write_text('[[connector]]\nname = "a"\nuri = "sip:a@127.0.0.9"\n')
        daemon.signal(signal.SIGHUP)
        until(lambda: bool(daemon.events("config.reloaded")), 10, "the reload")
        assert daemon.metric("srs_up", srs="sip:a@127.0.0.9") == 1
        assert daemon.ready


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
