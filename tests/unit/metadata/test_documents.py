"""Documents that describe a call: what they say, and that the schema takes them."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import (
    CommunicationSession,
    Direction,
    Format,
    MediaStream,
    Name,
    Participant,
    Side,
)
from siprec_src.machine import WallClock
from siprec_src.metadata import model as m
from siprec_src.metadata.document import snapshot
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.validate import check_metadata
from siprec_src.metadata.writer import write_recording, write_snapshot_request
from siprec_src.recording import documents
from tests.support.schema import assert_valid

CLOCK = WallClock(1_767_323_045.678)  # 2026-01-02T03:04:05.678Z
ALICE, BOB, ALICE_TRACK, BOB_TRACK, SESSION, GROUP = (bytes([n]) * 16 for n in range(1, 7))
PCMU = Format(payload_type=0, encoding="PCMU", clock_rate=8000)


def track(stream_id: bytes, sender: bytes, direction: Direction = Direction.SENDRECV) -> MediaStream:
    return MediaStream(
        stream_id=stream_id, sender=sender, medium="audio", source=7, formats=(PCMU,), direction=direction
    )


CALL = CommunicationSession(
    call=1,
    session_id=SESSION,
    group_id=GROUP,
    participants=(
        Participant(
            participant_id=ALICE,
            side=Side.CALLER,
            names=(Name(aor="sip:alice@example.com", display="Alice"), Name(aor="tel:+431234")),
            joined=0.0,
        ),
        Participant(
            participant_id=BOB, side=Side.CALLEE, names=(Name(aor="sip:bob@example.com"),), joined=1.0
        ),
    ),
    streams=(track(ALICE_TRACK, ALICE), track(BOB_TRACK, BOB)),
    sip_session_ids=("ab30317f1a784dc48ff824d0d3715d86;\n remote=47755a9de7794ba387653f2099600ef2",),
    started=0.0,
)
LABELS = {ALICE_TRACK: "1", BOB_TRACK: "2"}


def document(call: CommunicationSession, labels: dict[bytes, str] | None = None) -> bytes:
    data = write_recording(
        snapshot(call, CLOCK, labels=LABELS if labels is None else labels, recorded_from=2.0)
    )
    assert_valid(data)
    check_metadata(data)
    return data


def held(alice: Direction, bob: Direction) -> CommunicationSession:
    return dataclasses.replace(CALL, streams=(track(ALICE_TRACK, ALICE, alice), track(BOB_TRACK, BOB, bob)))


def media_of(data: bytes) -> dict[bytes, tuple[tuple[bytes, ...], tuple[bytes, ...]]]:
    recording = read_metadata(data)
    assert isinstance(recording, m.Recording)
    return {item.participant_id: (item.sends, item.receives) for item in recording.participant_streams}


@pytest.mark.rfc("7865", "5.1")
@pytest.mark.req("MD-01", "MD-02", "MD-04", "MD-05", "BOD-11")
def test_document_is_utf8_with_declaration_namespace_and_data_mode() -> None:
    data = document(CALL)
    assert data.startswith(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<recording xmlns="urn:ietf:params:xml:ns:rec'
    )
    assert b"<datamode>complete</datamode>" in data


@pytest.mark.rfc("7865", "6")
@pytest.mark.req("MD-07", "MD-08", "MD-10", "MD-13", "MD-14", "MD-15", "MD-20", "MD-26", "MD-40")
def test_basic_call_has_one_session_two_participants_and_one_stream_each_way() -> None:
    recording = read_metadata(document(CALL))
    assert isinstance(recording, m.Recording)
    assert recording == m.Recording(
        groups=(m.Group(group_id=GROUP, associated=CLOCK.at(0).replace(microsecond=678000)),),
        sessions=(
            m.Session(
                session_id=SESSION,
                group_id=GROUP,
                started=CLOCK.at(0).replace(microsecond=678000),
                sip_session_ids=("ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",),
            ),
        ),
        participants=(
            m.Participant(
                participant_id=ALICE,
                names=(m.NameId(aor="sip:alice@example.com", name="Alice"), m.NameId(aor="tel:+431234")),
            ),
            m.Participant(participant_id=BOB, names=(m.NameId(aor="sip:bob@example.com"),)),
        ),
        streams=(
            m.Stream(stream_id=ALICE_TRACK, session_id=SESSION, label="1"),
            m.Stream(stream_id=BOB_TRACK, session_id=SESSION, label="2"),
        ),
        session_recordings=(
            m.SessionRecording(session_id=SESSION, associated=recording.session_recordings[0].associated),
        ),
        participant_sessions=(
            m.ParticipantSession(
                participant_id=ALICE,
                session_id=SESSION,
                associated=recording.participant_sessions[0].associated,
            ),
            m.ParticipantSession(
                participant_id=BOB,
                session_id=SESSION,
                associated=recording.participant_sessions[1].associated,
            ),
        ),
        participant_streams=(
            m.ParticipantStream(participant_id=ALICE, sends=(ALICE_TRACK,), receives=(BOB_TRACK,)),
            m.ParticipantStream(participant_id=BOB, sends=(BOB_TRACK,), receives=(ALICE_TRACK,)),
        ),
    )


@pytest.mark.rfc("7865", "6.10")
@pytest.mark.req("MD-16", "MD-18")
def test_ids_are_padded_base64_of_sixteen_octets() -> None:
    assert b'<stream stream_id="AwMDAwMDAwMDAwMDAwMDAw==" session_id="BQUFBQUFBQUFBQUFBQUFBQ==">' in document(
        CALL
    )


@pytest.mark.rfc("7865", "6.9")
@pytest.mark.req("MD-21")
def test_times_are_rfc3339_in_utc_with_milliseconds() -> None:
    assert b"<start-time>2026-01-02T03:04:05.678Z</start-time>" in document(CALL)


@pytest.mark.rfc("7989", "5")
@pytest.mark.req("MD-23", "MD-24")
def test_sip_session_id_has_no_white_space() -> None:
    wanted = b">ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2</sipSessionID>"
    assert wanted in document(CALL)


@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("BOD-12", "MD-12", "MD-25", "MD-28")
def test_streams_have_labels_only_where_the_same_message_defines_them() -> None:
    assert b"<label>" not in document(CALL, labels={})
    assert document(CALL, labels={BOB_TRACK: "2"}).count(b"<label>") == 1


@pytest.mark.rfc("7865", "6.8.1")
@pytest.mark.req("MD-50", "MD-51", "MD-52")
@pytest.mark.parametrize(
    ("alice", "bob", "expected"),
    [
        (Direction.SENDONLY, Direction.RECVONLY, {ALICE: ((ALICE_TRACK,), ()), BOB: ((), (ALICE_TRACK,))}),
        (Direction.RECVONLY, Direction.SENDONLY, {ALICE: ((), (BOB_TRACK,)), BOB: ((BOB_TRACK,), ())}),
        (Direction.INACTIVE, Direction.INACTIVE, {ALICE: ((), ()), BOB: ((), ())}),
        (
            Direction.SENDONLY,
            Direction.SENDRECV,
            {ALICE: ((ALICE_TRACK,), ()), BOB: ((BOB_TRACK,), (ALICE_TRACK,))},
        ),
    ],
)
def test_hold_takes_send_from_who_is_held_and_recv_from_who_holds(
    alice: Direction, bob: Direction, expected: dict[bytes, tuple[tuple[bytes, ...], tuple[bytes, ...]]]
) -> None:
    call = held(alice, bob)
    assert media_of(document(call)) == expected


@pytest.mark.rfc("8068", "3.2.4")
@pytest.mark.req("UPD-14", "MD-09")
def test_final_document_has_stop_time_reason_and_everybody_leaves() -> None:
    over = dataclasses.replace(CALL, ended=10.0, reason="Normal call clearing", reason_cause=16)
    recording = read_metadata(document(over))
    assert isinstance(recording, m.Recording)
    stop = CLOCK.at(10.0).replace(microsecond=678000)
    assert recording.sessions[0].stopped == stop
    assert recording.sessions[0].reasons == (m.Reason(cause=16, text="Normal call clearing"),)
    assert [item.disassociated for item in recording.participant_sessions] == [stop, stop]
    assert recording.participant_streams == ()


@pytest.mark.rfc("7865", "6.5.1")
@pytest.mark.req("MD-10", "MD-11", "MD-31", "MD-32")
@pytest.mark.parametrize(
    ("aor", "written"),
    [
        ("", "sip:anonymous@anonymous.invalid"),
        ("not a uri", "sip:anonymous@anonymous.invalid"),
        ('sip:a&b<c>"@x.example', "sip:a&amp;b%3Cc%3E%22@x.example"),
        ("sip:50%off@x.example", "sip:50%25off@x.example"),
        ("sip:a%20b@x.example", "sip:a%20b@x.example"),
        ("sip:grü@x.example", "sip:gr%C3%BC@x.example"),
        ("sip:a@[2001:db8::1]:5060", "sip:a@%5B2001:db8::1%5D:5060"),
        ("tel:+43-1-234", "tel:+43-1-234"),
    ],
)
def test_aor_is_always_a_uri_that_the_schema_takes(aor: str, written: str) -> None:
    person = dataclasses.replace(CALL.participants[0], names=(Name(aor=aor),))
    data = document(dataclasses.replace(CALL, participants=(person, CALL.participants[1])))
    assert f'aor="{written}"'.encode() in data


@pytest.mark.rfc("7865", "6.5")
@pytest.mark.req("MD-10", "MD-32")
def test_participant_without_name_is_anonymous() -> None:
    person = dataclasses.replace(CALL.participants[0], names=())
    data = document(dataclasses.replace(CALL, participants=(person, CALL.participants[1])))
    assert b'<nameID aor="sip:anonymous@anonymous.invalid"/>' in data


@pytest.mark.rfc("7865", "6.3.2")
@pytest.mark.req("MD-27")
def test_a_participant_without_media_is_a_participant_all_the_same() -> None:
    controller = Participant(
        participant_id=b"\x0c" * 16, side=Side.CALLEE, names=(Name(aor="sip:3pcc@x.example"),), joined=3.0
    )
    recording = read_metadata(
        document(dataclasses.replace(CALL, participants=(*CALL.participants, controller)))
    )
    assert isinstance(recording, m.Recording)
    assert recording.participants[2].names[0].aor == "sip:3pcc@x.example"
    assert recording.participant_sessions[2].associated == CLOCK.at(3.0).replace(microsecond=678000)
    assert recording.participant_streams[2].sends == ()


@pytest.mark.req("MD-31")
def test_names_lose_what_xml_forbids_and_keep_the_rest() -> None:
    name = Name(aor="sip:a@x.example", display='O\'Hara & "Söhne" <x>\x00\x07\n\udce4\uffff漢')
    person = dataclasses.replace(CALL.participants[0], names=(name,))
    data = document(dataclasses.replace(CALL, participants=(person, CALL.participants[1])))
    wanted = "<name>O&apos;Hara &amp; &quot;Söhne&quot; &lt;x&gt; \ufffd漢</name>"
    assert wanted.encode() in data


@pytest.mark.rfc("7865", "7")
@pytest.mark.req("MD-34")
def test_snapshot_request_is_written_valid_and_read_back() -> None:
    for request in (m.SnapshotRequest(), m.SnapshotRequest(reason="lost <it>", language="en")):
        data = write_snapshot_request(request)
        assert_valid(data)
        check_metadata(data)
        assert read_metadata(data) == request


@pytest.mark.rfc("7865", "9")
@pytest.mark.req("MD-35")
def test_no_test_can_write_a_document_that_is_not_valid_unseen() -> None:
    """`tests/conftest.py` looks at each, of whichever test."""
    assert vars(documents)["write_recording"] is write_recording
    stray = m.Recording(streams=(m.Stream(stream_id=ALICE_TRACK, session_id=SESSION),))
    twice = m.Recording(participants=(m.Participant(participant_id=ALICE, names=()),) * 2)
    for wrong in (stray, twice):
        with pytest.raises(AssertionError):
            write_recording(wrong)
