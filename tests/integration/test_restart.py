"""A dead child costs as little as it can: media flows on without control, and comes back after media."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.sipp import Sipp

PATIENCE_S = 20.0


class Party:
    """One end of a call's media: a socket that sends numbered PCMU packets and sees what comes."""

    def __init__(self, ssrc: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((LOOPBACK, 0))
        self._sock.setblocking(False)
        self._ssrc = ssrc
        self._sequence = 0
        self.port: int = self._sock.getsockname()[1]

    def send(self, to: int) -> bytes:
        self._sequence += 1
        packet = struct.pack("!BBHII", 0x80, 0, self._sequence, 160 * self._sequence, self._ssrc)
        packet += bytes([self._sequence % 256]) * 160
        self._sock.sendto(packet, (LOOPBACK, to))
        return packet

    def received(self) -> list[bytes]:
        packets = []
        while True:
            try:
                packets.append(self._sock.recv(2048))
            except (BlockingIOError, ConnectionRefusedError):
                return packets

    def close(self) -> None:
        self._sock.close()


class Call:
    """A call through the daemon whose media two parties of the test have."""

    def __init__(self, daemon: Daemon, sip_port: int, route_port: int, directory: Path) -> None:
        self.caller, self.callee = Party(1), Party(2)
        self.callee_sipp = Sipp(
            "callee",
            directory,
            address=(LOOPBACK, route_port),
            media_port=free_port(),
            audio_port=self.callee.port,
        )
        self.caller_sipp = Sipp(
            "caller",
            directory,
            *(f"{LOOPBACK}:{sip_port}", "-m", "1", "-d", "60000"),
            address=(LOOPBACK, free_port()),
            media_port=free_port(),
            audio_port=self.caller.port,
        )
        self.to_daemon_from_caller = self.caller_sipp.audio_port(10)
        self.to_daemon_from_callee = self.callee_sipp.audio_port(10)
        self.daemon = daemon

    def talks(self, timeout_s: float = 0.5) -> bool:
        """Send one packet each way; whether both arrived unchanged in that time."""
        said = self.caller.send(self.to_daemon_from_caller)
        answered = self.callee.send(self.to_daemon_from_callee)
        arrived: tuple[list[bytes], list[bytes]] = ([], [])

        def both() -> bool:
            arrived[0].extend(self.callee.received())
            arrived[1].extend(self.caller.received())
            return said in arrived[0] and answered in arrived[1]

        try:
            until(both, timeout_s, "one packet each way")
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        for sipp in (self.caller_sipp, self.callee_sipp):
            sipp.kill()
            sipp.stop()
        self.caller.close()
        self.callee.close()


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    """Nobody records it: attempts to would have ports of their own, for as long as each takes."""
    sip_port, route_port = free_port(), free_port()
    with running(
        tmp_path,
        srs=[f"sip:{LOOPBACK}:{free_port()}"],
        route=f"sip:{LOOPBACK}:{route_port}",
        listen=sip_port,
        config="[recording]\nautomatic = false\n",
    ) as daemon:
        made = Call(daemon, sip_port, route_port, tmp_path)
        try:
            until(made.talks, PATIENCE_S, "media both ways")
            yield made
        finally:
            made.close()


def test_media_of_a_call_flows_on_while_control_is_dead_and_when_it_is_back(call: Call) -> None:
    daemon = call.daemon
    os.kill(daemon.pid_of("control"), signal.SIGKILL)
    assert call.talks(PATIENCE_S)
    until(lambda: len(daemon.events("control.listening")) == 2, PATIENCE_S, "control again")
    assert call.talks(PATIENCE_S)
    until(lambda: len(daemon.events("media.control-connected")) == 2, PATIENCE_S, "media has its control")
    first, second = daemon.events("media.control-connected")
    assert (first["orphaned_ports"], second["orphaned_ports"]) == (0, 2)


def test_media_of_a_call_flows_on_when_control_and_media_die_together(call: Call) -> None:
    daemon = call.daemon
    for child in ("control", "media"):
        os.kill(daemon.pid_of(child), signal.SIGKILL)
    until(lambda: len(daemon.events("media.control-connected")) == 2, PATIENCE_S, "both again")
    assert daemon.events("media.control-connected")[-1]["orphaned_ports"] == 2
    assert call.talks(PATIENCE_S)
    assert not daemon.events("media.not-resumed")


def test_what_media_processes_crash_over_is_left_to_none_after_the_third(call: Call) -> None:
    for crash in (1, 2, 3):
        before = call.daemon.pid_of("media")
        os.kill(before, signal.SIGABRT)
        until(lambda old=before: call.daemon.pid_of("media") != old, PATIENCE_S, "the next")  # type: ignore[misc]
        until(lambda n=crash: len(call.daemon.events("media.serving")) > n, PATIENCE_S, "serving")  # type: ignore[misc]
    assert call.daemon.event("supervisor.media-forgotten")["ports"] == 2
    until(lambda: len(call.daemon.events("media.up")) == 2, PATIENCE_S, "media again")
    until(call.talks, PATIENCE_S, "media both ways again")
    assert not call.daemon.events("machine.failed")


def test_a_second_sigterm_ends_running_calls_with_bye(call: Call) -> None:
    daemon = call.daemon
    daemon.signal(signal.SIGTERM)
    until(lambda: bool(daemon.events("control.draining")), PATIENCE_S, "draining")
    assert daemon.get("/readyz")[0] == 503
    assert call.talks(PATIENCE_S)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    end = daemon.event("call.end")
    assert end["caller_received"] == end["caller_relayed"] > 0
