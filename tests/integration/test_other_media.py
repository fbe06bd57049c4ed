"""Media that is not two tidy voices: key presses, A-law, a source that is exchanged, a daemon half dead."""

from __future__ import annotations

import os
import signal
import struct
from pathlib import Path

import pytest

from siprec_src.recorder import g711
from tests.support.conversation import Conversation, talking
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.recorder import recorder
from tests.support.script import sdp
from tests.support.script import srs as srs_script
from tests.support.sipp import Sipp
from tests.support.voice import Voice

ALICE_SSRC, ALICE_FIRST = 0x0A11CE, 65530  # as `Conversation` makes her voice
KEY_PACKETS = 6
EVENT_TYPE = 101


@pytest.mark.rfc("4733", "2.5.1.2")
@pytest.mark.rfc("7866", "8.2.3")
@pytest.mark.parametrize("wanted", [False, True])
def test_key_presses_reach_the_other_party_and_an_srs_only_where_it_shall_have_them(
    tmp_path: Path, wanted: bool
) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with recorder(tmp_path) as srs:
        config = f'[[srs]]\nuri = "{srs.uri(";transport=tcp")}"\nevents = {str(wanted).lower()}\n'
        with (
            running(tmp_path, route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port, config=config) as daemon,
            talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=1.0) as call,
        ):
            call.assert_heard()
            spoken = call.alice_voice.sent
            presses = [_key_press(n, after=spoken) for n in range(KEY_PACKETS)]
            for packet in presses:
                call.alice_voice.send_now(packet, call.alice_sends_to)
            until(lambda: len(call.bob_voice.heard) == spoken + KEY_PACKETS, 5, "the key at Bob's")
            events = [packet for packet in call.bob_voice.heard if packet.payload_type == EVENT_TYPE]
            assert [packet.payload for packet in events] == [packet[12:] for packet in presses]
            call.hang_up()
            recording = srs.recording()
            copied = KEY_PACKETS if wanted else 0
            assert recording.books("1")["events"] == copied
            assert recording.books("1")["received"] == spoken + copied
            assert recording.books("1")["lost"] == 0
            assert recording.track("1") == call.alice_says
            until(lambda: bool(daemon.events("recording.end")), 5, "the end of the recording")
            (end,) = daemon.events("recording.end")
            assert end["result"] == "recorded"
            assert (end["delivered_1"], end["skipped_event_1"]) == (spoken + copied, KEY_PACKETS - copied)


@pytest.mark.rfc("3551", "4.5.14")
@pytest.mark.rfc("7866", "8.2.3")
def test_a_call_in_a_law_is_recorded_in_a_law(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    alice, bob = Voice(ssrc=1, payload_type=8), Voice(ssrc=2, payload_type=8)
    with (
        recorder(tmp_path) as srs,
        running(
            tmp_path, srs=[srs.uri(";transport=tcp")], route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port
        ) as daemon,
        Conversation(
            tmp_path,
            via=(LOOPBACK, port),
            bob_at=bob_at,
            alice_voice=alice,
            bob_voice=bob,
            alice_offers=_a_law(alice.port),
            bob_answers=_a_law(bob.port),
            seconds=1.0,
        ) as call,
    ):
        until(lambda: bool(daemon.events("recording.begin")), 10, "the recording begins")
        call.talk()
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        for label, says, channel in zip(
            ("1", "2"), (call.alice_says, call.bob_says), recording.channels(), strict=True
        ):
            assert recording.books(label)["codec"] == "PCMA"
            assert recording.books(label)["lost"] == 0
            assert recording.track(label, "alaw") == says
            assert g711.decode("PCMA", says).tobytes() in channel.tobytes()


@pytest.mark.rfc("3550", "8.2", "A.1")
@pytest.mark.rfc("7866", "8.2.3")
def test_packets_of_another_ssrc_from_the_partys_address_are_carried_and_the_srs_sees_one_source(
    tmp_path: Path,
) -> None:
    """A party may be a switch: who speaks behind its address changes. For the SRS the track does not."""
    port, bob_at, srs_at = free_port(), (LOOPBACK, free_port()), (LOOPBACK, free_port())
    ears = [Voice(ssrc=8), Voice(ssrc=9)]
    recording_server = Sipp(
        srs_script([ear.port for ear in ears]),
        tmp_path,
        *("-m", "1"),
        address=srs_at,
        media_port=free_port(),
        name="srs",
    )
    uri = f"sip:srs@{LOOPBACK}:{srs_at[1]};transport=udp"
    strangers = [
        struct.pack("!BBHII", 0x80, 0, 9000 + n, 70_000 + 160 * n, 0x5712A96E) + bytes([n]) * 160
        for n in range(3)
    ]
    try:
        with (
            running(tmp_path, srs=[uri], route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port) as daemon,
            talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=1.0) as call,
        ):
            until(lambda: call.alice_voice.sent > 20, 5, "Alice is speaking")
            for packet in strangers:
                call.alice_voice.send_now(packet, call.alice_sends_to)
            call.wait_heard()
            count = call.alice_voice.sent + len(strangers)
            until(lambda: len(call.bob_voice.heard) == len(ears[0].heard) == count, 5, "every packet")
            assert {packet.ssrc for packet in call.bob_voice.heard} == {ALICE_SSRC, 0x5712A96E}
            said = [packet.payload for packet in call.bob_voice.heard]
            assert [packet.payload for packet in ears[0].heard] == said
            assert b"".join(p for p in said if p not in {s[12:] for s in strangers}) == call.alice_says
            assert len({packet.ssrc for packet in ears[0].heard}) == 1
            first = ears[0].heard[0].sequence
            numbers = [packet.sequence for packet in ears[0].heard]
            assert numbers == [(first + n) & 0xFFFF for n in range(count)]
            call.hang_up()
            assert recording_server.wait(10) == 0, recording_server.errors.read_text()
            end = daemon.event("call.end")
            assert (end["caller_received"], end["caller_relayed"], end["caller_dropped"]) == (count, count, 0)
    finally:
        recording_server.stop()
        for ear in ears:
            ear.stop()


@pytest.mark.rfc("7866", "8.2.3")
def test_a_recording_goes_on_without_a_gap_while_control_is_dead(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with (
        recorder(tmp_path) as srs,
        running(
            tmp_path, srs=[srs.uri(";transport=tcp")], route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port
        ) as daemon,
        talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=60.0) as call,
    ):
        call.wait_talking()
        os.kill(daemon.pid_of("control"), signal.SIGKILL)
        until(lambda: len(daemon.events("control.listening")) == 2, 15, "control again")
        call.wind_up()
        call.assert_heard()
        srs.stop()  # nobody is left who would say BYE to it
        recording = srs.recording()
        for label, says in (("1", call.alice_says), ("2", call.bob_says)):
            assert recording.track(label) == says
            assert recording.books(label)["received"] == len(says) // 160
            assert recording.books(label)["lost"] == 0


def _key_press(number: int, *, after: int) -> bytes:
    """A packet of the digit 5, the last ones with the E bit, in Alice's stream behind what she said."""
    end = 0x80 if number >= KEY_PACKETS - 3 else 0
    head = struct.pack(
        "!BBHII",
        0x80,
        EVENT_TYPE | (0x80 if number == 0 else 0),
        (ALICE_FIRST + after + number) & 0xFFFF,
        160 * after,
        ALICE_SSRC,
    )
    return head + struct.pack("!BBH", 5, end | 10, 160 * (number + 1))


def _a_law(port: int) -> str:
    return sdp(port, formats="8").replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000")
