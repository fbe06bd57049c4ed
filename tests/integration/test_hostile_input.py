"""Whatever strangers send to the SIP and media ports: a running call and its recording are none the worse."""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conversation import Conversation, talking
from tests.support.daemon import LOOPBACK, Daemon, free_port, patient, running, until
from tests.support.malformed import MALFORMED_RTP
from tests.support.recorder import recorder
from tests.support.reference import REFERENCE

STRANGER = "127.0.0.9"
STRAY_PACKETS = 100
AT_ONCE = 20  #: datagrams of SIP, which the socket's buffer holds


@pytest.mark.rfc("3261", "16.3", "21.4")
@pytest.mark.rfc("4475", "3")
@pytest.mark.rfc("3550", "A.1")
def test_hostile_sip_and_rtp_during_a_call_cost_neither_the_call_nor_its_recording(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with recorder(tmp_path) as srs:
        config = f"""
[[trunk]]
name = "friends"
from = ["{LOOPBACK}"]
to = "sip:{bob_at[0]}:{bob_at[1]}"

[[trunk]]
name = "strangers"
from = ["{STRANGER}"]
to = "sip:{LOOPBACK}:{free_port()}"

[[srs]]
uri = "{srs.uri(";transport=tcp")}"
"""
        with (
            running(tmp_path, listen=port, config=config) as daemon,
            talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=60.0) as call,
        ):
            call.wait_talking(0)
            _flood_sip(port, daemon)
            _flood_streams(port)
            own, foreign = _flood_media(call)
            call.wind_up()
            call.assert_heard()
            call.hang_up()
            recording = srs.recordings()[0]
            assert recording.track("1") == call.alice_says
            assert recording.track("2") == call.bob_says
            assert daemon.process.poll() is None
            assert not daemon.events("supervisor.died")
            assert not daemon.events("machine.failed")
            assert not daemon.events("sip.failed")
            until(lambda: bool(_ends(daemon.events("call.end"))), 5, "the end of the call")
            (end,) = _ends(daemon.events("call.end"))
            assert end["caller_received"] == end["caller_relayed"] == len(call.alice_says) // 160
            assert end["caller_dropped"] == own + foreign
            assert end["callee_dropped"] == foreign
            assert end["caller_lost"] == end["callee_lost"] == 0
            assert daemon.metric("media_packets_total", fate="dropped_foreign") >= 2 * foreign
            assert daemon.metric("media_packets_total", fate="dropped_malformed") >= own
            assert daemon.metric("sip_messages_total", fate="malformed") > 100
            assert 1 <= len(daemon.events("sip.malformed")) < 100


@pytest.fixture(scope="module")
def sip_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    nobody = f"sip:{LOOPBACK}:{free_port()}"
    with running(tmp_path_factory.mktemp("hostile"), srs=[nobody], route=nobody, listen=port) as daemon:
        yield port
        assert not daemon.events("sip.failed")
        assert not daemon.events("machine.failed")


@pytest.mark.rfc("3261", "8.2", "12.2.2", "9.2", "16.3", "18.3", "21.4.1", "21.5.6")
@pytest.mark.req("DLG-14")
def test_each_wrong_request_gets_its_status(sip_port: int) -> None:
    expected = {
        _request("INVITE", "Max-Forwards: 0"): 483,
        _request("INVITE", "Require: nothing-we-know"): 420,
        _request("INVITE", "Max-Forwards: many"): 400,
        _request("INVITE", body="no session description", kind="application/sdp"): 400,
        _request("INVITE", "Content-Encoding: gzip", body="x", kind="application/sdp"): 415,
        _request("INVITE", cseq="1 OPTIONS"): 400,
        _request("INVITE", cseq="99999999999 INVITE"): 400,
        _request("INVITE", version="SIP/7.0"): 505,
        _request("DANCE"): 405,
        _request("BYE", tag=";tag=never-heard-of"): 481,
        _request("CANCEL"): 481,
        _request("INVITE", tag=";tag=never-heard-of"): 481,
        _request("OPTIONS"): 200,
        _request("OPTIONS", "Content-Length: 999", length=None): 400,
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        sock.settimeout(patient(5))
        sock.connect((LOOPBACK, sip_port))
        for data, status in expected.items():
            answer = _answered(sock, data)
            assert answer.startswith(f"SIP/2.0 {status} ".encode()), (data, answer)
        for data in (
            _request("ACK"),
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a>;tag=1\r\n"
            b"To: <sip:b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
            b"\r\n\r\n\r\n\r\n",
            b"",
            bytes(1400),
        ):
            sock.send(data)
        assert _answered(sock, _request("OPTIONS")).startswith(b"SIP/2.0 200 ")


def _answered(sock: socket.socket, request: bytes) -> bytes:
    """The final response; those to requests before it may be sent again meanwhile."""
    sock.send(request)
    call_id = next(line for line in request.split(b"\r\n") if line.startswith(b"Call-ID"))
    while call_id not in (answer := sock.recv(65535)) or answer.startswith(b"SIP/2.0 100"):
        pass
    return answer


@pytest.mark.rfc("3261", "18.3", "20.14")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"INVITE sip:x SIP/2.0\r\n" + b"X-Big: " + b"a" * 200_000, id="a-head-without-end"),
        pytest.param(b"INVITE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", id="too-many-fields"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="http"),
        pytest.param(bytes(range(256)) * 1000, id="binary"),
        pytest.param(b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n", id="a-huge-body"),
        pytest.param(b"OPTIONS sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n", id="a-negative-length"),
        pytest.param(b"OPTIONS sip:x SIP/2.0\r\n\r\n", id="no-length"),
    ],
)
def test_a_stream_that_cannot_be_followed_is_closed_and_others_go_on(sip_port: int, data: bytes) -> None:
    good = socket.create_connection((LOOPBACK, sip_port), patient(5))
    bad = socket.create_connection((LOOPBACK, sip_port), patient(5))
    with good, bad:
        good.sendall(_request("OPTIONS", transport="TCP"))
        assert good.recv(65535).startswith(b"SIP/2.0 200 ")
        try:
            bad.sendall(data)
            while bad.recv(65535):
                pass
        except ConnectionError:
            pass
        good.sendall(_request("OPTIONS", transport="TCP"))
        assert good.recv(65535).startswith(b"SIP/2.0 200 ")


