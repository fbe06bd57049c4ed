"""What recording tells the call of itself: on, paused, off, each once and with its cause (RFC 7866 6.1.2)."""

from __future__ import annotations

import dataclasses

import pytest

from siprec_src.communication import Direction
from siprec_src.recording.commands import Pause, Resume, Stop
from siprec_src.recording.srs import SrsConfig
from tests.unit.recording.play import VOICE_A, Play, answer_to, offer_of, two_party_call, with_stream


def recorded() -> Play:
    play = Play()
    play.publish(two_party_call())
    assert play.states == []  # an SRS that has not answered records nothing
    play.accept()
    return play


@pytest.mark.req("IND-04")
def test_the_call_is_told_when_recording_begins_rests_goes_on_and_stops() -> None:
    play = recorded()
    play.command(Pause(7))
    play.command(Resume(7))
    play.command(Stop(7))
    assert play.states == [("on", "started"), ("paused", "paused"), ("on", "resumed"), ("off", "stopped")]


@pytest.mark.req("IND-04")
def test_the_call_is_told_when_the_srs_ends_the_recording() -> None:
    play = recorded()
    play.ask("BYE")
    assert play.states == [("on", "started"), ("off", "srs-bye")]


def test_a_change_of_the_call_is_no_change_of_the_recording() -> None:
    play = recorded()
    play.publish(with_stream(two_party_call(), VOICE_A, direction=Direction.SENDONLY))
    assert play.states == [("on", "started")]


def test_a_call_that_is_over_is_told_nothing() -> None:
    play = recorded()
    play.publish(dataclasses.replace(two_party_call(), ended=9.0))
    assert play.states == [("on", "started")]


def test_a_call_is_recorded_as_long_as_one_of_its_copies_is() -> None:
    play = Play(SrsConfig(uri="sip:one.example", copy="one"), SrsConfig(uri="sip:two.example", copy="two"))
    play.publish(two_party_call())
    first, second = play.invites
    play.say(200, first, answer_to(offer_of(first)))
    play.say(486, second)
    assert play.states == [("on", "started")]
    play.command(Stop(7))
    assert play.states == [("on", "started"), ("off", "stopped")]
