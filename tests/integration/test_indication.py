"""What the parties of a real call are told of its recording: by SIP, and by tones in what they hear."""

from __future__ import annotations

import itertools
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from siprec_src.recorder import g711
from tests.support.conversation import Conversation, talking
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.recorder import recorder
from tests.support.script import callee, caller, sdp
from tests.support.secure_voice import SecureVoice, key_in
from tests.support.sipp import Message, party
from tests.support.voice import Voice

TONE_HZ = 1400
FRAME = 160
BEEPS = f"tone_interval_s = 0.6\ntone_frequency_hz = {TONE_HZ}\ntone_level_dbfs = -10.0\n"


def beeps(heard: bytes, said: bytes) -> NDArray[np.bool_]:
    """For each packet, whether what was added on the way is the tone (Goertzel at its frequency)."""
    added = g711.decode("PCMU", heard).astype(float) - g711.decode("PCMU", said)
    frames = added.reshape(-1, FRAME)
    wheel = np.exp(-2j * np.pi * TONE_HZ / 8000 * np.arange(FRAME))
    energy = np.sum(frames**2, axis=1)
    at_tone = np.abs(frames @ wheel) ** 2 * 2 / FRAME
    marks: NDArray[np.bool_] = (energy > 0) & (at_tone > 0.5 * energy)
    return marks


def check_beeps(heard: bytes, said: bytes) -> None:
    """200 ms of tone again and again, at least three times, and else nothing but the voice."""
    marks = beeps(heard, said)
    edges = np.flatnonzero(np.diff(marks, prepend=False, append=False)).reshape(-1, 2)
    assert len(edges) >= 3
    assert {end - begin for begin, end in edges if end < len(marks)} == {10}
    clean = np.flatnonzero(~marks)
    untouched = sum(heard[i * FRAME : (i + 1) * FRAME] == said[i * FRAME : (i + 1) * FRAME] for i in clean)
    assert untouched == len(clean)


@pytest.mark.rfc("6341", "REQ-018")
@pytest.mark.req("IND-03", "IND-15")
def test_a_party_hears_tones_over_the_other_and_the_recording_has_none(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with recorder(tmp_path) as srs:
        config = f'[[srs]]\nuri = "{srs.uri(";transport=tcp")}"\n\n[indication]\ncallee = "tone"\n{BEEPS}'
        with (
            running(tmp_path, route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port, config=config) as daemon,
            talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=2.5) as call,
        ):
            call.wait_heard()
            call.hang_up()
            heard = call.bob_voice.heard_audio()
            check_beeps(heard, call.alice_says)
            assert call.alice_voice.heard_audio() == call.bob_says
            recording = srs.recording()
            assert recording.track("1") == call.alice_says
            assert recording.track("2") == call.bob_says
            end = daemon.event("call.end")
            assert (end["caller_told"], end["callee_told"]) == ("none", "tone")
            assert end["callee_tones"] >= 3
            said = [(line.get("caller"), line["callee"]) for line in daemon.events("indication.given")]
            assert said == [(None, "tone")]
            assert daemon.metric("indications_total", mode="tone", outcome="given") == 1


