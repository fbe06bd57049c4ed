"""What an SRS asks for in mid-call, and where it sends us: SIPp is the SRS, the test has its media."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from siprec_src.communication import Direction
from siprec_src.sdp.parser import parse_sdp
from tests.support.conversation import Conversation
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.recorder import recorder
from tests.support.script import Script, callee, srs_answer
from tests.support.sipp import Message, Sipp

CONTACT = "Contact: <sip:srs@[local_ip]:[local_port]>;+sip.srs"
ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE"
SNAPSHOT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1"><requestreason>lost</requestreason>'
    "</requestsnapshot>\n"
)


class Ear:
    """A port pair of the SRS that counts what it hears."""

    def __init__(self) -> None:
        self._rtp, self._rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.port = free_port()
        self._rtp.bind((LOOPBACK, self.port))
        self._rtcp.bind((LOOPBACK, self.port + 1))
        self._rtp.setblocking(False)
        self.heard = 0

    def listen(self) -> int:
        """How many packets have come in all."""
        with contextlib.suppress(BlockingIOError):
            while self._rtp.recv(2048):
                self.heard += 1
        return self.heard

    def close(self) -> None:
        self._rtp.close()
        self._rtcp.close()


@contextlib.contextmanager
def ears(count: int) -> Iterator[list[Ear]]:
    opened = [Ear() for _ in range(count)]
    try:
        yield opened
    finally:
        for ear in opened:
            ear.close()


@contextlib.contextmanager
def recorded_by(
    directory: Path, script: Script, seconds: float, *others: str
) -> Iterator[tuple[Sipp, Daemon, Conversation]]:
    """A call in which the script is the SRS that is asked first."""
    bob_at, listen, port = (LOOPBACK, free_port()), free_port(), free_port()
    srs = Sipp(script, directory, "-m", "1", address=(LOOPBACK, port), media_port=free_port(), name="srs")
    route = f"sip:{bob_at[0]}:{bob_at[1]}"
    uris = (f"sip:srs@{LOOPBACK}:{port};transport=udp", *others)
    config = "".join(f'[[srs]]\nuri = "{uri}"\n' for uri in uris)
    try:
        with (
            running(directory, route=route, listen=listen, config=config) as daemon,
            Conversation(directory, via=(LOOPBACK, listen), bob_at=bob_at, seconds=seconds) as call,
        ):
            until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
            call.talk()
            yield srs, daemon, call
            assert not daemon.events("machine.failed")
    finally:
        srs.kill()
        srs.stop()


def said(messages: list[Message]) -> list[tuple[int, Direction | None]]:
    """Port or not, and direction, of each m-line of the newest of these messages."""
    media = parse_sdp(messages[-1].body.encode()).media
    return [(min(m.port, 1), m.own_direction) for m in media]


def quiet(ear: Ear, call: Conversation) -> bool:
    """Whether nothing more comes, while the parties say a few words more."""
    begin, words = ear.listen(), call.alice_voice.sent
    until(lambda: call.alice_voice.sent > words + 8, 5, "some words")
    return ear.listen() == begin


def loud(ear: Ear) -> None:
    begin = ear.listen()
    until(lambda: ear.listen() > begin + 5, 5, "packets at that port")


@pytest.mark.rfc("7866", "7.2", "7.2.1.2", "9.2")
@pytest.mark.rfc("3261", "14.2")
@pytest.mark.rfc("3264", "8.2", "8.3.1", "8.4")
@pytest.mark.req("SIP-19", "UPD-06", "UPD-08")
def test_the_srs_holds_moves_refuses_asks_and_takes_up_again(tmp_path: Path) -> None:
    with ears(4) as (one, two, far_one, far_two):
        script = (
            callee("Recorder", user="srs", peer="src")
            .receive("INVITE")
            .respond(200, srs_answer([one.port, two.port]), CONTACT, ALLOW, contact=False)
            .receive("ACK")
            .wait_for_word()  # inactive
            .invite(srs_answer([one.port, two.port], "a=inactive"))
            .expect(200)
            .ack()
            .wait_for_word()  # an INVITE without offer, and a new address in the answer
            .invite()
            .expect(200)
            .ack(srs_answer([far_one.port, far_two.port]))
            .wait_for_word()  # port 0 for the callee
            .invite(srs_answer([far_one.port, 0]))
            .expect(200)
            .ack()
            .wait_for_word()  # and back
            .invite(srs_answer([far_one.port, two.port]))
            .expect(200)
            .ack()
            .wait_for_word()  # all that you know, please
            .request("UPDATE", SNAPSHOT, kind="application/rs-metadata+xml")
            .expect(200)
            .receive("UPDATE")
            .respond(200)
            .receive("UPDATE")
            .respond(200)
            .receive("BYE")
            .respond(200)
        )
        with recorded_by(tmp_path, script, 60.0) as (srs, daemon, call):
            for ear in (one, two):
                loud(ear)
            srs.nudge()
            until(lambda: len(srs.received(200, of="INVITE")) == 1, 5, "the answer to hold")
            assert said(srs.received(200, of="INVITE")) == [(1, Direction.INACTIVE)] * 2
            assert quiet(one, call)
            assert quiet(two, call)
            srs.nudge()
            for ear in (far_one, far_two):
                loud(ear)
            assert said(srs.received(200, of="INVITE")) == [(1, Direction.SENDONLY)] * 2
            srs.nudge()
            until(lambda: len(srs.received(200, of="INVITE")) == 3, 5, "the answer to port 0")
            assert [port for port, _ in said(srs.received(200, of="INVITE"))] == [1, 0]
            assert quiet(far_two, call)
            loud(far_one)
            srs.nudge()
            loud(two)
            srs.nudge()
            until(lambda: len(srs.received("UPDATE")) == 1, 5, "the document")
            assert "<datamode>complete</datamode>" in srs.received("UPDATE")[0].body
            call.hang_up()
            assert srs.wait(10) == 0, srs.errors.read_text()
            until(lambda: bool(daemon.events("recording.end")), 5, "the end")
            (end,) = daemon.events("recording.end")
            assert end["reason"] == "call-ended"


@pytest.mark.rfc("3261", "8.1.3.4")
@pytest.mark.req("TXN-09", "ERR-12")
def test_a_redirection_is_followed_to_where_the_call_is_recorded(tmp_path: Path) -> None:
    with recorder(tmp_path / "real") as real:
        script = (
            callee("Redirector", user="srs", peer="src")
            .receive("INVITE")
            .respond(
                302,
                "",
                f"Contact: <sip:evil@192.0.2.66>;q=0.9, <{real.uri(';transport=tcp')}>;q=0.5",
                contact=False,
            )
            .receive("ACK")
        )
        with recorded_by(tmp_path, script, 1.0) as (srs, daemon, call):
            call.assert_heard()
            call.hang_up()
            recording = real.recording()
            assert recording.track("1") == call.alice_says
            assert recording.track("2") == call.bob_says
            assert srs.wait(10) == 0, srs.errors.read_text()
            told: list[dict[str, Any]] = daemon.events("recording.redirected")
            assert [(line["to"], "refused" in line) for line in told] == [
                (real.name, False),
                ("sip:192.0.2.66", True),
            ]
