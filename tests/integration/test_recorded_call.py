"""The main job on the wire: both parties hear each other untouched, and the SRS has each track."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from siprec_src.metadata.validate import check_metadata
from siprec_src.recorder import g711
from tests.support.conversation import Conversation, talking
from tests.support.daemon import LOOPBACK, free_port, running, until
from tests.support.metadata import NS, directions
from tests.support.ports import media_ports
from tests.support.recorder import Recording, recorder
from tests.support.reference import REFERENCE
from tests.support.schema import assert_valid
from tests.support.script import callee, caller, sdp
from tests.support.script import srs as srs_script
from tests.support.sipp import Sipp, party
from tests.support.voice import Voice

CARRIER = "127.0.0.3"
OUTSIDE = "127.0.0.2"


def check_tracks(recording: Recording, *, label_1: bytes, label_2: bytes) -> None:
    """Each label has the speech of its own party and nothing else, and nothing was lost on the way."""
    assert recording.labels == ["1", "2"]
    assert recording.track("1") == label_1
    assert recording.track("2") == label_2
    assert label_1 != label_2
    for label in recording.labels:
        assert recording.books(label)["lost"] == 0
        assert recording.books(label)["malformed"] == recording.books(label)["auth_failed"] == 0
    assert not recording.summary["complaints"]


def check_stereo(recording: Recording, *, left: bytes, right: bytes) -> None:
    """The WAV file has the caller left and the callee right, sample for sample, behind any silence."""
    for channel, speech in zip(recording.channels(), (left, right), strict=True):
        expected = g711.decode("PCMU", speech)
        (start,) = np.flatnonzero(channel)[:1] - np.flatnonzero(expected)[:1]
        assert np.array_equal(channel[start : start + len(expected)], expected)
        assert not channel[:start].any()


def check_metadata_names(recording: Recording, *, label_1: str, label_2: str) -> None:
    """Every document is valid; the first says who is on which label; the last, when it ended."""
    documents = recording.metadata()
    for document in documents:
        check_metadata(document)
        if REFERENCE.exists():
            assert_valid(document)
    first, last = ElementTree.fromstring(documents[0]), ElementTree.fromstring(documents[-1])
    labels = (stream.findtext(f"{NS}label") for stream in first.iter(f"{NS}stream"))
    assert sorted(filter(None, labels)) == ["1", "2"]
    sends, receives = directions(documents[0])
    assert sends == {label_1: ["1"], label_2: ["2"]}
    assert receives == {label_1: ["2"], label_2: ["1"]}
    assert last.find(f".//{NS}session/{NS}stop-time") is not None
    assert first.find(f".//{NS}session/{NS}stop-time") is None


def session_of(recording: Recording) -> str:
    """The communication session's id, as metadata and logs show it."""
    session = ElementTree.fromstring(recording.metadata()[0]).find(f"{NS}session")
    assert session is not None
    return session.attrib["session_id"]


@pytest.mark.parametrize(
    ("parameters", "suite"),
    [
        pytest.param(";transport=udp", "", id="udp"),
        pytest.param(";transport=tcp", "", id="tcp"),
        pytest.param(";secure=true;transport=tcp", "AES_CM_128_HMAC_SHA1_80", id="srtp"),
    ],
)
@pytest.mark.rfc("7866", "6.1.1", "7.1", "8.2.3")
@pytest.mark.rfc("7865", "6.7.1", "6.8")
@pytest.mark.rfc("4568", "6.1")
@pytest.mark.req("SIP-01", "BOD-01", "SDP-01", "MD-01", "UPD-14")
def test_each_party_hears_the_other_and_the_srs_has_both_tracks(
    tmp_path: Path, parameters: str, suite: str
) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with (
        recorder(tmp_path) as srs,
        running(
            tmp_path, srs=[srs.uri(parameters)], route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port
        ) as daemon,
        talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at) as call,
    ):
        call.assert_heard()
        call.hang_up()
        recording = srs.recording()
        check_tracks(recording, label_1=call.alice_says, label_2=call.bob_says)
        check_stereo(recording, left=call.alice_says, right=call.bob_says)
        check_metadata_names(recording, label_1="sip:1000@pbx.example", label_2="sip:2000@carrier.example")
        who = {person["names"][0]["aor"]: person["labels"] for person in recording.summary["participants"]}
        assert who == {"sip:1000@pbx.example": ["1"], "sip:2000@carrier.example": ["2"]}
        assert [recording.books(label)["suite"] for label in ("1", "2")] == [suite, suite]
        assert [recording.books(label)["goodbye"] for label in ("1", "2")] == [True, True]
        until(lambda: bool(daemon.events("recording.end")), 5, "the end of the recording")
        (end,) = daemon.events("recording.end")
        packets = len(call.alice_says) // 160
        assert (end["result"], end["srs"]) == ("recorded", srs.name)
        assert end["delivered_1"] == end["delivered_2"] == packets
        assert end["dropped_overrun"] == end["dropped_send"] == 0
        over = daemon.event("call.end")
        for side in ("caller", "callee"):
            assert over[f"{side}_received"] == over[f"{side}_relayed"] == packets
            assert over[f"{side}_lost"] == over[f"{side}_dropped"] == 0


