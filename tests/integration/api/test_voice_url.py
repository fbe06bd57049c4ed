"""Calls that a customer's voice application routes: real daemon, real HTTP, the platform's own libraries."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from twilio.twiml.voice_response import VoiceResponse

from tests.support import speech
from tests.support.api import ACCOUNT, TOKEN
from tests.support.customer import Reply, customer
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.exchange import Exchange
from tests.support.recorder import Recorder
from tests.support.script import caller, sdp
from tests.support.sipp import Sipp
from tests.support.voice import Voice

NUMBER, DIALLED = "+14155551111", "+14155552222"
TIMEOUT_S = 2.0  #: as by default


class Office:
    """A daemon whose only trunk asks `app`; `bob_at` is where the trunk sends calls by itself."""

    def __init__(self, directory: Path, stack: contextlib.ExitStack) -> None:
        self.directory = directory
        self.via, self.bob_at = (LOOPBACK, free_port()), (LOOPBACK, free_port())
        self.app = stack.enter_context(customer())
        self.recorder = Recorder(directory / "srs")
        stack.callback(self.recorder.stop)
        self.recorder.wait_listening()
        token = directory / "token"
        token.touch(mode=0o600)
        token.write_text(TOKEN)
        config = f"""
[[account]]
sid = "{ACCOUNT}"
auth_token_file = "{token}"

[[connector]]
name = "Gridspace_1"
uri = "{self.recorder.uri(";transport=tcp")}"

[callbacks]
allow_private = ["127.0.0.0/8"]

[[trunk]]
name = "carrier"
from = ["127.0.0.1/32"]
to = "sip:{LOOPBACK}:{self.bob_at[1]}"
voice_url = "{self.app.url}"
"""
        self.daemon: Daemon = stack.enter_context(running(directory, listen=self.via[1], config=config))

    def answers(self, response: VoiceResponse) -> None:
        """What the application says of the next call."""
        self.app.replies.append(Reply(headers=(("Content-Type", "text/xml"),), body=str(response).encode()))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with contextlib.ExitStack() as stack:
        made = Office(tmp_path_factory.mktemp("office"), stack)
        yield made
        assert not made.daemon.events("machine.failed")
        assert not made.daemon.events("voice.broken")


@pytest.mark.feature("F055", "F057", "F060", "F063")
def test_an_application_has_a_call_recorded_and_sent_elsewhere(office: Office) -> None:
    carol_at = (LOOPBACK, free_port())
    response = VoiceResponse()
    start = response.start().siprec(name="My SIPREC Stream", connector_name="Gridspace_1")
    start.parameter(name="Custom1", value="Bob")
    response.dial().sip(f"sip:{NUMBER}@{LOOPBACK}:{carol_at[1]}")
    office.answers(response)
    alice, carol = Voice(ssrc=0x0A11CE), Voice(ssrc=0x0CA401)
    with contextlib.ExitStack() as stack:
        stack.callback(alice.stop)
        stack.callback(carol.stop)
        exchange = stack.enter_context(Exchange(office.via, carol_at))
        at_alice, at_carol = exchange.place(
            NUMBER, caller="+14155550000", ports=(alice.port, carol.port), fields=()
        )
        until(lambda: bool(office.daemon.events("recording.begin")), 5, "the recording begins")
        alice.speak(speech.caller(1.0), at_alice.media)
        carol.speak(speech.callee(1.0), at_carol.media)
        assert alice.wait_spoken(5)
        assert carol.wait_spoken(5)
        exchange.hang_up(at_alice)
    (told,) = office.app.wait(1)
    assert told.is_signed_with(TOKEN)
    assert told.fields["CallStatus"] == "ringing"
    assert (told.fields["From"], told.fields["To"]) == ("+14155550000", NUMBER)
    (recording,) = office.recorder.recordings(1)
    assert recording.labels == ["1", "2"]
    assert recording.track("1") in speech.caller(1.0)
    assert recording.track("2") in speech.callee(1.0)
    assert min(len(recording.track("1")), len(recording.track("2"))) > 3200
    document = recording.metadata()[0].decode()
    assert "Custom1" in document
    assert base64.b64encode(bytes.fromhex(told.fields["CallSid"][2:])).decode() in document


def test_a_dead_voice_url_delays_a_call_by_its_timeout_and_no_more(office: Office) -> None:
    office.app.replies.append(Reply(silent=True))
    with Exchange(office.via, office.bob_at) as exchange:
        began = time.monotonic()
        leg, _ = exchange.place(NUMBER, caller="+14155550000", ports=(free_port(), free_port()))
        assert time.monotonic() - began >= TIMEOUT_S
        exchange.hang_up(leg)
    (alert,) = office.daemon.events("voice.failed")
    assert alert["code"] == 11200
    (line,) = office.daemon.events("call.uninstructed")
    assert line["default"] == "route"


def test_an_application_refuses_a_call(office: Office, tmp_path: Path) -> None:
    response = VoiceResponse()
    response.reject(reason="busy")
    office.answers(response)
    script = caller("Carol").invite(sdp(4000)).expect(486).ack_refusal()
    at = f"{office.via[0]}:{office.via[1]}"
    sipp = Sipp(script, tmp_path, at, "-m", "1", address=(LOOPBACK, free_port()), media_port=free_port())
    try:
        assert sipp.wait(10) == 0, sipp.errors.read_text()
    finally:
        sipp.stop()
