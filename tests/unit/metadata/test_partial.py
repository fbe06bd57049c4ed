"""Partial documents: only what has changed, and enough for whoever has read the ones before."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession, Direction, Name, Participant, Side
from siprec_src.metadata import model as m
from siprec_src.metadata.document import snapshot
from siprec_src.metadata.partial import changes
from siprec_src.metadata.writer import write_recording
from tests.support.schema import History
from tests.unit.metadata.test_documents import (
    ALICE,
    ALICE_TRACK,
    BOB,
    BOB_TRACK,
    CALL,
    CLOCK,
    LABELS,
    SESSION,
    held,
)

CAROL = b"\x09" * 16


def complete(call: CommunicationSession, labels: dict[bytes, str] | None = None) -> m.Recording:
    return snapshot(call, CLOCK, labels={} if labels is None else labels, recorded_from=2.0)


def partial(call: CommunicationSession, labels: dict[bytes, str] | None = None) -> m.Recording:
    """What is told of ``call`` after `CALL`, valid and with references that resolve."""
    before = complete(CALL, LABELS)
    found = changes(before, complete(call, labels))
    assert found is not None
    history = History()
    history.take(write_recording(before))
    history.take(write_recording(found))
    return found


@pytest.mark.rfc("8068", "3.2.2")
@pytest.mark.req("MD-41", "MD-52")
def test_hold_replaces_what_both_parties_send_and_receive_and_says_nothing_else() -> None:
    assert partial(held(Direction.RECVONLY, Direction.SENDONLY)) == m.Recording(
        mode=m.DataMode.PARTIAL,
        participant_streams=(
            m.ParticipantStream(participant_id=ALICE, receives=(BOB_TRACK,)),
            m.ParticipantStream(participant_id=BOB, sends=(BOB_TRACK,)),
        ),
    )


@pytest.mark.rfc("7866", "7.1.1")
@pytest.mark.req("BOD-13")
def test_with_an_offer_all_labelled_streams_are_told_again() -> None:
    found = partial(CALL, LABELS)
    assert found == m.Recording(
        mode=m.DataMode.PARTIAL,
        streams=(
            m.Stream(stream_id=ALICE_TRACK, session_id=SESSION, label="1"),
            m.Stream(stream_id=BOB_TRACK, session_id=SESSION, label="2"),
        ),
    )


@pytest.mark.rfc("8068", "3.3.3")
@pytest.mark.req("MD-41", "MD-57")
def test_who_joins_is_told_with_the_whole_session_and_who_leaves_by_the_time() -> None:
    ids = ("a" * 32 + ";remote=" + "b" * 32, "a" * 32 + ";remote=" + "c" * 32)
    carol = Participant(
        participant_id=CAROL, side=Side.CALLEE, names=(Name(aor="sip:c@x.example"),), joined=5.0
    )
    left = dataclasses.replace(CALL.participants[1], left=5.0)
    call = dataclasses.replace(
        CALL,
        participants=(CALL.participants[0], carol, left),
        streams=(CALL.streams[0], dataclasses.replace(CALL.streams[1], sender=CAROL)),
        sip_session_ids=ids,
    )
    found = partial(call)
    assert [session.sip_session_ids for session in found.sessions] == [ids]
    assert [person.participant_id for person in found.participants] == [CAROL]
    assert [(p.participant_id, p.disassociated is None) for p in found.participant_sessions] == [
        (CAROL, True),
        (BOB, False),
    ]
    assert [item.participant_id for item in found.participant_streams] == [CAROL]
    assert (found.groups, found.streams, found.session_recordings) == ((), (), ())


@pytest.mark.rfc("8068", "3.2.4")
@pytest.mark.req("UPD-14", "MD-41")
def test_the_end_is_told_by_times_alone() -> None:
    found = partial(dataclasses.replace(CALL, ended=9.0))
    assert [session.stopped for session in found.sessions] == [CLOCK.at(9.0)]
    assert all(item.disassociated == CLOCK.at(9.0) for item in found.participant_sessions)
    assert [item.disassociated for item in found.session_recordings] == [CLOCK.at(9.0)]
    assert (found.participants, found.streams, found.participant_streams) == ((), (), ())


@pytest.mark.rfc("7865", "5")
@pytest.mark.parametrize(
    "call",
    [
        dataclasses.replace(CALL, streams=CALL.streams[:1]),
        dataclasses.replace(CALL, participants=CALL.participants[:1], streams=CALL.streams[:1]),
        dataclasses.replace(CALL, group_id=b"\x0a" * 16),
        dataclasses.replace(CALL, session_id=b"\x0b" * 16),
        CALL,
    ],
)
def test_what_no_partial_document_can_say_takes_a_complete_one(call: CommunicationSession) -> None:
    assert changes(complete(CALL), complete(call)) is None