@pytest.mark.parametrize(("track", "label"), [("inbound", "1"), ("outbound", "2")])
@pytest.mark.req("SDP-01")
def test_one_track_alone_is_the_voice_of_that_party(tmp_path: Path, track: str, label: str) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    with recorder(tmp_path) as srs:
        config = f'[[srs]]\nuri = "{srs.uri(";transport=tcp")}"\ntrack = "{track}"\n'
        with (
            running(tmp_path, route=f"sip:{LOOPBACK}:{bob_at[1]}", listen=port, config=config) as daemon,
            talking(tmp_path, daemon, via=(LOOPBACK, port), bob_at=bob_at, seconds=1.0) as call,
        ):
            call.assert_heard()
            call.hang_up()
            recording = srs.recording()
            assert recording.labels == [label]
            assert recording.track(label) == (call.alice_says if track == "inbound" else call.bob_says)


@pytest.mark.rfc("7866", "8.2.3")
@pytest.mark.req("MD-35")
def test_label_1_is_whoever_placed_the_call_in_both_directions_between_trunks(tmp_path: Path) -> None:
    inside, outside = free_port(), free_port()
    pbx_at, carrier_at = (LOOPBACK, free_port()), (CARRIER, free_port())
    with recorder(tmp_path) as srs:
        config = _trunks(inside, outside, pbx_at, carrier_at, srs.uri(";transport=tcp"))
        with running(tmp_path, config=config) as daemon:
            out, back = tmp_path / "out", tmp_path / "back"
            for directory in (out, back):
                directory.mkdir(exist_ok=True)
            with (
                Conversation(
                    out,
                    via=(LOOPBACK, inside),
                    bob_at=carrier_at,
                    bob_voice=Voice(CARRIER, ssrc=2),
                ) as outward,
                Conversation(
                    back,
                    via=(OUTSIDE, outside),
                    alice_at=(CARRIER, free_port()),
                    alice_voice=Voice(CARRIER, ssrc=3),
                    bob_at=pbx_at,
                    turned=True,
                ) as inward,
            ):
                until(lambda: len(daemon.events("recording.begin")) == 2, 10, "both recordings")
                for call in (outward, inward):
                    call.talk()
                for call in (outward, inward):
                    call.assert_heard()
                    call.hang_up()
                assert outward.alice_sends_to[0] == inward.bob_sends_to[0] == LOOPBACK
                assert outward.bob_sends_to[0] == inward.alice_sends_to[0] == OUTSIDE
                recordings = srs.recordings(2)
                by_call = {line["session"]: line["trunk"] for line in daemon.events("call.begin")}
                assert sorted(by_call.values()) == ["carrier", "pbx"]
                for recording in recordings:
                    call = outward if by_call[session_of(recording)] == "pbx" else inward
                    check_tracks(recording, label_1=call.alice_says, label_2=call.bob_says)


@pytest.mark.rfc("7866", "12.2")
def test_sip_and_media_to_an_srs_leave_by_the_edge_that_its_uri_names(tmp_path: Path) -> None:
    inside, outside = free_port(), free_port()
    pbx_at, carrier_at, srs_at = (LOOPBACK, free_port()), (CARRIER, free_port()), (CARRIER, free_port())
    ears = [Voice(CARRIER, ssrc=8), Voice(CARRIER, ssrc=9)]
    recording_server = Sipp(
        srs_script([ear.port for ear in ears]),
        tmp_path,
        *("-m", "1"),
        address=srs_at,
        media_port=free_port(),
        name="srs",
    )
    uri = f"sip:srs@{CARRIER}:{srs_at[1]};edge=outside;transport=udp"
    try:
        with (
            running(tmp_path, config=_trunks(inside, outside, pbx_at, carrier_at, uri)) as daemon,
            talking(
                tmp_path,
                daemon,
                via=(LOOPBACK, inside),
                bob_at=carrier_at,
                bob_voice=Voice(CARRIER, ssrc=2),
            ) as call,
        ):
            call.assert_heard()
            call.hang_up()
            assert recording_server.wait(10) == 0, recording_server.errors.read_text()
        (invite,) = recording_server.received("INVITE")
        assert invite.one("Via").startswith(f"SIP/2.0/UDP {OUTSIDE}:{outside};")
        assert invite.one("Contact").startswith(f"<sip:siprec-src@{OUTSIDE}:{outside}>")
        assert "edge=" not in invite.start
        assert f"c=IN IP4 {OUTSIDE}" in invite.body
        assert ears[0].heard_audio() == call.alice_says
        assert ears[1].heard_audio() == call.bob_says
        for ear in ears:
            ((host, port),) = {packet.source for packet in ear.heard}
            assert host == OUTSIDE
            assert port in outside_media()
    finally:
        recording_server.stop()
        for ear in ears:
            ear.stop()


