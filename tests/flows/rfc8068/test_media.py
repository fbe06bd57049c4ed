"""What happens to the media of a recorded call: the phones on one side, the SRS's view of it on the other."""

from __future__ import annotations

import pytest

from siprec_src.media.model import Endpoint
from siprec_src.media.plane import AttachReader
from siprec_src.recording.srs import SrsConfig
from siprec_src.sdp.parser import parse_sdp
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.body import find, split_body
from tests.flows.recording.stage import ONE
from tests.support.descriptions import audio, sdp
from tests.support.metadata import Told
from tests.support.phone import ALICE, BOB
from tests.support.recorded import Recorded

A, B = "sip:alice@pbx.example", "sip:bob@pbx.example"
MUSIC = "10.0.0.66"


def talking(caller: bytes = b"", callee: bytes = b"") -> Recorded:
    call = Recorded()
    call.world.alice.call(caller or audio(ALICE, 4000))
    call.world.bob.reply(200, callee or audio(BOB, 5000))
    call.world.alice.ack()
    _ = call.stage.ladder
    return call


def from_alice(call: Recorded, offer: bytes, answer: bytes) -> None:
    call.world.alice.request("INVITE", offer)
    call.world.bob.reply(200, answer)
    call.world.alice.ack()


def from_bob(call: Recorded, offer: bytes, answer: bytes) -> None:
    call.world.bob.request("INVITE", offer)
    call.world.alice.reply(200, answer)
    call.world.bob.ack()


def offered(call: Recorded) -> list[tuple[int, tuple[str, ...]]]:
    """Port and formats of every m-line that the SRS was offered last."""
    kinds = sip.InviteArrived | sip.RequestArrived
    requests = [e.request for e in call.stage.one.events if isinstance(e, kinds)]
    parts = (find(split_body(request), "application/sdp") for request in reversed(requests))
    part = next(part for part in parts if part is not None)
    media = parse_sdp(part.content).media
    return [(m.port, tuple(f"{f.payload_type} {f.encoding}" for f in m.rtp_formats)) for m in media]


def flows(call: Recorded) -> dict[str, tuple[int, int]]:
    return Told(call.documents[-1]).flows


def attached(call: Recorded) -> int:
    return len([command for command in call.world.src.media.commands if isinstance(command, AttachReader)])


@pytest.mark.rfc("3264", "8.4")
@pytest.mark.rfc("7865", "6.8.1")
@pytest.mark.req("MD-50", "MD-51", "MD-52")
@pytest.mark.parametrize("holder", ["caller", "callee"])
@pytest.mark.parametrize(
    ("spelling", "answer", "now"),
    [
        ("sendonly", "recvonly", {"holds": (1, 0), "held": (0, 1)}),
        ("inactive", "inactive", {"holds": (0, 0), "held": (0, 0)}),
        ("0.0.0.0", "", {"holds": (1, 0), "held": (0, 1)}),
    ],
)
def test_hold_by_either_party_in_every_spelling(
    holder: str, spelling: str, answer: str, now: dict[str, tuple[int, int]]
) -> None:
    call = talking()
    caller = holder == "caller"
    (host, port), (other, other_port) = (
        ((ALICE, 4000), (BOB, 5000)) if caller else ((BOB, 5000), (ALICE, 4000))
    )
    line = (f"a={spelling}",) if answer else ()
    offer = audio(host if answer else spelling, port, *line, version=2)
    back = audio(other, other_port, *([f"a={answer}"] if answer else []), version=2)
    (from_alice if caller else from_bob)(call, offer, back)
    holds, held = (A, B) if caller else (B, A)
    assert flows(call) == {holds: now["holds"], held: now["held"]}
    assert call.stage.ladder.splitlines()[0].startswith("src -> one  UPDATE [1:10000 sendonly, 2:10002 send")
    again = (audio(host, port, version=3), audio(other, other_port, version=3))
    (from_alice if caller else from_bob)(call, *again)
    assert flows(call) == {A: (1, 1), B: (1, 1)}
    assert attached(call) == 2  # the recording has gone on all the time


@pytest.mark.rfc("3264", "8.3.1", "8.4")
@pytest.mark.rfc("7865", "6.8.1")
def test_music_on_hold_is_recorded_on_the_track_of_who_holds() -> None:
    call = talking()
    from_bob(call, audio(MUSIC, 7000, "a=sendonly", version=2), audio(ALICE, 4000, "a=recvonly", version=2))
    facing_bob = call.world.src.media.connections[1]
    assert facing_bob.remote == Endpoint(MUSIC, 7000)
    assert flows(call) == {A: (0, 1), B: (1, 0)}
    readers = [reader.attached.stream for reader in call.world.src.media.readers.values()]
    assert readers == list(call.world.src.media.ports)[:2]
    from_bob(call, audio(BOB, 5000, version=3), audio(ALICE, 4000, version=3))
    assert flows(call) == {A: (1, 1), B: (1, 1)}
    assert attached(call) == 2


