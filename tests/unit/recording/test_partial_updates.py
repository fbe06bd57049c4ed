"""An SRS for partial documents: when it gets them, when complete ones, and in which request."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction, Name
from siprec_src.metadata.model import DataMode, Recording, SnapshotRequest
from siprec_src.metadata.reader import read_metadata
from siprec_src.metadata.writer import write_snapshot_request
from siprec_src.recording.commands import Pause
from siprec_src.recording.srs import OnEnd, SrsConfig
from siprec_src.sip import vocabulary as sip
from tests.unit.recording.play import (
    CALLEE,
    PCMA,
    VOICE_A,
    VOICE_B,
    Play,
    metadata_of,
    offer_of,
    two_party_call,
    with_stream,
)

CALL = two_party_call()
HELD = with_stream(CALL, VOICE_A, direction=Direction.RECVONLY)
BOTH_HELD = with_stream(HELD, VOICE_B, direction=Direction.INACTIVE)
CONFIG = SrsConfig(uri="sip:srs.example", partial_updates=True)


def recorded(config: SrsConfig = CONFIG, allow: str = "INVITE, ACK, BYE, UPDATE") -> Play:
    play = Play(config)
    play.publish(CALL)
    play.accept(headers=(("Allow", allow),))
    return play


def told(command: sip.StartInvite | sip.SendRequest) -> Recording:
    found = read_metadata(metadata_of(command))
    assert isinstance(found, Recording)
    return found


def has_offer(command: sip.SendRequest) -> bool:
    return b"v=0\r\n" in command.body


@pytest.mark.rfc("7866", "9.1")
@pytest.mark.req("UPD-05", "MD-41", "MD-52", "BOD-12")
def test_a_change_goes_alone_in_an_update_without_sdp() -> None:
    play = recorded()
    assert told(play.invites[0]).mode is DataMode.COMPLETE
    play.publish(HELD)
    (update,) = play.requests
    assert update.method == "UPDATE"
    assert not has_offer(update)
    document = told(update)
    assert document.mode is DataMode.PARTIAL
    assert (document.participants, document.streams, document.sessions) == ((), (), ())
    assert [(p.sends, p.receives) for p in document.participant_streams] == [
        ((), (VOICE_B,)),
        ((VOICE_B,), ()),
    ]


@pytest.mark.rfc("7866", "7.1.1")
@pytest.mark.req("UPD-05", "UPD-17", "BOD-13")
def test_with_an_offer_the_labels_are_repeated() -> None:
    play = recorded(allow="INVITE, ACK, BYE")
    play.publish(HELD)
    (reinvite,) = play.requests
    document = told(reinvite)
    assert document.mode is DataMode.PARTIAL
    assert (
        [s.label for s in document.streams]
        == [media.label for media in offer_of(reinvite).media]
        == ["1", "2"]
    )
    assert document.participants == ()


@pytest.mark.parametrize("change", ["codec", "pause"])
def test_a_change_of_the_media_takes_a_re_invite(change: str) -> None:
    play = recorded()
    if change == "pause":
        play.command(Pause(call=7))
    else:
        play.publish(with_stream(CALL, VOICE_A, formats=(PCMA,)))
    (reinvite,) = play.requests
    assert (reinvite.method, has_offer(reinvite)) == ("INVITE", True)
    assert told(reinvite).mode is DataMode.PARTIAL


@pytest.mark.req("UPD-15")
def test_changes_that_come_meanwhile_are_one_partial_document_against_what_was_taken() -> None:
    play = recorded()
    play.publish(HELD)
    play.publish(BOTH_HELD)
    carol = dataclasses.replace(CALL.participants[1], names=(Name(aor="sip:carol@example.net"),))
    play.publish(dataclasses.replace(BOTH_HELD, participants=(CALL.participants[0], carol)))
    assert len(play.requests) == 1
    play.say(200)
    document = told(play.requests[1])
    assert [p.participant_id for p in document.participants] == [CALLEE]
    assert [p.sends for p in document.participant_streams] == [(), ()]
    play.say(200)
    assert len(play.requests) == 2


def test_after_glare_the_change_is_told_again_as_a_partial_one() -> None:
    play = recorded()
    play.publish(HELD)
    play.say(491)
    play.until(10.0)
    assert [told(request).mode for request in play.requests] == [DataMode.PARTIAL] * 2
    assert told(play.requests[0]) == told(play.requests[1])


@pytest.mark.rfc("3261", "14.1")
@pytest.mark.req("UPD-16")
def test_after_a_refusal_the_next_change_is_told_completely() -> None:
    play = recorded()
    play.publish(HELD)
    play.say(400)
    play.publish(BOTH_HELD)
    assert told(play.requests[1]).mode is DataMode.COMPLETE
    assert [s.label for s in told(play.requests[1]).streams] == ["1", "2"]
    play.accept()
    play.publish(CALL)
    assert told(play.requests[2]).mode is DataMode.PARTIAL


@pytest.mark.rfc("7866", "9.2")
@pytest.mark.req("UPD-06", "UPD-07")
def test_a_snapshot_request_gets_a_complete_document_and_later_ones_build_on_it() -> None:
    play = recorded()
    play.publish(HELD)
    play.say(200)
    request = write_snapshot_request(SnapshotRequest())
    play.ask("UPDATE", request, "application/rs-metadata+xml", Content_Disposition="recording-session")
    snapshot = told(play.requests[1])
    assert snapshot.mode is DataMode.COMPLETE
    assert len(snapshot.participants) == 2
    play.accept()
    play.publish(CALL)
    document = told(play.requests[2])
    assert document.mode is DataMode.PARTIAL
    assert len(document.participant_streams) == 2


@pytest.mark.req("UPD-05")
def test_a_new_session_begins_with_a_complete_document() -> None:
    play = recorded()
    play.until(60.0)
    play.publish(HELD)
    play.say(481)
    assert told(play.invites[1]).mode is DataMode.COMPLETE
    assert len(told(play.invites[1]).participants) == 2


@pytest.mark.rfc("8068", "3.2.4")
@pytest.mark.req("UPD-14", "BOD-14")
@pytest.mark.parametrize("on_end", [OnEnd.UPDATE, OnEnd.BYE_BODY])
def test_the_last_document_is_partial_too(on_end: OnEnd) -> None:
    play = recorded(dataclasses.replace(CONFIG, on_end=on_end))
    play.publish(dataclasses.replace(CALL, ended=9.0))
    last = told(play.requests[0])
    assert play.requests[0].method == ("BYE" if on_end is OnEnd.BYE_BODY else "UPDATE")
    assert last.mode is DataMode.PARTIAL
    assert last.sessions[0].stopped is not None
    assert [p.disassociated is None for p in last.participant_sessions] == [False, False]
    assert (last.participants, last.streams) == ((), ())


def test_what_a_partial_document_cannot_take_back_is_told_completely() -> None:
    play = recorded()
    play.publish(dataclasses.replace(CALL, streams=CALL.streams[:1]))
    document = told(play.requests[0])
    assert document.mode is DataMode.COMPLETE
    assert [s.stream_id for s in document.streams] == [VOICE_A]
