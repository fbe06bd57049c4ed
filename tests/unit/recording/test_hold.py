"""Hold in the call, for an SRS that shall be paused by it."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession, Direction
from siprec_src.recording.commands import Pause, Resume
from siprec_src.recording.srs import OnHold, SrsConfig
from tests.support.metadata import directions
from tests.unit.recording.play import (
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
ALICE, BOB = "sip:alice@example.com", "sip:bob@example.net"


def held(by: str) -> CommunicationSession:
    holder, other = (VOICE_A, VOICE_B) if by == "caller" else (VOICE_B, VOICE_A)
    call = with_stream(CALL, holder, direction=Direction.SENDONLY)
    return with_stream(call, other, direction=Direction.RECVONLY)


def recorded(on_hold: OnHold = OnHold.PAUSE, call: CommunicationSession = CALL) -> Play:
    play = Play(SrsConfig(uri="sip:srs.example", on_hold=on_hold))
    play.publish(call)
    play.accept()
    return play


def lives(play: Play) -> list[bool]:
    return [reader.live for reader in play.media.readers.values()]


@pytest.mark.rfc("7866", "7.1.1.1")
@pytest.mark.req("SDP-20", "SDP-19", "MD-50")
@pytest.mark.parametrize("by", ["caller", "callee"])
def test_a_hold_pauses_the_recording_and_says_who_holds(by: str) -> None:
    play = recorded()
    play.publish(held(by))
    assert lives(play) == [False, False]
    (reinvite,) = play.requests
    assert [m.own_direction for m in offer_of(reinvite).media] == [Direction.INACTIVE] * 2
    holder, other = (ALICE, BOB) if by == "caller" else (BOB, ALICE)
    sends, receives = directions(metadata_of(reinvite))
    assert (bool(sends[holder]), bool(receives[holder])) == (True, False)
    assert (bool(sends[other]), bool(receives[other])) == (False, True)


@pytest.mark.req("SDP-20", "SDP-19")
def test_after_the_hold_the_media_goes_on_when_the_srs_agrees() -> None:
    play = recorded()
    play.publish(held("callee"))
    play.accept()
    play.publish(CALL)
    assert lives(play) == [False, False]
    assert [m.own_direction for m in offer_of(play.requests[1]).media] == [Direction.SENDONLY] * 2
    play.accept()
    assert lives(play) == [True, True]


@pytest.mark.req("SDP-20")
def test_by_default_a_hold_is_recorded() -> None:
    play = recorded(OnHold.RECORD)
    play.publish(held("callee"))
    assert lives(play) == [True, True]
    assert play.requests[0].method == "UPDATE"


def test_a_media_reader_stops_before_the_srs_is_told() -> None:
    play = recorded()
    play.hold_media()
    play.publish(held("caller"))
    assert play.requests == []
    play.release_media()
    assert play.methods() == ["INVITE"]


def test_a_call_that_begins_on_hold_begins_paused() -> None:
    play = recorded(call=held("caller"))
    assert [m.own_direction for m in offer_of(play.invites[0]).media] == [Direction.INACTIVE] * 2
    play.publish(CALL)
    play.accept()
    assert lives(play) == [True, True]


@pytest.mark.parametrize("first", ["hold", "command"])
def test_a_recording_goes_on_when_neither_hold_nor_command_pauses_it(first: str) -> None:
    play = recorded()
    play.publish(held("caller"))
    play.accept()
    play.command(Pause(call=7))
    if first == "hold":
        play.publish(CALL)
        if len(play.requests) == 2:
            play.accept()
        assert lives(play) == [False, False]
        play.command(Resume(call=7))
    else:
        play.command(Resume(call=7))
        assert lives(play) == [False, False]
        play.publish(CALL)
    assert [m.own_direction for m in offer_of(play.newest).media] == [Direction.SENDONLY] * 2
    play.accept()
    assert lives(play) == [True, True]


def test_a_hold_that_ends_before_the_srs_has_answered_settles_on_recording() -> None:
    play = recorded()
    play.publish(held("caller"))
    play.publish(CALL)
    assert lives(play) == [False, False]
    play.accept(lambda _i, media: media.with_direction(Direction.INACTIVE))
    play.accept()
    assert lives(play) == [True, True]


def test_the_end_of_a_held_call_is_told() -> None:
    play = recorded()
    play.publish(held("caller"))
    play.accept()
    play.publish(dataclasses.replace(held("caller"), ended=9.0))
    assert play.methods()[-1] == "UPDATE"
    assert b"<stop-time>" in metadata_of(play.requests[-1])


@pytest.mark.req("SDP-19", "SDP-20")
def test_a_hold_that_changes_the_codec_too_stops_what_goes_by_the_old_one() -> None:
    play = recorded()
    changed = with_stream(with_stream(held("caller"), VOICE_A, formats=(PCMA,)), VOICE_B, formats=(PCMA,))
    play.publish(changed)
    assert lives(play) == [False, False]
    assert [m.own_direction for m in offer_of(play.requests[0]).media] == [Direction.INACTIVE] * 2