@pytest.mark.rfc("3264", "8.3.1")
def test_a_party_that_only_moves_is_nothing_that_the_srs_must_know() -> None:
    call = talking()
    from_alice(call, audio("10.0.0.7", 4444, version=2), audio(BOB, 5000))
    assert call.world.src.media.connections[0].remote == Endpoint("10.0.0.7", 4444)
    assert call.stage.ladder == ""


@pytest.mark.rfc("3264", "8.3.2")
@pytest.mark.req("SDP-22")
def test_a_number_that_gets_another_meaning_in_the_call_keeps_its_own_in_the_recording() -> None:
    opus = "audio {} RTP/AVP 96\na=rtpmap:96 opus/48000/2"
    g722 = "audio {} RTP/AVP 96\na=rtpmap:96 G722/8000"
    call = talking(sdp(ALICE, opus.format(4000)), sdp(BOB, opus.format(5000)))
    assert [formats for _, formats in offered(call)] == [("96 opus",)] * 2
    from_alice(call, sdp(ALICE, g722.format(4000), version=2), sdp(BOB, g722.format(5000), version=2))
    assert [formats for _, formats in offered(call)] == [("97 G722",)] * 2
    from_alice(call, sdp(ALICE, opus.format(4000), version=3), sdp(BOB, opus.format(5000), version=3))
    assert [formats for _, formats in offered(call)] == [("96 opus",)] * 2
    assert Told(call.documents[-1]).labels == ["1", "2"]


@pytest.mark.rfc("3264", "8.2")
@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-18")
def test_a_call_that_turns_into_a_fax_leaves_its_m_lines_closed_until_it_speaks_again() -> None:
    call = talking()
    fax = ("audio 0 RTP/AVP 0", "image {} udptl t38\na=T38FaxVersion:0")
    voice = ("audio {} RTP/AVP 0", "image 0 udptl t38")
    before = Told(call.documents[-1])
    from_bob(call, sdp(BOB, fax[0], fax[1].format(5002)), sdp(ALICE, fax[0], fax[1].format(4002)))
    assert [port for port, _ in offered(call)] == [0, 0]
    assert Told(call.documents[-1]).labels == []
    from_bob(call, sdp(BOB, voice[0].format(5000), voice[1]), sdp(ALICE, voice[0].format(4000), voice[1]))
    assert [port for port, _ in offered(call)] == [10000, 10002]
    assert Told(call.documents[-1]).labels == ["1", "2"]
    assert Told(call.documents[-1]).sent(A) == before.sent(A)


@pytest.mark.rfc("4568", "7.1.4")
def test_new_srtp_keys_of_a_leg_are_no_matter_of_the_recording() -> None:
    line = "audio {port} RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}"

    def keyed(host: str, port: int, letter: str, version: int = 1) -> bytes:
        return sdp(host, line.format(port=port, key=letter * 40), version=version)

    call = Recorded(SrsConfig(uri=ONE, clear_copy_of_encrypted=True))
    call.world.alice.call(keyed(ALICE, 4000, "A"))
    call.world.bob.reply(200, keyed(BOB, 5000, "B"))
    call.world.alice.ack()
    _ = call.stage.ladder
    before = call.world.src.media.connections[0]
    from_alice(call, keyed(ALICE, 4000, "C", 2), keyed(BOB, 5000, "D", 2))
    after = call.world.src.media.connections[0]
    assert before.receive_key != after.receive_key
    assert before.send_key != after.send_key
    assert call.stage.ladder == ""
    assert attached(call) == 2


@pytest.mark.rfc("7245", "3.1.3")
@pytest.mark.req("SIP-21")
def test_a_call_whose_media_cannot_be_read_begins_no_recording_session_and_says_so() -> None:
    dtls = "UDP/TLS/RTP/SAVPF 0\na=fingerprint:sha-256 AA\na=setup:{}"
    call = talking(
        sdp(ALICE, f"audio 4000 {dtls.format('actpass')}"), sdp(BOB, f"audio 5000 {dtls.format('active')}")
    )
    assert call.documents == []
    (line,) = [line for line in call.stage.client.logs if line.event == "recording.failed"]
    assert "no-track" in str(dict(line.fields)["why"])


@pytest.mark.rfc("7245", "3.2")
@pytest.mark.req("SIP-14")
def test_the_recording_session_shares_no_dialog_id_with_the_call() -> None:
    call = talking()
    recorded = call.stage.one.events[0]
    assert isinstance(recorded, sip.InviteArrived)
    session = recorded.request
    for message in (call.world.bob.request_seen, call.world.alice.response_seen):
        assert session.call_id != message.call_id
        assert session.from_.tag not in (message.from_.tag, message.to.tag)
    assert session.via.transport == "TCP"
