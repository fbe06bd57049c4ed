"""What a party wishes of recording is done where the operator lets it, else only noted (RFC 7866 7.3.2)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import CommunicationSession, Direction, Preference
from siprec_src.recording.settings import RecordingSettings
from tests.unit.recording.play import Play, offer_of, two_party_call

ON, PAUSE, OFF, NONE = Preference.ON, Preference.PAUSE, Preference.OFF, Preference.NONE
HONOURED = RecordingSettings(honour_recordpref=True)


def wishing(wish: Preference) -> CommunicationSession:
    return dataclasses.replace(two_party_call(), preference=wish)


def play_with(settings: RecordingSettings, wish: Preference = NONE) -> Play:
    play = Play(settings=settings)
    play.publish(wishing(wish))
    return play


def lives(play: Play) -> list[bool]:
    return [reader.live for reader in play.media.readers.values()]


@pytest.mark.rfc("7866", "7.1.3", "7.3.2")
@pytest.mark.req("IND-07", "IND-08")
def test_honoured_wishes_pause_resume_stop_and_start_the_recording() -> None:
    play = play_with(HONOURED)
    play.accept()
    play.publish(wishing(PAUSE))
    assert lives(play) == [False, False]
    play.accept()
    play.publish(wishing(NONE))
    assert lives(play) == [False, False]
    play.publish(wishing(ON))
    play.accept()
    assert lives(play) == [True, True]
    play.publish(wishing(OFF))
    assert play.media.readers == {}
    play.publish(wishing(ON))
    play.accept()
    assert [state for state, _ in play.states] == ["on", "paused", "on", "off", "on"]


def test_a_recording_that_waits_for_its_next_try_is_over_when_a_party_does_not_want_it() -> None:
    play = play_with(HONOURED)
    play.say(486)
    play.publish(wishing(OFF))
    assert play.machines == []
    assert len(play.invites) == 1


@pytest.mark.req("IND-18")
def test_a_call_that_a_party_does_not_want_recorded_is_not() -> None:
    play = play_with(HONOURED, OFF)
    assert play.invites == []
    play.publish(dataclasses.replace(wishing(OFF), ended=9.0))
    assert [line["reason"] for line in play.log("recording.none")] == ["recordpref"]
    assert play.counted("calls_unrecorded_total") == []


@pytest.mark.rfc("7245", "3.2.1")
@pytest.mark.req("IND-08", "SDP-04")
def test_a_call_that_begins_with_the_wish_to_pause_is_recorded_from_the_resumption_on() -> None:
    play = play_with(HONOURED, PAUSE)
    assert {media.own_direction for media in offer_of(play.invites[0]).media} == {Direction.INACTIVE}
    play.accept()
    assert lives(play) == [False, False]
    assert play.states == [("paused", "started")]
    play.publish(wishing(ON))
    assert {media.own_direction for media in offer_of(play.newest).media} == {Direction.SENDONLY}
    play.accept()
    assert lives(play) == [True, True]


@pytest.mark.req("IND-08")
def test_the_wish_to_pause_what_is_not_recorded_does_nothing() -> None:
    play = play_with(dataclasses.replace(HONOURED, automatic=False))
    play.publish(wishing(PAUSE))
    play.publish(wishing(ON))
    play.accept()
    assert play.states == [("on", "started")]


@pytest.mark.req("IND-08", "IND-18")
@pytest.mark.parametrize("wish", [ON, PAUSE, OFF])
def test_without_the_operator_s_word_a_wish_changes_nothing_and_is_noted(wish: Preference) -> None:
    play = play_with(RecordingSettings(), wish)
    play.accept()
    play.publish(wishing(NONE))
    play.publish(wishing(wish))
    assert lives(play) == [True, True]
    assert play.states == [("on", "started")]
    noted = [(line["wish"], line["honoured"]) for line in play.log("recording.preference")]
    assert noted == [(wish.value, False), ("nopreference", False), (wish.value, False)]


def test_a_wish_alone_is_no_news_to_the_srs() -> None:
    play = play_with(RecordingSettings())
    play.accept()
    sent = len(play.sent)
    play.publish(wishing(OFF))
    assert len(play.sent) == sent