def _flood_sip(port: int, daemon: Daemon) -> None:
    """Everything that RFC 4475 has, and what no RFC has; each datagram is taken, and counted."""

    def taken() -> float:
        read = (daemon.metric("sip_messages_total", fate=fate) for fate in ("received", "malformed"))
        return sum(read) + daemon.metric("sip_dropped_total", reason="not-sip")

    noise = random.Random(4475)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((STRANGER, 0))
        good = _request("INVITE", body="v=0\r\n", kind="application/sdp")
        messages = [
            *_torture(),
            *(noise.randbytes(noise.randrange(1, 1500)) for _ in range(50)),
            *(good[: noise.randrange(len(good))] for _ in range(50)),
            *(_mutated(good, noise) for _ in range(100)),
            b"INVITE " * 8000,
            good.replace(b"\r\n", b"\r\nX-Long: " + b"x" * 50_000 + b"\r\n", 1),
            good.replace(b"\r\n", b"\r\n" + b"Via: SIP/2.0/UDP h;branch=z9hG4bK\r\n" * 1000, 1),
        ]
        for first in range(0, len(messages), AT_ONCE):
            several = messages[first : first + AT_ONCE]
            before = taken()
            for message in several:
                sock.sendto(message, (LOOPBACK, port))
            until(lambda n=before, more=several: taken() >= n + len(more), 10, "all are taken")  # type: ignore[misc]


def _flood_streams(port: int) -> None:
    for data in (b"\x00" * 100_000, b"INVITE sip:x SIP/2.0\r\nX: " + b"y" * 300_000, *_torture()):
        with socket.create_connection((LOOPBACK, port), patient(5), (STRANGER, 0)) as stream:
            try:
                stream.sendall(data)
            except ConnectionError:
                continue


def _flood_media(call: Conversation) -> tuple[int, int]:
    """Malformed packets from Alice's own port, RTP and RTCP from elsewhere: how many at each side."""
    noise = random.Random(3550)
    to_alice, to_bob = call.alice_sends_to, call.bob_sends_to
    own = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((STRANGER, 0))
        for number in range(STRAY_PACKETS):
            header = struct.pack("!BBHII", 0x80, 0, number, 160 * number, 0x0A11CE)
            packet = header + b"\x55" * 160 if number % 2 else noise.randbytes(noise.randrange(1, 300))
            for port in (to_alice, to_bob):
                sock.sendto(packet, port)
                sock.sendto(noise.randbytes(80), (port[0], port[1] + 1))
            if number % 10 == 0:
                for packet in MALFORMED_RTP:
                    call.alice_voice.send_now(packet, to_alice)
                    own += 1
            time.sleep(0.002)
    return own, 2 * STRAY_PACKETS


def _torture() -> list[bytes]:
    folder = REFERENCE / "torture" / "rfc4475"
    index = folder / "index.json"
    if not index.exists():
        return []
    names = [entry["name"] for entry in json.loads(index.read_text())["messages"]]
    return [(folder / f"{name}.dat").read_bytes() for name in names]


def _mutated(message: bytes, noise: random.Random) -> bytes:
    octets = bytearray(message)
    for _ in range(noise.randrange(1, 6)):
        octets[noise.randrange(len(octets))] = noise.randrange(256)
    return bytes(octets)


_numbers = iter(range(1, 10_000))


def _request(
    method: str,
    *fields: str,
    body: str = "",
    kind: str = "",
    cseq: str = "",
    version: str = "SIP/2.0",
    tag: str = "",
    transport: str = "UDP",
    length: int | None = 0,
) -> bytes:
    """A request of a stranger, right but for what is said."""
    number = next(_numbers)
    said = {field.partition(":")[0] for field in fields}
    lines = [
        f"{method} sip:2000@{LOOPBACK} {version}",
        f"Via: SIP/2.0/{transport} {LOOPBACK}:5099;branch=z9hG4bKstranger{number};rport",
        *(() if "Max-Forwards" in said else ("Max-Forwards: 70",)),
        f"From: <sip:stranger@{STRANGER}>;tag=s{number}",
        f"To: <sip:2000@{LOOPBACK}>{tag}",
        f"Call-ID: stranger-{number}",
        f"CSeq: {cseq or f'1 {method}'}",
        f"Contact: <sip:stranger@{LOOPBACK}:5099>",
        *fields,
        *((f"Content-Type: {kind}",) if kind else ()),
        *((f"Content-Length: {len(body)}",) if length is not None else ()),
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def _ends(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    return [line for line in lines if line["trunk"] == "friends"]