@pytest.mark.req("IND-15")
def test_tones_are_heard_over_srtp_too(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    alice, bob = SecureVoice(ssrc=0xA11CE), SecureVoice(ssrc=0xB0B)
    with recorder(tmp_path) as srs:
        secure = srs.uri(";secure=true;transport=tcp")
        config = f'[[srs]]\nuri = "{secure}"\n\n[indication]\ncallee = "tone"\n{BEEPS}'
        with (
            running(tmp_path, route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port, config=config) as daemon,
            Conversation(
                tmp_path,
                via=(LOOPBACK, port),
                bob_at=bob_at,
                alice_voice=alice,
                bob_voice=bob,
                alice_offers=sdp(alice.port, alice.line, profile="RTP/SAVP"),
                bob_answers=sdp(bob.port, bob.line, profile="RTP/SAVP"),
                seconds=2.5,
            ) as call,
        ):
            until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
            (offered,), (answered,) = call.bob.received("INVITE"), call.alice.received(200, of="INVITE")
            bob.trust(key_in(offered))
            alice.trust(key_in(answered))
            call.talk()
            call.wait_heard()
            call.hang_up()
            check_beeps(bob.heard_audio(), call.alice_says)
            assert srs.recording().track("1") == call.alice_says


@pytest.mark.rfc("7866", "6.1.2")
@pytest.mark.req("IND-03", "IND-15")
def test_both_parties_hear_an_announcement_before_they_are_connected(tmp_path: Path) -> None:
    port, bob_at, alice_at = free_port(), (LOOPBACK, free_port()), (LOOPBACK, free_port())
    file, samples = tmp_path / "recorded.wav", np.arange(-6400, 6400).astype("<i2")
    with wave.open(str(file), "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(samples.tobytes())
    a_voice, b_voice = Voice(ssrc=0xA11CE), Voice(ssrc=0xB0B)
    alice = caller().invite(sdp(a_voice.port)).expect(180).expect(183).expect(200).ack()
    alice = alice.request("BYE").expect(200)
    bob = callee().receive("INVITE").respond(180).respond(200, sdp(b_voice.port)).receive("ACK")
    nowhere = f"sip:{LOOPBACK}:{free_port()};transport=tcp"
    config = f'[indication]\ncaller = "announcement"\ncallee = "announcement"\nannouncement_file = "{file}"\n'
    with (
        running(
            tmp_path, srs=[nowhere], route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port, config=config
        ) as daemon,
        party(bob.receive("BYE").respond(200), tmp_path, address=bob_at) as called,
        party(alice, tmp_path, f"{LOOPBACK}:{port}", address=alice_at) as calling,
    ):
        for each in (calling, called):
            assert each.wait(20) == 0, each.errors.read_text()
        until(lambda: bool(daemon.events("call.end")), 5, "the end of the call")
        (given,) = daemon.events("indication.given")
        assert given["caller"] == given["callee"] == "announcement"
    for voice in (a_voice, b_voice):
        voice.stop()
        numbers = [packet.sequence for packet in voice.heard]
        assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers))
        heard = g711.decode("PCMU", voice.heard_audio())
        assert len(heard) == len(samples)
        assert np.all(np.abs(heard - samples.astype(int)) <= 8 + np.abs(samples) / 16)  # one step of G.711
    assert {packet.ssrc for packet in a_voice.heard} != {packet.ssrc for packet in b_voice.heard}


def state(message: Message) -> str:
    """The state that a description tells."""
    found = re.search(r"^a=record:(\w+)", message.body, re.MULTILINE)
    assert found
    return found[1]


@pytest.mark.rfc("7866", "6.1.2", "7.1.2", "7.1.3", "7.3.2")
@pytest.mark.req("IND-02", "IND-04", "IND-07", "IND-08")
def test_a_record_aware_party_is_told_each_change_and_may_pause_the_recording(tmp_path: Path) -> None:
    port, bob_at, alice_at = free_port(), (LOOPBACK, free_port()), (LOOPBACK, free_port())
    a_port, b_port = 41000, 42000
    aware = ("Supported: record-aware", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE")
    alice = (
        caller()
        .invite(sdp(a_port), *aware)
        .expect(180)
        .expect(200)
        .ack()
        .receive("UPDATE")
        .respond(200, sdp(a_port))
        .wait_for_word()
        .request("UPDATE", sdp(a_port, "a=recordpref:pause", version=2), *aware)
        .expect(200)
        .receive("UPDATE")
        .respond(200, sdp(a_port, "a=recordpref:pause", version=2))
        .request("BYE")
        .expect(200)
    )
    bob = (
        callee()
        .receive("INVITE")
        .respond(180)
        .respond(200, sdp(b_port))
        .receive("ACK")
        .receive("UPDATE")
        .respond(200, sdp(b_port))
        .receive("BYE")
        .respond(200)
    )
    with recorder(tmp_path) as srs:
        config = f'[recording]\nhonour_recordpref = true\n\n[[srs]]\nuri = "{srs.uri(";transport=tcp")}"\n'
        with (
            running(tmp_path, route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port, config=config) as daemon,
            party(bob, tmp_path, address=bob_at) as called,
            party(alice, tmp_path, f"{LOOPBACK}:{port}", address=alice_at) as calling,
        ):
            calling.nudge()
            for each in (calling, called):
                assert each.wait(20) == 0, each.errors.read_text()
            (answer,) = calling.received(200, of="INVITE")
            assert [state(m) for m in (answer, *calling.received("UPDATE"))] == ["off", "on", "paused"]
            assert len(called.received("UPDATE")) == 1
            until(lambda: bool(daemon.events("call.end")), 5, "the end of the call")
            told = [(line.get("caller"), line["state"]) for line in daemon.events("indication.given")]
            assert ("a=record", "on") in told
            assert ("a=record", "paused") in told
            assert [line["honoured"] for line in daemon.events("recording.preference")] == [True]
