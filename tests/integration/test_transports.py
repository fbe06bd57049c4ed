"""What transports owe a call: long requests by TCP, and connections to an SRS that break."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conversation import talking
from tests.support.daemon import LOOPBACK, free_port, patient, running, until
from tests.support.recorder import recorder
from tests.support.script import callee, caller, sdp
from tests.support.sipp import party

LONG = "X-Long: " + "x" * 1400


@pytest.mark.rfc("3261", "18.1.1")
@pytest.mark.req("TRN-01")
@pytest.mark.parametrize("over_tcp", [True, False], ids=["tcp", "tcp-refused"])
def test_a_long_request_goes_to_a_trunk_by_tcp_and_by_udp_where_tcp_is_refused(
    tmp_path: Path,
    over_tcp: bool,
) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    transport = ("-t", "t1") if over_tcp else ()
    alice = caller().invite(sdp(40000), LONG).expect(486).ack_refusal()
    bob = callee().receive("INVITE").respond(486).receive("ACK")
    with (
        running(
            tmp_path,
            srs=[f"sip:{LOOPBACK}:{free_port()};transport=tcp"],
            route=f"sip:{LOOPBACK}:{bob_at[1]}",
            listen=port,
        ),
        party(bob, tmp_path, *transport, address=bob_at) as called,
        party(alice, tmp_path, f"{LOOPBACK}:{port}", address=(LOOPBACK, free_port())) as calling,
    ):
        assert calling.wait(10) == 0, calling.errors.read_text()
        assert called.wait(10) == 0, called.errors.read_text()
        invite = called.received("INVITE")[0]
        assert invite.all("Via")[0].startswith(f"SIP/2.0/{'TCP' if over_tcp else 'UDP'} {LOOPBACK}:{port};")
        assert invite.one("X-Long") == LONG.removeprefix("X-Long: ")


class Tunnel:
    """Between the daemon and the SRS: connections that the test can cut."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # A plain close would not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(patient(5))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((LOOPBACK, self._to))
                self.sockets += (near, far)
                for ends in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=_pass_on, args=ends, daemon=True))
                    self._threads[-1].start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with source, contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def tunnel(to: int) -> Iterator[Tunnel]:
    made = Tunnel(to)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.rfc("5626", "4.4.1")
@pytest.mark.rfc("6223", "4.2.1", "4.3.1")
@pytest.mark.req("TRN-05", "TRN-07")
def test_a_connection_to_the_srs_that_breaks_is_opened_again_and_nothing_is_missed(tmp_path: Path) -> None:
    """The bundled SRS agrees to be pinged, so that the end of its connection is told at once."""
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with (
        recorder(tmp_path) as srs,
        tunnel(srs.port) as way,
        running(
            tmp_path,
            srs=[f"sip:srs@{LOOPBACK}:{way.port};transport=tcp"],
            route=f"sip:{LOOPBACK}:{bob_at[1]}",
            listen=port,
        ) as daemon,
        talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=2.5) as call,
    ):
        way.cut()
        until(lambda: bool(daemon.events("recording.connection-lost")), 2, "the loss is told")
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        assert (recording.track("1"), recording.track("2")) == (call.alice_says, call.bob_says)
        until(lambda: bool(daemon.events("recording.end")), 5, "the end of the recording")
        assert [line["result"] for line in daemon.events("recording.end")] == ["recorded"]