def outside_media() -> range:
    """The ports of media at the edge of the carrier."""
    return range(media_ports()[0] + 500, media_ports()[0] + 600)


def _trunks(inside: int, outside: int, pbx_at: tuple[str, int], carrier_at: tuple[str, int], srs: str) -> str:
    """A PBX behind one edge, a carrier behind the other."""
    return f"""
[[edge]]
name = "inside"
listen = "{LOOPBACK}:{inside}"
rtp_low = {media_ports()[0]}
rtp_high = {outside_media().start - 1}

[[edge]]
name = "outside"
listen = "{OUTSIDE}:{outside}"
rtp_low = {outside_media().start}
rtp_high = {outside_media().stop - 1}

[[trunk]]
name = "pbx"
from = ["{LOOPBACK}"]
to = "carrier"
uri = "sip:{pbx_at[0]}:{pbx_at[1]}"
edge = "inside"

[[trunk]]
name = "carrier"
from = ["{CARRIER}/32"]
to = "pbx"
uri = "sip:{carrier_at[0]}:{carrier_at[1]}"
edge = "outside"

[[srs]]
uri = "{srs}"
"""


@pytest.mark.rfc("7865", "6.8.1")
@pytest.mark.rfc("7866", "7.1.1.1", "9.1")
@pytest.mark.req("MD-50", "MD-51", "SDP-20", "UPD-14")
def test_hold_and_resume_are_told_to_the_srs_as_they_happen(tmp_path: Path) -> None:
    port, bob_at = free_port(), (LOOPBACK, free_port())
    alice_aor, bob_aor = "sip:1000@pbx.example", "sip:2000@pbx.example"
    alice_offers = caller().invite(sdp(41000)).expect(200).ack()
    for number, direction in enumerate(("a=sendonly", "a=inactive", "a=sendrecv"), 2):
        alice_offers = alice_offers.wait_for_word().invite(sdp(41000, direction, version=number))
        alice_offers = alice_offers.expect(200).ack()
    bob_answers = callee().receive("INVITE").respond(200, sdp(42000)).receive("ACK")
    for number, direction in enumerate(("a=recvonly", "a=inactive", "a=sendrecv"), 2):
        bob_answers = bob_answers.receive("INVITE").respond(200, sdp(42000, direction, version=number))
        bob_answers = bob_answers.receive("ACK")
    with (
        recorder(tmp_path) as srs,
        running(
            tmp_path,
            srs=[srs.uri(";transport=tcp")],
            route=f"sip:{LOOPBACK}:{bob_at[1]}",
            listen=port,
        ),
        party(bob_answers.receive("BYE").respond(200), tmp_path, address=bob_at) as bob,
        party(
            alice_offers.wait_for_word().request("BYE").expect(200),
            tmp_path,
            f"{LOOPBACK}:{port}",
            address=(LOOPBACK, free_port()),
        ) as alice,
    ):
        for sends, receives in (
            ({alice_aor: ["1"], bob_aor: ["2"]}, {alice_aor: ["2"], bob_aor: ["1"]}),
            ({alice_aor: ["1"], bob_aor: []}, {alice_aor: [], bob_aor: ["1"]}),
            ({alice_aor: [], bob_aor: []}, {alice_aor: [], bob_aor: []}),
            ({alice_aor: ["1"], bob_aor: ["2"]}, {alice_aor: ["2"], bob_aor: ["1"]}),
        ):
            until(
                lambda said=(sends, receives): (  # type: ignore[misc]
                    bool(srs.live_metadata()) and directions(srs.live_metadata()[-1]) == said
                ),
                10,
                f"metadata that says {sends}",
            )
            alice.nudge()
        assert alice.wait(10) == 0, alice.errors.read_text()
        assert bob.wait(10) == 0, bob.errors.read_text()
        recording = srs.recording()
        for document in recording.metadata():
            check_metadata(document)
        assert not recording.summary["complaints"]
        assert [recording.books(label)["received"] for label in ("1", "2")] == [0, 0]
